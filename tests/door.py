"""The web half of a world of a test: the real server and its routes, in a thread, with the world's clock."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import uvloop
from linkbacks import calls
from linkbacks.claims import Rules

from aggregator.serve.again import Again
from aggregator.serve.app import App
from aggregator.serve.callbacks import Doorkeeper
from aggregator.serve.events import Events
from aggregator.serve.intake import Intake
from aggregator.serve.large import LargeBodies
from aggregator.serve.pages import Pages, endpoint_headers
from aggregator.serve.wire import Server
from jobs.rendering import renderer_for
from tests.builders import NOON
from tests.farm import eventually, quiet_port
from tests.world import World


class Door:
    """Serves a world as soon as it is given one; its address is known before."""

    def __init__(self) -> None:
        self.port = quiet_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._ready = threading.Event()
        self._clock: Callable[[], datetime] = lambda: NOON
        self._thread: threading.Thread | None = None

    def open(self, world: World) -> None:
        self._clock = world.clock
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve(world)), daemon=True)
        self._thread.start()
        self._ready.wait(5)
        eventually(self._listens)

    async def _serve(self, world: World) -> None:
        planet = world.planet
        self._loop = asyncio.get_running_loop()
        intake = Intake(planet.data, lambda: Rules(planet.masthead.url))
        again = Again()
        pages = Pages(planet.public, endpoint_headers(planet.masthead.url, planet.linkbacks.accept), again)
        events = Events(lambda _scope: "")
        keeper = Doorkeeper(planet.data)
        app = App(planet, pages, intake, renderer_for(planet), self._clock, events, keeper, lambda: ())
        large = LargeBodies(lambda: planet.poll.max_bytes, keeper.is_callback)
        self._server = Server(app, self._clock, calls.LONGEST_BODY, large=large, again=again)
        self._ready.set()
        await self._server.serve("127.0.0.1", self.port)
        intake.close()
        keeper.close()

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._server.stop)
            self._thread.join()

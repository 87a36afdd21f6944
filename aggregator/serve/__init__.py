"""The web half: an HTTP server, the pages in memory, and the intake of pings."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import uvloop
from linkbacks import calls
from linkbacks.claims import Rules
from sqlite_utils import Database

from aggregator import store
from aggregator.config import ConfigFile, Planet
from aggregator.errors import ConfigBroken, StoreReadOnly
from aggregator.ports import check_port
from aggregator.processes import allow_files
from aggregator.serve.again import Again
from aggregator.serve.app import App
from aggregator.serve.asgi import Scope
from aggregator.serve.callbacks import Doorkeeper
from aggregator.serve.client import address_of
from aggregator.serve.events import Events, posts_on
from aggregator.serve.exchange import Exchange, Request
from aggregator.serve.intake import Intake, is_near
from aggregator.serve.large import LargeBodies
from aggregator.serve.pages import Pages, endpoint_headers
from aggregator.serve.wire import Server, is_of_this_house
from aggregator.site import Renderer
from jobs.rendering import renderer_for

log = logging.getLogger("planet.serve")

LOOK_EVERY = 0.25
FILES_OF_OURS = 200

_Equipped = tuple[Planet, Renderer, list[str]]


def serve(config: ConfigFile, host: str, port: int, clock: Callable[[], datetime]) -> None:
    """Serve until SIGTERM or SIGINT.

    Where the data folder can't be written, pages are served all the same.

    Raises: StartRefused, StoreFailed.
    """
    check_port(host, port)
    _check_store(config.current)
    gc.freeze()  # what is there now stays: to look through it again and again would hold up answers for 20 ms
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, host, port, clock))


def _check_store(planet: Planet) -> None:
    try:
        store.open_store(planet.data).close()
    except StoreReadOnly:
        # A system kills whoever has the database in memory when its disk becomes read-only: pages are to come back.
        if not (planet.public / "index.html").exists():
            raise


async def _serve(config: ConfigFile, host: str, port: int, clock: Callable[[], datetime]) -> None:
    half = _WebHalf(config, clock)
    server = Server(
        half.app,
        clock,
        calls.LONGEST_BODY,
        allow_files() - FILES_OF_OURS,
        is_exempt=half.speaks_for_many,
        large=LargeBodies(half.longest_push, half.doorkeeper.is_callback),
        again=half.again,
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        half.let_go()
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    log.info("serving %s on http://%s:%d/", config.current.masthead.title, host, port)
    try:
        await server.serve(host, port)
    finally:
        half.close()
        log.info("stopped")


class _WebHalf:
    """What stands behind the server, and the thread that keeps it up to date."""

    def __init__(self, config: ConfigFile, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._intake = Intake(config.current.data, self._rules, self._is_exempt)
        self._loop = asyncio.get_running_loop()
        self._database: Database | None = None
        self._planet = config.current  # whose pages are served
        self.doorkeeper = Doorkeeper(config.current.data)
        self._events = Events(self._listener)
        self.again = Again()
        try:
            self._begin(*self._opened())
        except StoreReadOnly:  # the thread says so, and begins again when it can be written
            self._take_on(config.current, renderer_for(config.current, config.current.masthead.url), [])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def app(self, request: Request, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request with the configuration in effect."""
        return self._app(request, exchange)

    def longest_push(self) -> int:
        """Return how long a push may be: as long as a feed."""
        return self._config.current.poll.max_bytes

    def let_go(self) -> None:
        """Let open pages go: a server that stops waits for its answers to end."""
        self._events.close()

    def close(self) -> None:
        """End the threads; what has been received is stored first."""
        self._stop.set()
        self._thread.join()
        self._intake.close()
        self.doorkeeper.close()
        if self._database is not None:
            self._database.close()

    def _opened(self) -> _Equipped:
        """Open the database, before the first page is read: whatever is published from now on is noticed."""
        planet = self._config.current
        store.check_writable(planet.data)  # what is opened while it can only be read, can't be written later, either
        database = store.open_store(planet.data)
        try:
            self._seen, self._forgotten = store.pages.generation(database), store.pages.forgotten(database)
            equipped = _equipped(database, planet)
        except BaseException:
            database.close()
            raise
        self._database, self._planet = database, planet
        return equipped

    def _begin(self, planet: Planet, renderer: Renderer, formers: list[str]) -> None:
        self._take_on(planet, renderer, formers)
        self._tell()

    def _take_on(self, planet: Planet, renderer: Renderer, formers: list[str]) -> None:
        self._pages = Pages(planet.public, endpoint_headers(planet.masthead.url, planet.linkbacks.accept), self.again)
        self._app = App(
            planet,
            self._pages,
            self._intake,
            renderer,
            self._clock,
            self._events,
            self.doorkeeper,
            self._mistakes,
            formers,
        )

    def _mistakes(self) -> tuple[str, ...]:
        return self._config.mistakes

    def _rules(self) -> Rules:
        planet = self._config.current
        return Rules(
            planet.masthead.url,
            planet.linkbacks.strangers,
            tuple(planet.linkbacks.block),
            tuple(planet.linkbacks.accept),
        )

    def _is_exempt(self, client: str) -> bool:
        network = self._config.current.network
        # Behind a proxy that the operator has not named, everybody would be one client.
        return is_near(client, tuple(network.allow_addresses))

    def speaks_for_many(self, client: str) -> bool:
        """Tell whether behind an address there may be more than one client: it is, or may be, a proxy's."""
        network = self._config.current.network
        return is_of_this_house(client) or is_near(client, (*network.proxies, *network.allow_addresses))

    def _listener(self, scope: Scope) -> str:
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        client = address_of(scope["client"][0], forwarded, self._config.current.network.proxies)
        return "" if self.speaks_for_many(client) else client

    def _watch(self) -> None:
        """Drop pages from memory when they have been published anew; take on an edited configuration."""
        told = ""
        while not self._stop.wait(LOOK_EVERY):
            try:
                self._look()
                told = ""
            except ConfigBroken:
                continue  # the jobs half tells about the mistakes
            except Exception as error:  # whatever it is, pages must not grow old in silence
                if str(error) != told:
                    log.error("%s", error)
                told = str(error)

    def _look(self) -> None:
        if self._database is None:
            self._loop.call_soon_threadsafe(self._begin, *self._opened())
            log.info("the data folder can be written: pings are taken")
            return
        with store.named_errors():
            latest = store.pages.generation(self._database)
            if latest != self._seen:
                changed = store.pages.changed_since(self._database, self._seen)
                self._loop.call_soon_threadsafe(self._drop, changed)
                self._seen = latest
                if (forgotten := store.pages.forgotten(self._database)) != self._forgotten:
                    self._loop.call_soon_threadsafe(self._pages.drop_all)
                    self._forgotten = forgotten
        self._config.refresh()
        if self._config.current is not self._planet:  # also when it could not be taken on the last time
            equipped = _equipped(self._database, self._config.current)
            self._loop.call_soon_threadsafe(self._take_on, *equipped)
            self._planet = equipped[0]

    def _drop(self, changed: list[str]) -> None:
        self._pages.drop(changed)
        if "index.html" in changed:
            self._tell()

    def _tell(self) -> None:
        front = self._pages.find("")
        if front is not None:
            self._events.tell(posts_on(front.body))


def _equipped(database: Database, planet: Planet) -> _Equipped:
    """A configuration with what renders its pages, and the addresses that the planet had before."""
    url = planet.masthead.url
    with store.transaction(database):
        formers, first = store.pages.former_addresses(database, url), store.pages.first_address(database, url)
    return planet, renderer_for(planet, first), formers

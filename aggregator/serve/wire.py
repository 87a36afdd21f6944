"""HTTP/1.1 on the wire: who may connect, and who has had his time. Knows no page and no ping.

One thread reads, decides, stores and writes: a server with threads of its own spends more on handing the
interpreter's lock back and forth than a ping costs.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime

from aggregator.serve.again import Again
from aggregator.serve.client import household
from aggregator.serve.connection import App, Connection
from aggregator.serve.large import LargeBodies

PATIENCE = 5.0
STALL_SECONDS = 30.0
STOP_SECONDS = 5.0
# Connections of one client, unless it is a proxy and speaks for many.
MOST_OF_A_CLIENT = 200


def is_of_this_house(client: str) -> bool:
    """Tell whether an address is none of the internet's: a proxy may stand there that speaks for everybody."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global


class Server:
    """Listens, and closes connections that have had their time."""

    def __init__(
        self,
        app: App,
        clock: Callable[[], datetime],
        longest_body: int,
        most_connections: int = 1_000,
        patience: float = PATIENCE,
        stall_seconds: float = STALL_SECONDS,
        is_exempt: Callable[[str], bool] = is_of_this_house,
        most_of_a_client: int = MOST_OF_A_CLIENT,
        large: LargeBodies | None = None,
        *,
        again: Again,
    ) -> None:
        self.app = app
        self.again = again
        self.most_connections = most_connections
        self.longest_body = longest_body
        self.large = large
        self.patience = patience
        self.stall_seconds = stall_seconds
        self.connections: set[Connection] = set()
        self.waiting: dict[Connection, None] = {}
        self.date = b""
        self._clock = clock
        self._is_exempt = is_exempt
        self._most_of_a_client = most_of_a_client
        self._of_client: Counter[str] = Counter()
        self._is_over = asyncio.Event()

    def stop(self) -> None:
        """Take no new requests; `serve` returns when those under way are answered."""
        self._is_over.set()

    async def serve(self, host: str, port: int) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        self._tick()
        server = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=1_024)
        await self._is_over.wait()
        server.close()
        for connection in list(self.connections):
            connection.close_when_answered()
        until = loop.time() + STOP_SECONDS
        while self.connections and loop.time() < until:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()

    def admit(self, connection: Connection, client: str) -> bool:
        """Take a client in; when there is no room, in the place of the one that has been idle longest."""
        client = household(client)
        if self._of_client[client] >= self._most_of_a_client and not self._is_exempt(connection.client):
            return False
        if len(self.connections) >= self.most_connections and not self._make_room():
            return False
        self.connections.add(connection)
        self.waiting[connection] = None
        self._of_client[client] += 1
        return True

    def _make_room(self) -> bool:
        idle = next((each for each in self.waiting if not each.has_to_read()), None) or next(iter(self.waiting), None)
        if idle is None:
            return False
        self.let_go(idle)
        idle.abort()
        return True

    def let_go(self, connection: Connection) -> None:
        """Forget a client."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.waiting.pop(connection, None)
        client = household(connection.client)
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def _tick(self) -> None:
        """Once a second: what time it is, and whose has run out."""
        loop = asyncio.get_running_loop()
        self.date = f"date: {format_datetime(self._clock(), usegmt=True)}\r\n".encode()
        now = loop.time()
        for connection in list(self.connections):
            connection.look(now)
        loop.call_later(1.0, self._tick)

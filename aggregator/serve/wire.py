"""HTTP/1.1 on the wire: requests are read whole and within bounds, answers written in order. Knows no page and no ping.

One thread reads, decides, stores and writes: a server with threads of its own spends more on handing the
interpreter's lock back and forth than a ping costs.
Source: RFC 9112; the parser is Node's (llhttp).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import datetime
from email.utils import format_datetime
from typing import Any, cast
from urllib.parse import unquote

import httptools

from aggregator.serve.exchange import STATUS_LINES, Exchange, Request

log = logging.getLogger("planet.serve")

# So long may a client take for a head, and for a body.
PATIENCE = 5.0
IDLE_SECONDS = 60.0
# A client that takes none of an answer for so long gets no more of it.
STALL_SECONDS = 30.0
# What is still on its way when a request is refused is read and dropped, so that the answer arrives.
LINGER_SECONDS = 1.0
STOP_SECONDS = 5.0
LONGEST_HEAD = 32_768
MOST_HEADERS = 100
MOST_AHEAD = 32

# Answers at once, or returns what is to be awaited until it has answered.
App = Callable[[Request, Exchange], Coroutine[Any, Any, None] | None]


class Server:
    """Listens, and closes connections that have had their time."""

    def __init__(
        self,
        app: App,
        clock: Callable[[], datetime],
        longest_body: int,
        most_connections: int = 1_000,
        patience: float = PATIENCE,
    ) -> None:
        self.app = app
        self.most_connections = most_connections
        self.longest_body = longest_body
        self.patience = patience
        self.connections: set[Connection] = set()
        self.date = ""
        self._clock = clock
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

    def _tick(self) -> None:
        """Once a second: what time it is, and whose has run out."""
        loop = asyncio.get_running_loop()
        self.date = f"date: {format_datetime(self._clock(), usegmt=True)}\r\n"
        now = loop.time()
        for connection in [each for each in self.connections if each.deadline < now]:
            connection.time_out()
        loop.call_later(1.0, self._tick)


_NEVER = float("inf")


class Connection(asyncio.Protocol):
    """One client. Requests that it sends ahead wait until the one before is answered."""

    _transport: asyncio.Transport

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.gone = asyncio.Event()
        self.deadline = loop.time() + server.patience
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._ahead: deque[tuple[Request, bool]] = deque()
        self._exchange: Exchange | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._client = ""
        self._is_deaf = False  # nothing more is read from it
        self._is_within = False  # in a request, of which the head has been read
        self._size = 0

    # -- asyncio.Protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take on a client."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's isn't one by name
        self._client = str((transport.get_extra_info("peername") or ("",))[0])
        if len(self.server.connections) >= self.server.most_connections:
            self._transport.abort()
            return
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a client go."""
        self.server.connections.discard(self)
        self._is_deaf = True
        self._ahead.clear()
        self._writable.set()
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """Read what a client sends."""
        if self._is_deaf:
            return
        if not self._is_within:
            if not self._size:
                self.deadline = self._loop.time() + self.server.patience
            self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end_after_answer()  # it is answered as if it hadn't asked for another protocol
        except httptools.HttpParserError:
            self._refuse(400)
        if not self._is_within and self._size > LONGEST_HEAD:
            self._refuse(431)

    def pause_writing(self) -> None:
        """The client is slower than the answer."""
        self._writable.clear()
        self.deadline = self._loop.time() + STALL_SECONDS

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()
        self.deadline = _NEVER if self._exchange else self._loop.time() + IDLE_SECONDS

    # -- httptools -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def on_url(self, url: bytes) -> None:
        """Read a piece of the address."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header."""
        if not self._is_within:  # what comes behind a body can't change what was said before it
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Read a body next."""
        self._is_within, self._size = True, 0
        self.deadline = self._loop.time() + self.server.patience
        names = {name for name, _ in self._headers}
        if len(self._headers) > MOST_HEADERS:
            self._refuse(431)
        elif b"host" not in names and self._parser.get_http_version() == "1.1":
            self._refuse(400)
        elif b"expect" in names:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        """Read a piece of a body."""
        if self._is_deaf:
            return
        self._body += piece
        if len(self._body) > self.server.longest_body:
            self._complete(is_last=True)
            self._is_deaf = True

    def on_message_complete(self) -> None:
        """Answer a request."""
        if not self._is_deaf:
            self._complete(is_last=not self._parser.should_keep_alive())

    # -- requests and answers ------------------------------------------------------------------------

    def _complete(self, *, is_last: bool) -> None:
        self._is_within = False
        self.deadline = _NEVER
        raw, _, query = self._url.partition(b"?")
        if not raw.startswith(b"/"):
            raw = httptools.parse_url(self._url).path or b"/" if raw != b"*" else raw
        request = Request(
            self._parser.get_method().decode("latin-1"),
            unquote(raw) if b"%" in raw else raw.decode("utf-8", "replace"),
            raw,
            query.partition(b"#")[0],
            self._parser.get_http_version(),
            self._headers,
            self._body[: self.server.longest_body + 1],
            self._client,
        )
        self._ahead.append((request, is_last))
        if self._exchange is None:
            self._next()
        elif len(self._ahead) > MOST_AHEAD:
            self.abort()
        else:
            self._transport.pause_reading()

    def _next(self) -> None:
        request, is_last = self._ahead.popleft()
        self._exchange = exchange = Exchange(self, request, is_last=is_last)
        try:
            pending = self.server.app(request, exchange)
        except Exception:
            self._failed(exchange)
            return
        if pending is not None:
            self._under_way = self._loop.create_task(self._finish(pending, exchange))  # else it might be collected

    async def _finish(self, pending: Coroutine[Any, Any, None], exchange: Exchange) -> None:
        try:
            await pending
            if not exchange.is_ended:
                raise RuntimeError("nothing was answered")
        except Exception:
            self._failed(exchange)

    def _failed(self, exchange: Exchange) -> None:
        log.exception("a request was not answered: this is a fault of the planet itself")
        if exchange.is_begun:
            self.abort()
        else:
            exchange.is_last = True
            exchange.answer(500, [("content-type", "text/plain; charset=utf-8")], b"Internal Server Error\n")

    @property
    def date(self) -> str:
        """The header that tells the time."""
        return self.server.date

    def write(self, data: bytes) -> None:
        """Send bytes, if anybody is there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has read most of what it was sent."""
        await self._writable.wait()

    def answered(self, exchange: Exchange) -> None:
        """Go on with the next request."""
        self._exchange = None
        if exchange.is_last:
            self._hang_up()
            return
        if self._writable.is_set() and not self._is_within:
            self.deadline = self._loop.time() + IDLE_SECONDS
        if self._ahead:
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._ahead and self._exchange is None:
            self._next()
        if not self._ahead and not self._is_deaf and not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self, status: int) -> None:
        """Say why a request is not read to its end, and end."""
        if not self._is_deaf:
            self._is_deaf = True
            self.write(f"{STATUS_LINES[status]}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            self._hang_up()

    def _hang_up(self) -> None:
        """End, but not before the client has had the chance to read what it was told."""
        self._is_deaf = True
        self._ahead.clear()
        self._exchange = None
        if not self._transport.is_closing():
            self._transport.write_eof()
            self.deadline = self._loop.time() + LINGER_SECONDS

    def _end_after_answer(self) -> None:
        self._is_deaf = True
        if self._exchange is None:
            self._hang_up()
        else:
            self._exchange.is_last = True

    def close_when_answered(self) -> None:
        """Take no further request."""
        if self._exchange is None:
            self._transport.close()
        else:
            self._exchange.is_last = True

    def time_out(self) -> None:
        """Have no more patience."""
        if self._is_within and not self._is_deaf and self._exchange is None:
            self._refuse(408)
        else:
            self._transport.abort()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

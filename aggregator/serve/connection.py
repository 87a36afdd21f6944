"""One client's connection: its requests are answered in order, at the pace at which it reads. Knows no HTTP grammar."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from aggregator.serve.again import Again, Told
from aggregator.serve.exchange import STATUS_LINES, Exchange, Request
from aggregator.serve.large import LargeBodies
from aggregator.serve.reader import BETWEEN, BODY, PIECE, Reader, Verdict, Whole

log = logging.getLogger("planet.serve")

IDLE_SECONDS = 60.0
# What is still on its way when a request is refused is read and dropped, so that the answer arrives.
LINGER_SECONDS = 1.0
# A long body may take so much longer.
TIMES_FOR_LARGE = 4
# So much is done for a client that sends ahead before others have their turn: pieces read, requests answered.
MOST_AT_ONCE = 32
_NEVER = float("inf")

# Answers at once, or returns what is to be awaited until it has answered.
App = Callable[[Request, Exchange], Coroutine[Any, Any, None] | None]


class Home(Protocol):
    """Where connections come in."""

    app: App
    again: Again
    date: bytes
    longest_body: int
    large: LargeBodies | None
    patience: float  # so long may a client take for a head, and for a body
    stall_seconds: float  # a client that takes none of an answer for so long gets no more of it
    waiting: dict[Connection, None]  # those that are owed no answer, longest first

    def admit(self, connection: Connection, client: str) -> bool:
        """Take a client in, if there is room."""

    def let_go(self, connection: Connection) -> None:
        """Forget a client."""


class Connection(asyncio.Protocol):
    """One client. What it sends ahead is neither read nor answered before its turn."""

    _transport: asyncio.Transport  # these two are there when it is connected
    _reader: Reader

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        self.gone = asyncio.Event()
        self.client = ""
        self._home = home
        self._loop = loop
        self._rest = b""  # what has come and is not read yet
        self._whole = b""  # the request at hand, when it came alone and in one piece
        self._exchange: Exchange | None = None
        self._under_way: asyncio.Task[None] | None = None  # else it might be collected
        self._has_ended = False  # the client sends no more
        self._is_paused = False  # nothing more is taken for now
        self._is_full = False  # the client has more to read than it gets at once
        self._is_hung_up = False
        self._writable = asyncio.Event()
        self._writable.set()
        # What we wait for from the client, and until when.
        self._awaited = -1
        self._deadline = _NEVER
        # What it has to read, how much of that it had taken at the last look, and until when it must take more.
        self._written = 0
        self._taken = -1
        self._stalls_at = _NEVER

    # -- asyncio.Protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take on a client."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's isn't one by name
        self.client = str((transport.get_extra_info("peername") or ("",))[0])
        self._reader = Reader(self._home.longest_body, self.client, self._home.large)
        if not self._home.admit(self, self.client):
            self.abort()
            return
        self._deadline = self._loop.time() + self._home.patience

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a client go."""
        self._home.let_go(self)
        self._is_hung_up = True
        self._rest = b""
        self._reader.leave()
        self._reader.ready.clear()
        self._writable.set()
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """Take what a client sends; of what comes behind its last request nothing is kept."""
        if not self._reader.is_over and not self._is_hung_up:
            told = self._home.again.get(data)
            if told is not None and self._is_between():
                self._tell_again(told)
                return
            self._rest = self._rest + data if self._rest else data
            self._go_on()

    def eof_received(self) -> bool:
        """Answer what a client has asked that sends no more; one that listens to a stream is taken to be gone."""
        self._has_ended = True
        if self._exchange is None:
            return bool(self._rest or self._reader.ready) and not self._is_hung_up
        if not self._rest and not self._reader.ready:
            self._exchange.is_last = True
        return not self._exchange.is_begun

    def pause_writing(self) -> None:
        """Be slower: the client is."""
        self._is_full = True
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on: the client has caught up."""
        self._is_full = False
        self._writable.set()
        self._go_on()

    # -- in order, and at whose pace -----------------------------------------------------------------

    def _go_on(self) -> None:
        """Read and answer, as long as nothing is owed and the client takes what it gets."""
        ready = self._reader.ready
        for _ in range(MOST_AT_ONCE):
            if self._exchange is not None or self._is_full or self._is_hung_up:
                break
            if ready:
                self._answer(ready.popleft())
            elif self._rest:
                self._read()
            else:
                break
        else:
            self._loop.call_soon(self._go_on)
        if self._exchange is None or self._rest or self._is_paused:
            self._settle()

    def _read(self) -> None:
        rest, reader = self._rest, self._reader
        is_between = reader.stage == BETWEEN
        piece, self._rest = (rest, b"") if len(rest) <= PIECE else (rest[:PIECE], rest[PIECE:])
        reader.feed(piece)
        self._whole = piece if is_between and reader.stage == BETWEEN and len(reader.ready) == 1 else b""
        if reader.is_over:
            self._rest = b""

    def _is_between(self) -> bool:
        """Tell whether nothing is owed, nothing is half read, and the client takes what it gets."""
        is_idle = self._exchange is None and not self._rest and not self._reader.ready
        return is_idle and self._reader.stage == BETWEEN and not self._is_full

    def _tell_again(self, told: Told) -> None:
        home = self._home
        home.waiting.pop(self, None)
        home.waiting[self] = None
        self._awaited, self._deadline = BETWEEN, self._loop.time() + IDLE_SECONDS
        self.write(b"%b%b\r\n" % (told.head, home.date))
        if told.body:
            self.write(told.body)

    def _settle(self) -> None:
        """Take no more than is read, and know for what the client is waited for."""
        if self._rest or self._is_paused:
            self._pause(bool(self._rest))
        if self._exchange is not None or self._is_hung_up or self._rest or self._reader.ready:
            return
        if self._has_ended:
            self._hang_up()
        elif self._reader.stage != self._awaited:
            self._awaited = self._reader.stage
            wait_for = IDLE_SECONDS if self._awaited == BETWEEN else self._home.patience
            wait_for *= TIMES_FOR_LARGE if self._reader.has_large else 1
            self._deadline = self._loop.time() + wait_for

    def _pause(self, is_paused: bool) -> None:
        if is_paused != self._is_paused and not self._transport.is_closing():
            self._is_paused = is_paused
            (self._transport.pause_reading if is_paused else self._transport.resume_reading)()

    def _answer(self, what: Whole | Verdict) -> None:
        if isinstance(what, Verdict):
            self._pronounce(what.status)
            return
        is_last = what.is_last or (self._has_ended and not self._rest and not self._reader.ready)
        self._exchange = exchange = Exchange(self, what.request, is_last=is_last)
        self._awaited, self._deadline = -1, _NEVER
        self._home.waiting.pop(self, None)
        try:
            pending = self._home.app(what.request, exchange)
        except Exception:
            self._failed(exchange)
            return
        if pending is not None:
            self._under_way = self._loop.create_task(self._finish(pending, exchange))

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

    def _pronounce(self, status: int) -> None:
        if status == 100:
            self.write(f"{STATUS_LINES[100]}\r\n".encode())
            return
        self.write(f"{STATUS_LINES[status]}content-length: 0\r\nconnection: close\r\n".encode() + self.date + b"\r\n")
        self._hang_up()

    # -- the way back --------------------------------------------------------------------------------

    @property
    def date(self) -> bytes:
        """The header that tells the time."""
        return self._home.date

    def write(self, data: bytes) -> None:
        """Send bytes, if anybody is there."""
        if not self._is_hung_up and not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def keep(self, told: Told) -> None:
        """Remember what the request that is being answered is answered with, by its bytes."""
        if self._whole:
            self._home.again.keep(self._whole, told)

    async def drained(self) -> None:
        """Wait until the client has read most of what it was sent."""
        await self._writable.wait()

    def answered(self, exchange: Exchange) -> None:
        """Go on with the next request."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        if exchange.is_last:
            self._hang_up()
            return
        if not self._is_hung_up:
            self._home.waiting[self] = None
        if self._rest or self._reader.ready:
            self._loop.call_soon(self._go_on)
        else:
            self._settle()

    # -- ends ----------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """End, but not before the client has had the chance to read what it was told."""
        if self._is_hung_up:
            return
        self._is_hung_up = True
        self._rest = b""
        if self._has_ended or self._transport.is_closing():
            self._transport.close()
            return
        self._transport.write_eof()
        self._pause(False)
        self._home.waiting[self] = None
        self._deadline = self._loop.time() + LINGER_SECONDS

    def close_when_answered(self) -> None:
        """Take no further request."""
        if self._exchange is None:
            self._is_hung_up = True
            self._transport.close()
        else:
            self._exchange.is_last = True

    def has_to_read(self) -> bool:
        """Tell whether the client has not taken all of its answers."""
        return self._transport.get_write_buffer_size() > 0

    def look(self, now: float) -> None:
        """End a client that has had its time: to read, as long as it has something to read; else to ask."""
        left = self._transport.get_write_buffer_size()
        if not left:
            if self._deadline < now:
                self._time_out()
            return
        self._deadline = max(self._deadline, now + LINGER_SECONDS)
        if self._written - left > self._taken:
            self._taken = self._written - left
            self._stalls_at = now + self._home.stall_seconds
        elif self._stalls_at < now:
            self.abort()

    def _time_out(self) -> None:
        if self._reader.stage == BODY and not self._is_hung_up:
            self._pronounce(408)
        else:
            self.abort()

    def abort(self) -> None:
        """End at once."""
        self._is_hung_up = True
        self._transport.abort()

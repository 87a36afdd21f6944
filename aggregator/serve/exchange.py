"""A request that has been read, and the answer to it. Knows HTTP's words, and no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol

from aggregator.serve.again import Told

Headers = Sequence[tuple[str, str]]
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_WITHOUT_BODY = (204, 304)


class Request(NamedTuple):  # made in a third of the time that a frozen dataclass takes
    """A request that has been read to its end; of a body that is too long only a little more than is allowed."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    version: str
    headers: Sequence[tuple[bytes, bytes]]  # names in lower case
    body: bytes
    client: str

    def header(self, name: bytes) -> str:
        """Return the first value of a header, or ""."""
        for known, value in self.headers:
            if known == name:
                return value.decode("latin-1")
        return ""

    def all_of(self, name: bytes) -> list[str]:
        """Return all values of a header."""
        return [value.decode("latin-1") for known, value in self.headers if known == name]


def head_of(status: int, headers: Headers) -> bytes:
    """Return the beginning of an answer, as far as it is the same for everybody.

    Raises: ValueError for a header with a line end in it.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header with a line end in it")
    return f"{STATUS_LINES[status]}{lines}".encode("latin-1", "replace")


class Line(Protocol):
    """The way back to whoever has asked."""

    gone: asyncio.Event

    @property
    def date(self) -> bytes:
        """The header that tells the time."""

    def write(self, data: bytes) -> None:
        """Send bytes, if anybody is there."""

    def keep(self, told: Told) -> None:
        """Remember what the request that is being answered is answered with, by its bytes."""

    async def drained(self) -> None:
        """Wait until the client has read most of what it was sent."""

    def answered(self, exchange: Exchange) -> None:
        """Go on with the next request."""


class Exchange:
    """The answer to one request: at once, or piece by piece."""

    __slots__ = ("_is_chunked", "_line", "_request", "is_begun", "is_ended", "is_last")

    def __init__(self, line: Line, request: Request, *, is_last: bool) -> None:
        self._line = line
        self._request = request
        self.is_last = is_last
        self.is_begun = False
        self.is_ended = False
        self._is_chunked = False

    def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send an answer in one piece."""
        has_body = status not in _WITHOUT_BODY
        size = b"content-length: %d\r\n" % len(body) if has_body and not _is_measured(headers) else b""
        head = self._completed(head_of(status, headers) + size)
        self._line.write(head + body if has_body and self._request.method != "HEAD" else head)
        self.end()

    def answer_again(self, head: bytes, body: bytes = b"") -> None:
        """Send an answer whose beginning was made by `head_of`, once for all who ask for it."""
        told = Told(head, body if self._request.method != "HEAD" else b"")
        if not self.is_last and self._request.version == "1.1":
            self._line.keep(told)
        self._line.write(self._completed(head))
        if told.body:
            self._line.write(told.body)  # by itself: to join them would copy a page for each reader
        self.end()

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer of unknown length."""
        self._is_chunked = self._request.version == "1.1" and not _is_measured(headers)
        self.is_last = self.is_last or not self._is_chunked
        self._line.write(
            self._completed(head_of(status, headers) + b"transfer-encoding: chunked\r\n" * self._is_chunked)
        )

    async def send(self, piece: bytes) -> None:
        """Send a piece of an answer that was begun, at the pace at which its client reads."""
        if piece and self._request.method != "HEAD":
            self._line.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece)
            await self._line.drained()

    def end(self) -> None:
        """End the answer."""
        self.is_ended = True
        if self._is_chunked and self._request.method != "HEAD":
            self._line.write(b"0\r\n\r\n")
        self._line.answered(self)

    async def hung_up(self) -> None:
        """Wait until the client is gone."""
        await self._line.gone.wait()

    def _completed(self, head: bytes) -> bytes:
        self.is_begun = True
        if self.is_last:
            return b"%bconnection: close\r\n%b\r\n" % (head, self._line.date)
        if self._request.version == "1.0":
            return b"%bconnection: keep-alive\r\n%b\r\n" % (head, self._line.date)
        return b"%b%b\r\n" % (head, self._line.date)


def _is_measured(headers: Headers) -> bool:
    return any(name == "content-length" for name, _ in headers)

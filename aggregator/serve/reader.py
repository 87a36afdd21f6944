"""Requests as a client sends them: whole and within bounds, or refused. Knows no socket, no clock and no page.

Source: RFC 9110 and 9112; the parser is Node's (llhttp).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import httptools

from aggregator.serve.exchange import Request
from aggregator.serve.large import LargeBodies

LONGEST_HEAD = 32_768
MOST_HEADERS = 100
# The parser can't be halted: what it is given at once bounds what can come of it, and what goes uncounted.
PIECE = 4_096
LONGEST_HOST = 300
_FRAMING = {b"transfer-encoding", b"expect"}
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


# How far a request has come; an Enum's members cost more to look up than all that is decided by them.
BETWEEN, HEAD, BODY = range(3)


class Whole(NamedTuple):
    """A request that has been read, and whether it is its client's last."""

    request: Request
    is_last: bool


class Verdict(NamedTuple):
    """What is said without asking anybody: 100 invites a body, all others refuse a request and are the last word."""

    status: int


class _Over(Exception):
    """Thrown through the parser: nothing more is to be read."""


class Reader:
    """Makes requests of bytes, in their order."""

    def __init__(self, longest_body: int, client: str, large: LargeBodies | None = None) -> None:
        self.ready: deque[Whole | Verdict] = deque()
        self.stage = BETWEEN
        self.is_over = False  # whatever else comes is no request
        self.has_large = False  # a long body is let in; it is its connection's last
        self._longest_body = longest_body
        self._large = large
        self._client = client
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._version = ""
        self._size = 0  # of the head, as far as it is known
        self._uncounted = 0  # bytes since the last of which something came: of a head, a trailer, a chunk's extension
        self._unparsed = 0  # how much of a body the parser leaves to us

    def feed(self, piece: bytes) -> None:
        """Read on; `piece` holds no more than PIECE bytes."""
        self._uncounted += len(piece)
        try:
            if self._unparsed:
                self._read_unparsed(piece)
            else:
                self._parser.feed_data(piece)
        except _Over:
            return
        except httptools.HttpParserUpgrade as asked:
            self._after_upgrade(piece[asked.args[0] :])
        except httptools.HttpParserCallbackError:
            if not self.is_over:
                raise
        except httptools.HttpParserError:
            self._refuse(400)
        if self._uncounted > LONGEST_HEAD + PIECE:
            self._refuse(431)

    # -- httptools -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.stage = HEAD
        self._url, self._headers, self._body = b"", [], bytearray()
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Read a piece of the address."""
        self._url += url
        self._size += len(url)
        if self._size > LONGEST_HEAD:
            self._give_up(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header."""
        if self.stage != HEAD:  # what comes behind a body can't change what was said before it
            return
        self._headers.append((name.lower(), value))
        self._size += len(name) + len(value)
        if self._size > LONGEST_HEAD or len(self._headers) > MOST_HEADERS:
            self._give_up(431)

    def on_headers_complete(self) -> None:
        """Judge a head."""
        self.stage = BODY
        self._uncounted = 0
        self._version = self._parser.get_http_version()
        longest = self._longest_if_large()
        status = _judge(self._version, self._headers, longest or self._longest_body)
        if longest and status < 400:
            status = status if self._let_in(longest) else 503
        if status >= 400:
            self._give_up(status)
        if status:
            self.ready.append(Verdict(status))

    def on_body(self, piece: bytes) -> None:
        """Read a piece of a body."""
        self._uncounted = 0
        self._body += piece
        if len(self._body) > self._longest_body:
            del self._body[self._longest_body + 1 :]
            self._complete(is_last=True)
            raise _Over

    def on_message_complete(self) -> None:
        """Hand out a request."""
        self._uncounted = 0
        if not self.is_over and not self._parser.should_upgrade():
            self._complete(is_last=self.has_large or not self._parser.should_keep_alive())

    # -- long bodies ---------------------------------------------------------------------------------

    def leave(self) -> None:
        """Give back what a long body took; the connection is over."""
        if self.has_large and self._large is not None:
            self.has_large = False
            self._large.leave()

    def _longest_if_large(self) -> int:
        if self._large is None or b"/websub/" not in self._url:
            return 0
        return self._large.longest_for(self._parser.get_method(), self._url.partition(b"?")[0])

    def _let_in(self, longest: int) -> bool:
        assert self._large is not None
        if not self._large.enter():
            return False
        self.has_large = True
        self._longest_body = longest
        return True

    # -- what the parser leaves to us ----------------------------------------------------------------

    def _after_upgrade(self, rest: bytes) -> None:
        """Read a request as if it hadn't asked for another protocol, for which the parser would drop its body."""
        if any(name == b"transfer-encoding" for name, _ in self._headers):
            self._refuse(501)
            return
        self._unparsed = _length(self._headers)
        try:
            self._read_unparsed(rest)
        except _Over:
            return

    def _read_unparsed(self, piece: bytes) -> None:
        self.on_body(piece[: self._unparsed])
        self._unparsed -= min(self._unparsed, len(piece))
        if not self._unparsed:
            self._complete(is_last=True)

    def _complete(self, *, is_last: bool) -> None:
        self.stage = BETWEEN
        raw, _, query = self._url.partition(b"?")
        if not raw.startswith(b"/"):
            raw = _path_of(self._url)
        if not raw:
            self._refuse(400)
            return
        self.is_over = is_last
        request = Request(
            self._parser.get_method().decode("latin-1"),
            unquote(raw) if b"%" in raw else raw.decode("utf-8", "replace"),
            raw,
            query.partition(b"#")[0],
            self._version,
            self._headers,
            bytes(self._body),
            self._client,
        )
        self.ready.append(Whole(request, is_last))

    def _give_up(self, status: int) -> None:
        self._refuse(status)
        raise _Over

    def _refuse(self, status: int) -> None:
        if not self.is_over:
            self.is_over = True
            self.ready.append(Verdict(status))


def _path_of(url: bytes) -> bytes:
    """Return the path of an address that isn't one itself, or nothing when it has none."""
    if url == b"*":
        return url
    try:
        return httptools.parse_url(url).path or b"/"
    except httptools.HttpParserInvalidURLError:
        return b""


def _judge(version: str, headers: Sequence[tuple[bytes, bytes]], longest_body: int) -> int:
    """Return with which status a head is refused, 100 when a body is to be invited, or 0."""
    hosts = 0
    framing: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if len(value) > LONGEST_HOST or not _is_host(value):
                return 400
        elif name in _FRAMING:
            framing.append((name, value.strip().lower()))
    if version not in ("1.0", "1.1"):
        return 505
    if hosts != 1 and (hosts or version == "1.1"):
        return 400
    return _judge_framing(version, framing, _length(headers), longest_body) if framing else 0


def _judge_framing(version: str, framing: Sequence[tuple[bytes, bytes]], length: int, longest: int) -> int:
    codings = [value for name, value in framing if name == b"transfer-encoding"]
    if codings and version == "1.0":
        return 400
    if codings and codings != [b"chunked"]:
        return 501
    expected = {value for name, value in framing if name == b"expect"}
    if not expected or (version == "1.0" and expected == {b"100-continue"}):  # which 1.0 doesn't know: RFC 9110, 10.1.1
        return 0
    if expected != {b"100-continue"}:
        return 417
    if length > longest:
        return 413
    return 100 if length or codings else 0


@lru_cache(1_024)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value.strip()) is not None


def _length(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return next((int(value) for name, value in headers if name == b"content-length"), 0)

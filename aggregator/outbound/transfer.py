"""One request on its way: what is asked for, what comes back, and how it is read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pycurl

from aggregator.urls import host_of

MOST_HEADER_BYTES = 64_000
TOO_MANY_REQUESTS = 429
REDIRECTS = {301, 302, 303, 307, 308}


class Request(NamedTuple):
    """One thing to fetch. `key` is the caller's own, and comes back with the outcome.

    Of a body that is too large the beginning counts as the answer when it `may_be_cut`.
    """

    url: str
    key: object = None
    headers: tuple[tuple[str, str], ...] = ()
    method: Literal["GET", "HEAD", "POST"] = "GET"
    content: bytes = b""
    seconds: float = 20.0
    max_bytes: int = 10_000_000
    may_be_cut: bool = False


@dataclass(slots=True)
class Answer:
    """What a server said: names of headers in lower case; the body still in its content coding.

    `permanently` is where permanent redirects led, "" when there were none; `seconds` is how long it all took. It is
    not frozen, as are a poll and what is stored of it: that would cost twice as much, thousands of times.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    permanently: str = ""
    seconds: float = 0.0

    @property
    def coding(self) -> str:
        """The Content-Encoding of the body."""
        return self.headers.get("content-encoding", "")

    @property
    def content_type(self) -> str:
        """The Content-Type of the body."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing usable came back, in words for an operator; of "elsewhere" the reason is the host that is led to."""

    kind: Literal["refused", "unreachable", "slow", "large", "redirects", "broken", "spared", "elsewhere"]
    reason: str
    seconds: float = 0.0


Outcome = Answer | NoAnswer
Landed = tuple[Request, Outcome]


@dataclass(slots=True)
class Transfer:
    """A request under way."""

    request: Request
    url: str
    host: str
    ends_at: float
    hops: int = 0
    permanently: str = ""
    only_permanent: bool = True
    refusal: str = ""
    status: int = 0
    lines: list[bytes] = field(default_factory=list)
    header_bytes: int = 0
    body: bytearray = field(default_factory=bytearray)
    too_large: bool = False
    is_cut: bool = False

    def begin_hop(self, url: str) -> None:
        """Go on to where a redirect leads."""
        self.url, self.host = url, host_of(url)
        self.status, self.header_bytes = 0, 0
        self.lines, self.body = [], bytearray()

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last answer so far, their names in lower case."""
        found: dict[str, str] = {}
        # Latin-1 loses no byte: a validator goes back exactly as it came.
        for line in b"".join(self.lines).decode("latin-1").split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                name = name.strip().lower()
                value = value.strip()
                found[name] = f"{found[name]}, {value}" if found.get(name) else value
        return found


def as_utf8(header: str) -> str:
    """A Location with bytes beyond ASCII is UTF-8 in practice."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return header


def is_for_one_host(name: str) -> bool:
    """Validators and credentials mean nothing to another host."""
    return name.lower() in ("if-none-match", "if-modified-since", "authorization", "cookie")


def read_header(transfer: Transfer, line: bytes) -> int | None:
    """Take a line of a transfer's headers; stop the transfer when they are too long."""
    transfer.header_bytes += len(line)
    if transfer.header_bytes > MOST_HEADER_BYTES:
        transfer.too_large = True
        return -1
    if line.startswith(b"HTTP/"):
        parts = line.split(None, 2)
        transfer.status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
        transfer.lines.clear()
    else:
        transfer.lines.append(line)
    return None


def read_body(transfer: Transfer, chunk: bytes) -> int | None:
    """Take a part of a transfer's body; stop the transfer when there is too much."""
    if transfer.status in REDIRECTS:
        transfer.header_bytes += len(chunk)  # a redirect's body is skipped, and not for ever
        transfer.too_large = transfer.header_bytes > MOST_HEADER_BYTES
        return -1 if transfer.too_large else None
    room = transfer.request.max_bytes - len(transfer.body)
    if len(chunk) > room and transfer.request.may_be_cut:
        transfer.body += chunk[:room]
        transfer.is_cut = True
        return -1
    if len(chunk) > room:
        transfer.too_large = True
        transfer.body.clear()
        return -1
    transfer.body += chunk
    return None


def slow(transfer: Transfer) -> NoAnswer:
    """Say that a transfer took too long."""
    return NoAnswer("slow", f"no complete answer within {transfer.request.seconds:g} seconds")


def failure(transfer: Transfer, code: int, message: str) -> NoAnswer:
    """Say why a transfer failed, by libcurl's code and by what our own callbacks saw."""
    if transfer.refusal:
        return NoAnswer("refused", f"its address is refused: {transfer.refusal}")
    if transfer.too_large:
        return NoAnswer("large", f"larger than {transfer.request.max_bytes:,} bytes")
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return slow(transfer)
    if code in (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT):
        return NoAnswer("unreachable", message or "no connection")
    return NoAnswer("broken", message or f"libcurl error {code}")

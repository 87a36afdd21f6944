"""RSGI on the server's side, ASGI on Starlette's: one request carried over, and its answer back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Message = MutableMapping[str, Any]
Headers = list[tuple[str, str]]
ASGI = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class RequestHeaders(Protocol):
    """The headers of a request, as RSGI has them: names in lower case."""

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a header."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""

    def items(self) -> Headers:
        """Return all headers."""


class Scope(Protocol):
    """A request, as RSGI has it."""

    method: str
    path: str
    query_string: str
    client: str
    server: str
    scheme: str
    http_version: str
    headers: RequestHeaders


class Stream(Protocol):
    """An answer that is sent piece by piece."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a piece."""


class Exchange(Protocol):
    """The body of a request, and the way to answer it, as RSGI has them."""

    async def __call__(self) -> bytes:
        """Return the whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the body piece by piece."""

    async def client_disconnect(self) -> None:
        """Wait until the client hangs up."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer."""

    def response_stream(self, status: int, headers: Headers) -> Stream:
        """Begin an answer of many pieces."""


def peer_of(scope: Scope) -> tuple[str, int]:
    """Return address and port of whoever is connected."""
    host, _, port = scope.client.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


async def carry(app: ASGI, scope: Scope, path: str, exchange: Exchange) -> None:
    """Have an ASGI application answer a request for `path`."""
    crossing = _Crossing(exchange)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope.headers.items()]
    host, _, port = scope.server.rpartition(":")
    asked = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": scope.query_string.encode("latin-1", "replace"),
        "headers": headers,
        "client": peer_of(scope),
        "server": (host.strip("[]"), int(port) if port.isdigit() else None),
    }
    await app(asked, crossing.receive, crossing.send)


class _Crossing:
    """What an ASGI application is given to receive and to send."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pieces: AsyncIterator[bytes] | None = aiter(exchange)
        self._status = 0
        self._headers: Headers = []
        self._stream: Stream | None = None

    async def receive(self) -> Message:
        if self._pieces is None:
            await self._exchange.client_disconnect()
            return {"type": "http.disconnect"}
        try:
            return {"type": "http.request", "body": await anext(self._pieces), "more_body": True}
        except StopAsyncIteration:
            self._pieces = None
            return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            pairs = message.get("headers", ())
            self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
            return
        body, is_more = message.get("body", b""), message.get("more_body", False)
        if self._stream is None and not is_more:
            self._exchange.response_bytes(self._status, self._headers, body)
            return
        if self._stream is None:
            self._stream = self._exchange.response_stream(self._status, self._headers)
        if body:
            await self._stream.send_bytes(body)

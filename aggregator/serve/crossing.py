"""From our own server to an ASGI application: one request carried over, and its answer back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aggregator.serve.asgi import Message, Receive, Scope, Send
from aggregator.serve.exchange import Exchange, Headers, Request

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]


async def carry(app: ASGI, request: Request, path: str, exchange: Exchange) -> None:
    """Have an ASGI application answer a request for `path`."""
    crossing = _Crossing(request, exchange)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.version,
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers),
        "client": (request.client, 0),
    }
    await app(scope, crossing.receive, crossing.send)


class _Crossing:
    """What an ASGI application is given to receive and to send."""

    def __init__(self, request: Request, exchange: Exchange) -> None:
        self._request = request
        self._exchange = exchange
        self._is_read = False
        self._status = 0
        self._headers: Headers = ()

    async def receive(self) -> Message:
        if self._is_read:
            await self._exchange.hung_up()
            return {"type": "http.disconnect"}
        self._is_read = True
        return {"type": "http.request", "body": self._request.body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            pairs = message.get("headers", ())
            self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
            return
        body, is_more = message.get("body", b""), message.get("more_body", False)
        if not self._exchange.is_begun and not is_more:
            self._exchange.answer(self._status, self._headers, body)
            return
        if not self._exchange.is_begun:
            self._exchange.begin(self._status, self._headers)
        await self._exchange.send(body)
        if not is_more:
            self._exchange.end()

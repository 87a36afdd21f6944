"""Tell open pages which posts are the newest: server-sent events, one line of ids after each change.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from aggregator.serve.asgi import Receive, Scope, Send
from aggregator.serve.client import household
from aggregator.serve.pages import SAFETY

# Open pages that are told; the others see new posts when they are loaded again.
MOST_LISTENERS = 2_000
MOST_OF_A_CLIENT = 50
# A line now and then keeps proxies from ending what looks idle.
HEARTBEAT_SECONDS = 15.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_SAFETY = [(name.encode(), value.encode()) for name, value in SAFETY]
# Of what a page holds, only its own elements: the texts of posts keep neither a bare "<" nor this attribute.
_POST = re.compile(rb'<(?:article|li)\b[^<>]*? data-post="([0-9]{1,18})"')


def posts_on(page: bytes) -> list[int]:
    """Return the ids of the posts that a page shows: who is told of more than these would look for them in vain."""
    return [int(id) for id in _POST.findall(page)]


class Events:
    """The newest posts, and who waits for others. For one event loop.

    `client_of` tells who asks, or "" for whoever may speak for many.
    """

    def __init__(self, client_of: Callable[[Scope], str] = lambda _scope: "") -> None:
        self._client_of = client_of
        self._newest: tuple[int, ...] = ()
        self._changed = asyncio.Event()
        self._listeners: Counter[str] = Counter()
        self._is_over = False

    def tell(self, newest: Sequence[int]) -> None:
        """Tell all listeners which posts the front page shows, unless they know."""
        if tuple(newest) != self._newest:
            self._newest = tuple(newest)
            self._wake()

    def close(self) -> None:
        """Let all listeners go."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one listener until it goes."""
        client = household(self._client_of(scope))
        if scope["method"] not in ("GET", "HEAD"):
            await _brief(send, 405, (b"allow", b"GET, HEAD"))
            return
        if scope["method"] == "HEAD":
            await _brief(send, 200, *_HEADERS)
            return
        if not self._has_room(client):
            await _brief(send, 503, (b"retry-after", b"60"))
            return
        self._listeners[client] += 1
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*_SAFETY, *_HEADERS]})
            await self._tell_one(send, gone)
        finally:
            self._listeners[client] -= 1
            self._listeners += Counter()  # forgets those of whom nobody is left
            gone.cancel()

    def _has_room(self, client: str) -> bool:
        is_within = not client or self._listeners[client] < MOST_OF_A_CLIENT
        return is_within and self._listeners.total() < MOST_LISTENERS

    async def _tell_one(self, send: Send, gone: asyncio.Future[Any]) -> None:
        await send({"type": "http.response.body", "body": b"retry: 10000\n\n", "more_body": True})
        told: tuple[int, ...] = ()
        while not gone.done() and not self._is_over:
            changed = self._changed
            line = b": \n\n"
            if self._newest != told:
                told = self._newest
                line = b"data: %s\n\n" % " ".join(map(str, told)).encode()
            await send({"type": "http.response.body", "body": line, "more_body": True})
            waiting: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
            await asyncio.wait((waiting, gone), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _brief(send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    """An answer without a body."""
    await send({"type": "http.response.start", "status": status, "headers": [*_SAFETY, *headers]})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""The ASGI application: published pages from memory before any routing, Starlette for the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from linkbacks import calls, endpoint
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from aggregator import store
from aggregator.config import Planet
from aggregator.errors import PlanetError, StoreFailed
from aggregator.model import Mention, Status
from aggregator.serve.intake import Intake
from aggregator.serve.pages import SAFETY, Page, Pages, page_of
from aggregator.site import Renderer

log = logging.getLogger("planet.serve")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 5
# Longer than all retries of a verification together.
REVEAL_AFTER = timedelta(hours=2)
_SAFETY = {name.decode(): value.decode() for name, value in SAFETY}
_NO_SUCH_PAGE = (
    "There is no such page",
    "It may have been removed where it was written, or its address has a mistake.",
)
_NOT_YET = ("The planet is waking up", "Its first page is being made. Come back in a few seconds.")


class App:
    """Serves one planet."""

    def __init__(
        self, planet: Planet, pages: Pages, intake: Intake, renderer: Renderer, clock: Callable[[], datetime]
    ) -> None:
        self._data = planet.data
        self._pages = pages
        self._intake = intake
        self._renderer = renderer
        self._clock = clock
        self._url = planet.masthead.url
        self._root = urlsplit(self._url).path
        self._missing = page_of("404.html", renderer.notice(*_NO_SUCH_PAGE))
        self._waking = page_of("503.html", renderer.notice(*_NOT_YET))
        self._routes = Starlette(
            routes=[
                Route("/xmlrpc", self._xmlrpc, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
                Route("/mentions/{token}", self._mention, methods=["GET"]),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/{path:path}", self._else, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        # Behind a proxy that doesn't strip it, paths begin with the path of the planet's address.
        path: str = scope["path"]
        if self._root != "/" and path.startswith(self._root):
            path = path[len(self._root) - 1 :]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        if scope["method"] in ("GET", "HEAD"):
            page = self._pages.find(path[1:])
            if page is not None:
                await _send_page(page, 200, scope, send)
                return
        await self._routes(scope, receive, send)

    async def _xmlrpc(self, request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse(
                "This is an XML-RPC endpoint; it takes POST requests only.\n",
                status_code=405,
                headers={"Allow": "POST", **_SAFETY},
            )
        body = await _body(request)
        if body is None:
            return Response(status_code=408, headers={"Connection": "close"})
        answer = await endpoint.respond(body, self._intake.accept, self._url, self._clock())
        return Response(answer, headers={"Content-Type": calls.CONTENT_TYPE.decode()})

    async def _mention(self, request: Request) -> Response:
        try:
            mention = await asyncio.to_thread(self._find_mention, request.path_params["token"])
        except PlanetError as error:
            log.error("%s", error)
            return _unavailable(self._waking)
        if mention is None:
            return _as_response(self._missing, 404)
        if "application/json" in request.headers.get("accept", ""):
            known = {"source": mention.source, "target": mention.target, "status": mention.status}
            return JSONResponse(known, headers=_SAFETY)
        return _as_response(page_of("mention.html", self._renderer.mention(mention)), 200)

    async def _healthz(self, _request: Request) -> Response:
        try:
            await asyncio.to_thread(self._find_mention, "")
        except StoreFailed as error:
            return JSONResponse({"status": "failing", "reasons": [error.reason]}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def _else(self, request: Request) -> Response:
        path = request.path_params["path"]
        page = self._pages.find(path) or self._pages.find(f"{path}/")
        if page is not None and request.method in ("GET", "HEAD"):
            return RedirectResponse(f"{self._root}{path}/", status_code=301)
        if page is not None:
            return PlainTextResponse("This page can only be read.\n", 405, {"Allow": "GET, HEAD", **_SAFETY})
        if self._pages.find("") is None:
            return _unavailable(self._waking)
        return _as_response(self._missing, 404)

    def _find_mention(self, token: str) -> Mention | None:
        database = store.open_store(self._data)
        try:
            with store.named_errors():
                mention = store.mentions.mention(database, token)
        finally:
            database.close()
        # When a no comes says nothing about why: a closed port, an error and a page without the link look alike.
        if mention and mention.status is Status.REJECTED and self._clock() < mention.asked_at + REVEAL_AFTER:
            return replace(mention, status=Status.PENDING)
        return mention


async def _body(request: Request) -> bytes | None:
    """Read a body, at most a little more than a call may hold; None when it takes too long."""
    body = bytearray()
    with suppress(ClientDisconnect):
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > calls.LONGEST_BODY:
                        break
        except TimeoutError:
            return None
    return bytes(body[: calls.LONGEST_BODY + 1])


async def _send_page(page: Page, status: int, scope: Scope, send: Send) -> None:
    accepts, known = b"", b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            accepts = value
        elif name == b"if-none-match":
            known = value
    squeezed = bool(page.compressed) and _takes_gzip(accepts)
    if known and page.is_known_to(known):
        unchanged = page.unchanged_compressed_headers if squeezed else page.unchanged_headers
        await send({"type": "http.response.start", "status": 304, "headers": unchanged})
        await send({"type": "http.response.body", "body": b""})
        return
    if squeezed:
        body, headers = page.compressed, page.compressed_headers
    else:
        body, headers = page.body, page.headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _takes_gzip(accept_encoding: bytes) -> bool:
    if b"gzip" not in accept_encoding:
        return False
    for offer in accept_encoding.lower().replace(b" ", b"").split(b","):
        coding, _, weight = offer.partition(b";q=")
        if coding == b"gzip":
            return not weight or weight.strip(b"0.") != b""
    return False


def _unavailable(page: Page) -> Response:
    response = _as_response(page, 503)
    response.headers["Retry-After"] = "5"
    return response


def _as_response(page: Page, status: int) -> Response:
    response = Response(page.body, status_code=status)
    for name, value in page.headers:
        response.headers[name.decode()] = value.decode()
    response.headers["Cache-Control"] = "no-store"
    return response

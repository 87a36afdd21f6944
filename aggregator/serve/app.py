"""The application: published pages from memory and pings before any routing, Starlette for the rest."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from linkbacks import calls, endpoint
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from aggregator import standing, store
from aggregator.config import Planet
from aggregator.errors import PlanetError, StoreFailed
from aggregator.model import ListedMention, Mention, Status
from aggregator.serve import health
from aggregator.serve.answers import as_response, confidential, unavailable
from aggregator.serve.callbacks import Callbacks, Doorkeeper
from aggregator.serve.client import address_of
from aggregator.serve.crossing import carry
from aggregator.serve.events import Events
from aggregator.serve.exchange import Exchange
from aggregator.serve.exchange import Request as Incoming
from aggregator.serve.intake import Intake, is_near
from aggregator.serve.newsletter import SigningUp
from aggregator.serve.pages import SAFETY, Page, Pages, page_of
from aggregator.serve.receivers import CODED, NO_STORE, Receivers, is_plain, later, read_body
from aggregator.serve.searching import Searching
from aggregator.site import Renderer

log = logging.getLogger("planet.serve")

_XML = [("content-type", calls.CONTENT_TYPE)]
_CONVERSATION = re.compile(r"conversations/([0-9]{1,18})/?")
MOST_HELD = 100
_SAFETY = dict(SAFETY)
_NO_SUCH_PAGE = (
    "There is no such page",
    "It may have been removed where it was written, or its address has a mistake.",
)
_REMOVED = (
    "This post was removed",
    "It is gone where it was written, or its blog is no longer part of this planet.",
)
_POST = re.compile(r"posts/([0-9]{1,18})-[^/]*(?:/.*)?")
_ANY = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
_ONLY_READ = "This page can only be read.\n"
_NOT_YET = ("The planet is waking up", "Its first page is being made. Come back in a few seconds.")


class App:
    """Serves one planet."""

    def __init__(
        self,
        planet: Planet,
        pages: Pages,
        intake: Intake,
        renderer: Renderer,
        clock: Callable[[], datetime],
        events: Events,
        doorkeeper: Doorkeeper,
        mistakes: Callable[[], Sequence[str]],
        formers: Sequence[str] = (),
    ) -> None:
        self._data = planet.data
        self._pages = pages
        self._intake = intake
        self._renderer = renderer
        self._clock = clock
        self._mistakes = mistakes
        self._former_roots = [urlsplit(former).path for former in formers]
        self._url = planet.masthead.url
        self._root = urlsplit(self._url).path
        self._proxies = planet.network.proxies
        self._missing = page_of("404.html", renderer.notice(*_NO_SUCH_PAGE))
        self._gone = page_of("410.html", renderer.notice(*_REMOVED))
        self._waking = page_of("503.html", renderer.notice(*_NOT_YET))
        self._events = events
        callbacks = Callbacks(planet.data, doorkeeper, planet.poll.max_bytes, clock)
        self._receivers = receivers = Receivers(planet, pages, intake, renderer, clock)
        searching = Searching(planet.data, renderer, self._missing, self._waking)
        self._routes = Starlette(
            routes=[
                Route("/xmlrpc", receivers.weblog_ping, methods=_ANY),
                Route("/trackback/{id}", receivers.trackback, methods=_ANY),
                Route("/trackback/{id}/", receivers.trackback, methods=_ANY),
                Route("/webmention", receivers.webmention, methods=_ANY),
                Route("/websub/{token}", callbacks.websub, methods=_ANY),
                Route("/rsscloud", callbacks.rsscloud, methods=_ANY),
                Route("/mentions/{token}", self._mention, methods=["GET"]),
                Route("/test-ping", receivers.test_ping, methods=["GET", "POST"]),
                Route("/held/{secret}/feed.atom", self._held, methods=["GET"]),
                Route("/search", searching.page, methods=["GET"]),
                Route("/search/feed.{format:str}", searching.feed, methods=["GET"]),
                *self._newsletter_routes(planet),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
            ],
            exception_handlers={405: _not_in_this_way},
        )
        self._routes.router.redirect_slashes = False
        self._routes.router.default = self._else

    def _newsletter_routes(self, planet: Planet) -> list[Route]:
        if planet.newsletter is None:
            return []
        near = tuple(planet.network.allow_addresses)

        def client_of(request: Request) -> str:  # behind a proxy that has no name here, everybody would be one client
            client = self._receivers.client(request)
            return "" if is_near(client, near) else client

        forms = SigningUp(self._data, self._renderer, self._waking, self._clock, client_of, read_body)
        return [
            Route("/newsletter", forms.sign_up, methods=["GET", "POST"]),
            Route("/newsletter/confirm/{token}", forms.confirm, methods=["GET", "POST"]),
            Route("/newsletter/leave/{token}", forms.leave, methods=["GET", "POST"]),
        ]

    def __call__(self, request: Incoming, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request: a page at once, anything else when it is ready."""
        # Behind a proxy that doesn't strip it, paths begin with the path of the planet's address.
        path = request.path
        if self._root != "/":
            if f"{path}/" == self._root:
                exchange.answer(301, [("location", self._root), *SAFETY])
                return None
            if path.startswith(self._root):
                path = path[len(self._root) - 1 :]
        if request.method in ("GET", "HEAD"):
            page = self._pages.find(path[1:])
            if page is not None:
                _send_page(page, request, exchange)
                return None
        elif path == "/xmlrpc" and request.method == "POST":  # a flood of pings meets as little as it can
            return self._xmlrpc(request, exchange)
        answering = self._events.answer if path == "/events" else self._routes
        return carry(answering, request, path, exchange)

    async def _xmlrpc(self, request: Incoming, exchange: Exchange) -> None:
        if not is_plain(request.header(b"content-encoding")):
            exchange.answer(415, [("content-type", "text/plain; charset=utf-8")], CODED.encode())
            return
        forwarded = request.all_of(b"x-forwarded-for") if self._proxies else ()
        client = address_of(request.client, forwarded, self._proxies)
        answer = await endpoint.respond(request.body, self._intake, self._url, self._clock(), client)
        exchange.answer(200, _XML, answer)

    async def _mention(self, request: Request) -> Response:
        try:
            mention = await asyncio.to_thread(self._find_mention, request.path_params["token"])
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        if mention is None:
            return as_response(self._missing, 404)
        if "application/json" in request.headers.get("accept", ""):
            known = {"source": mention.source, "target": mention.target, "status": mention.status}
            return JSONResponse(known, headers=_SAFETY)
        return as_response(page_of("mention.html", self._renderer.mention(mention)), 200)

    async def _held(self, request: Request) -> Response:
        """The operator's feed, at an address that nobody guesses."""
        secret = str(request.path_params["secret"])
        try:
            mentions = await asyncio.to_thread(self._find_held, secret)
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        if mentions is None:
            return as_response(self._missing, 404)
        feed = self._renderer.held_mentions(f"held/{secret}/", mentions)
        return confidential(as_response(page_of("feed.atom", feed), 200))

    async def _healthz(self, _request: Request) -> Response:
        reasons = await asyncio.to_thread(health.report, self._data, self._mistakes(), self._clock())
        said = {"status": "failing", "reasons": reasons} if reasons else {"status": "ok"}
        return JSONResponse(said, status_code=503 if reasons else 200, headers=NO_STORE)

    async def _metrics(self, _request: Request) -> Response:
        try:
            text = await asyncio.to_thread(health.metrics, self._data, self._mistakes(), self._clock())
        except StoreFailed:
            return later()
        return Response(text, headers={"Content-Type": health.CONTENT_TYPE, **NO_STORE})

    async def _else(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever is no page under its own name, and no route under any method."""
        answer = await self._instead(scope["path"].removeprefix("/"), scope["method"])
        await answer(scope, receive, send)

    async def _instead(self, path: str, method: str) -> Response:
        page = self._pages.find(path) or self._pages.find(f"{path}/")
        named = None if page else _CONVERSATION.fullmatch(path)
        if named and (whole := await self._whole_conversation(int(named[1]))):
            return RedirectResponse(f"{self._root}{whole}", status_code=302)
        if page is not None and method in ("GET", "HEAD"):
            # A sender may ask with HEAD and not follow: the redirect of a permalink names the endpoints, too.
            endpoints = dict(self._pages.endpoints_of(f"{path}/index.html"))
            return RedirectResponse(f"{self._root}{path}/", status_code=301, headers=endpoints)
        if page is not None:
            return PlainTextResponse(_ONLY_READ, 405, {"Allow": "GET, HEAD", **_SAFETY})
        if self._pages.find("") is None:
            return unavailable(self._waking)
        if (moved := self._under_former(path)) is not None:
            return RedirectResponse(f"{self._url}{moved}", status_code=301)
        return await self._lost(path)

    async def _lost(self, path: str) -> Response:
        """A page that is not there: it may have another name, or have been here once."""
        try:
            known = await asyncio.to_thread(self._find_lost, path)
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        if known:
            return RedirectResponse(f"{self._root}{known}", status_code=301)
        return as_response(self._missing, 404) if known is None else as_response(self._gone, 410)

    def _find_lost(self, path: str) -> str | None:
        """Where a page is now, "" when it is gone, None when it never was."""
        post = _POST.fullmatch(path)
        with closing(store.open_store(self._data)) as database, store.named_errors():
            if post:
                where = store.entries.whereabouts(database, int(post[1]))
                return None if where == path else where
            was_here = store.pages.was_published(database, f"{path.rstrip('/')}/index.html")
            return "" if was_here else None

    def _under_former(self, path: str) -> str | None:
        """The path of a page that is asked for below an address that the planet had before, or None."""
        for root in self._former_roots:
            rest = f"/{path}".removeprefix(root)
            if rest != f"/{path}" and self._pages.find(rest) is not None:
                return rest
        return None

    async def _whole_conversation(self, id: int) -> str:
        """The path of the conversation that a post is part of, by whichever of its posts it is named; or ""."""
        try:
            posts = await asyncio.to_thread(self._find_around, id)
        except PlanetError as error:
            log.error("%s", error)
            return ""
        return next((path for each in posts if self._pages.find(path := f"conversations/{each}/")), "")

    def _find_around(self, id: int) -> list[int]:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            return store.conversations.around(database, id)

    def _find_held(self, secret: str) -> list[ListedMention] | None:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            expected = store.pages.note(database, "secret: held feed")
            if not expected or not compare_digest(expected.encode(), secret.encode("utf-8", "replace")):
                return None
            return store.moderation.listed(database, Status.HELD, MOST_HELD)

    def _find_mention(self, token: str) -> Mention | None:
        database = store.open_store(self._data)
        try:
            with store.named_errors():
                mention = store.mentions.mention(database, token)
        finally:
            database.close()
        if mention is None:
            return None
        return replace(mention, status=standing.seems(mention.status, mention.asked_at, self._clock()))


def _send_page(page: Page, request: Incoming, exchange: Exchange) -> None:
    squeezed = bool(page.compressed) and _takes_gzip(", ".join(request.all_of(b"accept-encoding")))
    known = ", ".join(request.all_of(b"if-none-match"))
    if known and page.is_known_to(known):
        exchange.answer_again(page.unchanged_compressed_head if squeezed else page.unchanged_head)
    elif squeezed:
        exchange.answer_again(page.compressed_head, page.compressed)
    else:
        exchange.answer_again(page.head, page.body)


@lru_cache(256)
def _takes_gzip(accept_encoding: str) -> bool:
    offered = accept_encoding.lower()
    if "gzip" not in offered:
        return False
    for offer in offered.replace(" ", "").split(","):
        coding, _, weight = offer.partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False


async def _not_in_this_way(_request: Request, error: Exception) -> Response:
    """The answer for a method that an address doesn't take."""
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    text = _ONLY_READ if "POST" not in allowed else f"This address takes {allowed}.\n"
    return PlainTextResponse(text, 405, {"Allow": allowed, **_SAFETY})

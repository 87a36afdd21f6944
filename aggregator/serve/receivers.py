"""The receivers beside XML-RPC: trackbacks, webmentions, weblog pings by address, and a form that tries a ping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from linkbacks import trackback, weblogs, webmention
from linkbacks.webmention import Reply
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from aggregator.config import Planet
from aggregator.errors import StoreFailed
from aggregator.serve import ping_test
from aggregator.serve.answers import as_response
from aggregator.serve.client import address_of
from aggregator.serve.intake import Intake
from aggregator.serve.pages import SAFETY, Page, Pages, page_of
from aggregator.site import Renderer
from aggregator.urls import canonical, is_under

_SAFETY = dict(SAFETY)
NO_STORE = {**_SAFETY, "Cache-Control": "no-store"}
CODED = "Send it without a Content-Encoding.\n"


class Receivers:
    """Takes what others send to one planet."""

    def __init__(
        self, planet: Planet, pages: Pages, intake: Intake, renderer: Renderer, clock: Callable[[], datetime]
    ) -> None:
        self._url = planet.masthead.url
        self._proxies = planet.network.proxies
        self._pages = pages
        self._intake = intake
        self._renderer = renderer
        self._clock = clock

    async def weblog_ping(self, request: Request) -> Response:
        """Answer weblogUpdates in its REST form: /xmlrpc?name=…&url=…."""
        if request.method != "GET" or "url" not in request.query_params:
            return _only_post("This is an XML-RPC endpoint; it takes POST requests only.\n")
        try:
            is_known = await self._intake.notice(weblogs.urls(tuple(request.query_params.values())[:6]), self._clock())
        except StoreFailed:
            return later()
        return PlainTextResponse(f"{weblogs.THANKS if is_known else weblogs.UNKNOWN}\n", headers=NO_STORE)

    async def trackback(self, request: Request) -> Response:
        """Answer a TrackBack ping."""
        if request.method != "POST":
            return _trackback_answer(trackback.failure("This is a TrackBack endpoint; it takes POST requests only."))
        body = await read_body(request)
        if isinstance(body, Response):
            return body
        target = f"{self._url}posts/{request.path_params['id']}/"
        kind = request.headers.get("content-type", "")
        claim = trackback.claim(body, kind, target, self._clock(), self.client(request))
        if claim is None:
            return _trackback_answer(trackback.failure(trackback.NO_URL))
        try:
            return _trackback_answer(trackback.reply(await self._intake.accept(claim)))
        except StoreFailed:
            return _trackback_answer(trackback.failure("It could not be stored; please send it again later."))

    async def webmention(self, request: Request) -> Response:
        """Answer a webmention, or show the form that sends one."""
        if request.method in ("GET", "HEAD"):
            form = self._renderer.webmention_form(request.query_params.get("target", "")[:2_000])
            return as_response(page_of("webmention.html", form), 200)
        if request.method != "POST":
            return _only_post("This is a Webmention endpoint; it takes POST requests.\n", "GET, HEAD, POST")
        body = await read_body(request)
        if isinstance(body, Response):
            return body
        claim = webmention.claim(body, request.headers.get("content-type", ""), self._clock(), self.client(request))
        if claim is None:
            return self._said(request, Reply(400, webmention.INCOMPLETE))
        try:
            return self._said(request, webmention.reply(await self._intake.accept(claim), self._url))
        except StoreFailed:
            return later()

    async def test_ping(self, request: Request) -> Response:
        """Show the form that sends a ping for a blogger, or send it and say what happened."""
        if request.method != "POST":
            form = self._renderer.ping_test(target=request.query_params.get("target", "")[:2_000])
            return as_response(page_of("test-ping.html", form), 200)
        body = await read_body(request)
        if isinstance(body, Response):
            return body
        sent = webmention.claim(body, request.headers.get("content-type", ""), self._clock(), self.client(request))
        if sent is None:
            return as_response(page_of("test-ping.html", self._renderer.ping_test()), 400)
        claim = replace(sent, protocol="pingback", vouch="")
        try:
            decision = await self._intake.accept(claim)
        except StoreFailed:
            return later()
        own = self._own_page(claim.target)
        found = await asyncio.to_thread(ping_test.steps, self._url, claim.target, own, decision)
        page = self._renderer.ping_test(claim.source[:2_000], claim.target[:2_000], found)
        return as_response(page_of("test-ping.html", page), 200)

    def _own_page(self, url: str) -> Page | None:
        """The published page at an address, when it is one of ours."""
        if not is_under(url, self._url):
            return None
        path = canonical(url).removeprefix(canonical(self._url)).lstrip("/")
        return self._pages.find(f"{path}/" if path else "")

    def _said(self, request: Request, reply: Reply) -> Response:
        """A webmention's answer: as a page for a person at a form, as text for a program."""
        headers = {"Location": reply.location} if reply.location else {}
        if "text/html" in request.headers.get("accept", ""):
            headline = "Thank you" if reply.location else "This webmention is not taken"
            page = self._renderer.notice(headline, reply.text, reply.location)
            response = as_response(page_of("notice.html", page), reply.status)
            response.headers.update(headers)
            return response
        return PlainTextResponse(f"{reply.text}\n", reply.status, {**headers, **NO_STORE})

    def client(self, request: Request) -> str:
        """Return whom a request is from."""
        peer = request.client.host if request.client else ""
        return address_of(peer, request.headers.getlist("x-forwarded-for"), self._proxies)


async def read_body(request: Request) -> bytes | Response:
    """Return a body, at most a little more than a call may hold; or say why it is not read."""
    if not is_plain(request.headers.get("content-encoding", "")):
        return PlainTextResponse(CODED, 415, dict(NO_STORE))
    return await request.body()


def is_plain(coding: str) -> bool:
    """Tell whether a Content-Encoding leaves the body as it is."""
    return coding.lower() in ("", "identity")


def _only_post(text: str, allow: str = "POST") -> Response:
    return PlainTextResponse(text, 405, {"Allow": allow, **_SAFETY})


def later() -> Response:
    """Ask a sender to come again, when what it sent could not be stored."""
    return PlainTextResponse("It could not be stored; please send it again later.\n", 503, {"Retry-After": "60"})


def _trackback_answer(xml: str) -> Response:
    return Response(xml.encode("utf-8", "replace"), headers={"Content-Type": trackback.CONTENT_TYPE, **NO_STORE})

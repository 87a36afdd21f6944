"""Search: a form, a page of what was found, and the same as a feed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from sqlite_utils import Database
from starlette.requests import Request
from starlette.responses import Response

from aggregator import store
from aggregator.errors import PlanetError, SearchTooBroad
from aggregator.finding import Narrowing, any_of, narrowed, query
from aggregator.model import Blog
from aggregator.serve.answers import as_response, unavailable
from aggregator.serve.pages import Page, page_of
from aggregator.site import Asked, Renderer, SearchHit, SearchHits

log = logging.getLogger("planet.serve")

PER_PAGE = 20
IN_A_FEED = 40
# So many searches are under way at once; the others wait, up to a number.
AT_ONCE = 2
MOST_WAITING = 50
# Nobody looks for a blog in a longer list.
MOST_LISTED = 500
_LONGEST = 200
_MONTH = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
_TYPES = {"atom": "feed.atom", "rss": "feed.rss", "json": "feed.json"}


class Searching:
    """Answers searches of one planet; each opens the database for itself, in a thread."""

    def __init__(self, data: Path, renderer: Renderer, missing: Page, waking: Page) -> None:
        self._data = data
        self._renderer = renderer
        self._missing = missing
        self._waking = waking
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def page(self, request: Request) -> Response:
        """Answer with the form and what was found."""
        return await self._in_turn(partial(self._page, _asked(request), _what_is_wrong(request)))

    async def feed(self, request: Request) -> Response:
        """Answer with what was found as a feed, newest first."""
        format = request.path_params["format"]
        if format not in _TYPES:
            return as_response(self._missing, 404)
        return await self._in_turn(partial(self._feed, _asked(request), format))

    async def _in_turn(self, make: Callable[[], Page]) -> Response:
        """Make a page in a thread, few at a time: everything else goes on meanwhile."""
        if self._waiting >= MOST_WAITING:
            return unavailable(self._waking)
        self._waiting += 1
        try:
            async with self._turns:
                return as_response(await asyncio.to_thread(make), 200)
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        finally:
            self._waiting -= 1

    def _page(self, asked: Asked, problem: str) -> Page:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            blogs = store.feeds.blogs(database)
            try:
                hits = self._hits(database, asked, blogs)
            except SearchTooBroad as error:
                hits, problem = None, f"{error}"[:1].upper() + f"{error}."[1:]
        most = store.search.MOST_HITS
        shown = blogs if len(blogs) <= MOST_LISTED else [blog for blog in blogs if blog.slug == asked.blog]
        body = self._renderer.sections.search(asked, hits, shown, per_page=PER_PAGE, most=most, problem=problem)
        return page_of("search.html", body)

    def _hits(self, database: Database, asked: Asked, blogs: list[Blog]) -> SearchHits | None:
        expression = self._expression(asked, blogs)
        if not expression:
            return None
        start = (asked.page - 1) * PER_PAGE
        found = store.search.find(database, expression, start=start, limit=PER_PAGE, best_first=asked.best_first)
        return SearchHits(tuple(SearchHit(each.post, each.snippet) for each in found.found), found.total)

    def _feed(self, asked: Asked, format: str) -> Page:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            expression = self._expression(asked, store.feeds.blogs(database))
            found = store.search.find(database, expression, start=0, limit=IN_A_FEED).found if expression else ()
            ids = [each.post.id for each in found]
            posts = {post.id: post for post in store.entries.by_ids(database, ids)}
        body = self._renderer.sections.search_feed(asked, [posts[id] for id in ids if id in posts], format)
        return page_of(_TYPES[format], body)

    def _expression(self, asked: Asked, blogs: list[Blog]) -> str:
        """What to look for in the index; without words it is a blog, a topic or a time alone, or nothing."""
        topics = [topic for topic in self._renderer.look.topics if topic.slug == asked.topic]
        blog = next((blog.id for blog in blogs if blog.slug == asked.blog), 0) if asked.blog else None
        by = Narrowing(blog, any_of(topics[0].match) if topics else "", asked.time)
        words = query(asked.words).expression
        return narrowed(words, by)


def _what_is_wrong(request: Request) -> str:
    asked = _asked(request)
    if request.query_params.get("in") and not asked.time:
        return "A time is a year or a month, like 2026-11."
    if asked.words and not query(asked.words).expression:
        return "There is no word in it that is to be found."
    return ""


def _asked(request: Request) -> Asked:
    given = {
        name: request.query_params.get(name, "")[:_LONGEST] for name in ("q", "blog", "topic", "in", "sort", "page")
    }
    page = int(given["page"]) if re.fullmatch(r"[1-9]\d{0,2}", given["page"]) else 1
    time = given["in"] if _MONTH.fullmatch(given["in"]) else ""
    return Asked(query(given["q"]).words, given["blog"], given["topic"], time, given["sort"] == "best", page)

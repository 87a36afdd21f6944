"""Search: a form, a page of what was found, and the same as a feed."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import closing
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from aggregator import store
from aggregator.errors import PlanetError, SearchTooBroad
from aggregator.finding import Narrowing, any_of, narrowed, query
from aggregator.model import Blog, Post
from aggregator.serve.answers import as_response, unavailable
from aggregator.serve.pages import Page, page_of
from aggregator.site import Asked, Renderer, SearchHit, SearchHits

log = logging.getLogger("planet.serve")

PER_PAGE = 20
IN_A_FEED = 40
# So many searches are under way at once; the others wait.
AT_ONCE = 2
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

    async def page(self, request: Request) -> Response:
        """Answer with the form and what was found."""
        asked = _asked(request)
        problem, hits, blogs = _what_is_wrong(request, asked), None, list[Blog]()
        try:
            async with self._turns:
                hits, blogs = await asyncio.to_thread(self._search, asked)
        except SearchTooBroad as error:
            problem = f"{error}"[:1].upper() + f"{error}."[1:]
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        most = store.search.MOST_HITS
        body = self._renderer.sections.search(asked, hits, blogs, per_page=PER_PAGE, most=most, problem=problem)
        return as_response(page_of("search.html", body), 200)

    async def feed(self, request: Request) -> Response:
        """Answer with what was found as a feed, newest first."""
        format = request.path_params["format"]
        if format not in _TYPES:
            return as_response(self._missing, 404)
        try:
            async with self._turns:
                posts = await asyncio.to_thread(self._newest, _asked(request))
        except PlanetError as error:
            log.warning("%s", error)
            return unavailable(self._waking)
        body = self._renderer.sections.search_feed(_asked(request), posts, format)
        return as_response(page_of(_TYPES[format], body), 200)

    def _search(self, asked: Asked) -> tuple[SearchHits | None, list[Blog]]:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            blogs = store.feeds.blogs(database)
            expression = self._expression(asked, blogs)
            if not expression:
                return None, blogs
            start = (asked.page - 1) * PER_PAGE
            found = store.search.find(database, expression, start=start, limit=PER_PAGE, best_first=asked.best_first)
        hits = tuple(SearchHit(each.post, each.snippet) for each in found.found)
        return SearchHits(hits, found.total), blogs

    def _newest(self, asked: Asked) -> list[Post]:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            expression = self._expression(asked, store.feeds.blogs(database))
            if not expression:
                return []
            found = store.search.find(database, expression, start=0, limit=IN_A_FEED)
            ids = [each.post.id for each in found.found]
            posts = {post.id: post for post in store.entries.by_ids(database, ids)}
        return [posts[id] for id in ids if id in posts]

    def _expression(self, asked: Asked, blogs: list[Blog]) -> str:
        """What to look for in the index; without words it is a blog, a topic or a time alone, or nothing."""
        topics = [topic for topic in self._renderer.look.topics if topic.slug == asked.topic]
        blog = next((blog.id for blog in blogs if blog.slug == asked.blog), 0) if asked.blog else None
        by = Narrowing(blog, any_of(topics[0].match) if topics else "", asked.time)
        words = query(asked.words).expression
        return narrowed(words, by)


def _what_is_wrong(request: Request, asked: Asked) -> str:
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

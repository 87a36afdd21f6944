"""Sweep the feeds that are due: fetch, recognise what is unchanged, read the rest in children, store in batches."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlite_utils import Database

from aggregator import store
from aggregator.cadence import Bounds, after_failure, after_success, outside
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict, PageInstead
from aggregator.feeds import read
from aggregator.feeds.discovery import usual_places
from aggregator.freshness import LONGEST_FRESH, fresh_for, retry_after
from aggregator.model import DueFeed, Poll, PollState, PollSummary, Reading
from aggregator.outbound import Answer, Engine, NoAnswer, Outcome, Request
from aggregator.whereabouts import after_answer, after_gone, after_lost
from jobs.children import Children, result
from jobs.record import Keeping, Polled, Recorded, record

log = logging.getLogger("planet.poll")

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9,"
    " application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
# Bodies that wait for a child are kept in memory; beyond this no new request is begun.
MOST_WAITING_BYTES = 50_000_000
# The page itself is the sixth request.
MOST_PLACES = 5
BATCH = 50
LONGEST_WAIT = timedelta(seconds=0.5)
_PATIENCE = 0.2


@dataclass(frozen=True, slots=True)
class Terms:
    """How this sweep is done."""

    bounds: Bounds
    timeout: timedelta
    max_bytes: int
    keeping: Keeping


@dataclass(frozen=True, slots=True)
class _Reading:
    """A body that a child is reading."""

    feed: DueFeed
    state: PollState
    answer: Answer
    known: frozenset[str]
    size: int


class Sweep:
    """One run over the feeds that are due, from request to store."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        children: Children,
        terms: Terms,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._engine = engine
        self._children = children
        self._terms = terms
        self._clock = clock
        self._until = until
        self._reading: dict[Future[Reading], _Reading] = {}
        self._pages: list[Search] = []
        self._done: list[Polled] = []
        self._taken: set[int] = set()
        self._waits_since = clock()
        self.unreachable = 0
        self._summary = PollSummary()

    def run(self, *, on_progress: Callable[[PollSummary], None] = lambda _: None) -> PollSummary:
        """Poll until no feed is due, or until told to stop; return what was done.

        Raises: StoreFailed. What had been stored before stays; feeds taken but not stored come due again.
        """
        # Whoever polls is alone: what is still marked as taken was cut off, by a crash or a full disk.
        store.feeds.take_back(self._database, self._clock())
        more = True
        while more and not self._until():
            before = self._summary.feeds
            with closing(self._engine.sweep(self._take)) as sweep:
                for landed in sweep:
                    for request, outcome in landed:
                        self._land(request, outcome)
                    self._collect(wait_for_all=False)
                    self._record_if_worth_it()
                    on_progress(self._summary)
                    if self._until():
                        break
            self._collect(wait_for_all=True)
            self._search_pages()
            self._record()
            on_progress(self._summary)
            more = self._summary.feeds > before
        if self._taken:
            store.feeds.take_back(self._database, self._clock())
        return self._summary

    def _take(self, room: int) -> Sequence[Request]:
        waiting = self._engine.bytes_under_way() + sum(begun.size for begun in self._reading.values())
        if self._until() or waiting > MOST_WAITING_BYTES:
            return []
        crowded = self._engine.crowded_hosts()
        feeds = store.feeds.due(self._database, self._clock(), room, under_way=self._taken, crowded=crowded)
        self._taken.update(feed.id for feed in feeds)
        return [_request(feed, self._terms) for feed in feeds]

    def _land(self, request: Request, outcome: Outcome) -> None:
        feed = request.key
        assert isinstance(feed, DueFeed)
        if isinstance(outcome, NoAnswer) and outcome.kind == "spared":
            # It stays marked as under way in this sweep: by its end the host's rest is written down.
            store.feeds.give_back(self._database, [feed.id])
        elif isinstance(outcome, NoAnswer):
            self.unreachable += outcome.kind == "unreachable"
            self._fail(feed, outcome, outcome.reason)
        elif outcome.status == 304 and (feed.state.etag or feed.state.last_modified):
            self._unchanged(feed, _renewed(feed.state, outcome), outcome)
        elif outcome.status not in (200, 203, 226):
            self._fail(feed, outcome, _reason(outcome))
        else:
            digest = hashlib.blake2b(outcome.body, digest_size=16).digest()
            state = _renewed(replace(feed.state, body_hash=digest), outcome)
            if digest == feed.state.body_hash:
                self._unchanged(feed, state, outcome)
            else:
                self._read(feed, state, outcome)

    def _read(self, feed: DueFeed, state: PollState, answer: Answer) -> None:
        known = store.entries.known_hashes(self._database, feed.id)
        future = self._begin_reading(answer, known)
        # The body has gone to the child; what is kept of the answer is small.
        self._reading[future] = _Reading(feed, state, replace(answer, body=b""), frozenset(known), len(answer.body))

    def _begin_reading(self, answer: Answer, known: Mapping[str, bytes]) -> Future[Reading]:
        return self._children.submit(
            read, answer.body, answer.coding, answer.content_type, answer.url, known, self._terms.max_bytes
        )

    def _collect(self, *, wait_for_all: bool) -> None:
        while self._reading:
            finished, _ = wait(self._reading, timeout=_PATIENCE if wait_for_all else 0, return_when=FIRST_COMPLETED)
            if not finished and (self._until() or not wait_for_all):
                return
            for future in finished:
                self._take_in(self._reading.pop(future), future)
            self._record_if_worth_it()

    def _take_in(self, begun: _Reading, future: Future[Reading]) -> None:
        try:
            reading = result(future)
        except PageInstead as error:
            if begun.feed.is_new and not begun.feed.state.body_hash:
                self._pages.append(Search(begun.feed, begun.answer, places_to_look(begun.answer.url, error.feeds)))
            else:  # it was a feed once: what is at its address now may be anybody's
                self._fail(begun.feed, begun.answer, str(error), size=begun.size)
        except (FeedUnreadable, BodyRefused, ChildStopped) as error:
            self._fail(begun.feed, begun.answer, str(error), size=begun.size)
        except NoVerdict as error:  # it stays taken, and is given back at the end
            log.error("%s", error, extra={"feed": begun.feed.url})
        else:
            self._good(begun, reading)

    def _search_pages(self) -> None:
        """Look for the feeds of the web pages that were given as feeds: all pages at once, one place of each a time."""
        while self._pages and not self._until():
            searches, self._pages = self._pages, []
            with closing(self._engine.sweep(_one_by_one([self._look(search) for search in searches]))) as sweep:
                for landed in sweep:
                    for request, outcome in landed:
                        assert isinstance(request.key, Search)
                        self._found(request.key, outcome)
                    if self._until():
                        break

    def _look(self, search: Search) -> Request:
        return Request(
            url=search.places[0],
            key=search,
            headers=(("Accept", ACCEPT), ("Accept-Encoding", ACCEPTED)),
            seconds=self._terms.timeout.total_seconds(),
            max_bytes=self._terms.max_bytes,
        )

    def _found(self, search: Search, outcome: Outcome) -> None:
        feed = search.feed
        if isinstance(outcome, Answer) and outcome.status in (200, 203):
            try:
                reading = result(self._begin_reading(outcome, {}))
            except (FeedUnreadable, BodyRefused, ChildStopped, NoVerdict):
                pass
            else:
                log.info("it is a web page; its feed was found at %s", outcome.url, extra={"feed": feed.url})
                digest = hashlib.blake2b(outcome.body, digest_size=16).digest()
                where = replace(feed.state.where, address=outcome.url, why="found")
                state = _renewed(replace(feed.state, body_hash=digest, where=where), outcome)
                self._good(
                    _Reading(feed, state, replace(outcome, permanently=""), frozenset(), len(outcome.body)), reading
                )
                return
        if search.places[1:]:
            self._pages.append(replace(search, places=search.places[1:]))
        else:
            self._fail(feed, search.answer, "this is a web page, not a feed, and none was found that belongs to it")

    def _unchanged(self, feed: DueFeed, state: PollState, answer: Answer) -> None:
        self._count(unchanged=1)
        # A feed that failed for a while has its old problem no more; a remark on its text still holds.
        remark = feed.state.problem if not feed.state.failures else ""
        poll = _history(self._clock(), answer, "unchanged", len(answer.body))
        self._done.append(Polled(feed, self._well(feed, replace(state, problem=remark), answer), poll))
        log.debug("unchanged", extra={"feed": feed.url})

    def _good(self, begun: _Reading, reading: Reading) -> None:
        self._count(fetched=1)
        feed, answer = begun.feed, begun.answer
        state = replace(begun.state, problem=reading.remark, asked_for=reading.asked_for, quiet=reading.quiet)
        poll = _history(self._clock(), answer, "read", begun.size, reading.remark)
        is_whole = answer.status != 226
        self._done.append(Polled(feed, self._well(feed, state, answer), poll, reading, begun.known, is_whole))

    def _well(self, feed: DueFeed, state: PollState, answer: Answer) -> PollState:
        now = self._clock()
        where = after_answer(state.where, feed.url, answer.permanently, now)
        if where.address != state.where.address:
            log.warning("it has moved for good, and is fetched at %s", where.address, extra={"feed": feed.url})
        bounds = self._terms.bounds
        asked = min(max(fresh_for(answer.headers, now), state.asked_for), LONGEST_FRESH)
        every = bounds.interval(feed.url, feed.every or bounds.fitting(state, now), asked)
        well = after_success(replace(state, where=where), now, every)
        return replace(well, next_poll_at=outside(state.quiet, well.next_poll_at, now + bounds.at_most))

    def _fail(self, feed: DueFeed, outcome: Outcome, problem: str, *, size: int = 0) -> None:
        self._count(failed=1)
        now, status = self._clock(), outcome.status if isinstance(outcome, Answer) else 0
        stay_away = timedelta(0)
        if isinstance(outcome, Answer) and status in (429, 503):
            stay_away = retry_after(outcome.headers, now)
        where = feed.state.where
        if status == 410 and not where.address:
            where = after_gone(where, now)
        elif where.address and status in (404, 410):
            where = after_lost(where)
        every = self._terms.bounds.interval(feed.url, feed.every)
        # The validators and the hash stay those of the last good body.
        failed = after_failure(replace(feed.state, status=status, where=where), now, problem, every, stay_away)
        self._done.append(Polled(feed, failed, _history(now, outcome, "failed", size, problem)))
        if where.retired_at and not feed.state.where.retired_at:
            told = "RETIRED: it has said for good that it is gone (410, on two days); remove it from feeds.toml"
            log.error("%s", told, extra={"feed": feed.url})
        else:
            log.warning("failed: %s", problem, extra={"feed": feed.url, "next": failed.next_poll_at.isoformat()})

    def _count(self, *, fetched: int = 0, unchanged: int = 0, failed: int = 0, new: int = 0, edited: int = 0) -> None:
        was = self._summary
        self._summary = replace(
            was,
            feeds=was.feeds + fetched + unchanged + failed,
            fetched=was.fetched + fetched,
            unchanged=was.unchanged + unchanged,
            failed=was.failed + failed,
            new_entries=was.new_entries + new,
            updated_entries=was.updated_entries + edited,
        )

    def _record_if_worth_it(self) -> None:
        """Store a batch when it is large, or when its first poll has waited long enough for the others."""
        now = self._clock()
        if not self._done:
            self._waits_since = now
        elif len(self._done) >= BATCH or now - self._waits_since >= LONGEST_WAIT:
            self._record()

    def _record(self) -> None:
        """Store every poll that is done, each whole, all in one transaction."""
        done, self._done = self._done, []
        if not done:
            return
        stored: dict[str, Recorded] = {}
        with store.transaction(self._database):
            for polled in done:
                try:
                    with self._database.atomic():
                        stored[polled.feed.url] = record(self._database, polled, self._terms.keeping, self._clock())
                except (ValueError, TypeError, OverflowError) as error:  # what no database takes: this feed's trouble
                    self._record_unstorable(polled, error)
        self._taken.difference_update(polled.feed.id for polled in done)
        for url, recorded in stored.items():
            self._count(new=recorded.new, edited=recorded.edited)
            if recorded.told:
                log.log(recorded.level, "%s", recorded.told, extra={"feed": url})

    def _record_unstorable(self, polled: Polled, error: Exception) -> None:
        log.exception("an entry can't be stored", extra={"feed": polled.feed.url})
        problem = f"an entry of it can't be stored ({type(error).__name__}); please report this"
        every = self._terms.bounds.interval(polled.feed.url, polled.feed.every)
        failed = after_failure(polled.feed.state, self._clock(), problem, every)
        store.feeds.record_state(self._database, polled.feed.id, failed, is_good=False)


@dataclass(frozen=True, slots=True)
class Search:
    """A web page that was given as a feed, and where its feed may be, likeliest first."""

    feed: DueFeed
    answer: Answer
    places: tuple[str, ...]


def places_to_look(url: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return where to look for the feed of a page: what it names, then where feeds usually are."""
    places = dict.fromkeys((*named[:MOST_PLACES], *usual_places(url)))
    return tuple(place for place in places if place and place != url)[:MOST_PLACES]


def _one_by_one(requests: list[Request]) -> Callable[[int], list[Request]]:
    return lambda room: [requests.pop() for _ in requests[:room]]


def _history(
    now: datetime, outcome: Outcome, what: Literal["read", "unchanged", "failed"], size: int, problem: str = ""
) -> Poll:
    status = outcome.status if isinstance(outcome, Answer) else 0
    return Poll(now, status, size, round(outcome.seconds * 1000), what, problem=problem)


def _request(feed: DueFeed, terms: Terms) -> Request:
    headers = [("Accept", ACCEPT), ("Accept-Encoding", ACCEPTED)]
    if feed.state.etag:
        headers.append(("If-None-Match", feed.state.etag))
        headers.append(("A-IM", "feed"))  # a server that can sends only what is new (RFC 3229 with "feed")
    if feed.state.last_modified:
        headers.append(("If-Modified-Since", feed.state.last_modified))
    return Request(
        url=feed.address,
        key=feed,
        headers=tuple(headers),
        seconds=terms.timeout.total_seconds(),
        max_bytes=terms.max_bytes,
    )


def _renewed(state: PollState, answer: Answer) -> PollState:
    """The validators that an answer brings, kept exactly as sent; a 304 may leave them out."""
    is_new_body = answer.status != 304
    etag = answer.headers.get("etag", "" if is_new_body else state.etag)
    last_modified = answer.headers.get("last-modified", "" if is_new_body else state.last_modified)
    return replace(state, etag=etag, last_modified=last_modified, status=answer.status)


def _reason(answer: Answer) -> str:
    if mitigated := answer.headers.get("cf-mitigated", ""):
        doing = f"{mitigated[:40]}, {answer.status}"
        return f"Cloudflare keeps programs out ({doing}); ask the blog's owner to let feed readers in"
    known = {
        304: "the server says that it is unchanged (304), to a request that didn't ask",
        401: "it asks for a password (401)",
        403: "the server forbids it (403)",
        404: "there is nothing at this address (404)",
        410: "it is gone for good (410); remove it from feeds.toml",
        429: "the server asks us to come less often (429)",
    }
    return known.get(answer.status, f"the server answers with status {answer.status}")

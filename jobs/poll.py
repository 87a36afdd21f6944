"""Sweep the feeds that are due: fetch, recognise what is unchanged, read the rest in children, store in batches."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.cadence import Bounds, after_failure, after_success
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict
from aggregator.feeds import read
from aggregator.freshness import LONGEST_FRESH, fresh_for, retry_after
from aggregator.model import DueFeed, PollState, PollSummary, ReadEntry, Reading
from aggregator.outbound import Answer, Engine, NoAnswer, Outcome, Request
from aggregator.sameness import places
from jobs.children import Children, result

log = logging.getLogger("planet.poll")

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9,"
    " application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
# Bodies that wait for a child are kept in memory; beyond this no new request is begun.
MOST_WAITING_BYTES = 50_000_000
BATCH = 50
LONGEST_WAIT = timedelta(seconds=0.5)
_PATIENCE = 0.2


@dataclass(frozen=True, slots=True)
class Terms:
    """How this sweep is done."""

    bounds: Bounds
    timeout: timedelta
    max_bytes: int
    first_import: int


@dataclass(frozen=True, slots=True)
class Polled:
    """One feed's poll, ready to be stored."""

    feed: DueFeed
    state: PollState
    reading: Reading | None = None
    known: frozenset[str] = frozenset()


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
        if isinstance(outcome, NoAnswer):
            self.unreachable += outcome.kind == "unreachable"
            self._fail(feed, None, outcome.reason)
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
        future = self._children.submit(
            read, answer.body, answer.coding, answer.content_type, answer.url, known, self._terms.max_bytes
        )
        # The body has gone to the child; what is kept of the answer is small.
        self._reading[future] = _Reading(feed, state, replace(answer, body=b""), frozenset(known), len(answer.body))

    def _collect(self, *, wait_for_all: bool) -> None:
        while self._reading:
            finished, _ = wait(self._reading, timeout=_PATIENCE if wait_for_all else 0, return_when=FIRST_COMPLETED)
            if not finished and (self._until() or not wait_for_all):
                return
            for future in finished:
                begun = self._reading.pop(future)
                try:
                    reading = result(future)
                except (FeedUnreadable, BodyRefused, ChildStopped) as error:
                    self._fail(begun.feed, begun.answer, str(error))
                except NoVerdict as error:  # it stays taken, and is given back at the end
                    log.error("%s", error, extra={"feed": begun.feed.url})
                else:
                    self._good(begun.feed, begun.state, begun.answer, reading, begun.known)
            self._record_if_worth_it()

    def _unchanged(self, feed: DueFeed, state: PollState, answer: Answer) -> None:
        self._count(unchanged=1)
        # A feed that failed for a while has its old problem no more; a remark on its text still holds.
        remark = feed.state.problem if not feed.state.failures else ""
        self._well(feed, replace(state, problem=remark), answer)
        log.debug("unchanged", extra={"feed": feed.url})

    def _good(self, feed: DueFeed, state: PollState, answer: Answer, reading: Reading, known: frozenset[str]) -> None:
        self._count(fetched=1)
        self._well(feed, replace(state, problem=reading.remark, asked_for=reading.asked_for), answer, reading, known)

    def _well(
        self,
        feed: DueFeed,
        state: PollState,
        answer: Answer,
        reading: Reading | None = None,
        known: frozenset[str] = frozenset(),
    ) -> None:
        now = self._clock()
        asked = max(fresh_for(answer.headers, now), state.asked_for)
        every = self._terms.bounds.interval(feed.url, feed.every, min(asked, LONGEST_FRESH))
        self._done.append(Polled(feed, after_success(state, now, every), reading, known))

    def _fail(self, feed: DueFeed, answer: Answer | None, problem: str) -> None:
        self._count(failed=1)
        now = self._clock()
        status = answer.status if answer else 0
        stay_away = retry_after(answer.headers, now) if answer and status in (429, 503) else timedelta(0)
        every = self._terms.bounds.interval(feed.url, feed.every)
        # The validators and the hash stay those of the last good body.
        failed = after_failure(replace(feed.state, status=status), now, problem, every, stay_away)
        self._done.append(Polled(feed, failed))
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
        stored: dict[str, str] = {}
        with store.transaction(self._database):
            for polled in done:
                try:
                    with self._database.atomic():
                        stored[polled.feed.url] = self._record_one(polled)
                except (ValueError, TypeError, OverflowError) as error:  # what no database takes: this feed's trouble
                    self._record_unstorable(polled, error)
        self._taken.difference_update(polled.feed.id for polled in done)
        for url, what in stored.items():
            if what:
                log.info("%s", what, extra={"feed": url})

    def _record_unstorable(self, polled: Polled, error: Exception) -> None:
        log.exception("an entry can't be stored", extra={"feed": polled.feed.url})
        problem = f"an entry of it can't be stored ({type(error).__name__}); please report this"
        every = self._terms.bounds.interval(polled.feed.url, polled.feed.every)
        failed = after_failure(polled.feed.state, self._clock(), problem, every)
        store.feeds.record_state(self._database, polled.feed.id, failed, is_good=False)

    def _record_one(self, polled: Polled) -> str:
        """Store one poll; return what there is to tell about it."""
        feed, reading, now = polled.feed, polled.reading, self._clock()
        is_good = polled.state.failures == 0
        store.feeds.record_state(self._database, feed.id, polled.state, is_good=is_good)
        if polled.state.status == 429:
            store.feeds.hold_host(self._database, feed.url, polled.state.next_poll_at)
        if reading is None:
            return ""
        store.feeds.record_title(self._database, feed.id, reading.title, reading.home)
        fresh, changed = _apart(reading.entries, polled.known)
        first_import = self._terms.first_import if feed.is_new else None
        standing = places(fresh, now, first_import=first_import)
        new = store.entries.add(self._database, feed.id, list(zip(fresh, standing, strict=True)), now)
        edited = store.entries.edit(self._database, feed.id, changed)
        self._count(new=new, edited=edited)
        remark = f"; {reading.remark}" if reading.remark else ""
        return f"read: {reading.seen} entries, {new} new, {edited} edited{remark}"


def _apart(entries: Sequence[ReadEntry], known: frozenset[str]) -> tuple[list[ReadEntry], list[ReadEntry]]:
    """New entries, oldest first so that ids grow with time, and known ones that changed."""
    fresh: dict[str, ReadEntry] = {}
    for entry in entries:
        if entry.guid not in known:
            fresh.setdefault(entry.guid, entry)  # a guid used twice in one feed: the first one counts
    return list(reversed(fresh.values())), [entry for entry in entries if entry.guid in known]


def _request(feed: DueFeed, terms: Terms) -> Request:
    headers = [("Accept", ACCEPT), ("Accept-Encoding", ACCEPTED)]
    if feed.state.etag:
        headers.append(("If-None-Match", feed.state.etag))
    if feed.state.last_modified:
        headers.append(("If-Modified-Since", feed.state.last_modified))
    return Request(
        url=feed.url,
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
    known = {
        304: "the server says that it is unchanged (304), to a request that didn't ask",
        401: "it asks for a password (401)",
        403: "the server forbids it (403)",
        404: "there is nothing at this address (404)",
        410: "it is gone for good (410); remove it from feeds.toml",
        429: "the server asks us to come less often (429)",
    }
    return known.get(answer.status, f"the server answers with status {answer.status}")

"""Sweep the feeds that are due: fetch, recognise what is unchanged, read the rest in children, store in batches."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.cadence import DAILY
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict, PageInstead
from aggregator.model import NO_OFFERS, DueFeed, Offers, PollState, PollSummary, Reading
from aggregator.outbound import Answer, Engine, NoAnswer, Outcome, Request
from aggregator.urls import host_of
from jobs import arrivals, search, tally
from jobs.bodies import Begun, Bodies
from jobs.children import Children, result
from jobs.outcomes import (
    DELTA,
    TOO_MANY_REQUESTS,
    Terms,
    digest,
    failed,
    history,
    is_feed,
    reason,
    renewed,
    request,
    well,
)
from jobs.record import Polled, Recorded, record
from jobs.remote import Fetcher, digest_of, size_of

log = logging.getLogger("planet.poll")

# Polls are stored together when there are so many; one that has read something counts as several, for all that is new.
BATCH = 250
A_READING = 10
NO_FEED_FOUND = "this is a web page, not a feed, and none was found that belongs to it"
LONGEST_WAIT = timedelta(seconds=0.5)
# A feed whose poll could not be recorded, whatever the reason, is not asked again for so long.
LEFT_ALONE = timedelta(minutes=5)
_PATIENCE = 0.2


class Sweep:
    """One run over the feeds that are due, from request to store.

    `asked` is handed from one run to the next: the feeds whose polls could not be recorded, and since when. They are
    still due, and left alone for a while.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        children: Children,
        terms: Terms,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
        fetcher: Fetcher | None = None,
        asked: dict[int, datetime] | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._fetcher: Fetcher = fetcher or engine
        self._children = children
        self._terms = terms
        self._clock = clock
        self._until = until
        self._bodies = Bodies(database, children, terms, clock)
        self._pages: list[search.Search] = []
        self._done: list[Polled] = []
        self._weight = 0
        self._under_way: set[int] = set()
        self._resting: dict[str, datetime] = {}
        self._asked = {} if asked is None else asked
        self._waits_since = clock()
        self.unreachable = 0
        self._counts: Counter[str] = Counter()

    def run(self, *, on_progress: Callable[[PollSummary], None] = lambda _: None) -> PollSummary:
        """Poll until no feed is due, or until told to stop; return what was done.

        Raises: StoreFailed. What had been stored before stays; feeds that were asked and not stored are still due.
        """
        try:
            self._run(on_progress)
        finally:
            self._asked |= dict.fromkeys(self._under_way, self._clock())
        return self._summary()

    def _run(self, on_progress: Callable[[PollSummary], None]) -> None:
        more = True
        while more and not self._until():
            before = self._summary().feeds
            with closing(self._fetcher.sweep(self._take)) as sweep:
                for landed in sweep:
                    for asked, outcome in landed:
                        self._land(asked, outcome)
                    self._collect(wait_for_all=False)
                    self._record_if_worth_it()
                    on_progress(self._summary())
                    if self._until():
                        break
            self._collect(wait_for_all=True)
            self._search_pages()
            self._record()
            on_progress(self._summary())
            more = self._summary().feeds > before

    def _summary(self) -> PollSummary:
        polled = self._counts["fetched"] + self._counts["unchanged"] + self._counts["failed"]
        return PollSummary(feeds=polled, **self._counts)

    def _take(self, room: int) -> Sequence[Request]:
        if self._until() or self._bodies.have_no_room(self._fetcher.bytes_under_way()):
            return []
        crowded, now = self._fetcher.crowded_hosts(), self._clock()
        left_alone = [id for id, at in self._asked.items() if now - at < LEFT_ALONE]
        feeds = store.feeds.due(self._database, now, room, under_way=[*self._under_way, *left_alone], crowded=crowded)
        self._under_way.update(feed.id for feed in feeds)
        return [request(feed.address, feed, self._terms, feed.state) for feed in feeds]

    def _land(self, asked: Request, outcome: Outcome) -> None:
        feed = asked.key
        assert isinstance(feed, DueFeed)
        if isinstance(outcome, NoAnswer) and outcome.kind == "spared":
            return  # it stays under way in this sweep: by its end the host's rest is written down
        if isinstance(outcome, NoAnswer):
            self.unreachable += outcome.kind == "unreachable"
            self._fail(feed, outcome, outcome.reason)
        elif outcome.status == 304 and (feed.state.etag or feed.state.last_modified):
            self._unchanged(feed, renewed(feed.state, outcome), outcome)
        elif not is_feed(outcome):
            self._fail(feed, outcome, reason(outcome))
        else:
            state = renewed(feed.state._replace(body_hash=digest_of(outcome)), outcome)
            if state.body_hash == feed.state.body_hash:
                self._unchanged(feed, state, outcome)
            else:
                self._bodies.add(feed, state, outcome)

    def _collect(self, *, wait_for_all: bool) -> None:
        self._bodies.begin(at_once=wait_for_all)
        while self._bodies.are_being_read:
            finished = self._bodies.finished(_PATIENCE if wait_for_all else 0)
            if not finished and (self._until() or not wait_for_all):
                return
            for begun, future in finished:
                self._take_in(begun, future)
            self._bodies.begin(at_once=wait_for_all)  # before anything is stored, which takes a while
            self._record_if_worth_it()

    def _take_in(self, begun: Begun, future: Future[Reading]) -> None:
        try:
            reading = result(future)
        except PageInstead as error:
            if _may_be_searched(begun.feed):
                offers = arrivals.of_page(error, begun.answer)
                self._pages.append(search.begin(begun.feed, begun.answer, error.feeds, offers))
            else:
                self._fail(begun.feed, begun.answer, str(error), size=begun.size)
        except (FeedUnreadable, BodyRefused, ChildStopped) as error:
            self._fail(begun.feed, begun.answer, str(error), size=begun.size)
        except NoVerdict as error:  # it stays under way in this sweep, and due
            log.error("%s", error, extra={"feed": begun.feed.url})
        else:
            self._good(begun, reading)

    def _search_pages(self) -> None:
        """Look for the feeds of the web pages that were given as feeds."""
        pages, self._pages = self._pages, []
        for found in search.search(self._engine, self._children, self._terms, pages, self._until):
            feed = found.search.feed
            if found.answer and found.reading:
                log.info("it is a web page; its feed was found at %s", found.answer.url, extra={"feed": feed.url})
                where = replace(feed.state.where, address=found.answer.url, why="found")
                state = feed.state._replace(body_hash=digest(found.answer.body), where=where)
                answer = replace(found.answer, permanently="")
                begun = Begun(feed, renewed(state, answer), answer, frozenset(), len(answer.body))
                self._good(begun, found.reading, found.search.offers)
            else:
                self._fail(feed, found.search.page, NO_FEED_FOUND)

    def _unchanged(self, feed: DueFeed, state: PollState, answer: Answer) -> None:
        self._counts["unchanged"] += 1
        # A feed that failed for a while has its old problem no more; a remark on its text still holds.
        remark = feed.state.problem if not feed.state.failures else ""
        poll = history(self._clock(), answer, "unchanged", size_of(answer))
        state = state if state.problem == remark else state._replace(problem=remark)
        self._finish(Polled(feed, self._well(feed, state, answer), poll))
        log.debug("unchanged", extra={"feed": feed.url})

    def _good(self, begun: Begun, reading: Reading, of_page: Offers = NO_OFFERS) -> None:
        self._counts["fetched"] += 1
        feed, answer = begun.feed, begun.answer
        state = begun.state._replace(
            problem=reading.remark,
            asked_for=reading.asked_for,
            quiet=reading.quiet,
            trusts_push=arrivals.trusts_push(feed, reading, begun.known, self._clock()),
        )
        poll = history(self._clock(), answer, "read", begun.size, reading.remark)
        is_whole = answer.status != DELTA
        offers = arrivals.offers(feed, reading, answer, of_page)
        self._finish(Polled(feed, self._well(feed, state, answer), poll, reading, begun.known, is_whole, offers))

    def _well(self, feed: DueFeed, state: PollState, answer: Answer) -> PollState:
        after = well(feed, state, answer, self._terms.bounds, self._clock())
        if after.where.address != state.where.address:
            log.warning("it has moved for good, and is fetched at %s", after.where.address, extra={"feed": feed.url})
        return after

    def _fail(self, feed: DueFeed, outcome: Outcome, problem: str, *, size: int = 0) -> None:
        self._counts["failed"] += 1
        now = self._clock()
        after = failed(feed, outcome, problem, self._terms.bounds, now)
        resting = outcome.url if isinstance(outcome, Answer) and outcome.status == TOO_MANY_REQUESTS else ""
        self._finish(Polled(feed, after, history(now, outcome, "failed", size, problem), resting=resting))
        if after.where.retired_at and not feed.state.where.retired_at:
            told = "RETIRED: it has said for good that it is gone (410, on two days); remove it from feeds.toml"
            log.error("%s", told, extra={"feed": feed.url})
        else:
            log.warning("failed: %s", problem, extra={"feed": feed.url, "next": after.next_poll_at.isoformat()})

    def _finish(self, polled: Polled) -> None:
        self._done.append(polled)
        self._weight += A_READING if polled.reading else 1

    def _record_if_worth_it(self) -> None:
        """Store a batch when it is large, or when its first poll has waited long enough for the others."""
        now = self._clock()
        if self._weight >= BATCH or (self._done and now - self._waits_since >= LONGEST_WAIT):
            self._record()
        if not self._done:
            self._waits_since = now

    def _record(self) -> None:
        """Store every poll that is done, each whole, all in one transaction."""
        done, self._done, self._weight = self._done, [], 0
        if not done:
            return
        with store.transaction(self._database):
            stored = {each.feed.url: self._record_reading(each, each.reading) for each in done if each.reading}
            done = [_as_it_went(each, stored.get(each.feed.url)) for each in done]
            self._record_states(done)
            self._let_hosts_rest(done)
            polls = [(each.feed.id, each.poll) for each in done]
            store.polls.record(self._database, polls, self._terms.keeping.polls)
            # A blog's page tells how its feed is doing.
            told = [("blog", id) for id, poll in polls if poll.outcome != "unchanged"]
            store.stale.mark_sections(self._database, told)
            counts = tally.of_polls([poll for _, poll in polls])
            store.metrics.add(self._database, counts)
        for polled in done:
            self._under_way.discard(polled.feed.id)
            self._asked.pop(polled.feed.id, None)
        self._counts["new_entries"] += counts["entries", "new"]
        self._counts["updated_entries"] += counts["entries", "edited"]
        for url, recorded in stored.items():
            if recorded.told:
                log.log(recorded.level, "%s", recorded.told, extra={"feed": url})

    def _record_states(self, done: Sequence[Polled]) -> None:
        left: dict[bool, list[tuple[int, datetime, PollState]]] = {True: [], False: []}
        for polled in done:
            feed, state = polled.feed, polled.state
            left[state.differs_in_poll_times_only(feed.state)].append((feed.id, feed.due_at, state))
        store.feeds.record_times(self._database, left[True])
        store.feeds.record_states(self._database, left[False])

    def _let_hosts_rest(self, done: Sequence[Polled]) -> None:
        """Have those hosts left alone that these polls were told to leave; and these feeds, where others were told."""
        if not self._resting and not any(polled.resting for polled in done):
            return
        asked = {host_of(polled.feed.address): polled.feed.address for polled in done}
        for polled in done:
            if polled.resting:
                host, until = host_of(polled.resting), polled.state.next_poll_at
                asked[host] = polled.resting
                self._resting[host] = max(until, self._resting.get(host, until))
        for host in asked.keys() & self._resting.keys():
            store.feeds.hold_host(self._database, asked[host], self._resting[host])

    def _record_reading(self, polled: Polled, reading: Reading) -> Recorded:
        try:
            with self._database.atomic():  # all or nothing
                return record(self._database, polled, reading, self._terms.keeping, self._clock())
        except (ValueError, TypeError, OverflowError) as error:  # what no database takes: this feed's trouble
            log.exception("an entry can't be stored", extra={"feed": polled.feed.url})
            problem = f"an entry of it can't be stored ({type(error).__name__}); please report this"
            return Recorded(failed=failed(polled.feed, None, problem, self._terms.bounds, self._clock()))


def _as_it_went(polled: Polled, recorded: Recorded | None) -> Polled:
    """A poll with what became of its reading, where it had one."""
    if recorded is None:
        return polled
    if recorded.failed is not None:
        poll = replace(polled.poll, outcome="failed", problem=recorded.failed.problem)
        return replace(polled, state=recorded.failed, poll=poll)
    return replace(polled, poll=replace(polled.poll, new_entries=recorded.new, edited_entries=recorded.edited))


def _may_be_searched(feed: DueFeed) -> bool:
    """A page is searched when it is new, and then once a day; what was a feed once may be anybody's page now."""
    is_unknown = feed.is_new and not feed.state.body_hash
    return is_unknown and (feed.state.problem != NO_FEED_FOUND or feed.state.failures >= DAILY)

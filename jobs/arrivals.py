"""By which way news of a feed came, how long it took, and what follows: whether its pushes are relied on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlite_utils import Database

from aggregator import offers as offered
from aggregator import store
from aggregator.errors import PageInstead
from aggregator.model import NO_OFFERS, DueFeed, Offers, ReadEntry, Reading, Way
from aggregator.outbound import Answer

if TYPE_CHECKING:
    from jobs.record import Polled

# A push may be under way when a poll finds the same: only what is older than this has been missed.
GRACE = timedelta(minutes=15)
# A post that is dated further back was not published at its date.
LONGEST_LAG = timedelta(days=30)


def trusts_push(feed: DueFeed, reading: Reading, known: Collection[str], now: datetime) -> bool:
    """Tell whether a feed's pushes are still to be relied on after a poll: not when it found what none has brought."""
    if not feed.state.trusts_push or feed.hint:
        return feed.state.trusts_push
    return not any(_is_missed(entry, now) for entry in fresh_of(reading, known))


def fresh_of(reading: Reading, known: Collection[str]) -> list[ReadEntry]:
    """Return the entries that were not known."""
    return [entry for entry in reading.entries if entry.guid not in known]


def _is_missed(entry: ReadEntry, now: datetime) -> bool:
    written = entry.published_at or entry.updated_at
    return written is None or now - written > GRACE


def lag(fresh: Iterable[ReadEntry], now: datetime) -> timedelta | None:
    """Return how long ago the newest of some entries was published, or None when nobody knows."""
    written = [date for entry in fresh if (date := entry.published_at or entry.updated_at)]
    passed = now - max(written) if written else None
    return passed if passed is not None and timedelta(0) <= passed < LONGEST_LAG else None


def offers(feed: DueFeed, reading: Reading, answer: Answer, of_page: Offers) -> Offers | None:
    """Return who would tell of a feed's news; None when what is known of that stays."""
    header = offered.in_header(answer.headers.get("link", ""), answer.url)
    found = offered.combined(header, reading.offers)
    if found.is_empty and (not of_page.is_empty or feed.state.where.why == "found"):
        return None if of_page.is_empty else of_page  # what a page says of its feed is seen once
    return found


def of_page(page: PageInstead, answer: Answer) -> Offers:
    """Return what a web page offers that was given as a feed."""
    header = offered.in_header(answer.headers.get("link", ""), answer.url)
    return offered.combined(header, Offers(page.topic, page.hubs)) if page.hubs or header.hubs else NO_OFFERS


def record(database: Database, polled: Polled, reading: Reading, new: int, now: datetime) -> None:
    """Note what a poll tells of the ways in which news comes; inside a transaction."""
    feed = polled.feed
    if feed.is_new:
        return
    if feed.state.trusts_push and not polled.state.trusts_push:
        store.arrivals.distrust(database, feed.id)
    if new:
        by: Way = "push" if feed.hint == "push" else "ping" if feed.hint == "ping" else "poll"
        store.arrivals.record(database, feed.id, by, lag(fresh_of(reading, polled.known), now))

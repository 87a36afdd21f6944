"""Decide when a feed may be polled again. Pure: no clock, no network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import PollState, Quiet

FIRST_PAUSE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=24)
# From so many failures on a feed is asked once a day at most.
DAILY = 5
# A feed that has failed for as long as this is asked once a week: it is never given up.
LONG_LOST = timedelta(days=14)
LOST_PAUSE = timedelta(days=7)
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """The operator's wishes: how often, and never more or less often than."""

    every: timedelta
    at_least: timedelta
    at_most: timedelta

    def interval(self, url: str, every: timedelta | None = None, asked: timedelta = timedelta(0)) -> timedelta:
        """Return the interval of a feed that may have one of its own, and may ask for a longer one.

        Each feed's interval is a little longer or shorter than it should be, always by the same part,
        so that feeds that were added together are not polled together for ever.
        """
        wished = max(every or self.every, asked)
        return min(max(wished * (1 + JITTER * _part(url)), asked, self.at_least), self.at_most)

    @property
    def longest(self) -> timedelta:
        """No feed waits longer than this for its next poll, whatever it asks for and however long it has failed."""
        return max(self.at_most, LOST_PAUSE) + timedelta(days=1)

    def fitting(self, state: PollState, now: datetime) -> timedelta:
        """Return the interval that fits how a blog posts: shorter for the busiest, longer for the silent.

        Source: CommaFeed's steps by days of silence; FreshRSS and Miniflux on entry frequency.
        """
        if state.posted_at is None:
            return self.every
        silent_for = now - state.posted_at
        longer = next((factor for silence, factor in _BY_SILENCE if silent_for >= silence), 1)
        if longer == 1 and state.posts_every is not None and state.posts_every < self.every:
            return max(self.every / 2, state.posts_every)
        return self.every * longer


_BY_SILENCE = (
    (timedelta(days=180), 24),
    (timedelta(days=60), 8),
    (timedelta(days=30), 4),
    (timedelta(days=14), 2),
)


def outside(quiet: Quiet, instant: datetime, latest: datetime) -> datetime:
    """Return the first moment from `instant` on at which a feed may be asked, but none after `latest`.

    Source: RSS 2.0, skipHours and skipDays; hours and days are in UTC.
    """
    while instant < latest and (instant.hour in quiet.hours or instant.weekday() in quiet.days):
        # Minutes stay, lest all such feeds come due at the stroke of the hour.
        instant += timedelta(hours=1)
    return min(instant, latest) if quiet.hours or quiet.days else instant


def after_success(state: PollState, now: datetime, every: timedelta) -> PollState:
    """Forget earlier failures and wait for the usual interval."""
    return state._replace(
        next_poll_at=now + every, last_poll_at=now, failing_since=None, stay_away_until=None, failures=0
    )


def after_failure(
    state: PollState, now: datetime, problem: str, every: timedelta, stay_away: timedelta = timedelta(0)
) -> PollState:
    """Double the pause after each failure, up to a day, and up to a week for the long lost.

    The pause is never shorter than when all is well, nor than what the server asks for (`stay_away`).
    """
    doublings = min(state.failures, 10)  # an open exponent overflows timedelta
    since = state.failing_since or now
    usual = LOST_PAUSE if now - since >= LONG_LOST else min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
    return state._replace(
        next_poll_at=now + max(usual, every, stay_away),
        last_poll_at=now,
        failing_since=since,
        stay_away_until=now + stay_away if stay_away else None,
        failures=state.failures + 1,
        problem=problem,
    )


def _part(url: str) -> float:
    """A number between -1 and 1 that belongs to an address."""
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=4).digest(), "big") / 2**31 - 1

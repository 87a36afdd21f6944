"""Decide when a feed may be polled again. Pure: no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.model import PollState

FIRST_PAUSE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=24)
# A poll that never reports back (its process was killed) is due again after this.
LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The operator's wishes: how often, and never more or less often than."""

    every: timedelta
    at_least: timedelta
    at_most: timedelta

    def for_feed(self, every: timedelta | None) -> timedelta:
        """Return the interval of a feed that may have one of its own."""
        return min(max(every or self.every, self.at_least), self.at_most)


def taken(state: PollState, now: datetime) -> PollState:
    """Note that a poll has begun, before its request is sent."""
    return replace(state, next_poll_at=now + LEASE)


def after_success(state: PollState, now: datetime, every: timedelta) -> PollState:
    """Forget earlier failures and wait for the usual interval."""
    return replace(state, next_poll_at=now + every, last_poll_at=now, failures=0)


def after_failure(state: PollState, now: datetime, problem: str, every: timedelta) -> PollState:
    """Double the pause after each failure, up to a day, and never poll more often than when all is well."""
    doublings = min(state.failures, 10)  # an open exponent overflows timedelta
    pause = max(min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE), every)
    return replace(state, next_poll_at=now + pause, last_poll_at=now, failures=state.failures + 1, problem=problem)

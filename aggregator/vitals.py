"""Decide whether a planet is well, and say what is not. Pure: facts in, sentences out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import FeedHealth, Pulse

# A pulse comes every five seconds; a machine that swaps or a long commit may delay a few.
SILENT_FOR = timedelta(seconds=60)
SCARCE_BYTES = 200_000_000
SILENT_BLOG = timedelta(days=180)
SLOW_MILLISECONDS = 5_000
_POLLED = ("healthy", "failing", "quarantined")


@dataclass(frozen=True, slots=True)
class Vitals:
    """What can be seen of a planet from outside of its jobs."""

    pulse: Pulse | None
    feeds: Mapping[str, int]
    free_bytes: int
    mistakes: Sequence[str] = ()


def ailments(vitals: Vitals, now: datetime) -> list[str]:
    """Return why a planet is not well, each reason in words; nothing when it is."""
    found = list(vitals.mistakes)
    if vitals.pulse is None:
        found.append("the jobs half has never been at work here; planet run or planet work starts it")
    elif now - vitals.pulse.at > SILENT_FOR:
        words = f"the jobs half gives no sign of life since {vitals.pulse.at:%Y-%m-%d %H:%M:%S} UTC"
        found.append(f"{words}; planet run or planet work starts it, its log says why it ended")
    else:
        found += vitals.pulse.troubles
    polled = sum(vitals.feeds.get(health, 0) for health in _POLLED)
    if polled and vitals.feeds.get("failing", 0) == polled:
        found.append(f"none of the feeds can be read ({polled} of {polled} fail); does this machine have a network?")
    if vitals.free_bytes < SCARCE_BYTES:
        found.append(f"{vitals.free_bytes // 1_000_000} MB are left on the disk of the data folder; make room")
    return found


def at_a_glance(feeds: Sequence[FeedHealth], slow: Sequence[str], now: datetime) -> dict[str, int]:
    """Return how many feeds are in each state; one may be in several: healthy, slow and silent."""
    counts = Counter(feed.health for feed in feeds)
    counts["slow"] = sum(feed.url in slow for feed in feeds)
    counts["moved"] = sum(bool(feed.address) for feed in feeds)
    counts["silent"] = sum(feed.newest_post is not None and now - feed.newest_post > SILENT_BLOG for feed in feeds)
    return {state: counts[state] for state in _STATES if counts[state]}


_STATES = ("healthy", "new", "slow", "failing", "quarantined", "retired", "moved", "silent", "disabled")

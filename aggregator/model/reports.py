"""What is told of feeds, entries, linkbacks and the planet itself to operators and authors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.model.linkbacks import Status


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """How one feed is doing, for `planet status`.

    `arrives` is how its newest post came ("push", "ping" or "poll"; "" while none has), `lag` how many seconds after
    its publication; `push` is "trusted", "active", "asked", or "" where nobody pushes, and `push_problem` why not.
    """

    url: str
    name: str
    health: str
    problem: str
    last_poll: datetime | None
    next_poll: datetime | None
    status: int
    entries: int
    address: str = ""
    advice: str = ""
    newest_post: datetime | None = None
    arrives: str = ""
    lag: float | None = None
    push: str = ""
    push_problem: str = ""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What is stored about an entry, whether it is shown or not.

    `fold` is how many posts of the same blog and day stand above it; `story_of` the path of the post that is shown
    for it.
    """

    id: int
    path: str
    feed_id: int
    feed_url: str
    blog: str
    guid: str
    url: str
    title: str
    published_at: datetime | None
    first_seen_at: datetime
    shown_at: datetime
    hidden: str
    story_of: str
    missing_at: datetime | None
    is_removed: bool
    fold: int


@dataclass(frozen=True, slots=True)
class LinkbackFacts:
    """What is stored about a linkback, whatever became of it.

    `ways` are the protocols by which it came; `member` is the blog of this planet that it comes from, or "";
    `next_at` is when it is looked at next.
    """

    id: int
    source: str
    target: str
    status: Status
    ways: tuple[str, ...]
    received_at: datetime
    settled_at: datetime | None
    next_at: datetime | None
    member: str
    problem: str
    decision: str
    attempts: int
    failures: int
    failing_since: datetime | None
    retractions: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """A sign of life of the jobs half; `troubles` are what its jobs can't do at the moment, each in words."""

    at: datetime
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that an operator is told once: what happened, to what, and what to do."""

    what: Literal["broken", "moved", "quarantined", "retired", "waiting", "test"]
    about: str
    words: str

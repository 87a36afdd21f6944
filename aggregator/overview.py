"""Values that pages show beside posts: topics, weeks, months, ties between blogs. No I/O; times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from aggregator.model import Blog, EntryFacts, FeedHealth, Poll, Post


@dataclass(frozen=True, slots=True)
class Topic:
    """A conference, a standard: posts with one of some words, tags or links, from one day to another."""

    name: str
    slug: str
    match: tuple[str, ...]
    begins: date | None = None
    ends: date | None = None

    @property
    def path(self) -> str:
        """Where the topic lives on the planet."""
        return f"/topics/{self.slug}/"


@dataclass(frozen=True, slots=True)
class Count:
    """What one day brought."""

    day: date
    posts: int
    thoughts: int


@dataclass(frozen=True, slots=True)
class Tie:
    """How often one blog has linked to another."""

    source: Blog
    target: Blog
    links: int


@dataclass(frozen=True, slots=True)
class Citation:
    """A post of a blog links to an address; `words` are those that link."""

    url_key: str
    url: str
    words: str
    blog_id: int
    blog: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Cited:
    """A page to which several blogs link, `weight` by how lately each did."""

    url: str
    title: str
    blogs: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Discussed:
    """A post, and how many thoughts by how many blogs it has received."""

    post: Post
    thoughts: int
    blogs: int


@dataclass(frozen=True, slots=True)
class Return:
    """A blog that has posted again after a long silence."""

    blog: Blog
    post: Post
    silent_since: datetime


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the planet; `number` is ISO 8601's, as in 2026-48."""

    number: str
    first_day: date
    last_day: date
    posts: int
    thoughts: int
    blogs: int
    discussed: tuple[Discussed, ...] = ()
    cited: tuple[Cited, ...] = ()
    new: tuple[Blog, ...] = ()
    back: tuple[Return, ...] = ()
    updated_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where the week lives on the planet."""
        return f"/weekly/{self.number}/"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A page of the river, numbered from the oldest: all posts from one instant up to the next chapter's."""

    number: int
    first_at: datetime
    until: datetime | None = None

    @property
    def path(self) -> str:
        """Where the chapter lives on the planet."""
        return f"/page/{self.number}/"


@dataclass(frozen=True, slots=True)
class Doctor:
    """What a blog's author wants to know of its feed: of each entry why it is or isn't shown, and what to mend."""

    health: FeedHealth
    polls: tuple[Poll, ...]
    entries: tuple[tuple[EntryFacts, str], ...]
    advice: tuple[str, ...]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything that a blog's page shows; `weeks` are posts per week, oldest first."""

    blog: Blog
    posts: tuple[Post, ...]
    weeks: tuple[int, ...]
    answers: tuple[Tie, ...]
    answered_by: tuple[Tie, ...]
    doctor: Doctor


@dataclass(frozen=True, slots=True)
class Roundup:
    """Everything that a topic's page shows."""

    topic: Topic
    total: int
    posts: tuple[Post, ...]
    pulse: tuple[Count, ...]
    cited: tuple[Cited, ...]
    ties: tuple[Tie, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """How many blogs there are, how many of them are polled, and how many of these can't be read."""

    blogs: int = 0
    enabled: int = 0
    failing: int = 0


@dataclass(frozen=True, slots=True)
class Front:
    """Everything that the front page shows; `earlier` is where the next older post stands.

    The roll are all blogs of a small planet, and those that have just written of a large one.
    """

    posts: tuple[Post, ...]
    roll: tuple[Blog, ...] = ()
    census: Census = Census()
    pulse: tuple[Count, ...] = ()
    discussed: tuple[Discussed, ...] = ()
    talks: Mapping[int, str] = field(default_factory=dict)
    earlier: str = ""

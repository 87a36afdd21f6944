"""Feeds: in the configuration, between two polls, as read, and what their polls came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from aggregator.model.push import NO_OFFERS, Offers
from aggregator.urls import origin


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed in the configuration. The host and path of its site make its blog a member.

    Empty texts and None stand for what the feed itself or the planet says.
    """

    url: str
    name: str = ""
    site: str = ""
    author: str = ""
    face: str = ""
    tags: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    content: Literal["full", "excerpt"] | None = None
    every: timedelta | None = None
    enabled: bool = True

    @property
    def territory(self) -> str:
        """The URL under which pages are this member's own: never what a feed claims about itself."""
        return self.site or origin(self.url)


@dataclass(frozen=True, slots=True)
class Quiet:
    """When a feed asks not to be polled: hours 0 to 23 and days 0 (Monday) to 6, both in UTC."""

    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a feed is, when that is not the address in the configuration.

    `address` is where it is fetched, because it has "moved" there or was "found" there (`why`); `moved_to` is where
    permanent redirects have led since `moved_at`; it said farewell (410) at `gone_at`, and is polled no more since
    `retired_at`.
    """

    address: str = ""
    why: str = ""
    moved_to: str = ""
    moved_at: datetime | None = None
    gone_at: datetime | None = None
    retired_at: datetime | None = None


class PollState(NamedTuple):
    """What the polls of one feed have left for the next one.

    Before `stay_away_until` it is not polled whatever happens (Retry-After); `posted_at` and `posts_every` are of
    its newest posts. Where it `trusts_push`, news have come by themselves, and polls are there for what goes wrong.
    """

    # These two come first: `differs_in_poll_times_only` looks at all that follow.
    next_poll_at: datetime
    last_poll_at: datetime | None = None
    etag: str = ""
    last_modified: str = ""
    body_hash: bytes = b""
    failing_since: datetime | None = None
    stay_away_until: datetime | None = None
    asked_for: timedelta = timedelta(0)
    quiet: Quiet = Quiet()
    where: Whereabouts = Whereabouts()
    posted_at: datetime | None = None
    posts_every: timedelta | None = None
    status: int = 0
    failures: int = 0
    problem: str = ""
    trusts_push: bool = False

    def differs_in_poll_times_only(self, other: PollState) -> bool:
        """Tell whether it is the other one but for when the feed was and will be polled."""
        return self[2:] == other[2:]


class DueFeed(NamedTuple):
    """A feed that was found due at an instant, with its state.

    `hint` is what said that it has changed: "push", "ping" or "".
    """

    id: int
    url: str
    every: timedelta | None
    is_new: bool
    state: PollState
    due_at: datetime
    hint: str = ""

    @property
    def address(self) -> str:
        """Where it is fetched."""
        return self.state.where.address or self.url


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that comes with an entry: sound, film or picture. 0 bytes: nobody said how many."""

    url: str
    kind: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """An entry as its feed has it: HTML as sent, unsanitised; other texts may still hold markup.

    `comments` is how many there are, None when the feed doesn't say; `comments_feed` is where they are.
    """

    guid: str
    url: str = ""
    base: str = ""
    title: str = ""
    title_is_html: bool = False
    author: str = ""
    html: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    updated_at: datetime | None = None
    enclosures: tuple[Enclosure, ...] = ()
    comments_feed: str = ""
    comments: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed as read, entries newest first as far as the feed says so; `deleted` are guids that it withdraws."""

    title: str = ""
    home: str = ""
    language: str = ""
    generator: str = ""
    icon: str = ""
    entries: tuple[ParsedEntry, ...] = ()
    deleted: tuple[str, ...] = ()
    asked_for: timedelta = timedelta(0)
    quiet: Quiet = Quiet()
    remark: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry that is safe to store: HTML sanitised, links absolute, other texts plain.

    `unwanted` is why the operator's filters leave it out, "" when they don't.
    """

    guid: str
    content_hash: bytes
    url: str
    title: str
    author: str
    html: str
    lede: str
    words: int
    language: str
    tags: tuple[str, ...]
    published_at: datetime | None
    updated_at: datetime | None
    fingerprint: bytes = b""
    enclosures: tuple[Enclosure, ...] = ()
    comments_feed: str = ""
    comments: int | None = None
    unwanted: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """By what a blog is recognised; empty texts are what its feed doesn't say.

    Words are those of its newest entries, where somebody had to look.
    """

    title: str = ""
    host: str = ""
    generator: str = ""
    language: str = ""
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one body gave: of entries only those that are new or changed, of guids all, newest first.

    Of one that `is_cut` nobody knows what its end would have held. `dated` are the dates of all entries that have
    one, `comments` the numbers of comments of those that say so, both by guid.
    """

    title: str
    home: str
    entries: tuple[ReadEntry, ...]
    guids: tuple[str, ...]
    deleted: tuple[str, ...] = ()
    voice: Voice = Voice()
    asked_for: timedelta = timedelta(0)
    quiet: Quiet = Quiet()
    remark: str = ""
    is_cut: bool = False
    icon: str = ""
    dated: tuple[tuple[str, datetime], ...] = ()
    comments: tuple[tuple[str, int], ...] = ()
    offers: Offers = NO_OFFERS


@dataclass(slots=True)
class Poll:
    """One poll in a feed's history; 0 as status: there was no answer."""

    at: datetime
    status: int
    bytes: int
    milliseconds: int
    outcome: Literal["read", "unchanged", "failed"]
    new_entries: int = 0
    edited_entries: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PollSummary:
    """What one sweep did; `feeds` = fetched + unchanged + failed."""

    feeds: int = 0
    fetched: int = 0
    unchanged: int = 0
    failed: int = 0
    new_entries: int = 0
    updated_entries: int = 0
    seconds: float = 0.0

"""The nouns: values without I/O. Times are aware UTC, URLs absolute strings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from aggregator.urls import origin


@dataclass(frozen=True, slots=True)
class Masthead:
    """What every page says about the planet itself."""

    title: str
    url: str
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    contact: str = ""


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


@dataclass(frozen=True, slots=True)
class PollState:
    """What the polls of one feed have left for the next one.

    Before `stay_away_until` it is not polled whatever happens (Retry-After); `posted_at` and `posts_every` are of
    its newest posts.
    """

    next_poll_at: datetime
    etag: str = ""
    last_modified: str = ""
    body_hash: bytes = b""
    last_poll_at: datetime | None = None
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


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed that may be polled now, with its state."""

    id: int
    url: str
    every: timedelta | None
    is_new: bool
    state: PollState

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
    """By what a blog is recognised; empty texts are what its feed doesn't say. Words are of its newest entries."""

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


@dataclass(frozen=True, slots=True)
class Blog:
    """A member as the pages name it; `face` is the file of its picture, or ""."""

    id: int
    slug: str
    name: str
    url: str
    home: str
    tags: tuple[str, ...] = ()
    is_failing: bool = False
    enabled: bool = True
    face: str = ""
    posted_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where the blog's page is on the planet."""
        return f"/blogs/{self.slug}/"


@dataclass(frozen=True, slots=True)
class Twin:
    """Another blog that has brought the same story, and where it did."""

    blog: str
    url: str


@dataclass(frozen=True, slots=True)
class Post:
    """A stored entry, ready to be shown."""

    id: int
    slug: str
    blog: Blog
    guid: str
    url: str
    title: str
    author: str
    html: str
    lede: str
    words: int
    language: str
    tags: tuple[str, ...]
    shown_at: datetime
    published_at: datetime | None
    updated_at: datetime | None
    thoughts: int = 0
    content: Literal["full", "excerpt"] = "full"
    enclosures: tuple[Enclosure, ...] = ()
    also: tuple[Twin, ...] = ()

    @property
    def path(self) -> str:
        """Where the post lives on the planet, frozen when it was first stored."""
        return f"/posts/{self.id}-{self.slug}/"


class Status(StrEnum):
    """What became of a linkback."""

    PENDING = "pending"
    PUBLISHED = "published"
    HELD = "held"
    REJECTED = "rejected"
    RETRACTED = "retracted"
    HIDDEN = "hidden"


Protocol = Literal["pingback", "trackback", "webmention", "feed", "comment"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stranger says: this page of mine links to that page of yours."""

    source: str
    target: str
    protocol: Protocol
    received_at: datetime
    client: str = ""
    vouch: str = ""


@dataclass(frozen=True, slots=True)
class PendingLinkback:
    """A stored claim whose source is to be fetched now, for the first time or once more."""

    id: int
    source: str
    targets: tuple[str, ...]
    feed_id: int | None
    attempts: int
    status: Status = Status.PENDING
    decision: str = ""
    vouch: str = ""
    client: str = ""
    checks: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    retractions: int = 0


@dataclass(frozen=True, slots=True)
class Mention:
    """What the sender of a ping may know of it."""

    token: str
    source: str
    target: str
    status: Status
    received_at: datetime
    asked_at: datetime
    post_path: str


@dataclass(frozen=True, slots=True)
class ListedMention:
    """A linkback as its operator, or who follows a feed of them, sees it."""

    id: int
    token: str
    status: Status
    kind: str
    source: str
    title: str
    author: str
    blog: str
    excerpt: tuple[str, str, str]
    received_at: datetime
    target: str
    post: str
    post_path: str
    problem: str = ""
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the source's page shows: the link, and how the page presents itself.

    The excerpt is split around the words that link: before, linked, after. The kind is what the page itself
    calls its link (reply, like, repost, bookmark), or "".
    """

    title: str
    excerpt: tuple[str, str, str]
    kind: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """One line of the conversation under a post; `place` is the blog at which somebody commented."""

    number: int
    kind: str
    url: str
    title: str
    blog: str
    at: datetime
    excerpt: tuple[str, str, str]
    author: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One post of a conversation answers another: their ids, and the words around the link."""

    post: int
    answered: int
    excerpt: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Posts of several blogs that link to each other, in order of time; it is named by its oldest post's id."""

    id: int
    posts: tuple[Post, ...]
    answers: tuple[Answer, ...]

    @property
    def path(self) -> str:
        """Where the conversation lives on the planet."""
        return f"/conversations/{self.id}/"

    @property
    def blogs(self) -> int:
        """How many blogs take part."""
        return len({post.blog.home for post in self.posts})


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """How one feed is doing, for `planet status`."""

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

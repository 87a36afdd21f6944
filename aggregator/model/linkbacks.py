"""Linkbacks: what strangers claim, what was found, and who may know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


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

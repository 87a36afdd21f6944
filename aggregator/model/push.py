"""How news of a feed may come by itself: what feeds offer, what hubs were asked for, what they have sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Way = Literal["push", "ping", "poll"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """An rssCloud server: where it takes registrations, and as what; `procedure` is for XML-RPC alone."""

    url: str
    protocol: Literal["http-post", "xml-rpc"]
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """Who would tell of a feed's news: hubs about its `topic` (the address that it calls its own), or a cloud."""

    topic: str = ""
    hubs: tuple[str, ...] = ()
    cloud: Cloud | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody would: a hub is of use only with a topic."""
        return not (self.topic and self.hubs) and self.cloud is None


NO_OFFERS = Offers()


@dataclass(frozen=True, slots=True)
class Wish:
    """A feed whose news are wanted from a hub or a cloud, and how often it was asked in vain."""

    feed_id: int
    url: str
    address: str
    offers: Offers
    failures: int


@dataclass(frozen=True, slots=True)
class Registration:
    """What a hub or a cloud was asked for. Without a `secret` nobody can tell who sends what comes to its callback."""

    id: int
    feed_id: int
    protocol: Literal["websub", "rsscloud"]
    token: str
    topic: str
    hub: str
    callback: str
    secret: str
    state: Literal["asked", "active", "leaving"]
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that has been found to be its hub's, and waits to be read; of which feed, and where that is fetched."""

    id: int
    feed_id: int
    url: str
    address: str
    is_quarantined: bool
    received_at: datetime
    content_type: str
    body: bytes

"""The sections of feeds.toml: what they hold, and what a valid value is."""

from __future__ import annotations

import ipaddress
import re
from datetime import date, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)

from aggregator.filters import Filter
from aggregator.model import Subscription
from aggregator.overview import Topic
from aggregator.urls import slug, web_url

_DURATION = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?)\s*(seconds?|s|minutes?|min|m|hours?|h|days?|d|weeks?|w|months?|years?|y)"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_MAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_SCHEDULER = re.compile(r"(?:tls|tcp)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(B|kB|KB|MB|GB)?")
_SIZES = {None: 1, "B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not match:
        raise ValueError('write a time like "30s", "15m", "1h" or "2 days"')
    unit = 2_629_800 if match[2].startswith("month") else _UNITS[match[2][0]]
    span = timedelta(seconds=float(match[1]) * unit)
    if not timedelta(0) < span <= timedelta(days=36_525):
        raise ValueError("a time must be longer than nothing and shorter than a century")
    return span


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError('write a size like "500kB" or "10MB"')
    return int(float(match[1]) * _SIZES[match[2]])


def _web(value: str) -> str:
    url = web_url(value)
    if not url:
        raise ValueError("write a whole address, like https://blog.example/feed/")
    return url


def _web_or_nothing(value: str) -> str:
    return _web(value) if value else ""


def _base(value: str) -> str:
    url = _web(value).partition("#")[0]
    if "?" in url:
        raise ValueError("the planet's address can't hold a query")
    return url if url.endswith("/") else f"{url}/"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("write a name of the time zone database, like Europe/Berlin or UTC") from error
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError('write a network like "127.0.0.0/8" or one address') from error
    return value


def _mail_address(value: str) -> str:
    if value and not _MAIL.fullmatch(value):
        raise ValueError("write one mail address, like you@example.org")
    return value


def _wanted(value: str) -> str:
    Filter.of(value)
    return value


def _scheduler(value: str) -> str:
    if value and not _SCHEDULER.fullmatch(value):
        raise ValueError('write the address of a Dask scheduler, like "tls://scheduler:8786"')
    return value


DURATION_SCHEMA = {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["30s", "15m", "1h", "2 days"]}
SIZE_SCHEMA = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}
Duration = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0), WithJsonSchema(SIZE_SCHEMA)]
WebUrl = Annotated[str, AfterValidator(_web)]
WebUrlOrNothing = Annotated[str, AfterValidator(_web_or_nothing)]
Network = Annotated[str, AfterValidator(_network)]
Wanted = Annotated[str, AfterValidator(_wanted)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PlanetSection(_Section):
    """Who we are."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    url: Annotated[str, AfterValidator(_base)]
    description: str = ""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    contact: str = ""
    data: str = "data"
    theme: str = ""
    hub: WebUrlOrNothing = ""


class PageSection(_Section):
    """What pages show."""

    entries: Annotated[int, Field(ge=1, le=500)] = 40
    per_feed_per_day: PositiveInt = 3
    first_import: PositiveInt = 5
    content: Literal["full", "excerpt"] = "full"
    images: Literal["show", "link", "none"] = "show"
    embeds: list[str] = []


class PollSection(_Section):
    """How often and how hard feeds are asked."""

    every: Duration = timedelta(hours=1)
    at_least: Duration = timedelta(minutes=15)
    at_most: Duration = timedelta(hours=24)
    at_once: Annotated[int, Field(ge=1, le=2_000)] = 128
    per_host: Annotated[int, Field(ge=1, le=16)] = 2
    timeout: Duration = timedelta(seconds=20)
    max_bytes: Size = 10_000_000

    @model_validator(mode="after")
    def _bounds_in_order(self) -> PollSection:
        if self.at_least > self.at_most:
            raise ValueError("at_least is longer than at_most; the two are the bounds of every feed's interval")
        return self


class LinkbacksSection(_Section):
    """Whose links are shown under posts."""

    accept: list[Literal["pingback", "trackback", "webmention"]] = ["pingback", "trackback", "webmention"]
    members: Literal["publish", "hold"] = "publish"
    strangers: Literal["hold", "publish", "refuse"] = "hold"
    block: list[str] = []


class NetworkSection(_Section):
    """What may be reached."""

    allow_addresses: list[Network] = []
    allow_ports: list[Port] = [80, 443, 8080, 8443]
    proxies: list[Network] = []


class KeepSection(_Section):
    """What is forgotten, and when."""

    entries: Duration | None = None
    polls: Annotated[int, Field(ge=1, le=1_000)] = 30


class WorkersSection(_Section):
    """Child processes that read strangers' feeds and pages."""

    processes: Annotated[int, Field(ge=1, le=64)] = 2
    dask: Annotated[str, AfterValidator(_scheduler)] = ""


class NotifySection(_Section):
    """Who is told when something breaks."""

    mail: MailAddress = ""
    webhook: WebUrlOrNothing = ""


class NewsletterSection(_Section):
    """The weekly digest by mail."""

    from_: Annotated[MailAddress, Field(alias="from", min_length=3)]


class SmtpSection(_Section):
    """How mail leaves."""

    host: str
    port: Port = 587
    user: str = ""
    password_file: str = ""
    tls: bool = True


class TopicSection(_Section):
    """A conference or a standard with a page of its own."""

    name: Annotated[str, Field(min_length=1)]
    match: Annotated[list[str], Field(min_length=1)]
    from_: Annotated[date | None, Field(alias="from")] = None
    to: date | None = None

    @model_validator(mode="after")
    def _days_in_order(self) -> TopicSection:
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError("from lies after to")
        return self

    def topic(self) -> Topic:
        """Return the topic as the rest of the planet knows it."""
        return Topic(self.name, slug(self.name) or "topic", tuple(self.match), self.from_, self.to)


class FeedSection(_Section):
    """One blog."""

    url: WebUrl
    name: str = ""
    site: WebUrlOrNothing = ""
    author: str = ""
    face: WebUrlOrNothing = ""
    tags: list[str] = []
    include: list[Wanted] = []
    exclude: list[Wanted] = []
    content: Literal["full", "excerpt"] | None = None
    every: Duration | None = None
    enabled: bool = True

    def subscription(self) -> Subscription:
        """Return the feed as the rest of the planet knows it."""
        return Subscription(
            url=self.url,
            name=self.name.strip(),
            site=self.site,
            author=self.author.strip(),
            face=self.face,
            tags=tuple(self.tags),
            include=tuple(self.include),
            exclude=tuple(self.exclude),
            content=self.content,
            every=self.every,
            enabled=self.enabled,
        )


class File(_Section):
    """The whole file."""

    planet: PlanetSection
    page: PageSection = PageSection()
    poll: PollSection = PollSection()
    linkbacks: LinkbacksSection = LinkbacksSection()
    network: NetworkSection = NetworkSection()
    keep: KeepSection = KeepSection()
    workers: WorkersSection = WorkersSection()
    notify: NotifySection = NotifySection()
    newsletter: NewsletterSection | None = None
    smtp: SmtpSection | None = None
    topics: list[TopicSection] = []
    feeds: Annotated[list[FeedSection], Field(min_length=1)]

"""feeds.toml in, a Planet out; or every mistake at once, each with its place and a hint."""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from aggregator.cadence import Bounds
from aggregator.errors import ConfigBroken
from aggregator.model import Masthead, Subscription
from aggregator.urls import canonical, web_url

Location = tuple[str | int, ...]

# Keys of the contract that are read and checked, but that nothing acts on in this version.
WITHOUT_EFFECT_YET: frozenset[tuple[str, ...]] = frozenset(
    {
        ("planet", "theme"), ("planet", "hub"), ("page", "images"), ("page", "embeds"), ("network", "proxies"),
        ("keep",), ("workers", "dask"), ("notify",), ("newsletter",), ("smtp",), ("topics",),
        ("feeds", "face"), ("feeds", "include"), ("feeds", "exclude"),
    }
)  # fmt: skip

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(seconds?|s|minutes?|min|m|hours?|h|days?|d|weeks?|w|months?|years?|y)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB)?")
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


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
WebUrl = Annotated[str, AfterValidator(_web)]
WebUrlOrNothing = Annotated[str, AfterValidator(_web_or_nothing)]
Network = Annotated[str, AfterValidator(_network)]
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
    dask: str = ""


class NotifySection(_Section):
    """Who is told when something breaks."""

    mail: str = ""
    webhook: WebUrlOrNothing = ""


class NewsletterSection(_Section):
    """The weekly digest by mail."""

    from_: Annotated[str, Field(alias="from")]


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


class FeedSection(_Section):
    """One blog."""

    url: WebUrl
    name: str = ""
    site: WebUrlOrNothing = ""
    author: str = ""
    face: str = ""
    tags: list[str] = []
    include: list[str] = []
    exclude: list[str] = []
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
            tags=tuple(self.tags),
            content=self.content,
            every=self.every,
            enabled=self.enabled,
        )


class _File(_Section):
    planet: PlanetSection
    page: PageSection = PageSection()
    poll: PollSection = PollSection()
    linkbacks: LinkbacksSection = LinkbacksSection()
    network: NetworkSection = NetworkSection()
    keep: KeepSection = KeepSection()
    workers: WorkersSection = WorkersSection()
    notify: NotifySection | None = None
    newsletter: NewsletterSection | None = None
    smtp: SmtpSection | None = None
    topics: list[TopicSection] = []
    feeds: Annotated[list[FeedSection], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Planet:
    """The whole configuration, valid."""

    path: Path
    masthead: Masthead
    data: Path
    page: PageSection
    poll: PollSection
    linkbacks: LinkbacksSection
    network: NetworkSection
    workers: WorkersSection
    subscriptions: tuple[Subscription, ...]
    without_effect: tuple[str, ...] = ()

    @property
    def public(self) -> Path:
        """The folder of the published site."""
        return self.data / "public"

    @property
    def bounds(self) -> Bounds:
        """How often feeds may be polled."""
        return Bounds(self.poll.every, self.poll.at_least, self.poll.at_most)


class ConfigFile:
    """A configuration file whose edits take effect; a broken edit leaves the last good one in effect."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises: ConfigBroken."""
        self.path = path
        self._seen = _stamp(path)
        self.current = load(path)

    def has_changed(self) -> bool:
        """Tell whether the file is another than the one that was read last."""
        return _stamp(self.path) != self._seen

    def refresh(self) -> bool:
        """Read the file again if it has changed; tell whether a new configuration is in effect.

        Raises: ConfigBroken, once for each broken edit; `current` stays as it is.
        """
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return False
        self._seen = stamp
        # The data folder is locked by whoever runs on it: another one takes effect at the next start.
        self.current = replace(load(self.path), data=self.current.data)
        return True


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def load(path: Path) -> Planet:
    """Read and validate a configuration.

    Raises: ConfigBroken with a line for every mistake.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigBroken([f"{path}: there is no such file; name another one with --config"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigBroken([f"{path}: it can't be read: {error}"]) from error
    return parse(text, path)


def parse(text: str, path: Path) -> Planet:
    """Validate the text of a configuration; `path` is for messages and for finding the data folder.

    Raises: ConfigBroken with a line for every mistake.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigBroken([_syntax(path, error)]) from error
    mistakes: list[tuple[Location, str]] = []
    file = None
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        mistakes += [(item["loc"], _in_words(dict(item))) for item in error.errors()]
    mistakes += _twice(document)
    if mistakes or file is None:
        places = _places(text)
        lines = sorted({(*_place(places, loc), _dotted(loc), message) for loc, message in mistakes})
        raise ConfigBroken([f"{path}:{line}:{column}: {key}: {message}" for line, column, key, message in lines])
    return _planet(file, path, _without_effect(document))


def _planet(file: _File, path: Path, without_effect: tuple[str, ...]) -> Planet:
    about = file.planet
    return Planet(
        path=path,
        masthead=Masthead(
            title=about.title,
            url=about.url,
            description=about.description,
            language=about.language,
            timezone=about.timezone,
            contact=about.contact,
        ),
        data=(path.parent / about.data).resolve(),
        page=file.page,
        poll=file.poll,
        linkbacks=file.linkbacks,
        network=file.network,
        workers=file.workers,
        subscriptions=tuple(feed.subscription() for feed in file.feeds),
        without_effect=without_effect,
    )


def _without_effect(document: dict[str, Any]) -> tuple[str, ...]:
    """The keys in use on which nothing acts yet; said by `planet check`, lest an operator relies on them."""
    used: set[tuple[str, ...]] = set()
    for name, section in document.items():
        tables = section if isinstance(section, list) else [section]
        used |= {(name,), *((name, key) for table in tables if isinstance(table, dict) for key in table)}
    return tuple(sorted(".".join(key) for key in used & WITHOUT_EFFECT_YET))


def _twice(document: dict[str, Any]) -> Iterable[tuple[Location, str]]:
    feeds = document.get("feeds")
    seen: dict[str, int] = {}
    for index, feed in enumerate(feeds if isinstance(feeds, list) else []):
        key = canonical(feed["url"]) if isinstance(feed, dict) and isinstance(feed.get("url"), str) else ""
        if key and key in seen:
            yield ("feeds", index, "url"), f"the same feed as number {seen[key] + 1}; remove one of the two"
        elif key:
            seen[key] = index


def _in_words(error: dict[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    location: Location = error["loc"]
    if kind == "missing":
        return "it is missing; add it"
    if kind == "extra_forbidden":
        return f"there is no such key{_did_you_mean(location)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"write one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return 'write a language like "en" or "pt-BR"'
    if kind == "too_short" and location == ("feeds",):
        return "there is no feed; add a [[feeds]] table with a url"
    if kind in ("model_type", "model_attributes_type", "list_type") and location[0] in ("feeds", "topics"):
        return f"write tables, each under [[{location[0]}]]"
    if words := _WORDS.get(kind):
        return words.format(**context)
    message = str(error["msg"])
    return message[:1].lower() + message[1:]


_WORDS = {
    "model_type": "write a table, like [planet] on a line of its own",
    "list_type": 'write a list, like ["a", "b"]',
    "string_type": "write a text in quotes",
    "string_too_short": "it is empty; write something",
    "string_too_long": "write at most {max_length} characters",
    "too_short": "it is empty; write at least one",
    "int_type": "write a whole number, without quotes",
    "bool_type": "write true or false, without quotes",
    "greater_than_equal": "write a number from {ge}",
    "greater_than": "write a number above {gt}",
    "less_than_equal": "write a number up to {le}",
    "date_type": "write a date, like 2026-03-01",
}


def _did_you_mean(location: Location) -> str:
    names = [part for part in location if isinstance(part, str)]
    model: Any = _File
    for name in names[:-1]:
        annotation = model.model_fields[name].annotation
        model = annotation if isinstance(annotation, type) else annotation.__args__[0]
    known = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(names[-1], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def _syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    message = str(error)
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if place:
        return f"{path}:{place[1]}:{place[2]}: this is not TOML: {message[: place.start()]}"
    return f"{path}:1:1: this is not TOML: {message}"


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _place(places: dict[Location, tuple[int, int]], location: Location) -> tuple[int, int]:
    """The place of a key, or of the nearest table around it that is in the file."""
    while location and location not in places:
        location = location[:-1]
    return places.get(location, (1, 1))


def _places(text: str) -> dict[Location, tuple[int, int]]:
    """Line and column of every table and key of a document that is TOML, found statement by statement."""
    places: dict[Location, tuple[int, int]] = {}
    arrays: dict[str, int] = {}
    table: Location = ()
    statement, begins = "", 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not statement:
            begins = number
        statement += line
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on in the next line
        column = len(line) - len(line.lstrip()) + 1
        stripped = statement.strip()
        if stripped.startswith("[["):
            name = next(iter(parsed))
            arrays[name] = arrays.get(name, -1) + 1
            table = (name, arrays[name])
            places.setdefault((name,), (begins, column))
            places[table] = (begins, column)
        elif stripped.startswith("["):
            table = tuple(_path_of(parsed))
            places[table] = (begins, column)
        elif parsed:
            location = table
            for name in _path_of(parsed):
                location = (*location, name)
                places[location] = (begins, column)
        statement = ""
    return places


def _path_of(parsed: dict[str, Any]) -> list[str]:
    path: list[str] = []
    while isinstance(parsed, dict) and len(parsed) == 1:
        name, parsed = next(iter(parsed.items()))
        path.append(name)
    return path

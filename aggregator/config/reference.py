"""What every key of feeds.toml means, as the JSON Schema that ships and as the table in docs/configuration.md. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aggregator.config.sections import SIZE_SCHEMA, File

SCHEMA_NAME = "feeds.schema.json"

MEANINGS = {
    "planet.title": "the name of the planet",
    "planet.url": "its public address",
    "planet.description": "one or two sentences for the front page",
    "planet.language": "language of the planet's own words",
    "planet.timezone": "the zone of its days and times",
    "planet.contact": "how to reach you; shown on the about page",
    "planet.data": "the data folder, relative to this file; a new one takes effect at the next start",
    "planet.theme": "a folder with templates and static files in place of ours, see [themes](themes.md)",
    "planet.hub": "a WebSub hub that our feeds name, and that is told when they change",
    "page.entries": "posts on the front page and in the feed",
    "page.per_feed_per_day": "posts of one blog and day before the rest is folded",
    "page.first_import": "posts shown of a blog that has just joined",
    "page.content": "what permalinks and feeds carry",
    "page.images": "pictures in posts: shown, a link in their place, or none; those of one pixel are always dropped",
    "page.embeds": "hosts (and what is below them) whose embedded films and the like are shown as a link that"
    " opens them; others are dropped",
    "poll.every": "how often a feed is asked whose blog posts now and then; busy ones up to twice as often, after 14,"
    " 30, 60 and 180 days of silence 2, 4, 8 and 24 times less often",
    "poll.at_least": "the lower bound of any feed's interval",
    "poll.at_most": "its upper bound; what feeds ask for (`Cache-Control`, `ttl`, `skipHours` …) makes the interval"
    " longer within the bounds, `Retry-After` longer than them",
    "poll.at_once": "requests under way at once",
    "poll.per_host": "of them to one host name",
    "poll.timeout": "one clock for a whole request",
    "poll.max_bytes": "largest feed, before and after decompression",
    "linkbacks.accept": "which protocols are taken and named on pages",
    "linkbacks.members": "verified links of this planet's blogs: shown at once, or held for you",
    "linkbacks.strangers": "those of others",
    "linkbacks.block": "hosts (and what is below them) or prefixes of addresses that are refused",
    "network.allow_addresses": "networks that may be reached although they are not public",
    "network.allow_ports": "ports that may be reached on public addresses",
    "network.proxies": "networks of your reverse proxies: who may say by `X-Forwarded-For` whom a request is from",
    "keep.entries": "how long posts are kept that their feeds hold no more; without it for ever",
    "keep.polls": "polls of each feed that `planet explain` tells",
    "workers.processes": "child processes that read feeds and pages",
    "workers.dask": "the scheduler of a Dask cluster that fetches and reads feeds, as `tls://scheduler:8786`; see"
    " [more than one machine](operators.md#more-than-one-machine)",
    "notify.mail": "who is told by mail when a feed breaks, moves, is quarantined, or linkbacks wait; needs `[smtp]`",
    "notify.webhook": "an address that is told the same as JSON by POST",
    "newsletter.from": "the sender of the weekly digest; without it there is no newsletter",
    "smtp.host": "the server that sends mail",
    "smtp.port": "its port",
    "smtp.user": "the name to log in with; without it there is no login",
    "smtp.password_file": "a file that holds the password, relative to this one",
    "smtp.tls": "whether the connection must be encrypted (STARTTLS, or from the start on port 465)",
    "topics.name": "a topic with a page of its own: a conference, a standard",
    "topics.match": 'words, phrases and addresses (`"hl7.org/fhir"`); a post with one of them in title, text, tags or'
    " links belongs to it",
    "topics.from": "its first day",
    "topics.to": "its last day",
    "feeds.url": "the feed, or the blog's home page",
    "feeds.name": "how the blog is named",
    "feeds.site": "pages under it are this member's own",
    "feeds.author": "who writes, where entries don't say",
    "feeds.face": "the address of a picture; it is fetched once in two weeks, made small and served from here;"
    " without one, initials are drawn",
    "feeds.tags": "categories, in the OPML and its groups",
    "feeds.include": "only entries that match one of these are shown, see below",
    "feeds.exclude": "entries that match one of these are not shown",
    "feeds.content": "as in `[page]`, for this blog",
    "feeds.every": "how often this feed is asked, within the bounds",
    "feeds.enabled": "`false`: known, not polled; its posts stay",
}
# What a key is when it is left out, where that isn't a value.
_OTHERWISE = {
    "feeds.name": "the feed's title",
    "feeds.site": "the feed's host",
    "feeds.author": "the entry's",
    "feeds.face": "what the feed names",
    "feeds.content": "`[page] content`",
    "feeds.every": "as it posts",
    "keep.entries": "for ever",
}
_ARRAYS = ("topics", "feeds")


def every_key() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every key of every section, in the order of the code, as "section.key"."""
    for name, section in File.model_fields.items():
        for key, field in _model(section).model_fields.items():
            yield f"{name}.{field.alias or key}", field


def schema() -> dict[str, Any]:
    """Return the JSON Schema of feeds.toml, for editors."""
    made = File.model_json_schema(by_alias=True)
    made = {"$schema": "http://json-schema.org/draft-07/schema#", **made, "title": "feeds.toml of a planet"}
    for name, section in File.model_fields.items():
        model = _model(section)
        definition = made["$defs"][model.__name__]
        for key, field in model.model_fields.items():
            property = definition["properties"][field.alias or key]
            property["description"] = MEANINGS[f"{name}.{field.alias or key}"]
            property.pop("title", None)
            if "default" in property:
                property["default"] = _plain(field)
        made["properties"][name].pop("default", None)
    return made


def table() -> str:
    """Return a line of a Markdown table for every key."""
    lines = ["| key | default | meaning |", "| --- | --- | --- |"]
    for name, field in every_key():
        section, _, key = name.partition(".")
        brackets = f"[[{section}]]" if section in _ARRAYS else f"[{section}]"
        choices = _choices(field)
        meaning = MEANINGS[name] + (f": {choices}" if choices else "")
        lines.append(f"| `{brackets} {key}` | {_default(name, field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _model(section: FieldInfo) -> type[BaseModel]:
    annotation: Any = section.annotation
    while not isinstance(annotation, type):
        annotation = annotation.__args__[0]
    assert issubclass(annotation, BaseModel)
    return annotation


def _default(name: str, field: FieldInfo) -> str:
    if name in _OTHERWISE or field.is_required() or field.default is None:
        return _OTHERWISE.get(name, "")
    value = _plain(field)
    return f"`{_toml(value)}`"


def _plain(field: FieldInfo) -> Any:
    """A default as it is written in TOML."""
    value = field.default
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, int) and any(getattr(each, "json_schema", None) is SIZE_SCHEMA for each in field.metadata):
        return f"{value // 1_000_000}MB"
    return value


def _span(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    size, unit = next((size, unit) for size, unit in ((3600, "h"), (60, "m"), (1, "s")) if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _choices(field: FieldInfo) -> str:
    """The values of a key that has only a few, "" for any other."""
    values = [each for each in _literals(field.annotation) if isinstance(each, str)]
    return " or ".join(f'`"{value}"`' for value in values) if len(values) == 2 else ", ".join(map(_quoted, values))


def _quoted(value: str) -> str:
    return f'`"{value}"`'


def _literals(annotation: Any) -> Iterator[Any]:
    for each in getattr(annotation, "__args__", ()):
        if isinstance(each, str):
            yield each
        else:
            yield from _literals(each)

"""RSS, RDF, Atom and CDF: what a feed means, whichever of the two readers has taken its document apart. Pure."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import feedparser

from aggregator.feeds.dates import SHORT_ISO, from_struct, is_day_first, read_date
from aggregator.feeds.elements import Elements
from aggregator.feeds.lenient import CDATA, leniently
from aggregator.feeds.words import quickly
from aggregator.model import Enclosure, ParsedEntry, ParsedFeed, Quiet
from aggregator.urls import web_url

_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_ENCLOSURES = 10
MOST_DELETED = 200
LONGEST_NAME = 500

_END = re.compile(r"</(?:\w+:)?(?:rss|feed|rdf|channel)\s*>\s*(?:<!--.{0,2000}?-->\s*)*$", re.IGNORECASE | re.DOTALL)
_CDF = re.compile(r"(?:<!--.{0,2000}?-->|<![^>]{0,500}>|\s)*<channel[\s>]", re.IGNORECASE | re.DOTALL)
_NOT_TEXT = ("image/", "audio/", "video/", "application/octet-stream", "application/pdf")
_DELETED = re.compile(r"""<(?:[\w.-]+:)?deleted-entry\b[^>]{0,500}?\bref\s*=\s*(?:"([^"]{1,1000})"|'([^']{1,1000})')""")
_ENTITY = re.compile(r"&#?\w{1,32};")
_MAIL = re.compile(r"(?:mailto:)?[^\s<>()\[\],;:]+@[^\s<>()\[\],;:]+")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|<\s*>|\[\s*\]")


def parse(text: str, url: str) -> ParsedFeed | None:
    """Return the feed in `text`, which came from `url`, or None when there is none."""
    found = quickly(text) or leniently(text)
    if not found.version and not found.entries and not _CDF.match(text):
        return None
    return meaning(found, text, url)


def meaning(found: Elements, text: str, url: str) -> ParsedFeed:
    """Return the feed that a document's elements make."""
    feed = found.feed
    home = _absolute(_link(feed), url, url)
    day_first = is_day_first([raw for entry in found.entries for raw in _raw_dates(entry)], feed.get("language", ""))
    is_atom = found.version.startswith("atom")
    return ParsedFeed(
        title=feed.get("title", ""),
        home=home,
        language=feed.get("language", ""),
        generator=_generator(feed),
        icon=_absolute(_icon(feed), home, url),
        entries=tuple(
            _entry(entry, feed, home or url, url, day_first=day_first, is_atom=is_atom) for entry in found.entries
        ),
        deleted=_deleted(text) if found.may_withdraw else (),
        asked_for=_asked_for(feed),
        quiet=Quiet(_hours(found.hours), _quiet_days(found.days)),
        remark=_remark(found.problem),
        is_cut=found.problem is not None and not _END.search(text[-3_000:]),
    )


def _entry(entry: Any, feed: Any, home: str, url: str, *, day_first: bool, is_atom: bool) -> ParsedEntry:
    detail = _content(entry)
    title = _detail(entry, "title_detail")
    # Atom says what a title is; RSS doesn't, and escapes it once or twice.
    is_plain = title.get("type", "") == "text/plain" and (is_atom or not _ENTITY.search(entry.get("title", "")))
    link = _absolute(_link(entry), home, url)
    html = detail.get("value", "")
    if detail.get("type") == "text/plain":
        html = html.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n\n", "<p>")
    base = detail.get("base") or title.get("base") or ""
    return ParsedEntry(
        guid=entry.get("id", ""),
        url=link,
        base=web_url(base, url) if base else link or home,
        title=entry.get("title", ""),
        title_is_html=not is_plain,
        author=_author(entry) or _author(_detail(entry, "source")) or _author(feed),
        html=html,
        language=detail.get("language") or entry.get("language") or "",
        tags=tuple(term for tag in _parts(entry, "tags") if (term := tag.get("label") or tag.get("term"))),
        published_at=_date(entry, "published", day_first=day_first) or _date(entry, "created", day_first=day_first),
        updated_at=_date(entry, "updated", day_first=day_first),
        enclosures=_enclosures(entry, home),
        comments_feed=web_url(_comments_feed(entry), home),
        comments=_count(entry.get("slash_comments") or entry.get("thr_total")),
    )


def _parts(element: Any, name: str) -> list[Any]:
    """What feedparser lists under a name. A feed that has an element of that name leaves a text there."""
    found = element.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _detail(element: Any, name: str) -> Any:
    """What feedparser says about a part of an element; nothing, where a feed has an element of that name."""
    found = element.get(name)
    return found if isinstance(found, dict) else {}


def _link(element: Any) -> str:
    """The address of an entry or a feed, as written."""
    if original := element.get("feedburner_origlink"):
        return str(original)  # where the post really lives, and what other blogs link to
    link = str(element.get("link", ""))
    if element.get("guidislink") and link == element.get("id") and not re.match(r"https?:|/", link, re.IGNORECASE):
        return ""  # isPermaLink="true" is the default of a guid, and often no more than that
    if link:
        return link
    others = (other for other in _parts(element, "links") if other.get("rel", "alternate") == "alternate")
    return next((str(other["href"]) for other in others if other.get("href")), "")


def _absolute(link: str, base: str, url: str) -> str:
    """A link as an address; one that begins with the feed's own host name only lacks its scheme."""
    scheme, _, rest = url.partition("://")
    if link.lower().startswith(f"{rest.partition('/')[0].lower()}/"):
        return web_url(f"{scheme}://{link}")
    return web_url(link, base)


def _content(entry: Any) -> dict[str, Any]:
    """The fullest text of an entry: HTML before plain text, content before summary unless that is far longer."""
    contents = [c for c in _parts(entry, "content") if c.get("value") and not str(c.get("type")).startswith(_NOT_TEXT)]
    order = ("text/html", "application/xhtml+xml", "text/plain")
    contents.sort(key=lambda c: order.index(c["type"]) if c.get("type") in order else len(order))
    summary = dict(_detail(entry, "summary_detail"))
    if not contents:
        return summary
    return summary if len(summary.get("value", "")) > 2 * len(contents[0]["value"]) else dict(contents[0])


def _raw_dates(entry: Any) -> Iterator[str]:
    for key in ("published", "updated", "created"):
        # Past feedparser's own access, which warns that it would fall back to another date.
        if isinstance(raw := dict.get(entry, key), str):
            yield raw


def _date(entry: Any, key: str, *, day_first: bool) -> Any:
    raw = dict.get(entry, key)
    if isinstance(raw, str) and SHORT_ISO.fullmatch(raw.strip()):
        return from_struct(dict.get(entry, f"{key}_parsed"))
    return read_date(raw, day_first=day_first)


def _author(element: Any) -> str:
    """Names of the people, never their mail addresses, however the feed spells them."""
    people = [person.get("name", "") for person in _parts(element, "authors")]
    written = str(element.get("author", ""))
    if "@" in written and len(people) < 2:  # feedparser splits a mail address with a long top-level domain
        people = [written]
    names = [_name(str(text)) for text in (people or [written])]
    return ", ".join(dict.fromkeys(filter(None, names)))


def _name(text: str) -> str:
    """A name out of "jane@blog.example (Jane Doe)", "Jane Doe <jane@blog.example>" and the like."""
    text = text[:LONGEST_NAME]
    rest = _EMPTY_BRACKETS.sub(" ", _MAIL.sub(" ", text) if "@" in text else text).strip(" \t\r\n,;\"'")
    return rest[1:-1].strip() if rest.startswith("(") and rest.endswith(")") else rest


def _generator(feed: Any) -> str:
    return str(_detail(feed, "generator_detail").get("name") or feed.get("generator", ""))


def _icon(feed: Any) -> str:
    href = _detail(feed, "image").get("href", "")
    return str(feed.get("logo") or feed.get("icon") or href or "")


def _enclosures(entry: Any, base: str) -> tuple[Enclosure, ...]:
    found: dict[str, Enclosure] = {}
    media = _parts(entry, "media_content") or _parts(entry, "media_thumbnail")
    enclosed = (link for link in _parts(entry, "links") if link.get("rel") == "enclosure")
    for part in (*enclosed, *media):
        address = web_url(str(part.get("href") or part.get("url") or ""), base)
        kind = str(part.get("type") or part.get("medium") or "")[:100]
        kind = "" if kind == "text/html" else kind  # what feedparser takes for granted
        size = _count(part.get("length") or part.get("filesize")) or 0
        if address and len(found) < MOST_ENCLOSURES:
            found.setdefault(address, Enclosure(address, kind, size))
    return tuple(found.values())


def _comments_feed(entry: Any) -> str:
    """Where an entry's comments are. Source: wellformedweb.org CommentAPI; RFC 4685 section 4."""
    if address := entry.get("wfw_commentrss"):
        return str(address)
    replies = (link for link in _parts(entry, "links") if link.get("rel") == "replies")
    return next((str(link["href"]) for link in replies if link.get("href") and _is_feed(link)), "")


def _is_feed(link: Any) -> bool:
    return any(word in str(link.get("type", "")) for word in ("atom", "rss", "xml"))


def _count(text: Any) -> int | None:
    digits = str(text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 15 else None


def _deleted(text: str) -> tuple[str, ...]:
    """Guids of withdrawn entries. Source: RFC 6721 section 3."""
    own = CDATA.sub("", text)  # what a post quotes withdraws nothing
    found = [entities.unescape(match[1] or match[2]).strip() for match in _DELETED.finditer(own)]
    return tuple(dict.fromkeys(found[:MOST_DELETED]))


def _remark(problem: Exception | None) -> str:
    """What is wrong with a feed that could be read all the same."""
    if problem is None or isinstance(problem, feedparser.CharacterEncodingOverride | feedparser.NonXMLContentType):
        return ""
    where = re.sub(r"^<unknown>:(\d+):(\d+): (?:not well-formed)?", r"line \1, column \2 ", str(problem))
    return f"not well-formed: {where[:200].strip()}"


def _asked_for(feed: Any) -> timedelta:
    """How often a feed says that it changes: RSS 2.0 `ttl` in minutes, or RSS 1.0 `sy:updatePeriod`."""
    ttl = str(feed.get("ttl", "")).strip()
    if ttl.isascii() and ttl.isdigit():
        return timedelta(minutes=min(int(ttl), 10_000))
    period = _PERIODS.get(str(feed.get("sy_updateperiod", "")).strip().lower())
    frequency = str(feed.get("sy_updatefrequency", "1")).strip()
    if period is None or not (frequency.isascii() and frequency.isdigit() and int(frequency)):
        return timedelta(0)
    return period / min(int(frequency), 1_000)


def _hours(listed: Sequence[str]) -> frozenset[int]:
    """RSS 2.0 `skipHours`; 24 is an old spelling of midnight. All 24 would mean never: then it says nothing."""
    hours = frozenset(int(found) % 24 for found in listed if re.fullmatch(r"\d{1,2}", found))
    return hours if len(hours) < 24 else frozenset()


def _quiet_days(listed: Sequence[str]) -> frozenset[int]:
    """RSS 2.0 `skipDays`."""
    days = frozenset(_DAYS.index(name.lower()) for name in listed if name.lower() in _DAYS)
    return days if len(days) < 7 else frozenset()

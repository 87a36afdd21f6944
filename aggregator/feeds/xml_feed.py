"""RSS, RDF, Atom and CDF, read by feedparser. Pure: feedparser is only ever given a stream.

Its sanitiser and its resolution of links in HTML are off: both are slow, and the first is no safety boundary.
It is told no address either: so what xml:base says stays apart from what the feed's address would make of it.
"""

from __future__ import annotations

import html as entities
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from html.entities import html5
from typing import Any

import feedparser

from aggregator.errors import FeedUnreadable
from aggregator.feeds.dates import from_struct, is_day_first, read_date
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

# What no XML document may hold; one such character would make the whole feed "not well-formed".
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
# An emoji as two references to halves of it, as programs write that count in UTF-16.
_PAIR = re.compile(
    r"&#(?:[xX]([dD][89abAB][0-9a-fA-F]{2})|(5[56]\d{3}));&#(?:[xX]([dD][c-fC-F][0-9a-fA-F]{2})|(5[67]\d{3}));"
)
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_AMPERSAND = re.compile(r"&(#?\w{1,32};)?")
_OF_XML = ("amp;", "lt;", "gt;", "quot;", "apos;")
_END = re.compile(r"</(?:\w+:)?(?:rss|feed|rdf|channel)\s*>\s*(?:<!--.{0,2000}?-->\s*)*$", re.IGNORECASE | re.DOTALL)
_CDF = re.compile(r"(?:<!--.{0,2000}?-->|<![^>]{0,500}>|\s)*<channel[\s>]", re.IGNORECASE | re.DOTALL)
_BEGIN = re.compile(r"<([A-Za-z][\w:.-]*)(?:\s[^<>]*)?(?<!/)>")
_ENDED = re.compile(r"</([A-Za-z][\w:.-]*)\s*>")
_FRAGILE = re.compile(
    r"</?(?:[\w.-]+:)?(?:height|width|textinput|license|where|player|keywords|chapters?|cloud)(?:\s[^<>]*)?>",
    re.IGNORECASE,
)
# What feedparser raises on input that it isn't prepared for.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_NOT_TEXT = ("image/", "audio/", "video/", "application/octet-stream", "application/pdf")
_SHORT_ISO = re.compile(r"-{0,2}\d[\d-]{2,7}")
_TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
_DELETED = re.compile(r"""<(?:[\w.-]+:)?deleted-entry\b[^>]{0,500}?\bref\s*=\s*(?:"([^"]{1,1000})"|'([^']{1,1000})')""")
_ENTITY = re.compile(r"&#?\w{1,32};")
_MAIL = re.compile(r"(?:mailto:)?[^\s<>()\[\],;:]+@[^\s<>()\[\],;:]+")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|<\s*>|\[\s*\]")


def parse(text: str, url: str) -> ParsedFeed | None:
    """Return the feed in `text`, which came from `url`, or None when there is none."""
    text = _legal(text)
    result = _parsed(text)
    if not result.get("version") and not result.entries and not _CDF.match(text):
        return None
    feed = result.feed
    home = _absolute(_link(feed), url, url)
    day_first = is_day_first([raw for entry in result.entries for raw in _raw_dates(entry)], feed.get("language", ""))
    is_atom = str(result.get("version", "")).startswith("atom")
    return ParsedFeed(
        title=feed.get("title", ""),
        home=home,
        language=feed.get("language", ""),
        generator=_generator(feed),
        icon=_absolute(_icon(feed), home, url),
        entries=tuple(
            _entry(entry, feed, home or url, url, day_first=day_first, is_atom=is_atom) for entry in result.entries
        ),
        deleted=_deleted(text),
        asked_for=_asked_for(feed),
        quiet=Quiet(_hours(text), _quiet_days(text)),
        remark=_remark(result),
        is_cut=bool(result.bozo) and not _END.search(text[-3_000:]),
    )


def _legal(text: str) -> str:
    """A text without characters and references that XML forbids; feedparser raises on some of them."""

    def joined(match: re.Match[str]) -> str:
        high, low = (int(match[n], 16) if match[n] else int(match[n + 1]) for n in (1, 3))
        is_pair = 0xD800 <= high < 0xDC00 <= low < 0xE000
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)) if is_pair else match[0]

    def allowed(match: re.Match[str]) -> str:
        digits = (match[1] or match[2]).lstrip("0")
        number = int(digits, 16 if match[1] else 10) if 0 < len(digits) < 9 else -1 if digits else 0
        if 0 <= number < 32 and number not in (9, 10, 13):
            return ""
        return "\ufffd" if not 0 <= number < 0x110000 or 0xD800 <= number < 0xE000 else match[0]

    text = _ILLEGAL.sub("", text)
    return _REFERENCE.sub(allowed, _PAIR.sub(joined, text)) if "&#" in text else text


def _parsed(text: str) -> Any:
    """What feedparser makes of a text; where it stumbles, of the text as we repair it.

    Raises: FeedUnreadable.
    """
    try:
        result = _fed(text)
        if not result.bozo or "<" not in text:
            return result
        repaired = _fed(_repaired(text))
        return repaired if len(repaired.entries) >= len(result.entries) and not repaired.bozo else result
    except _STUMBLES:
        try:
            return _fed(_without_stray_ends(_repaired(text)))
        except _STUMBLES as error:
            raise FeedUnreadable("it is too broken to be read") from error


def _without_stray_ends(text: str) -> str:
    """A text without the elements that end more often than they begin, and without those that feedparser raises on."""
    markup = _CDATA.sub("", text)
    begun, ended = Counter(_BEGIN.findall(markup)), Counter(_ENDED.findall(markup))
    stray = [re.escape(name) for name, count in ended.items() if count > begun[name]]
    text = re.sub(rf"</?(?:{'|'.join(stray)})(?:\s[^<>]*)?>", "", text) if stray else text
    return _FRAGILE.sub("", text)


def _fed(text: str) -> Any:
    # A BytesIO, because feedparser opens a file or fetches a URL when given a body that is one.
    return feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _repaired(text: str) -> str:
    """A text whose bare ampersands are escaped, and whose HTML entities are numbers; CDATA stays as it is."""

    def repaired(match: re.Match[str]) -> str:
        name = match[1]
        if not name:
            return "&amp;"
        if name.startswith("#") or name in _OF_XML:
            return match[0]
        characters = html5.get(name)
        return "".join(f"&#{ord(c)};" for c in characters) if characters else f"&amp;{name}"

    parts = _CDATA.split(text)
    return "".join(part if index % 2 else _AMPERSAND.sub(repaired, part) for index, part in enumerate(parts))


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
    if isinstance(raw, str) and _SHORT_ISO.fullmatch(raw.strip()):
        return from_struct(dict.get(entry, f"{key}_parsed"))  # 031231 and the like, of which feedparser knows all
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
    rest = _EMPTY_BRACKETS.sub(" ", _MAIL.sub(" ", text)).strip(" \t\r\n,;\"'")
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
    if _TOMBSTONES not in text:
        return ()
    own = _CDATA.sub("", text)  # what a post quotes withdraws nothing
    found = [entities.unescape(match[1] or match[2]).strip() for match in _DELETED.finditer(own)]
    return tuple(dict.fromkeys(found[:MOST_DELETED]))


def _remark(result: Any) -> str:
    """What is wrong with a feed that could be read all the same."""
    error = result.get("bozo_exception")
    if (
        not result.bozo
        or error is None
        or isinstance(error, feedparser.CharacterEncodingOverride | feedparser.NonXMLContentType)
    ):
        return ""
    where = re.sub(r"^<unknown>:(\d+):(\d+): (?:not well-formed)?", r"line \1, column \2 ", str(error))
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


def _hours(text: str) -> frozenset[int]:
    """RSS 2.0 `skipHours`; 24 is an old spelling of midnight. All 24 would mean never: then it says nothing."""
    hours = frozenset(
        int(found) % 24 for found in _listed(text, "skipHours", "hour") if re.fullmatch(r"\d{1,2}", found)
    )
    return hours if len(hours) < 24 else frozenset()


def _quiet_days(text: str) -> frozenset[int]:
    """RSS 2.0 `skipDays`."""
    days = frozenset(_DAYS.index(name.lower()) for name in _listed(text, "skipDays", "day") if name.lower() in _DAYS)
    return days if len(days) < 7 else frozenset()


def _listed(text: str, element: str, part: str) -> list[str]:
    begin = text.find(f"<{element}")
    if begin < 0:
        return []
    block = text[begin : begin + 2_000].partition(f"</{element}")[0]
    return [found.strip() for found in re.findall(rf"<{part}>([^<]{{1,20}})</{part}>", block)]

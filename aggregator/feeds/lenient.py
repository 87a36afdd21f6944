"""Read whatever else calls itself RSS, RDF, Atom or CDF: with feedparser, and repaired where it stumbles. Pure.

feedparser is only ever given a stream. Its sanitiser and its resolution of links in HTML are off: both are slow, and
the first is no safety boundary. It is told no address either: so what xml:base says stays apart from what the feed's
address would make of it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from html.entities import html5
from typing import Any

import feedparser

from aggregator.errors import FeedUnreadable
from aggregator.feeds.elements import TOMBSTONES, Elements

# What no XML document may hold; one such character would make the whole feed "not well-formed".
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
# An emoji as two references to halves of it, as programs write that count in UTF-16.
_PAIR = re.compile(
    r"&#(?:[xX]([dD][89abAB][0-9a-fA-F]{2})|(5[56]\d{3}));&#(?:[xX]([dD][c-fC-F][0-9a-fA-F]{2})|(5[67]\d{3}));"
)
CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_AMPERSAND = re.compile(r"&(#?\w{1,32};)?")
_OF_XML = ("amp;", "lt;", "gt;", "quot;", "apos;")
_ENDED = re.compile(r"</([A-Za-z][\w:.-]*)\s*>")
_BEGIN = re.compile(r"<([A-Za-z][\w:.-]*)(?:\s[^<>]*)?(?<!/)>")
_FRAGILE = re.compile(
    r"</?(?:[\w.-]+:)?(?:height|width|textinput|license|where|player|keywords|chapters?|cloud)(?:\s[^<>]*)?>",
    re.IGNORECASE,
)
# What feedparser raises on input that it isn't prepared for.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def leniently(text: str) -> Elements:
    """Return what feedparser makes of a text; where it stumbles, of the text as we repair it.

    Raises: FeedUnreadable.
    """
    result = _parsed(_legal(text))
    problem = result.get("bozo_exception") if result.bozo else None
    hours, days = _listed(text, "skipHours", "hour"), _listed(text, "skipDays", "day")
    may_withdraw = TOMBSTONES in text
    return Elements(result.get("version") or "", result.feed, result.entries, hours, days, may_withdraw, problem)


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
    markup = CDATA.sub("", text)
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

    parts = CDATA.split(text)
    return "".join(part if index % 2 else _AMPERSAND.sub(repaired, part) for index, part in enumerate(parts))


def _listed(text: str, element: str, part: str) -> list[str]:
    if f"<{element}" not in text:
        return []
    text = CDATA.sub("", text)  # what a post quotes is not the feed's own
    begin = text.find(f"<{element}")
    if begin < 0:
        return []
    block = text[begin : begin + 2_000].partition(f"</{element}")[0]
    return [found.strip() for found in re.findall(rf"<{part}>([^<]{{1,20}})</{part}>", block)]

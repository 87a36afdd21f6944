"""Say what a body is for somebody who thinks of adding it: its format, and what it says of its licence. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from aggregator.content_coding import decode
from aggregator.feeds import read
from aggregator.feeds.encoding import text_of
from aggregator.markup import plain
from aggregator.model import Reading

_ROOT = re.compile(r"<(rss|feed|rdf:RDF|channel)\b([^>]{0,2000})", re.IGNORECASE)
_VERSION = re.compile(r"""\bversion\s*=\s*["']([\d.]{1,8})["']""")
_FIRST_ENTRY = re.compile(r"<(?:item|entry)[\s>]", re.IGNORECASE)
_LICENCES = (
    re.compile(r"<(?:creativeCommons|cc):license\b[^>]*>([^<]{1,500})<", re.IGNORECASE),
    re.compile(r"""<(?:creativeCommons|cc):license\b[^>]*resource=["']([^"']{1,500})""", re.IGNORECASE),
    re.compile(r"""<link\b[^>]*\brel=["']license["'][^>]*\bhref=["']([^"']{1,500})""", re.IGNORECASE),
    re.compile(r"<(?:copyright|(?:\w+:)?rights)\b[^>]*>(?:<!\[CDATA\[)?([^<\]]{1,500})", re.IGNORECASE),
)
_LONGEST_HEAD = 100_000


@dataclass(frozen=True, slots=True)
class Description:
    """What a feed is, and under which terms it is published; empty where it doesn't say."""

    format: str
    licence: str


def examine(
    body: bytes, coding: str, content_type: str, url: str, max_bytes: int
) -> tuple[Reading, Description]:  # one task for a child
    """Read a body, and describe it.

    Raises: BodyRefused, FeedUnreadable (PageInstead for a web page, with the feeds that it names).
    """
    reading = read(body, coding, content_type, url, {}, max_bytes)
    return reading, describe(text_of(decode(body, coding, max_bytes), content_type))


def describe(text: str) -> Description:
    """Describe the text of a feed."""
    if text.startswith(("{", "[")):
        return Description(_json_version(text), "")
    head = text[:_LONGEST_HEAD]
    first = _FIRST_ENTRY.search(head)
    head = head[: first.start()] if first else head
    licence = next((match[1] for pattern in _LICENCES if (match := pattern.search(head))), "")
    return Description(_format(head), plain(licence, is_html=True, longest=200))


def _format(head: str) -> str:
    root = _ROOT.search(head)
    if not root:
        return "a feed"
    version = _VERSION.search(root[2])
    match root[1].lower():
        case "rss":
            return f"RSS {version[1]}" if version else "RSS"
        case "feed":
            return f"Atom {version[1]}" if version else "Atom"
        case "rdf:rdf":
            return "RSS 1.0 (RDF)"
    return "CDF"


def _json_version(text: str) -> str:
    try:
        version = str(json.loads(text).get("version", ""))
    except (ValueError, AttributeError, RecursionError):
        return "JSON"
    return f"JSON Feed {version.rpartition('/')[2]}".strip() if "jsonfeed" in version else "JSON"

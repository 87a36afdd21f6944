"""RSS, RDF, Atom and CDF, read by feedparser. Pure: feedparser is only ever given a stream.

Its sanitiser and its resolution of links in HTML are off: both are slow, and the first is no safety boundary.
"""

from __future__ import annotations

import hashlib
import io
import re
from datetime import timedelta
from typing import Any

import feedparser

from aggregator.feeds.dates import from_struct
from aggregator.model import ParsedEntry, ParsedFeed

_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}


def parse(body: bytes, content_type: str, url: str) -> ParsedFeed | None:
    """Return the feed in `body`, or None when there is none."""
    # A BytesIO, because feedparser opens a file or fetches a URL when given a body that is one.
    result = feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-type": content_type, "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not result.get("version") and not result.entries:
        return None
    feed = result.feed
    return ParsedFeed(
        title=feed.get("title", ""),
        home=feed.get("link", ""),
        language=feed.get("language", ""),
        entries=tuple(_entry(entry, feed) for entry in result.entries),
        asked_for=_asked_for(feed),
        remark=_remark(result),
    )


def _entry(entry: Any, feed: Any) -> ParsedEntry:
    detail = _content(entry)
    title = entry.get("title_detail") or {}
    url = entry.get("link", "")
    guid = entry.get("id") or url
    if not guid:
        text = f"{entry.get('title', '')}\x1f{detail.get('value', '')}"
        guid = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    html = detail.get("value", "")
    if detail.get("type") == "text/plain":
        html = html.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n\n", "<p>")
    return ParsedEntry(
        guid=guid,
        url=url,
        base=detail.get("base") or title.get("base") or url,
        title=entry.get("title", ""),
        title_is_html=title.get("type", "") != "text/plain" or "&" in entry.get("title", ""),
        author=entry.get("author", "") or _name(entry) or _name(feed) or feed.get("author", ""),
        html=html,
        language=detail.get("language") or "",
        tags=tuple(tag["term"] for tag in entry.get("tags", ()) if tag.get("term")),
        published_at=from_struct(entry.get("published_parsed")),
        # Past feedparser's own access, which warns that it would fall back to the other date.
        updated_at=from_struct(dict.get(entry, "updated_parsed")),
    )


def _content(entry: Any) -> dict[str, Any]:
    """The fullest text of an entry: HTML before plain text, content before summary."""
    contents = [c for c in entry.get("content", ()) if c.get("value")]
    for kind in ("text/html", "application/xhtml+xml", "text/plain"):
        for content in contents:
            if content.get("type") == kind:
                return dict(content)
    return dict(contents[0] if contents else entry.get("summary_detail") or {})


def _name(element: Any) -> str:
    detail = element.get("author_detail") or {}
    return str(detail.get("name", ""))


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

"""JSON Feed 1.0 and 1.1. Pure. Source: jsonfeed.org/version/1.1."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aggregator.errors import FeedUnreadable
from aggregator.feeds.dates import from_rfc3339
from aggregator.model import ParsedEntry, ParsedFeed


def parse(body: bytes) -> ParsedFeed:
    """Read a JSON Feed; members of the wrong type count as absent.

    Raises: FeedUnreadable when the body is not JSON, or JSON but no feed.
    """
    try:
        text = body.decode(json.detect_encoding(body), "replace").lstrip("\ufeff \t\r\n")
        document, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise FeedUnreadable("this looks like JSON, but can't be read as JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise FeedUnreadable("this is JSON, but not a JSON Feed")
    home = _text(document, "home_page_url")
    return ParsedFeed(
        title=_text(document, "title"),
        home=home,
        language=_text(document, "language"),
        entries=tuple(_entry(item, document, home) for item in document["items"] if isinstance(item, dict)),
        remark="something follows the JSON Feed in its document" if text[end:].strip() else "",
    )


def _entry(item: dict[str, Any], feed: dict[str, Any], home: str) -> ParsedEntry:
    url = _text(item, "url") or _text(item, "external_url")
    title = _text(item, "title")
    html = _text(item, "content_html") or _as_html(_text(item, "content_text")) or _as_html(_text(item, "summary"))
    fallback = hashlib.blake2b(f"{title}\x1f{html}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return ParsedEntry(
        guid=_text(item, "id") or url or fallback,
        url=url,
        base=url or home,
        title=title,
        author=_author(item) or _author(feed),
        html=html,
        language=_text(item, "language"),
        tags=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        published_at=from_rfc3339(item.get("date_published")),
        updated_at=from_rfc3339(item.get("date_modified")),
    )


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""  # 1.0 allows numbers as ids
    return str(value)


def _list(item: dict[str, Any], key: str) -> list[Any]:
    value = item.get(key)
    return value if isinstance(value, list) else []


def _author(item: dict[str, Any]) -> str:
    people = [*_list(item, "authors"), item.get("author")]
    names = [_text(person, "name") for person in people if isinstance(person, dict)]
    return ", ".join(dict.fromkeys(filter(None, names)))


def _as_html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"<p>{paragraph}</p>" for paragraph in escaped.split("\n\n") if paragraph.strip())

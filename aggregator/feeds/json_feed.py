"""JSON Feed 1.0 and 1.1. Pure. Source: jsonfeed.org/version/1.1."""

from __future__ import annotations

import json
from typing import Any

from aggregator.errors import FeedUnreadable
from aggregator.feeds.dates import read_date
from aggregator.model import Enclosure, ParsedEntry, ParsedFeed
from aggregator.urls import web_url

MOST_ATTACHMENTS = 10


def parse(text: str, url: str) -> ParsedFeed:
    """Read the JSON Feed in `text`, which came from `url`; members of the wrong type count as absent.

    Raises: FeedUnreadable when the text is not JSON, or JSON but no feed.
    """
    try:
        document, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise FeedUnreadable("this looks like JSON, but can't be read as JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise FeedUnreadable("this is JSON, but not a JSON Feed")
    home = web_url(_text(document, "home_page_url"), url)
    return ParsedFeed(
        title=_text(document, "title"),
        home=home,
        language=_text(document, "language"),
        icon=web_url(_text(document, "icon") or _text(document, "favicon"), home or url),
        entries=tuple(_entry(item, document, home or url) for item in document["items"] if isinstance(item, dict)),
        remark="something follows the JSON Feed in its document" if text[end:].strip() else "",
    )


def _entry(item: dict[str, Any], feed: dict[str, Any], home: str) -> ParsedEntry:
    link = web_url(_text(item, "url") or _text(item, "external_url"), home)
    html = _text(item, "content_html") or _as_html(_text(item, "content_text")) or _as_html(_text(item, "summary"))
    return ParsedEntry(
        guid=_text(item, "id"),
        url=link,
        base=link or home,
        title=_text(item, "title"),
        author=_author(item) or _author(feed),
        html=html,
        language=_text(item, "language"),
        tags=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        published_at=read_date(item.get("date_published")),
        updated_at=read_date(item.get("date_modified")),
        enclosures=_attachments(item, home),
    )


def _attachments(item: dict[str, Any], base: str) -> tuple[Enclosure, ...]:
    found = []
    for part in _list(item, "attachments")[:MOST_ATTACHMENTS]:
        if isinstance(part, dict) and (address := web_url(_text(part, "url"), base)):
            size = part.get("size_in_bytes")
            bytes_ = size if isinstance(size, int) and 0 < size < 10**15 else 0
            found.append(Enclosure(address, _text(part, "mime_type")[:100], bytes_))
    return tuple(found)


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

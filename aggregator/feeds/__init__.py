"""Read feeds: bytes in, entries that are safe to store out. Pure: no clock, no network, no SQL.

`read` is what a child process runs; its arguments and its answer are plain values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aggregator.content_coding import decode
from aggregator.errors import FeedUnreadable
from aggregator.feeds import json_feed, xml_feed
from aggregator.feeds.dates import EARLIEST
from aggregator.markup import clean, count_words, plain, without_controls
from aggregator.model import ParsedEntry, ParsedFeed, ReadEntry, Reading
from aggregator.urls import web_url

MOST_ENTRIES = 200
LEDE = 300
LONGEST_GUID = 1_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def read(body: bytes, coding: str, content_type: str, url: str, known: Mapping[str, bytes], max_bytes: int) -> Reading:
    """Read a body as it came over the wire; return the entries that `known` (guid to hash) doesn't hold as they are.

    Raises: BodyRefused, FeedUnreadable.
    """
    feed = parse(decode(body, coding, max_bytes), content_type, url)
    entries = _newest(feed.entries)
    hashed = [(entry, content_hash(entry)) for entry in entries]
    return Reading(
        title=plain(feed.title, is_html=True),
        home=web_url(feed.home, url),
        entries=tuple(_safe(entry, digest, feed) for entry, digest in hashed if known.get(entry.guid) != digest),
        seen=len(entries),
        asked_for=feed.asked_for,
        remark=feed.remark or _remark(feed, entries),
    )


def parse(body: bytes, content_type: str, url: str) -> ParsedFeed:
    """Read RSS, Atom, RDF, CDF or JSON Feed, by content and not by type; HTML comes back as it was sent.

    A date without a zone is taken as UTC.

    Raises: FeedUnreadable when this is no feed. A feed without entries is one.
    """
    start = body[:1_000].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    if not start:
        raise FeedUnreadable("the answer is empty")
    if start.startswith((b"{", b"[")):
        return json_feed.parse(body)
    feed = xml_feed.parse(body, content_type, url)
    if feed is not None:
        return feed
    if b"<html" in start.lower() or start.lower().startswith(b"<!doctype html"):
        raise FeedUnreadable("this is a web page, not a feed; its feed's address is needed")
    raise FeedUnreadable("this is not a feed")


def content_hash(entry: ParsedEntry) -> bytes:
    """Return a digest of what readers would see of an entry; dates alone don't change it."""
    seen = (entry.url, entry.title, entry.author, entry.html, *entry.tags)
    return hashlib.blake2b("\x1f".join(seen).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _remark(feed: ParsedFeed, kept: Sequence[ParsedEntry]) -> str:
    if len(kept) < MOST_ENTRIES or len(feed.entries) <= MOST_ENTRIES:
        return ""
    return f"it holds {len(feed.entries)} entries, of which the newest {MOST_ENTRIES} are read"


def _newest(entries: Sequence[ParsedEntry]) -> list[ParsedEntry]:
    """The entries that count, newest first as far as dates tell; of a guid used twice, the first one counts."""
    distinct: dict[str, ParsedEntry] = {}
    for entry in entries:
        guid = _guid(entry.guid)
        distinct.setdefault(guid, replace(entry, guid=guid))
    dated = [(entry.published_at or entry.updated_at, entry) for entry in distinct.values()]
    if all(date for date, _ in dated):  # without dates, the order of the feed is all there is
        dated.sort(key=lambda pair: pair[0] or EARLIEST, reverse=True)
    return [entry for _, entry in dated[:MOST_ENTRIES]]


def _guid(guid: str) -> str:
    """A guid as it is stored: of bounded length, without what no database takes."""
    guid = without_controls(guid).strip()
    if len(guid) <= LONGEST_GUID:
        return guid
    return hashlib.blake2b(guid.encode(), digest_size=16).hexdigest()


def _safe(entry: ParsedEntry, digest: bytes, feed: ParsedFeed) -> ReadEntry:
    html = clean(entry.html, web_url(entry.base) or web_url(entry.url))
    text = plain(html, is_html=True, longest=len(html))
    lede = plain(text, is_html=False, longest=LEDE)
    return ReadEntry(
        guid=entry.guid,
        content_hash=digest,
        url=web_url(entry.url, entry.base),
        title=plain(entry.title, is_html=entry.title_is_html, longest=300),
        author=plain(entry.author, is_html=True, longest=100),
        html=html,
        lede=lede,
        words=count_words(text),
        language=_language(entry.language) or _language(feed.language),
        tags=tuple(dict.fromkeys(filter(None, (plain(tag, is_html=True, longest=50) for tag in entry.tags[:20])))),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
    )


def _language(text: str) -> str:
    """A language tag (BCP 47 as far as its form goes), or ""."""
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""

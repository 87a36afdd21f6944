"""Read feeds: bytes in, entries that are safe to store out. Pure: no clock, no network, no SQL.

`read` is what a child process runs; its arguments and its answer are plain values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aggregator.content_coding import decode
from aggregator.errors import FeedUnreadable, PageInstead
from aggregator.feeds import json_feed, xml_feed
from aggregator.feeds.dates import EARLIEST
from aggregator.feeds.discovery import feeds_named_in, is_page
from aggregator.feeds.encoding import text_of
from aggregator.feeds.voice import count_words, fingerprint, voice_of
from aggregator.filters import NO_FILTERS, Filters, Sieve
from aggregator.markup import clean, plain, shortened, text_within, without_controls
from aggregator.model import ParsedEntry, ParsedFeed, ReadEntry, Reading
from aggregator.offers import in_feed, in_page

MOST_ENTRIES = 200
LEDE = 300
LONGEST_GUID = 1_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def read(
    body: bytes,
    coding: str,
    content_type: str,
    url: str,
    known: Mapping[str, bytes],
    max_bytes: int,
    filters: Filters = NO_FILTERS,
) -> Reading:
    """Read a body as it came over the wire; return the entries that `known` (guid to hash) doesn't hold as they are.

    Raises: BodyRefused, FeedUnreadable (PageInstead for a web page, with the feeds that it names).
    """
    text = text_of(decode(body, coding, max_bytes), content_type)
    feed = _parsed(text, url)
    entries = newest(feed.entries)
    hashed = [(entry, content_hash(entry)) for entry in entries]
    changed = [_safe(entry, digest, feed) for entry, digest in hashed if known.get(entry.guid) != digest]
    sieve = Sieve(filters)
    if filters != NO_FILTERS:
        changed = [replace(entry, unwanted=sieve.verdict(entry.title, _text(entry), entry.tags)) for entry in changed]
    return Reading(
        title=plain(feed.title, is_html=True),
        home=feed.home,
        entries=tuple(changed),
        guids=tuple(entry.guid for entry in entries),
        deleted=tuple(map(_bounded, feed.deleted)),
        voice=voice_of(feed, entries),
        asked_for=feed.asked_for,
        quiet=feed.quiet,
        remark=feed.remark or _remark(feed, entries) or sieve.remark,
        is_cut=feed.is_cut,
        icon=feed.icon,
        dated=tuple((entry.guid, date) for entry in entries if (date := entry.published_at or entry.updated_at)),
        comments=tuple((entry.guid, entry.comments) for entry in entries if entry.comments is not None),
        offers=in_feed(text, url),
    )


def _text(entry: ReadEntry) -> str:
    return plain(entry.html, is_html=True, longest=len(entry.html) + 1)


def parse(body: bytes, content_type: str, url: str) -> ParsedFeed:
    """Read RSS, Atom, RDF, CDF or JSON Feed, by content and not by type; HTML comes back as it was sent.

    A date without a zone is taken as UTC. An entry without a guid has none here.

    Raises: FeedUnreadable when this is no feed. A feed without entries is one.
    """
    return _parsed(text_of(body, content_type), url)


def _parsed(text: str, url: str) -> ParsedFeed:
    if not text or text.isspace():
        raise FeedUnreadable("the answer is empty")
    if text.startswith(("{", "[")):
        return json_feed.parse(text, url)
    feed = xml_feed.parse(text, url)
    if feed is not None:
        return feed
    if is_page(text):
        offers = in_page(text, url)
        raise PageInstead(feeds_named_in(text, url), offers.topic, offers.hubs)
    raise FeedUnreadable("this is not a feed")


def content_hash(entry: ParsedEntry) -> bytes:
    """Return a digest of what readers would see of an entry; dates alone don't change it."""
    files = (enclosure.url for enclosure in entry.enclosures)
    seen = (entry.url, entry.title, entry.author, entry.html, *entry.tags, *files)
    return hashlib.blake2b("\x1f".join(seen).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _remark(feed: ParsedFeed, kept: Sequence[ParsedEntry]) -> str:
    if len(kept) < MOST_ENTRIES or len(feed.entries) <= MOST_ENTRIES:
        return ""
    return f"it holds {len(feed.entries)} entries, of which the newest {MOST_ENTRIES} are read"


def newest(entries: Sequence[ParsedEntry]) -> list[ParsedEntry]:
    """Return the entries that count, each with a guid of its own, newest first as far as dates tell."""
    distinct = _distinct(entries)
    dates = [entry.published_at or entry.updated_at for entry in distinct]
    if sum(date is not None for date in dates) * 2 < len(dates):
        return distinct[:MOST_ENTRIES]  # without dates, the order of the feed is all there is
    last = next(date for date in dates if date) if dates else EARLIEST
    dated = []
    for entry, date in zip(distinct, dates, strict=True):
        last = date or last  # an undated entry stands beside the one before it
        dated.append((last, entry))
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return [entry for _, entry in dated[:MOST_ENTRIES]]


def _distinct(entries: Sequence[ParsedEntry]) -> list[ParsedEntry]:
    """One entry for each guid: the latest of the versions of one entry, all of the entries that share a guid."""
    named = [(entry.guid or _made_guid(entry), entry) for entry in entries]
    alike: dict[str, list[ParsedEntry]] = {}
    for guid, entry in named:
        alike.setdefault(guid, []).append(entry)
    found: dict[str, ParsedEntry] = {}
    for guid, entry in named:
        if len(alike[guid]) > 1 and not _are_versions(alike[guid]):
            # A name that several posts share is none of them's own (every item "1", or the blog's address).
            guid = "|".join(dict.fromkeys(filter(None, (guid, entry.url, entry.title))))
        guid = _bounded(guid)
        earlier = found.get(guid)
        if earlier is None or _is_later(entry, earlier):
            found[guid] = entry if entry.guid == guid else replace(entry, guid=guid)
    return list(found.values())


def _are_versions(group: Sequence[ParsedEntry]) -> bool:
    """Tell whether entries of one guid are one entry at several times. Source: RFC 4287 section 4.1.1."""
    times = {entry.updated_at for entry in group}
    return len({entry.url for entry in group}) == 1 and None not in times and len(times) == len(group)


def _is_later(entry: ParsedEntry, other: ParsedEntry) -> bool:
    return bool(entry.updated_at and other.updated_at and entry.updated_at > other.updated_at)


def _made_guid(entry: ParsedEntry) -> str:
    """A guid for an entry without one: its address, else what is least likely to be edited."""
    if entry.url:
        return entry.url
    written = entry.published_at or entry.updated_at
    named = f"{entry.title}\x1f{written or ''}" if entry.title else entry.html
    return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _bounded(guid: str) -> str:
    """A guid as it is stored: of bounded length, without what no database takes."""
    guid = without_controls(guid).strip()
    if len(guid) <= LONGEST_GUID:
        return guid
    return hashlib.blake2b(guid.encode(), digest_size=16).hexdigest()


def _safe(entry: ParsedEntry, digest: bytes, feed: ParsedFeed) -> ReadEntry:
    html = clean(entry.html, entry.base)
    text = text_within(html)
    return ReadEntry(
        guid=entry.guid,
        content_hash=digest,
        url=entry.url,
        title=plain(entry.title, is_html=entry.title_is_html, longest=300),
        author=plain(entry.author, is_html=True, longest=100),
        html=html,
        lede=shortened(text, LEDE),
        words=count_words(text),
        language=_language(entry.language) or _language(feed.language),
        tags=tuple(dict.fromkeys(filter(None, (plain(tag, is_html=True, longest=50) for tag in entry.tags[:20])))),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        fingerprint=fingerprint(text),
        enclosures=entry.enclosures,
        comments_feed=entry.comments_feed,
        comments=entry.comments,
    )


def _language(text: str) -> str:
    """A language tag (BCP 47 as far as its form goes), or ""."""
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""

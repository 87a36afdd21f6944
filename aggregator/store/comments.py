"""Comments on recent posts, as their blogs' comment feeds have them."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlite_utils import Database

from aggregator.markup import plain, shortened
from aggregator.model import ReadEntry, Status
from aggregator.store import stale
from aggregator.store.connection import to_instant, to_text, transaction
from aggregator.urls import canonical, host_of, web_url

# Later than any poll: this post's comments are not asked for any more.
NEVER = "9999"
_FIELDS = "entry.id, entry.feed_id, entry.url, comments_feed, comments_etag, comments_modified, shown_at, comments"


@dataclass(frozen=True, slots=True)
class CommentFeed:
    """The comment feed of a post, and what the last poll of it left."""

    entry_id: int
    feed_id: int
    post_url: str
    url: str
    etag: str
    last_modified: str
    shown_at: datetime
    comments: int | None


def due(database: Database, now: datetime, since: datetime, limit: int) -> list[CommentFeed]:
    """Return comment feeds of posts shown after `since` that may be asked now, one of each host."""
    rows = database.execute(_DUE, [to_text(now), to_text(since), 8 * limit]).fetchall()
    first_of_host = {host_of(row[3]): row for row in reversed(rows)}
    return [_comment_feed(row) for row in list(first_of_host.values())[:limit]]


_DUE = f"""
SELECT {_FIELDS} FROM entry INDEXED BY entry_comments JOIN feed ON feed.id = entry.feed_id
WHERE comments_at <= ? AND comments_feed <> '' AND hidden = '' AND shown_at > ?
    AND feed.removed_at IS NULL AND feed.enabled AND feed.failures = 0
ORDER BY comments_at LIMIT ?
"""


def forget_old(database: Database, now: datetime, since: datetime) -> None:
    """Ask no more for the comments of posts shown before `since`."""
    values = [to_text(now), to_text(since)]
    where = "comments_at <= ? AND comments_feed <> '' AND hidden = '' AND shown_at <= ?"
    if database.execute(f"SELECT 1 FROM entry INDEXED BY entry_comments WHERE {where} LIMIT 1", values).fetchone():
        with transaction(database):
            database.execute(f"UPDATE entry SET comments_at = '{NEVER}' WHERE {where}", values)


def record(database: Database, entry_id: int, next_at: datetime | None, etag: str, last_modified: str) -> None:
    """Store what a poll of a post's comments left; None means never again. Inside a transaction."""
    database.execute(
        "UPDATE entry SET comments_at = ?, comments_etag = ?, comments_modified = ? WHERE id = ?",
        [to_text(next_at) or NEVER, etag, last_modified, entry_id],
    )


def add(database: Database, feed: CommentFeed, comments: Sequence[ReadEntry], status: Status, now: datetime) -> int:
    """Store comments that are new, and new words of known ones; inside a transaction. Returns how many were."""
    changed = sum(_add_one(database, feed, comment, status, now) for comment in comments)
    if changed:
        stale.mark_posts(database, [feed.entry_id])
        stale.mark_river(database)
    return changed


def _add_one(database: Database, feed: CommentFeed, comment: ReadEntry, status: Status, now: datetime) -> bool:
    source = web_url(comment.url) or feed.post_url
    author = comment.author or plain(comment.title, is_html=False).removeprefix("By: ")
    is_pingback = comment.lede.startswith("[…]") and comment.lede.rstrip("…").endswith("[…]")
    if is_pingback and _is_known(database, feed.entry_id, author):
        return False
    name = shortened(author, 100) or "Somebody"
    row = database.execute(
        "INSERT INTO linkback (token, entry_id, source, source_key, source_host, target, protocols, status,"
        " received_at, asked_at, settled_at, feed_id, title, author, excerpt, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, '[\"comment\"]', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (source_key, entry_id) DO UPDATE SET excerpt = excluded.excerpt"
        " WHERE excerpt <> excluded.excerpt RETURNING id",
        [
            secrets.token_urlsafe(12),
            feed.entry_id,
            source,
            _key(source, comment.guid),
            host_of(source),
            feed.post_url,
            status,
            to_text(min(comment.published_at or now, now)),
            to_text(now),
            to_text(now),
            feed.feed_id,
            name,
            name,
            json.dumps((comment.lede, "", "")),
            "pingback" if is_pingback else "comment",
        ],
    ).fetchone()
    return row is not None


def _is_known(database: Database, entry_id: int, title: str) -> bool:
    """A pingback that the blog shows among its comments has come to the planet by itself, too."""
    row = database.execute(
        "SELECT 1 FROM linkback WHERE entry_id = ? AND protocols <> '[\"comment\"]' AND title = ?", [entry_id, title]
    )
    return row.fetchone() is not None


def _key(source: str, guid: str) -> str:
    """Comments differ in nothing but the fragment, and some in nothing but the guid."""
    fragment = urlsplit(source).fragment or hashlib.blake2b(guid.encode(), digest_size=8).hexdigest()
    return f"{canonical(source)}#{fragment}"


def _comment_feed(row: Sequence[object]) -> CommentFeed:
    entry_id, feed_id, post_url, url, etag, last_modified, shown_at, comments = row
    at = to_instant(str(shown_at))
    assert at is not None
    assert isinstance(entry_id, int)
    assert isinstance(feed_id, int)
    count = comments if isinstance(comments, int) else None
    return CommentFeed(entry_id, feed_id, str(post_url), str(url), str(etag), str(last_modified), at, count)

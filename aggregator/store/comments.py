"""Comments on recent posts, as their blogs' comment feeds have them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlite_utils import Database

from aggregator.markup import plain, shortened
from aggregator.model import Claim, ReadEntry, Status
from aggregator.store import gone, mentions, stale
from aggregator.store.connection import to_instant, to_text, transaction
from aggregator.urls import canonical, host_of, web_url

# Later than any poll: this post's comments are not asked for any more.
NEVER = "9999"
_CUT = "[…]"
_PREFIX = re.compile(r"^(?:By|Pingback|Trackback):\s*")
_BETWEEN = re.compile(r"\s+[-–—|·«»]\s+|:\s+")
_WORD = re.compile(r"\w+")
# A title that is a part of another one, and as long as this, is no accident.
_TELLING = 12
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
    title = plain(comment.title, is_html=False)
    author = comment.author or _PREFIX.sub("", title)
    is_pingback = _is_pingback(title, comment.lede)
    key = _key(source, comment.guid)
    if is_pingback and (known := _known(database, feed.entry_id, source, author)) is not None:
        mentions.announce(database, known, Claim(source, feed.post_url, "comment", now))
        double = "DELETE FROM linkback WHERE source_key = ? AND entry_id = ? AND protocols = '[\"comment\"]'"
        return database.execute(double, [key, feed.entry_id]).rowcount > 0
    if gone.has_graves(database) and gone.is_named_on_a_grave(database, key):
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
            key,
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


def _is_pingback(title: str, lede: str) -> bool:
    return title.startswith(("Pingback:", "Trackback:")) or (lede.startswith(_CUT) and lede.rstrip("…").endswith(_CUT))


def _known(database: Database, entry_id: int, source: str, author: str) -> int | None:
    """A pingback that the blog shows among its comments has come to the planet by itself, too: as which linkback?

    WordPress names it by the title of the page that links, in which there often is the name of its blog.
    """
    rows = database.execute(_LINKS, [entry_id]).fetchall()
    for id, key, *names in rows:
        if key == canonical(source) or any(_is_named(author, name) for name in names):
            return int(id)
    return None


_LINKS = """
SELECT linkback.id, source_key, linkback.title, feed.name, feed.title, source_host
FROM linkback LEFT JOIN feed ON feed.id = linkback.feed_id
WHERE entry_id = ? AND protocols <> '["comment"]' ORDER BY received_at, linkback.id
"""


def _is_named(author: str, name: str | None) -> bool:
    """Tell whether a name is all that a comment's author is called, or one of its parts ("A post – The Blog")."""
    said, known = _words(author), _words(name or "")
    if not said or not known:
        return False
    return known == said or known in _parts(author) or said in _parts(name or "") or _begins(said, known)


def _begins(said: str, known: str) -> bool:
    """Titles are cut, and go on with a blog's name: one that is long enough to tell them apart may be a part."""
    shorter, longer = sorted((said, known), key=len)
    return len(shorter) >= _TELLING and f" {shorter} " in f" {longer} "


def _parts(text: str) -> list[str]:
    return [_words(part) for part in _BETWEEN.split(text)]


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


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

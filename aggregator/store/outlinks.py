"""Where posts link to, as far as it may be a post of another blog here."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from aggregator.store.connection import to_instant
from aggregator.urls import canonical

Excerpt = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """A post that may link to others, and what is shown of it where it does."""

    id: int
    feed_id: int
    url: str
    title: str
    author: str
    html: str
    content_hash: bytes
    published_at: datetime | None
    is_shown: bool


def unread(database: Database, limit: int) -> list[Source]:
    """Return posts that are new or changed since their links were read."""
    rows = database.execute(f"{_SOURCE} {_UNREAD}", [limit]).fetchall()
    return [_source(row) for row in rows]


def mark_unread(database: Database, ids: Collection[int]) -> None:
    """Note that the links of some posts are to be read; inside a transaction."""
    database.execute(_MARK, [json.dumps(list(ids))])


_MARK = """
INSERT INTO to_link SELECT id, content_hash FROM entry WHERE id IN (SELECT value FROM json_each(?))
ON CONFLICT DO UPDATE SET content_hash = excluded.content_hash
"""


_SOURCE = (
    "SELECT entry.id, entry.feed_id, entry.url, entry.title, entry.author, entry.html, entry.content_hash,"
    " entry.published_at, entry.hidden = ''"
)
_UNREAD = "FROM to_link JOIN entry ON entry.id = entry_id ORDER BY entry_id LIMIT ?"


def replace(database: Database, read: Sequence[tuple[Source, Sequence[tuple[str, Excerpt]]]]) -> None:
    """Store where posts link to; inside a transaction."""
    database.conn.executemany("DELETE FROM outlink WHERE entry_id = ?", ((source.id,) for source, _ in read))
    database.conn.executemany(
        "INSERT OR IGNORE INTO outlink VALUES (?, ?, ?, ?)",
        ((source.id, canonical(url), url, json.dumps(excerpt)) for source, links in read for url, excerpt in links),
    )
    # One that has changed since is to be read again.
    database.conn.executemany(
        "DELETE FROM to_link WHERE entry_id = ? AND content_hash = ?",
        ((source.id, source.content_hash) for source, _ in read),
    )


def to(database: Database, urls: Collection[str]) -> list[tuple[Source, str, Excerpt]]:
    """Return the posts that link to some addresses, with each address as they write it and the words around it."""
    rows = database.execute(_TO, [json.dumps([canonical(url) for url in urls])]).fetchall()
    return [(_source(row[:9]), row[9], tuple(json.loads(row[10]))) for row in rows]


_TO = f"""
{_SOURCE}, outlink.target, outlink.excerpt
FROM outlink JOIN entry ON entry.id = outlink.entry_id JOIN feed ON feed.id = entry.feed_id
WHERE outlink.target_key IN (SELECT value FROM json_each(?)) AND feed.removed_at IS NULL
"""


def is_in_feed(database: Database, linkback_id: int, targets: Collection[str]) -> bool:
    """Tell whether a linkback, of which only a feed has told, still stands in that feed."""
    keys = json.dumps([canonical(target) for target in targets])
    return database.execute(_IN_FEED, [linkback_id, keys]).fetchone() is not None


_IN_FEED = """
SELECT 1 FROM linkback JOIN entry ON entry.url_key = source_key JOIN outlink ON outlink.entry_id = entry.id
WHERE linkback.id = ? AND protocols = '["feed"]' AND outlink.target_key IN (SELECT value FROM json_each(?))
"""


def hosts(database: Database) -> set[str]:
    """Return the hosts on which members' posts are."""
    rows = database.execute("SELECT territory_host FROM feed WHERE removed_at IS NULL").fetchall()
    return {row[0] for row in rows}


def _source(row: Sequence[object]) -> Source:
    id, feed_id, url, title, author, html, content_hash, published_at, is_shown = row
    assert isinstance(content_hash, bytes)
    assert isinstance(id, int)
    assert isinstance(feed_id, int)
    return Source(
        id=id,
        feed_id=feed_id,
        url=str(url),
        title=str(title),
        author=str(author),
        html=str(html),
        content_hash=content_hash,
        published_at=to_instant(str(published_at)) if published_at else None,
        is_shown=bool(is_shown),
    )

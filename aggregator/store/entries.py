"""Entries: what feeds have brought, and the posts that pages show of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from aggregator.model import Post, ReadEntry
from aggregator.sameness import Place
from aggregator.store import stale
from aggregator.store.connection import to_instant, to_text
from aggregator.store.feeds import BLOG_COLUMNS, blog_of
from aggregator.urls import canonical, slug


def known_hashes(database: Database, feed_id: int) -> dict[str, bytes]:
    """Return guid and content hash of every stored entry of a feed."""
    return dict(database.execute("SELECT guid, content_hash FROM entry WHERE feed_id = ?", [feed_id]).fetchall())


def add(database: Database, feed_id: int, entries: Sequence[tuple[ReadEntry, Place]], now: datetime) -> int:
    """Store entries that are new; inside a transaction. Returns how many were."""
    added: list[int] = []
    for entry, place in entries:
        row = database.execute(
            "INSERT INTO entry (feed_id, guid, url, url_key, slug, title, author, html, lede, words, language, tags,"
            " published_at, updated_at, first_seen_at, shown_at, hidden, content_hash)"
            " VALUES (:feed_id, :guid, :url, :url_key, :slug, :title, :author, :html, :lede, :words, :language, :tags,"
            " :published_at, :updated_at, :now, :shown_at, :hidden, :content_hash)"
            " ON CONFLICT (feed_id, guid) DO NOTHING RETURNING id",
            {
                **_columns(entry),
                "feed_id": feed_id,
                "slug": slug(entry.title) or "post",
                "now": to_text(now),
                "shown_at": to_text(place.shown_at),
                "hidden": place.hidden,
            },
        ).fetchone()
        if row:
            added.append(row[0])
    if added:
        stale.mark_posts(database, added)
        stale.mark_river(database)
    return len(added)


def edit(database: Database, feed_id: int, entries: Sequence[ReadEntry]) -> int:
    """Store entries that changed; their place, slug and first sight stay. Inside a transaction; returns how many."""
    edited: list[int] = []
    for entry in entries:
        row = database.execute(
            "UPDATE entry SET url = :url, url_key = :url_key, title = :title, author = :author, html = :html,"
            " lede = :lede, words = :words, language = :language, tags = :tags, published_at = :published_at,"
            " updated_at = :updated_at, content_hash = :content_hash"
            " WHERE feed_id = :feed_id AND guid = :guid AND content_hash <> :content_hash RETURNING id",
            {**_columns(entry), "feed_id": feed_id},
        ).fetchone()
        if row:
            edited.append(row[0])
    if edited:
        stale.mark_posts(database, edited)
        stale.mark_river(database)
    return len(edited)


def newest(database: Database, limit: int) -> list[Post]:
    """Return the newest posts that are shown, newest first."""
    rows = database.query(f"{_POSTS} {_SHOWN} ORDER BY entry.shown_at DESC, entry.id DESC LIMIT ?", [limit])
    return [_post(row) for row in rows]


def by_ids(database: Database, ids: Sequence[int]) -> list[Post]:
    """Return those of the posts that are shown."""
    rows = database.query(f"{_POSTS} {_SHOWN} AND entry.id IN (SELECT value FROM json_each(?))", [json.dumps(ids)])
    return [_post(row) for row in rows]


def shown_ids(database: Database, *, after: int, limit: int) -> list[int]:
    """Return the next ids of shown posts in order of id, for walking over all of them."""
    rows = database.execute(
        "SELECT entry.id FROM entry JOIN feed ON feed.id = entry.feed_id"
        " WHERE entry.id > ? AND hidden = '' AND removed_at IS NULL ORDER BY entry.id LIMIT ?",
        [after, limit],
    ).fetchall()
    return [row[0] for row in rows]


def target(database: Database, url: str) -> int | None:
    """Return the id of the post with this address (compared as canonical URLs), shown or not; the oldest, or None."""
    row = database.execute(_TARGET, [canonical(url)]).fetchone()
    return row and int(row[0])


_TARGET = (
    "SELECT entry.id FROM entry JOIN feed ON feed.id = entry.feed_id"
    " WHERE url_key = ? AND feed.removed_at IS NULL ORDER BY entry.id LIMIT 1"
)


def feed_of(database: Database, id: int) -> int | None:
    """Return the id of the feed that a post came by."""
    row = database.execute("SELECT feed_id FROM entry WHERE id = ?", [id]).fetchone()
    return row and int(row[0])


def is_shown(database: Database, id: int) -> bool:
    """Tell whether a post has a page."""
    row = database.execute(
        "SELECT 1 FROM entry JOIN feed ON feed.id = entry.feed_id"
        " WHERE entry.id = ? AND hidden = '' AND removed_at IS NULL",
        [id],
    ).fetchone()
    return row is not None


def is_gone(database: Database, named: int | str | None) -> bool:
    """Tell whether a post was ours and is no more; it is named by its id or by its canonical address."""
    if named is None:
        return False
    if isinstance(named, int):
        where = "entry.id = ? AND (hidden = '' OR removed_at IS NOT NULL)"
    else:
        where = "url_key = ?"
    row = database.execute(f"SELECT 1 FROM entry JOIN feed ON feed.id = feed_id WHERE {where} LIMIT 1", [named])
    return row.fetchone() is not None


_POSTS = f"""
SELECT entry.id, entry.slug, guid, entry.url, entry.title, entry.author, html, lede, words, language, entry.tags,
    shown_at, published_at, updated_at, {BLOG_COLUMNS},
    (SELECT count(*) FROM linkback WHERE entry_id = entry.id AND linkback.status = 'published') AS thoughts
FROM entry JOIN feed ON feed.id = entry.feed_id
"""
_SHOWN = "WHERE entry.hidden = '' AND feed.removed_at IS NULL"


def _columns(entry: ReadEntry) -> dict[str, Any]:
    return {
        "guid": entry.guid,
        "url": entry.url,
        "url_key": canonical(entry.url),
        "title": entry.title,
        "author": entry.author,
        "html": entry.html,
        "lede": entry.lede,
        "words": entry.words,
        "language": entry.language,
        "tags": json.dumps(entry.tags),
        "published_at": to_text(entry.published_at),
        "updated_at": to_text(entry.updated_at),
        "content_hash": entry.content_hash,
    }


def _post(row: dict[str, Any]) -> Post:
    shown_at = to_instant(row["shown_at"])
    assert shown_at is not None
    return Post(
        id=row["id"],
        slug=row["slug"],
        blog=blog_of(row),
        guid=row["guid"],
        url=row["url"],
        title=row["title"],
        author=row["author"] or row["blog_author"],
        html=row["html"],
        lede=row["lede"],
        words=row["words"],
        language=row["language"],
        tags=tuple(json.loads(row["tags"])),
        shown_at=shown_at,
        published_at=to_instant(row["published_at"]),
        updated_at=to_instant(row["updated_at"]),
        thoughts=row["thoughts"],
        content=row["blog_content"],
    )

"""Entries: what feeds have brought, and the posts that pages show of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from aggregator.filters import is_by_filter
from aggregator.model import Enclosure, Post, ReadEntry, Twin
from aggregator.sameness import EMPTY, EXPIRED, REMOVED, WITHDRAWN, Place
from aggregator.store import outlinks, stale
from aggregator.store.blogs import BLOG_COLUMNS, blog_of
from aggregator.store.connection import to_instant, to_text
from aggregator.urls import canonical, host_of, slug


def known_hashes(database: Database, feed_id: int) -> dict[str, bytes]:
    """Return guid and content hash of every stored entry of a feed, under each of its guids."""
    return dict(
        database.execute(
            "SELECT guid, content_hash FROM entry WHERE feed_id = :id"
            " UNION ALL SELECT alias.guid, content_hash FROM alias JOIN entry ON entry.id = entry_id"
            " WHERE alias.feed_id = :id",
            {"id": feed_id},
        ).fetchall()
    )


def add(database: Database, feed_id: int, entries: Sequence[tuple[ReadEntry, Place]], now: datetime) -> int:
    """Store entries that are new; inside a transaction. Returns how many were."""
    last = database.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()
    at = to_text(now)
    rows = [
        {
            **_columns(entry),
            "feed_id": feed_id,
            "slug": slug(entry.title) or "post",
            "first_seen_at": at,
            "shown_at": at if place.shown_at == now else to_text(place.shown_at),
            "hidden": place.hidden,
            "story_of": place.story_of,
        }
        for entry, place in entries
    ]
    if rows:
        names = rows[0].keys()
        statement = f"INSERT INTO entry ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        values = (tuple(row.values()) for row in rows)  # of one order
        database.conn.executemany(f"{statement} ON CONFLICT (feed_id, guid) DO NOTHING", values)
    added = [row[0] for row in database.execute("SELECT id FROM entry WHERE id > ?", last)]
    if added:
        outlinks.mark_unread(database, added)
        stale.mark_posts(database, added)
        stale.mark_river(database)
    return len(added)


def edit(database: Database, feed_id: int, entries: Sequence[ReadEntry]) -> int:
    """Store entries that changed; their place, slug and first sight stay. Inside a transaction; returns how many.

    Only what readers would see counts as an edit. What was removed at its source, and is back in the feed, is shown
    again.
    """
    edited: list[int] = []
    for entry in entries:
        columns = {**_columns(entry), "feed_id": feed_id}
        before = database.execute(_BEFORE, columns).fetchone()
        if before is None:
            continue
        id, hidden, *seen = before
        if hidden == EXPIRED:  # an edit brings nothing back that has been forgotten
            database.execute("UPDATE entry SET content_hash = ? WHERE id = ?", [entry.content_hash, id])
            continue
        is_back = hidden in (REMOVED, WITHDRAWN, EMPTY)
        why = entry.unwanted if is_back or not hidden or is_by_filter(hidden) else hidden
        database.execute(_EDIT, {**columns, "id": id, "hidden": why})
        outlinks.mark_unread(database, [id])
        if is_back or why != hidden or seen != [columns[name] for name in _SEEN]:
            edited.append(id)
    if edited:
        stale.mark_posts(database, edited)
        stale.mark_river(database)
    return len(edited)


_SEEN = ("url", "title", "author", "html", "tags", "language", "enclosures")
_BEFORE = f"""
SELECT id, hidden, {", ".join(_SEEN)} FROM entry
WHERE content_hash <> :content_hash AND id = coalesce(
    (SELECT id FROM entry WHERE feed_id = :feed_id AND guid = :guid),
    (SELECT entry_id FROM alias WHERE feed_id = :feed_id AND guid = :guid))
"""
_EDIT = """
UPDATE entry SET url = :url, url_key = :url_key, title = :title, author = :author, html = :html,
    lede = :lede, words = :words, language = :language, tags = :tags,
    published_at = coalesce(:published_at, published_at), updated_at = :updated_at,
    content_hash = :content_hash, fingerprint = :fingerprint, enclosures = :enclosures,
    comments_feed = :comments_feed, comments = :comments, hidden = :hidden
WHERE id = :id
"""


def texts(database: Database, feed_id: int) -> list[tuple[int, str, str, tuple[str, ...], str]]:
    """Return id, title, HTML, categories and why it is hidden, of all entries of a feed."""
    rows = database.execute("SELECT id, title, html, tags, hidden FROM entry WHERE feed_id = ?", [feed_id]).fetchall()
    return [(id, title, html, tuple(json.loads(tags)), hidden) for id, title, html, tags, hidden in rows]


def newest_texts(database: Database, feed_id: int, limit: int) -> list[tuple[str, str, str]]:
    """Return guid, title and HTML of a feed's newest entries that hold any of them."""
    return database.execute(
        "SELECT guid, title, html FROM entry WHERE feed_id = ? AND (html <> '' OR title <> '')"
        " ORDER BY shown_at DESC, id DESC LIMIT ?",
        [feed_id, limit],
    ).fetchall()


def hide(database: Database, ids: Mapping[int, str]) -> None:
    """Hide entries for the operator's filters, or show them again where the reason is ""; inside a transaction.

    What is hidden for another reason stays as it is.
    """
    shown = [(why, id) for id, why in ids.items() if not (hidden := _hidden(database, id)) or is_by_filter(hidden)]
    database.conn.executemany("UPDATE entry SET hidden = ? WHERE id = ?", shown)
    if shown:
        stale.mark_posts(database, [id for _, id in shown])
        stale.mark_river(database)


def _hidden(database: Database, id: int) -> str:
    row = database.execute("SELECT hidden FROM entry WHERE id = ?", [id]).fetchone()
    return str(row[0]) if row else REMOVED


def correct(
    database: Database, feed_id: int, dated: Sequence[tuple[str, datetime]], comments: Sequence[tuple[str, int]]
) -> None:
    """Give entries the date that they lacked, or that lay in the future, and count comments; inside a transaction.

    Other dates stay: many feeds give every entry the time of the fetch.
    """
    doubtful = {
        row[0]
        for row in database.execute(
            "SELECT guid FROM entry WHERE feed_id = ? AND first_seen_at < coalesce(published_at, updated_at, 'x')",
            [feed_id],
        )
    }
    changes = [(to_text(date), feed_id, guid, to_text(date)) for guid, date in dated if guid in doubtful]
    changed = [
        row[0]
        for change in changes
        for row in database.execute(
            "UPDATE entry SET published_at = ? WHERE feed_id = ? AND guid = ?"
            " AND coalesce(published_at, updated_at) IS NOT ? RETURNING id",
            change,
        ).fetchall()
    ]
    if changed:
        stale.mark_posts(database, changed)
        stale.mark_river(database)
    database.conn.executemany(
        "UPDATE entry SET comments = ? WHERE feed_id = ? AND guid = ? AND comments IS NOT ?",
        ((count, feed_id, guid, count) for guid, count in comments),
    )


def river(database: Database, limit: int, per_day: int) -> list[Post]:
    """Return the newest posts that are shown, newest first: `limit` of them, and what is folded between them."""
    found = by_ids(database, _river_ids(database, limit, per_day))
    return sorted(found, key=lambda post: (post.shown_at, post.id), reverse=True)


def _river_ids(database: Database, limit: int, per_day: int) -> list[int]:
    """Return the ids of the river's posts, newest first.

    Of one blog and day only `per_day` posts count, so that nobody pushes all others off the page; of the rest the
    newest come along.
    """
    counted, taken = 0, []
    of_day: Counter[tuple[int, str]] = Counter()
    for id, feed_id, shown_at in database.execute(_RIVER, [MOST_LOOKED_AT]):
        day = (feed_id, shown_at[:10])
        of_day[day] += 1
        counted += of_day[day] <= per_day
        if counted > limit:
            break
        if of_day[day] <= per_day + MOST_FOLDED:
            taken.append(id)
    return taken


MOST_LOOKED_AT = 5_000
MOST_FOLDED = 200  # lines of a list that is folded away
_RIVER = """
SELECT entry.id, feed_id, shown_at FROM entry JOIN feed ON feed.id = entry.feed_id
WHERE entry.hidden = '' AND feed.removed_at IS NULL ORDER BY shown_at DESC, entry.id DESC LIMIT ?
"""


def by_ids(database: Database, ids: Sequence[int]) -> list[Post]:
    """Return those of the posts that are shown."""
    rows = database.query(f"{_POSTS} {_SHOWN} AND entry.id IN (SELECT value FROM json_each(?))", [json.dumps(ids)])
    return [_post(row) for row in rows]


def briefs(database: Database, ids: Sequence[int]) -> list[Post]:
    """Return those of the posts that are shown, without their texts, in the order of the ids."""
    rows = database.query(f"{_BRIEFS} {_SHOWN} AND entry.id IN (SELECT value FROM json_each(?))", [json.dumps(ids)])
    found = {post.id: post for post in map(_post, rows)}
    return [found[id] for id in ids if id in found]


def paths(database: Database, after: int, until: int) -> list[str]:
    """Return the paths of shown posts with ids above `after` up to `until`."""
    rows = database.execute(
        "SELECT entry.id, entry.slug FROM entry JOIN feed ON feed.id = entry.feed_id"
        " WHERE entry.id > ? AND entry.id <= ? AND hidden = '' AND removed_at IS NULL ORDER BY entry.id",
        [after, until],
    ).fetchall()
    return [f"posts/{id}-{slug}/" for id, slug in rows]


def target(database: Database, url: str) -> int | None:
    """Return the id of the post with this address (compared as canonical URLs), shown or not; the oldest, or None."""
    key = canonical(url)
    if not key:
        return None
    names = {"key": key, "url": url, "removed": REMOVED, "withdrawn": WITHDRAWN, "expired": EXPIRED}
    found = database.execute(_TARGET, names).fetchone()[0]
    return None if found is None else int(found)


_TARGET = """
SELECT min(id) FROM (
    SELECT coalesce(story_of, entry.id) AS id FROM entry JOIN feed ON feed.id = entry.feed_id
    WHERE entry.url_key = :key AND feed.removed_at IS NULL AND entry.hidden NOT IN (:removed, :withdrawn, :expired)
    UNION ALL SELECT coalesce(story_of, entry.id) FROM entry JOIN feed ON feed.id = entry.feed_id
    WHERE entry.guid = :url AND feed.removed_at IS NULL AND entry.hidden NOT IN (:removed, :withdrawn, :expired)
    UNION ALL SELECT entry_id FROM alias JOIN feed ON feed.id = alias.feed_id
    WHERE alias.url_key = :key AND feed.removed_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A post as claims see it: with all addresses that it has, as compared."""

    id: int
    addresses: frozenset[str]


def as_target(database: Database, id: int) -> Target:
    """Return a stored post as claims see it."""
    rows = database.execute(_ADDRESSES, {"id": id}).fetchall()
    return Target(id, frozenset(canonical(address) for (address,) in rows))


_ADDRESSES = """
SELECT url FROM entry WHERE id = :id OR story_of = :id UNION SELECT guid FROM entry WHERE id = :id OR story_of = :id
UNION SELECT 'http:' || url_key FROM alias WHERE entry_id = :id AND url_key <> ''
"""


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


def whereabouts(database: Database, id: int) -> str | None:
    """Return the path of a shown post, "" for one that was shown or purged, None for one that never was."""
    row = database.execute(
        "SELECT entry.slug FROM entry JOIN feed ON feed.id = entry.feed_id"
        " WHERE entry.id = ? AND hidden = '' AND removed_at IS NULL",
        [id],
    ).fetchone()
    if row:
        return f"posts/{id}-{row[0]}/"
    newest = database.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()
    return "" if id <= int(newest[0]) else None


_POSTS = f"""
SELECT entry.id, entry.slug, guid, entry.url, entry.title, entry.author, html, lede, words, language, entry.tags,
    shown_at, published_at, updated_at, enclosures, {BLOG_COLUMNS},
    (SELECT json_group_array(json_array(other.name, other.title, other.url, other.site, other.home, twin.url))
        FROM entry AS twin JOIN feed AS other ON other.id = twin.feed_id
        WHERE twin.story_of = entry.id AND other.removed_at IS NULL) AS also,
    (SELECT count(*) FROM linkback WHERE entry_id = entry.id AND linkback.status = 'published') AS thoughts
FROM entry JOIN feed ON feed.id = entry.feed_id
"""
_BRIEFS = _POSTS.replace(" html,", " '' AS html,")
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
        "fingerprint": entry.fingerprint,
        "enclosures": json.dumps([[file.url, file.kind, file.bytes] for file in entry.enclosures]),
        "comments_feed": entry.comments_feed,
        "comments": entry.comments,
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
        enclosures=tuple(Enclosure(*file) for file in json.loads(row["enclosures"])),
        also=tuple(_twin(*twin) for twin in json.loads(row["also"])),
    )


def _twin(name: str, title: str, url: str, site: str, home: str, post_url: str) -> Twin:
    return Twin(name or title or host_of(url), post_url or site or home or url)

"""Topics: which posts belong to which, kept so that their pages need no search."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from aggregator.finding import any_of
from aggregator.overview import Topic
from aggregator.store import stale
from aggregator.store.connection import to_text

_ALWAYS, _NEVER = "0000", "9999"


def define(database: Database, topics: Sequence[Topic], zone: ZoneInfo) -> None:
    """Make the stored topics those of the configuration, and gather the posts of those that changed.

    Inside a transaction; the days of a topic begin and end in `zone`.
    """
    rows = database.execute("SELECT slug, id, expression, begins_at, ends_at FROM topic").fetchall()
    before = {slug: (id, bounds) for slug, id, *bounds in rows}
    for slug in before.keys() - {topic.slug for topic in topics}:
        _forget(database, before[slug][0])
    for topic in topics:
        wanted = [any_of(topic.match), _begins(topic.begins, zone), _ends(topic.ends, zone)]
        id, bounds = before.get(topic.slug, (None, None))
        if bounds == wanted:
            continue
        if id is not None:
            _forget(database, id)
        row = database.execute(
            "INSERT INTO topic (slug, expression, begins_at, ends_at) VALUES (?, ?, ?, ?) RETURNING id",
            [topic.slug, *wanted],
        ).fetchone()
        _gather(database, int(row[0]))


def _begins(day: date | None, zone: ZoneInfo) -> str:
    return to_text(datetime.combine(day, time(), zone)) or _ALWAYS if day else _ALWAYS


def _ends(day: date | None, zone: ZoneInfo) -> str:
    return to_text(datetime.combine(day + timedelta(days=1), time(), zone)) or _NEVER if day else _NEVER


def _forget(database: Database, id: int) -> None:
    database.execute("DELETE FROM topic WHERE id = ?", [id])
    database.execute("DELETE FROM gathered WHERE topic_id = ?", [id])
    stale.mark_sections(database, [("topic", id), ("topics", 0)])


def _gather(database: Database, id: int) -> None:
    expression, *bounds = database.execute(_TOPIC, [id]).fetchone()
    if expression:
        database.execute(
            "INSERT INTO gathered SELECT ?, entry.id FROM search JOIN entry ON entry.id = search.rowid"
            " WHERE search MATCH ? AND shown_at >= ? AND shown_at < ?",
            [id, expression, *bounds],
        )
    stale.mark_sections(database, [("topic", id), ("topics", 0)])


_TOPIC = "SELECT expression, begins_at, ends_at FROM topic WHERE id = ?"


def assign(database: Database, ids: Iterable[int]) -> set[int]:
    """Sort posts that may have changed into topics; inside a transaction, after they were indexed.

    Returns the ids of the topics that they belong to, or did.
    """
    wanted = json.dumps(list(ids))
    touched = {
        row[0]
        for row in database.execute(
            "DELETE FROM gathered WHERE entry_id IN (SELECT value FROM json_each(?)) RETURNING topic_id", [wanted]
        ).fetchall()
    }
    for id, expression, *bounds in database.execute("SELECT id, expression, begins_at, ends_at FROM topic").fetchall():
        if expression and database.execute(_ASSIGN, [id, wanted, expression, *bounds]).rowcount:
            touched.add(id)
    return touched


_ASSIGN = """
INSERT INTO gathered SELECT ?, entry.id FROM json_each(?) AS wanted
CROSS JOIN search ON search.rowid = wanted.value JOIN entry ON entry.id = search.rowid
WHERE search MATCH ? AND shown_at >= ? AND shown_at < ?
"""


def ids(database: Database) -> dict[str, int]:
    """Return the number of each topic by its slug."""
    return dict(database.execute("SELECT slug, id FROM topic").fetchall())


def expression(database: Database, slug: str) -> str:
    """Return by what the posts of a topic are found, or ""."""
    row = database.execute("SELECT expression FROM topic WHERE slug = ?", [slug]).fetchone()
    return str(row[0]) if row else ""


def of_posts(database: Database, posts: Sequence[int]) -> dict[int, list[str]]:
    """Return the slugs of the topics of each post."""
    rows = database.execute(
        "SELECT entry_id, slug FROM gathered JOIN topic ON topic.id = topic_id"
        " WHERE entry_id IN (SELECT value FROM json_each(?)) ORDER BY slug",
        [json.dumps(list(posts))],
    ).fetchall()
    found: dict[int, list[str]] = {}
    for post, slug in rows:
        found.setdefault(post, []).append(slug)
    return found


def newest(database: Database, id: int, limit: int) -> list[int]:
    """Return the ids of a topic's newest posts, newest first."""
    rows = database.execute(_NEWEST, [id, limit]).fetchall()
    return [row[0] for row in rows]


_NEWEST = """
SELECT entry.id FROM gathered JOIN entry ON entry.id = entry_id JOIN feed ON feed.id = feed_id
WHERE topic_id = ? AND hidden = '' AND removed_at IS NULL ORDER BY shown_at DESC, entry.id DESC LIMIT ?
"""


def size(database: Database, id: int) -> int:
    """Return how many posts a topic has."""
    return int(database.execute("SELECT count(*) FROM gathered WHERE topic_id = ?", [id]).fetchone()[0])

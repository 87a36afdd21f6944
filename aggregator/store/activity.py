"""Who writes how much, what is discussed and linked to, and who links to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from aggregator.model import Blog
from aggregator.overview import Citation, Count, Tie
from aggregator.store.blogs import BLOG_COLUMNS, blog_of
from aggregator.store.connection import an_instant, to_text

MOST_TIES = 12
MOST_CITATIONS = 50_000
_SHOWN = "hidden = '' AND removed_at IS NULL"


def pulse(database: Database, first: date, days: int, shift: timedelta, topic: int | None = None) -> list[Count]:
    """Return what each day brought, of all posts or of a topic's; `shift` is local time minus UTC."""
    since, until = _bounds(first, first + timedelta(days=days), shift)
    values = {"shift": f"{shift.total_seconds():+.0f} seconds", "since": since, "until": until, "topic": topic}
    within = "" if topic is None else "AND entry.id IN (SELECT entry_id FROM gathered WHERE topic_id = :topic)"
    posts = _by_day(database, f"{_POSTS_BY_DAY} {within} GROUP BY 1", values)
    thoughts = _by_day(database, f"{_THOUGHTS_BY_DAY} {within} GROUP BY 1", values)
    return [
        Count(day, posts.get(day.isoformat(), 0), thoughts.get(day.isoformat(), 0))
        for day in (first + timedelta(days=number) for number in range(days))
    ]


_POSTS_BY_DAY = f"""
SELECT date(shown_at, :shift), count(*) FROM entry JOIN feed ON feed.id = feed_id
WHERE {_SHOWN} AND shown_at >= :since AND shown_at < :until
"""
_THOUGHTS_BY_DAY = f"""
SELECT date(received_at, :shift), count(*) FROM linkback JOIN entry ON entry.id = entry_id
    JOIN feed ON feed.id = entry.feed_id
WHERE linkback.status = 'published' AND {_SHOWN} AND received_at >= :since AND received_at < :until
"""


def _by_day(database: Database, sql: str, values: dict[str, Any]) -> dict[str, int]:
    return dict(database.execute(sql, values).fetchall())


def _bounds(first: date, after_last: date, shift: timedelta) -> tuple[str, str]:
    start, end = (datetime.fromisoformat(f"{day}T00:00:00Z") - shift for day in (first, after_last))
    return str(to_text(start)), str(to_text(end))


def volume(database: Database, since: datetime, until: datetime) -> tuple[int, int, int]:
    """Return how many posts of how many blogs a time brought, and how many thoughts."""
    bounds = {"since": to_text(since), "until": to_text(until)}
    posts, blogs = database.execute(_VOLUME, bounds).fetchone()
    thoughts = database.execute(
        "SELECT count(*) FROM linkback WHERE status = 'published' AND received_at >= :since AND received_at < :until",
        bounds,
    ).fetchone()
    return posts, blogs, thoughts[0]


_VOLUME = f"""
SELECT count(*), count(DISTINCT feed_id) FROM entry JOIN feed ON feed.id = feed_id
WHERE {_SHOWN} AND shown_at >= :since AND shown_at < :until
"""


def talked_about(database: Database, ids: Sequence[int]) -> list[datetime]:
    """Return when posts received thoughts, shown ones or not."""
    rows = database.execute(
        "SELECT DISTINCT received_at FROM linkback WHERE entry_id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(ids))],
    ).fetchall()
    return [an_instant(row[0]) for row in rows]


def discussed(database: Database, since: datetime, until: datetime, limit: int) -> list[tuple[int, int, int]]:
    """Return the posts that received most thoughts in a time: id, how many, by how many different hosts or blogs."""
    rows = database.execute(_DISCUSSED, [to_text(since), to_text(until), limit]).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


_DISCUSSED = f"""
SELECT entry_id, count(*) AS thoughts, count(DISTINCT coalesce(linkback.feed_id, source_host)) AS blogs
FROM linkback JOIN entry ON entry.id = entry_id JOIN feed ON feed.id = entry.feed_id
WHERE linkback.status = 'published' AND received_at >= ? AND received_at < ? AND {_SHOWN}
GROUP BY entry_id ORDER BY thoughts DESC, blogs DESC, entry_id DESC LIMIT ?
"""


def citations(database: Database, since: datetime, until: datetime, topic: int | None = None) -> list[Citation]:
    """Return where the posts of a time link to, outside of their own hosts."""
    within = "" if topic is None else "AND entry.id IN (SELECT entry_id FROM gathered WHERE topic_id = :topic)"
    rows = database.execute(
        f"{_CITATIONS} {within} ORDER BY shown_at DESC LIMIT :most",
        {"since": to_text(since), "until": to_text(until), "topic": topic, "most": MOST_CITATIONS},
    ).fetchall()
    return [Citation(key, url, words, id, blog, an_instant(at)) for key, url, words, id, blog, at in rows]


_CITATIONS = f"""
SELECT cited.url_key, cited.url, cited.words, feed_id,
    coalesce(nullif(feed.name, ''), nullif(feed.title, ''), feed.host), shown_at
FROM entry JOIN cited ON cited.entry_id = entry.id JOIN feed ON feed.id = feed_id
WHERE shown_at >= :since AND shown_at < :until AND {_SHOWN}
"""


def weeks_of(database: Database, feed_id: int, until: datetime, weeks: int) -> list[int]:
    """Return how much a blog posted in each of the weeks before an instant, oldest first."""
    since = until - timedelta(weeks=weeks)
    counts = [0] * weeks
    for (text,) in database.execute(
        "SELECT shown_at FROM entry WHERE feed_id = ? AND hidden = '' AND shown_at >= ? AND shown_at <= ?",
        [feed_id, to_text(since), to_text(until)],
    ).fetchall():
        counts[min(weeks - 1, (an_instant(text) - since) // timedelta(weeks=1))] += 1
    return counts


def answers_of(database: Database, feed_id: int) -> list[Tie]:
    """Return to which blogs a blog links most."""
    return _ties(database, f"{_TIES} AND source.id = :id", {"id": feed_id})


def answers_to(database: Database, feed_id: int) -> list[Tie]:
    """Return which blogs link most to a blog."""
    return _ties(database, f"{_TIES} AND target.id = :id", {"id": feed_id})


def ties_in(database: Database, topic: int) -> list[Tie]:
    """Return who links to whom among the posts of a topic."""
    within = "AND linkback.entry_id IN (SELECT entry_id FROM gathered WHERE topic_id = :id)"
    return _ties(database, f"{_TIES} {within}", {"id": topic})


_TIES = """
SELECT source.id AS source, target.id AS target, count(*) AS links
FROM linkback JOIN entry ON entry.id = linkback.entry_id
    JOIN feed AS source ON source.id = linkback.feed_id JOIN feed AS target ON target.id = entry.feed_id
WHERE linkback.status = 'published' AND linkback.feed_id IS NOT NULL AND entry.hidden = '' AND source.id <> target.id
    AND linkback.protocols <> '["comment"]' AND source.removed_at IS NULL AND target.removed_at IS NULL
"""


def _ties(database: Database, sql: str, values: Mapping[str, Any]) -> list[Tie]:
    most = {**values, "most": MOST_TIES}
    rows = database.execute(f"{sql} GROUP BY 1, 2 ORDER BY links DESC, 1, 2 LIMIT :most", most).fetchall()
    blogs = named(database, [id for row in rows for id in row[:2]])
    return [Tie(blogs[row[0]], blogs[row[1]], row[2]) for row in rows]


def named(database: Database, ids: Sequence[int]) -> dict[int, Blog]:
    """Return the blogs of some feeds by their ids."""
    rows = database.query(
        f"SELECT {BLOG_COLUMNS} FROM feed WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(ids))],
    )
    return {row["blog_id"]: blog_of(row) for row in rows}


def newcomers(database: Database, since: datetime, until: datetime, limit: int) -> list[int]:
    """Return the feeds whose first posts came in a time, unless all others did, too: then the planet is new."""
    rows = database.execute(_FIRST_SEEN).fetchall()
    new = [id for id, first in rows if str(to_text(since)) <= first < str(to_text(until))]
    earlier = any(first < str(to_text(since)) for _, first in rows)
    return new[:limit] if earlier else []


_FIRST_SEEN = """
SELECT feed.id, (SELECT first_seen_at FROM entry WHERE feed_id = feed.id ORDER BY entry.id LIMIT 1) AS first
FROM feed WHERE removed_at IS NULL AND first IS NOT NULL ORDER BY first
"""


def returned(database: Database, since: datetime, until: datetime, silence: timedelta) -> list[tuple[int, datetime]]:
    """Return the first posts of a time by blogs that had been silent for long, with the instant of the last before."""
    rows = database.execute(_RETURNED, [to_text(since), to_text(until), to_text(since)]).fetchall()
    found = []
    for post, first_at, before in rows:
        if before and an_instant(first_at) - an_instant(before) >= silence:
            found.append((int(post), an_instant(before)))
    return found


_RETURNED = f"""
SELECT first.id, first.shown_at,
    (SELECT max(shown_at) FROM entry WHERE feed_id = first.feed_id AND hidden = '' AND shown_at < ?3)
FROM (SELECT entry.id, feed_id, min(shown_at) AS shown_at FROM entry JOIN feed ON feed.id = feed_id
    WHERE {_SHOWN} AND shown_at >= ?1 AND shown_at < ?2 GROUP BY feed_id) AS first
"""

"""What must be rendered again: noted in the transaction that changed it, so that no crash loses it.

Posts and the river come first. What else shows a post (its blog's page, its month …) is noted as a section when the
post has been published, and may wait a little.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from aggregator.store.connection import an_instant

_NEXT_CHANGE = "(SELECT value FROM counter WHERE name = 'change')"
_COUNT_UP = "UPDATE counter SET value = value + 1 WHERE name = 'change'"
_RENEW = "ON CONFLICT (kind, id) DO UPDATE SET change = excluded.change"
_RENEW_PLACE = (
    f"{_RENEW}, feed_id = coalesce(excluded.feed_id, feed_id), shown_at = coalesce(excluded.shown_at, shown_at)"
)

Section = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a stale post stands, or stood before it went."""

    id: int
    feed_id: int
    shown_at: datetime


@dataclass(frozen=True, slots=True)
class Stale:
    """Post ids to render, where these stand, whether the river changed, and the change up to which this is true."""

    posts: tuple[int, ...]
    spots: tuple[Spot, ...]
    river: bool
    until: int


@dataclass(frozen=True, slots=True)
class StaleSections:
    """Sections to render, each a kind and a number, and the change up to which this is true."""

    sections: tuple[Section, ...]
    until: int


def mark_posts(database: Database, ids: Iterable[int]) -> None:
    """Note posts whose page changed or must go; inside a transaction."""
    database.execute(_COUNT_UP)
    database.execute(
        f"INSERT INTO stale (kind, id, change, feed_id, shown_at)"
        f" SELECT 'post', value, {_NEXT_CHANGE}, feed_id, shown_at FROM json_each(?)"
        f" LEFT JOIN entry ON entry.id = value WHERE true {_RENEW_PLACE}",
        [json.dumps(list(ids))],
    )


def mark_posts_of(database: Database, feed_id: int) -> None:
    """Note every post of a feed, its blog's page, and all that name this blog elsewhere; inside a transaction."""
    database.execute(_COUNT_UP)
    database.execute(
        f"INSERT INTO stale (kind, id, change, feed_id, shown_at)"
        f" SELECT 'post', id, {_NEXT_CHANGE}, feed_id, shown_at FROM entry WHERE feed_id = ? {_RENEW_PLACE}",
        [feed_id],
    )
    linked_to = database.execute("SELECT DISTINCT entry_id FROM linkback WHERE feed_id = ?", [feed_id]).fetchall()
    if linked_to:
        mark_posts(database, (row[0] for row in linked_to))
    mark_sections(database, [("blog", id) for id in (feed_id, *_linking_to(database, feed_id))])


def _linking_to(database: Database, feed_id: int) -> list[int]:
    rows = database.execute(
        "SELECT DISTINCT linkback.feed_id FROM entry JOIN linkback ON linkback.entry_id = entry.id"
        " WHERE entry.feed_id = ? AND linkback.feed_id IS NOT NULL",
        [feed_id],
    ).fetchall()
    return [row[0] for row in rows]


def mark_river(database: Database) -> None:
    """Note that the front page and the feeds changed; inside a transaction."""
    mark_sections(database, [("river", 0)])


def mark_sections(database: Database, sections: Iterable[Section]) -> None:
    """Note sections whose pages changed or must go; inside a transaction."""
    database.execute(_COUNT_UP)
    database.conn.executemany(
        f"INSERT INTO stale (kind, id, change) VALUES (?, ?, {_NEXT_CHANGE}) {_RENEW}", list(sections)
    )


def mark_everything(database: Database) -> None:
    """Note every post, every blog and the river; inside a transaction."""
    mark_river(database)
    database.execute(
        f"INSERT INTO stale (kind, id, change, feed_id, shown_at)"
        f" SELECT 'post', id, {_NEXT_CHANGE}, feed_id, shown_at FROM entry WHERE true {_RENEW_PLACE}"
    )
    database.execute(
        f"INSERT INTO stale (kind, id, change) SELECT 'blog', id, {_NEXT_CHANGE} FROM feed WHERE true {_RENEW}"
    )


def some(database: Database, limit: int, first: Collection[int] = ()) -> Stale:
    """Return up to `limit` posts to render, newest first; those of `first` that are stale are always among them."""
    until = _until(database)
    urgent = database.execute(
        f"{_SPOTS} AND id IN (SELECT value FROM json_each(?))", [json.dumps(list(first))]
    ).fetchall()
    newest = database.execute(f"{_SPOTS} ORDER BY id DESC LIMIT ?", [limit]).fetchall()
    river = database.execute("SELECT 1 FROM stale WHERE kind = 'river'").fetchone()
    found = {row[0]: row for row in urgent + newest}
    spots = tuple(Spot(id, feed, an_instant(at)) for id, feed, at in found.values() if feed is not None)
    return Stale(tuple(found), spots, river is not None, until)


_SPOTS = "SELECT id, feed_id, shown_at FROM stale WHERE kind = 'post'"


def is_marked(database: Database, section: Section) -> bool:
    """Tell whether a section is to be rendered."""
    return database.execute("SELECT 1 FROM stale WHERE kind = ? AND id = ?", list(section)).fetchone() is not None


def change(database: Database) -> int:
    """Return the number of the latest change."""
    return _until(database)


def is_published_until(database: Database, change: int) -> bool:
    """Tell whether everything that changed up to a number is published."""
    return database.execute("SELECT 1 FROM stale WHERE change <= ? LIMIT 1", [change]).fetchone() is None


def settle(database: Database, rendered: Stale) -> None:
    """Forget what has been rendered, unless it changed again meanwhile; inside a transaction."""
    done: list[Section] = [("post", id) for id in rendered.posts]
    if rendered.river:
        done.append(("river", 0))
    _forget(database, done, rendered.until)


def some_sections(database: Database, limit: int) -> StaleSections:
    """Return up to `limit` sections to render, the ones that changed first coming first."""
    until = _until(database)
    rows = database.execute(
        "SELECT kind, id FROM stale WHERE kind NOT IN ('post', 'river') ORDER BY change, kind, id DESC LIMIT ?", [limit]
    ).fetchall()
    return StaleSections(tuple((kind, id) for kind, id in rows), until)


def settle_sections(database: Database, rendered: StaleSections) -> None:
    """Forget sections that have been rendered, unless they changed again meanwhile; inside a transaction."""
    _forget(database, rendered.sections, rendered.until)


def _until(database: Database) -> int:
    return int(database.execute(f"SELECT {_NEXT_CHANGE}").fetchone()[0])


def _forget(database: Database, sections: Iterable[Section], until: int) -> None:
    database.conn.executemany(
        "DELETE FROM stale WHERE kind = ? AND id = ? AND change <= ?", [(kind, id, until) for kind, id in sections]
    )

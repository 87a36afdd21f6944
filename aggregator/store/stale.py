"""What must be rendered again: noted in the transaction that changed it, so that no crash loses it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlite_utils import Database

_NEXT_CHANGE = "(SELECT value FROM counter WHERE name = 'change')"
_COUNT_UP = "UPDATE counter SET value = value + 1 WHERE name = 'change'"


@dataclass(frozen=True, slots=True)
class Stale:
    """Post ids to render, whether the river changed, and the change up to which this is true."""

    posts: tuple[int, ...]
    river: bool
    until: int


def mark_posts(database: Database, ids: Iterable[int]) -> None:
    """Note posts whose page changed or must go; inside a transaction."""
    database.execute(_COUNT_UP)
    database.conn.executemany(
        f"INSERT INTO stale VALUES ('post', ?, {_NEXT_CHANGE})"
        " ON CONFLICT (kind, id) DO UPDATE SET change = excluded.change",
        ((id,) for id in ids),
    )


def mark_posts_of(database: Database, feed_id: int) -> None:
    """Note every post of a feed; inside a transaction."""
    database.execute(_COUNT_UP)
    database.execute(
        f"INSERT INTO stale SELECT 'post', id, {_NEXT_CHANGE} FROM entry WHERE feed_id = ?"
        " ON CONFLICT (kind, id) DO UPDATE SET change = excluded.change",
        [feed_id],
    )


def mark_river(database: Database) -> None:
    """Note that the front page and the feeds changed; inside a transaction."""
    database.execute(_COUNT_UP)
    database.execute(
        f"INSERT INTO stale VALUES ('river', 0, {_NEXT_CHANGE})"
        " ON CONFLICT (kind, id) DO UPDATE SET change = excluded.change"
    )


def mark_everything(database: Database) -> None:
    """Note every post and the river; inside a transaction."""
    mark_river(database)
    database.execute(
        f"INSERT INTO stale SELECT 'post', id, {_NEXT_CHANGE} FROM entry WHERE true"
        " ON CONFLICT (kind, id) DO UPDATE SET change = excluded.change"
    )


def some(database: Database, limit: int, first: Collection[int] = ()) -> Stale:
    """Return up to `limit` posts to render, newest first; those of `first` that are stale are always among them."""
    until = int(database.execute(f"SELECT {_NEXT_CHANGE}").fetchone()[0])
    urgent = database.execute(
        "SELECT id FROM stale WHERE kind = 'post' AND id IN (SELECT value FROM json_each(?))", [json.dumps(list(first))]
    ).fetchall()
    newest = database.execute("SELECT id FROM stale WHERE kind = 'post' ORDER BY id DESC LIMIT ?", [limit]).fetchall()
    river = database.execute("SELECT 1 FROM stale WHERE kind = 'river'").fetchone()
    return Stale(tuple({row[0]: None for row in urgent + newest}), river is not None, until)


def settle(database: Database, rendered: Stale) -> None:
    """Forget what has been rendered, unless it changed again meanwhile; inside a transaction."""
    database.conn.executemany(
        "DELETE FROM stale WHERE kind = 'post' AND id = ? AND change <= ?",
        ((id, rendered.until) for id in rendered.posts),
    )
    if rendered.river:
        database.execute("DELETE FROM stale WHERE kind = 'river' AND change <= ?", [rendered.until])

"""The pages of the river, numbered from the oldest: their bounds stay where they are, so a page stays what it was.

A post that comes late joins the page of its time; the newest page grows until it is full, and then the next begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlite_utils import Database

from aggregator.overview import Chapter
from aggregator.store.connection import to_text

# More posts of one instant than this are not listed.
MOST_POSTS = 500
_SHOWN = "FROM entry JOIN feed ON feed.id = feed_id WHERE hidden = '' AND removed_at IS NULL"


def extend(database: Database, size: int) -> list[int]:
    """Begin new pages while the newest holds more than `size` posts; inside a transaction.

    Returns the numbers of the pages whose bounds changed.
    """
    row = database.execute("SELECT number, first_at FROM chapter ORDER BY number DESC LIMIT 1").fetchone()
    if row is None:
        if not database.execute(f"SELECT 1 {_SHOWN} LIMIT 1").fetchone():
            return []
        row = database.execute("INSERT INTO chapter VALUES (1, '') RETURNING number, first_at").fetchone()
    number, first_at = row
    changed = []
    while boundary := _boundary(database, first_at, size):
        number, first_at = number + 1, boundary
        database.execute("INSERT INTO chapter VALUES (?, ?)", [number, first_at])
        changed += [number - 1, number]
    return changed or ([1] if number == 1 else [])


def _boundary(database: Database, first_at: str, size: int) -> str | None:
    """The first instant that the page from `first_at` has no room for."""
    rows = database.execute(
        f"SELECT shown_at {_SHOWN} AND shown_at >= ? ORDER BY shown_at, entry.id LIMIT ?", [first_at, size + 1]
    ).fetchall()
    if len(rows) <= size:
        return None
    earliest, latest = rows[0][0], rows[-1][0]
    if latest > earliest:
        return str(latest)
    # Posts of one instant can't be told apart.
    row = database.execute(f"SELECT min(shown_at) {_SHOWN} AND shown_at > ?", [latest]).fetchone()
    return row[0] and str(row[0])


def at(database: Database, instants: Iterable[datetime]) -> set[int]:
    """Return the numbers of the pages to which instants belong."""
    found = (
        database.execute("SELECT max(number) FROM chapter WHERE first_at <= ?", [to_text(instant)]).fetchone()[0]
        for instant in instants
    )
    return {number for number in found if number}


def get(database: Database, number: int) -> Chapter | None:
    """Return a page, or None where there is none (yet)."""
    row = database.execute(
        "SELECT first_at, (SELECT first_at FROM chapter AS next WHERE next.number = chapter.number + 1) FROM chapter"
        " WHERE number = ?",
        [number],
    ).fetchone()
    if row is None:
        return None
    return Chapter(number, _instant(row[0]), _instant(row[1]) if row[1] else None)


def last(database: Database) -> int:
    """Return the number of the newest page, 0 when there is none."""
    return int(database.execute("SELECT coalesce(max(number), 0) FROM chapter").fetchone()[0])


def posts(database: Database, chapter: Chapter) -> list[int]:
    """Return the ids of the posts of a page, newest first."""
    return between(database, chapter.first_at, chapter.until, MOST_POSTS)


def between(database: Database, since: datetime, until: datetime | None, limit: int) -> list[int]:
    """Return the ids of the newest posts from one instant up to another, newest first."""
    rows = database.execute(
        f"SELECT entry.id {_SHOWN} AND shown_at >= ? AND shown_at < ? ORDER BY shown_at DESC, entry.id DESC LIMIT ?",
        [to_text(since), to_text(until) if until else "9999", limit],
    ).fetchall()
    return [row[0] for row in rows]


def older_than(database: Database, shown_at: datetime, id: int) -> tuple[int, datetime] | None:
    """Return the id and the place of the post next below another one."""
    row = database.execute(
        f"SELECT entry.id, shown_at {_SHOWN} AND (shown_at, entry.id) < (?, ?)"
        " ORDER BY shown_at DESC, entry.id DESC LIMIT 1",
        [to_text(shown_at), id],
    ).fetchone()
    return (int(row[0]), _instant(row[1])) if row else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text or "0001-01-01T00:00:00Z")

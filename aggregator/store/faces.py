"""Pictures of blogs: where they are asked for, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from aggregator.store import stale
from aggregator.store.connection import to_text


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blog whose picture may be asked for now, and where it is."""

    feed_id: int
    url: str


def due(database: Database, now: datetime, limit: int) -> list[Wanted]:
    """Return blogs whose picture has never been asked for at its address, or not for long."""
    rows = database.execute(_DUE, [to_text(now), limit]).fetchall()
    return [Wanted(*row) for row in rows]


_DUE = """
SELECT feed.id, coalesce(nullif(feed.face, ''), feed.icon) AS wanted
FROM feed LEFT JOIN face ON face.feed_id = feed.id
WHERE removed_at IS NULL AND wanted <> '' AND (face.url IS NULL OR face.url <> wanted OR next_at <= ?)
ORDER BY next_at LIMIT ?
"""


def record(database: Database, wanted: Wanted, name: str, image: bytes, next_at: datetime) -> None:
    """Keep a picture under the name of its file, or note that there is none (""); inside a transaction."""
    before = database.execute("SELECT name FROM face WHERE feed_id = ?", [wanted.feed_id]).fetchone()
    database.execute(
        "INSERT INTO face (feed_id, url, name, image, next_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (feed_id)"
        " DO UPDATE SET url = excluded.url, name = excluded.name, image = excluded.image, next_at = excluded.next_at",
        [wanted.feed_id, wanted.url, name, image, to_text(next_at)],
    )
    if name != (before[0] if before else ""):
        stale.mark_posts_of(database, wanted.feed_id)
        stale.mark_sections(database, [("faces", 0)])
        stale.mark_river(database)


def postpone(database: Database, wanted: Wanted, next_at: datetime) -> None:
    """Ask again later, and keep what is there; inside a transaction."""
    database.execute(
        "INSERT INTO face (feed_id, url, name, image, next_at) VALUES (?, ?, '', x'', ?) ON CONFLICT (feed_id)"
        " DO UPDATE SET url = excluded.url, next_at = excluded.next_at",
        [wanted.feed_id, wanted.url, to_text(next_at)],
    )


def images(database: Database) -> dict[str, bytes]:
    """Return all pictures that are kept, by the names of their files."""
    rows = database.execute(
        "SELECT face.name, image FROM face JOIN feed ON feed.id = feed_id WHERE face.name <> '' AND removed_at IS NULL"
    ).fetchall()
    return dict(rows)

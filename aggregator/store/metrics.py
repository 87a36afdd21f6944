"""What the jobs have counted since the planet began, and what stands in their queues."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlite_utils import Database

from aggregator.store.connection import to_text

# A counter's name and its label, which is "" when it has none.
Key = tuple[str, str]


def add(database: Database, counts: Mapping[Key, float]) -> None:
    """Add to counters; inside a transaction."""
    database.conn.executemany(
        "INSERT INTO metric VALUES (?, ?, ?) ON CONFLICT (name, label) DO UPDATE SET value = value + excluded.value",
        ((name, label, float(value)) for (name, label), value in counts.items() if value),
    )


def counters(database: Database) -> dict[str, dict[str, float]]:
    """Return every counter: by name, then by label."""
    found: dict[str, dict[str, float]] = {}
    for name, label, value in database.execute("SELECT name, label, value FROM metric").fetchall():
        found.setdefault(name, {})[label] = value
    return found


def queues(database: Database, now: datetime) -> dict[str, int]:
    """Return how much waits to be done, by what it is."""
    row = database.execute(_QUEUES, {"now": to_text(now)}).fetchone()
    return dict(zip(("feeds", "linkbacks", "rechecks", "pages", "links"), row, strict=True))


_QUEUES = """
SELECT
    (SELECT count(*) FROM feed WHERE enabled AND removed_at IS NULL AND retired_at IS NULL AND next_poll_at <= :now),
    (SELECT count(*) FROM linkback WHERE status = 'pending' AND next_try_at <= :now),
    (SELECT count(*) FROM linkback WHERE recheck_at IS NOT NULL AND recheck_at <= :now),
    (SELECT count(*) FROM stale),
    (SELECT count(*) FROM to_link)
"""


def size(database: Database) -> int:
    """Return how many bytes the database file holds."""
    pages, page = (int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return pages * page

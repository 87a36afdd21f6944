"""Whom the operator refuses and whom they always allow, beside what the configuration says."""

from __future__ import annotations

from datetime import datetime

from sqlite_utils import Database

from aggregator.store.connection import to_text


def patterns(database: Database) -> list[str]:
    """Return the hosts and prefixes that are blocked."""
    return [row[0] for row in database.execute("SELECT pattern FROM block ORDER BY pattern").fetchall()]


def add(database: Database, pattern: str, now: datetime) -> None:
    """Block a host or a prefix; inside a transaction."""
    database.execute("INSERT OR IGNORE INTO block VALUES (?, ?)", [pattern, to_text(now)])


def remove(database: Database, pattern: str) -> bool:
    """Unblock; inside a transaction. Tells whether it was blocked."""
    return database.execute("DELETE FROM block WHERE pattern = ?", [pattern]).rowcount > 0


def allow(database: Database, host: str, now: datetime) -> None:
    """Publish links of a host as soon as they are found; inside a transaction."""
    database.execute("INSERT OR IGNORE INTO allow VALUES (?, ?)", [host, to_text(now)])


def disallow(database: Database, host: str) -> bool:
    """Take that back; inside a transaction. Tells whether there was anything to take back."""
    return database.execute("DELETE FROM allow WHERE host = ?", [host]).rowcount > 0


def is_allowed(database: Database, host: str) -> bool:
    """Tell whether links of a host are published as soon as they are found."""
    return database.execute("SELECT 1 FROM allow WHERE host = ?", [host]).fetchone() is not None


def allowed(database: Database) -> list[str]:
    """Return the hosts that are always allowed."""
    return [row[0] for row in database.execute("SELECT host FROM allow ORDER BY host").fetchall()]

"""The history of polls: the newest few of each feed."""

from __future__ import annotations

from sqlite_utils import Database

from aggregator.model import Poll
from aggregator.store.connection import an_instant, to_text


def record(database: Database, feed_id: int, number: int, poll: Poll, keep: int) -> None:
    """Store a feed's poll of that number in place of the oldest one that is kept; inside a transaction."""
    database.execute(
        "INSERT OR REPLACE INTO poll VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            feed_id,
            number % keep,
            to_text(poll.at),
            poll.status,
            poll.bytes,
            poll.milliseconds,
            poll.outcome,
            poll.new_entries,
            poll.edited_entries,
            poll.problem,
        ],
    )


def keep_only(database: Database, keep: int) -> None:
    """Forget the polls that are kept no more, after the configuration keeps fewer; inside a transaction."""
    database.execute("DELETE FROM poll WHERE slot >= ?", [keep])


def history(database: Database, feed_id: int) -> list[Poll]:
    """Return the polls of a feed that are kept, newest first."""
    rows = database.execute(
        "SELECT at, status, bytes, milliseconds, outcome, new_entries, edited_entries, problem FROM poll"
        " WHERE feed_id = ? ORDER BY at DESC, slot DESC",
        [feed_id],
    ).fetchall()
    return [Poll(an_instant(at), *rest) for at, *rest in rows]

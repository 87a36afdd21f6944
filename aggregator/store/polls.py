"""The history of polls: the newest few of each feed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlite_utils import Database

from aggregator.model import Poll
from aggregator.store.connection import an_instant, to_text


def record(database: Database, polls: Iterable[tuple[int, Poll]], keep: int) -> None:
    """Store the newest poll of feeds, each in place of the oldest one that is kept; inside a transaction."""
    database.conn.executemany(
        "INSERT OR REPLACE INTO poll SELECT polls % ?, id, ?, ?, ?, ?, ?, ?, ?, ? FROM feed WHERE id = ?",
        (
            (
                keep,
                to_text(poll.at),
                poll.status,
                poll.bytes,
                poll.milliseconds,
                poll.outcome,
                poll.new_entries,
                poll.edited_entries,
                poll.problem,
                feed_id,
            )
            for feed_id, poll in polls
        ),
    )


def keep_only(database: Database, keep: int) -> None:
    """Forget the polls that are kept no more, after the configuration keeps fewer; inside a transaction."""
    database.execute("DELETE FROM poll WHERE slot >= ?", [keep])


def history(database: Database, feed_id: int) -> list[Poll]:
    """Return the polls of a feed that are kept, newest first."""
    return [Poll(an_instant(at), *rest) for at, *rest in database.execute(_HISTORY, [feed_id])]


# One look for each slot: a feed's polls lie as far apart as they were.
_HISTORY = """
WITH RECURSIVE slots (slot) AS (
    SELECT min(slot) FROM poll
    UNION ALL SELECT (SELECT min(slot) FROM poll WHERE poll.slot > slots.slot) FROM slots WHERE slot IS NOT NULL
)
SELECT at, status, bytes, milliseconds, outcome, new_entries, edited_entries, problem
FROM slots JOIN poll ON poll.slot = slots.slot AND feed_id = ? ORDER BY at DESC, slots.slot DESC
"""

"""How news of feeds arrives: who hints at them, whether pushes are relied on, and how long the newest post took."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlite_utils import Database

from aggregator.model import Way
from aggregator.store.connection import to_instant, to_text


def hint(database: Database, feed_id: int, now: datetime, by: Literal["push", "ping"] = "ping") -> None:
    """Let a feed be polled because somebody says that it changed, at most every five minutes; inside a transaction.

    It is polled now, or when the rest since the last hint is over, but not before its server lets us. A feed that
    fails keeps its own pace: anybody can send such a hint. One that is being asked at this moment is asked once more:
    the answer may be older than the hint.
    """
    _planned(database, feed_id, "hinted_at", now)
    # Also when that is planned: a poll that came due meanwhile, before this hint, has taken the plan with it.
    database.execute(_HINTED, {"id": feed_id, "by": by})


_HINTED = """
UPDATE feed SET hint = CASE WHEN hint = '' THEN :by ELSE hint END,
    next_poll_at = min(next_poll_at, max(hinted_at, coalesce(stay_away_until, '')))
WHERE id = :id AND failures = 0
"""


def is_planned(database: Database, feed_id: int, now: datetime) -> bool:
    """Tell whether one more hint at a feed would change nothing: it is to be polled for one, once its rest is over."""
    row = database.execute(_IS_PLANNED, [to_text(now), feed_id]).fetchone()
    return bool(row and row[0])


_IS_PLANNED = "SELECT hinted_at > ? AND (hint <> '' OR failures > 0) FROM feed WHERE id = ?"


def links_due(database: Database, feed_id: int, now: datetime) -> datetime | None:
    """Return when a blog's links are to be looked at again because it says that it changed; inside a transaction.

    None when that is planned already: it happens at most every five minutes.
    """
    return _planned(database, feed_id, "pinged_at", now)


def _planned(
    database: Database, feed_id: int, column: Literal["hinted_at", "pinged_at"], now: datetime
) -> datetime | None:
    last = to_instant(database.execute(f"SELECT {column} FROM feed WHERE id = ?", [feed_id]).fetchone()[0])
    at = now if last is None else max(now, last if last > now else last + HINT_REST)
    if at == last:
        return None
    database.execute(f"UPDATE feed SET {column} = ? WHERE id = ?", [to_text(at), feed_id])
    return at


HINT_REST = timedelta(minutes=5)


def record(database: Database, feed_id: int, by: Way, lag: timedelta | None) -> None:
    """Note how a feed's newest post came, and how long after its publication; inside a transaction."""
    seconds = lag.total_seconds() if lag is not None else None
    database.execute("UPDATE feed SET news_by = ?, news_lag = ? WHERE id = ?", [by, seconds, feed_id])


def trust(database: Database, feed_id: int, now: datetime) -> None:
    """Rely on a feed's pushes, as long as somebody is bound to send them; inside a transaction."""
    database.execute(
        "UPDATE feed SET trusted_at = coalesce(trusted_at, ?) WHERE id = ?"
        " AND EXISTS (SELECT 1 FROM subscription WHERE feed_id = feed.id AND state = 'active')",
        [to_text(now), feed_id],
    )


def distrust(database: Database, feed_id: int) -> None:
    """Rely on polls again; inside a transaction."""
    database.execute("UPDATE feed SET trusted_at = NULL WHERE id = ?", [feed_id])


def distrust_deserted(database: Database, now: datetime) -> int:
    """Poll the feeds at once that were trusted, and of which nobody is bound to tell any more; in a transaction."""
    done = database.execute(
        "UPDATE feed SET trusted_at = NULL, next_poll_at = min(next_poll_at, max(?, coalesce(stay_away_until, '')))"
        " WHERE trusted_at IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM subscription WHERE feed_id = feed.id AND state = 'active')",
        [to_text(now)],
    )
    return int(done.rowcount)

"""What an operator ought to know, and what was told already, by each channel."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlite_utils import Database

from aggregator.model import Notice
from aggregator.store.connection import to_text

BROKEN_FOR = timedelta(days=3)
# What waits is told at most so often, and only when something new waits.
WAITING_AGAIN = timedelta(days=1)

Channel = Literal["mail", "webhook"]


def due(database: Database, channel: Channel, now: datetime) -> list[Notice]:
    """Return what is to be told now: everything that is so and hasn't been told."""
    told = {(row[0], row[1]) for row in _told(database, channel)}
    found = [notice for notice in _conditions(database, now) if (notice.what, notice.about) not in told]
    return found + _waiting(database, channel, now)


def record(database: Database, channel: Channel, notices: Collection[Notice], now: datetime) -> None:
    """Note what was told; inside a transaction."""
    database.conn.executemany(
        "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)",
        ((channel, notice.what, notice.about, to_text(now)) for notice in notices),
    )


def forget_settled(database: Database, now: datetime) -> None:
    """Forget that it was told what isn't so any more: should it happen again, it is news; inside a transaction."""
    current = {(notice.what, notice.about) for notice in _conditions(database, now)}
    for what, about in database.execute("SELECT DISTINCT what, about FROM told WHERE what <> 'waiting'").fetchall():
        if (what, about) not in current:
            database.execute("DELETE FROM told WHERE what = ? AND about = ?", [what, about])


def _told(database: Database, channel: Channel) -> list[tuple[str, str]]:
    return database.execute("SELECT what, about FROM told WHERE channel = ?", [channel]).fetchall()


def _conditions(database: Database, now: datetime) -> list[Notice]:
    rows = database.query(_CONDITIONS, {"since": to_text(now - BROKEN_FOR)})
    return [notice for row in rows if (notice := _notice(row))]


_CONDITIONS = """
SELECT url, coalesce(nullif(name, ''), nullif(title, ''), url) AS name, problem, quarantine, retired_at, address,
    address_why, failing_since <= :since AS is_broken, failing_since
FROM feed WHERE removed_at IS NULL AND enabled AND (quarantine <> '' OR retired_at IS NOT NULL
    OR (address <> '' AND address_why = 'moved') OR failing_since <= :since)
ORDER BY name COLLATE NOCASE
"""


def _notice(row: dict[str, Any]) -> Notice | None:
    url, blog = row["url"], f"{row['name']} <{row['url']}>"
    if row["retired_at"]:
        words = f"{blog} has said for good that it is gone. Take it out: planet remove {url}"
        return Notice("retired", url, words)
    if row["quarantine"]:
        words = f"{blog} is in quarantine: {row['quarantine']}. Nothing new of it is shown. Look at the blog; if it is"
        return Notice("quarantined", url, f"{words} still the one you mean: planet release {url}")
    if row["is_broken"]:
        words = f"{blog} has not been read since {row['failing_since'][:10]}: {row['problem']}. planet explain {url}"
        return Notice("broken", url, words)
    words = f"{blog} has moved to {row['address']}, and is fetched there. planet check --fix writes that down"
    return Notice("moved", row["address"], words)


def _waiting(database: Database, channel: Channel, now: datetime) -> list[Notice]:
    row = database.execute("SELECT at FROM told WHERE channel = ? AND what = 'waiting'", [channel]).fetchone()
    last = row[0] if row else ""
    if last > str(to_text(now - WAITING_AGAIN)):
        return []
    new, all_of_them = database.execute(
        "SELECT count(*) FILTER (WHERE settled_at > ?), count(*) FROM linkback WHERE status = 'held'", [last]
    ).fetchone()
    if not new:
        return []
    wait = "1 linkback waits" if all_of_them == 1 else f"{all_of_them} linkbacks wait"
    return [Notice("waiting", "", f"{wait} for you: planet mentions list --status held")]

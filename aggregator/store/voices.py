"""By what feeds are recognised, and which of them wait for the operator because they have changed too much."""

from __future__ import annotations

import json
from datetime import datetime

from sqlite_utils import Database

from aggregator.model import Voice
from aggregator.store.connection import to_text


def voice(database: Database, feed_id: int) -> Voice:
    """Return how a feed sounded when it was last believed."""
    row = database.execute("SELECT voice FROM feed WHERE id = ?", [feed_id]).fetchone()
    if row is None or not row[0]:
        return Voice()
    found = json.loads(row[0])
    return Voice(found["title"], found["host"], found["generator"], found["language"])


def record_voice(database: Database, feed_id: int, heard: Voice) -> None:
    """Store how a feed sounds, and lift its quarantine; inside a transaction."""
    text = json.dumps(
        {
            "title": heard.title,
            "host": heard.host,
            "generator": heard.generator,
            "language": heard.language,
        }
    )
    database.execute(
        "UPDATE feed SET voice = ?, quarantine = '' WHERE id = ? AND (voice <> ? OR quarantine <> '')",
        [text, feed_id, text],
    )


def quarantine(database: Database, feed_id: int, why: str) -> None:
    """Let nothing new of a feed be shown until the operator releases it; inside a transaction."""
    database.execute("UPDATE feed SET quarantine = ? WHERE id = ?", [why, feed_id])


def release(database: Database, url: str, now: datetime) -> bool:
    """Believe a feed again, as it is now, and poll it as soon as its server lets us; inside a transaction.

    False for an unknown feed.

    Its next body is read whatever it was, and sets the new voice. A retired feed is asked again, too.
    """
    released = database.execute(
        "UPDATE feed SET quarantine = '', voice = '', body_hash = x'', etag = '', last_modified = '',"
        " retired_at = NULL, gone_at = NULL, next_poll_at = max(?, coalesce(stay_away_until, ''))"
        " WHERE url = ? AND removed_at IS NULL",
        [to_text(now), url],
    )
    return bool(released.rowcount)

"""Instants that lie further ahead than any rule puts them: what a clock leaves that ran ahead and was set back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator.sameness import TOLERANCE
from aggregator.store import stale
from aggregator.store.comments import NEVER
from aggregator.store.connection import to_text, transaction

# A verification is tried again within hours, a link that was found is looked at again within a month, comments are
# asked for again within a day.
TRY_AGAIN_WITHIN = timedelta(days=1)
LOOK_AGAIN_WITHIN = timedelta(days=31)
COMMENTS_WITHIN = timedelta(days=2)


def bring_back(database: Database, now: datetime, poll_within: timedelta) -> int:
    """Let what would wait for such an instant be done now, and posts stand where they would; return how much it was.

    No feed waits longer than `poll_within`. Raises: StoreFailed.
    """
    with transaction(database):
        at = to_text(now)
        counts = [
            database.execute(statement, {"now": at, "latest": to_text(now + within)}).rowcount
            for statement, within in (
                (_FEEDS, poll_within),
                (_PENDING, TRY_AGAIN_WITHIN),
                (_FOUND, LOOK_AGAIN_WITHIN),
                (_COMMENTS, COMMENTS_WITHIN),
            )
        ]
        latest = to_text(now + TOLERANCE)
        posts = [row[0] for row in database.execute(_AHEAD, [latest]).fetchall()]
        if posts:
            stale.mark_posts(database, posts)  # with the places that they leave
            database.execute("UPDATE entry SET shown_at = ? WHERE hidden = '' AND shown_at > ?", [at, latest])
            stale.mark_river(database)
    return sum(counts) + len(posts)


_FEEDS = """
UPDATE feed SET next_poll_at = :now, stay_away_until = NULL WHERE next_poll_at > :latest OR stay_away_until > :latest
"""
_PENDING = """
UPDATE linkback SET next_try_at = :now WHERE status = 'pending' AND next_try_at > :latest
"""
_FOUND = """
UPDATE linkback SET recheck_at = :now WHERE recheck_at IS NOT NULL AND recheck_at > :latest
"""
_COMMENTS = f"""
UPDATE entry SET comments_at = :now
WHERE comments_feed <> '' AND hidden = '' AND comments_at > :latest AND comments_at <> '{NEVER}'
"""
_AHEAD = "SELECT id FROM entry INDEXED BY entry_river WHERE hidden = '' AND shown_at > ?"

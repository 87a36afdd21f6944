"""Linkbacks: claims as they were received, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from aggregator.model import Claim, Evidence, Mention, PendingLinkback, Status, Thought
from aggregator.store import stale
from aggregator.store.connection import to_instant, to_text, transaction
from aggregator.urls import canonical, host_of


@dataclass(frozen=True, slots=True)
class Known:
    """A linkback as it stands when the same claim comes again."""

    id: int
    token: str
    status: Status


def find(database: Database, source: str, entry_id: int) -> Known | None:
    """Return the linkback from `source` to a post, whichever of the post's addresses it names."""
    row = database.execute(_FIND, [canonical(source), entry_id]).fetchone()
    return Known(row[0], row[1], Status(row[2])) if row else None


_FIND = "SELECT id, token, status FROM linkback WHERE source_key = ? AND entry_id = ?"


def add(database: Database, claim: Claim, entry_id: int, feed_id: int | None, token: str) -> None:
    """Store a claim that is new, to be verified now; inside a transaction."""
    database.execute(
        "INSERT INTO linkback (token, entry_id, source, source_key, source_host, target, protocols,"
        " status, received_at, asked_at, next_try_at, feed_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            token,
            entry_id,
            claim.source,
            canonical(claim.source),
            host_of(claim.source),
            claim.target,
            json.dumps([claim.protocol]),
            Status.PENDING,
            to_text(claim.received_at),
            to_text(claim.received_at),
            to_text(claim.received_at),
            feed_id,
        ],
    )


def renew(database: Database, id: int, claim: Claim) -> None:
    """Verify a settled linkback once more, because its sender says so; inside a transaction."""
    asked_at = to_text(claim.received_at)
    database.execute(
        "UPDATE linkback SET status = ?, asked_at = ?, next_try_at = ?, attempts = 0, problem = '', target = ?,"
        " protocols = CASE WHEN EXISTS (SELECT 1 FROM json_each(protocols) WHERE value = ?) THEN protocols"
        " ELSE json_insert(protocols, '$[#]', ?) END WHERE id = ?",
        [
            Status.PENDING,
            asked_at,
            asked_at,
            claim.target,
            claim.protocol,
            claim.protocol,
            id,
        ],
    )


def take_pending(
    database: Database, now: datetime, again_at: datetime, limit: int, busy_hosts: Collection[str]
) -> list[PendingLinkback]:
    """Take up to `limit` linkbacks to verify, one per source host; each comes again if nobody settles it."""
    # Looked up without the write lock, and many rows at a time: one host may have a flood of them waiting.
    rows = list(database.query(_PENDING, [to_text(now), json.dumps(list(busy_hosts)), 8 * limit]))
    first_of_host = {row["source_host"]: row for row in reversed(rows)}
    taken = list(first_of_host.values())[:limit]
    if taken:
        with transaction(database):
            database.conn.executemany(
                "UPDATE linkback SET next_try_at = ?, attempts = attempts + 1 WHERE id = ?",
                ((to_text(again_at), row["id"]) for row in taken),
            )
    return [
        PendingLinkback(
            id=row["id"],
            source=row["source"],
            targets=(row["target"], row["url"], f"/posts/{row['entry_id']}-{row['slug']}/"),
            feed_id=row["feed_id"],
            attempts=row["attempts"],
        )
        for row in taken
    ]


_PENDING = """
SELECT linkback.id, source, source_host, target, entry_id, entry.url, entry.slug, linkback.feed_id, attempts
FROM linkback INDEXED BY linkback_to_verify JOIN entry ON entry.id = entry_id
WHERE linkback.status = 'pending' AND next_try_at <= ?
    AND source_host NOT IN (SELECT value FROM json_each(?))
ORDER BY next_try_at LIMIT ?
"""


def settle(database: Database, id: int, status: Status, evidence: Evidence | None, problem: str, now: datetime) -> None:
    """Store what a verification found; inside a transaction."""
    title, excerpt = (evidence.title, evidence.excerpt) if evidence else ("", ("", "", ""))
    row = database.execute(
        "UPDATE linkback SET status = ?, settled_at = ?, next_try_at = NULL, problem = ?, title = ?, excerpt = ?"
        " WHERE id = ? RETURNING entry_id",
        [status, to_text(now), problem, title, json.dumps(excerpt), id],
    ).fetchone()
    if row:
        stale.mark_posts(database, [row[0]])
        stale.mark_river(database)


def try_again(database: Database, id: int, at: datetime, problem: str) -> None:
    """Leave a linkback pending after a failure that may pass; inside a transaction."""
    database.execute("UPDATE linkback SET next_try_at = ?, problem = ? WHERE id = ?", [to_text(at), problem, id])


def thoughts(database: Database, entry_ids: Sequence[int]) -> dict[int, list[Thought]]:
    """Return the published thoughts under each of the posts, numbered in order of time."""
    rows = database.query(_THOUGHTS, [json.dumps(entry_ids)])
    found: dict[int, list[Thought]] = {}
    for row in rows:
        thread = found.setdefault(row["entry_id"], [])
        thread.append(_thought(row, len(thread) + 1))
    return found


_THOUGHTS = """
SELECT entry_id, source, source_host, linkback.title, excerpt, protocols, received_at,
    coalesce(nullif(feed.name, ''), nullif(feed.title, ''), '') AS blog
FROM linkback LEFT JOIN feed ON feed.id = linkback.feed_id
WHERE linkback.status = 'published' AND entry_id IN (SELECT value FROM json_each(?))
ORDER BY entry_id, received_at, linkback.id
"""


def mention(database: Database, token: str) -> Mention | None:
    """Return what the sender of a ping may know, or None for an unknown token."""
    rows = database.query(f"{_MENTION} WHERE token = ?", [token])
    return next((_mention(row) for row in rows), None)


def from_source(database: Database, url: str) -> list[Mention]:
    """Return what became of the linkbacks from one source."""
    return [_mention(row) for row in database.query(f"{_MENTION} WHERE source_key = ?", [canonical(url)])]


def forget(database: Database, url: str) -> int:
    """Delete the linkbacks from one source; inside a transaction. Returns how many there were."""
    rows = database.execute("DELETE FROM linkback WHERE source_key = ? RETURNING entry_id", [canonical(url)]).fetchall()
    if rows:
        stale.mark_posts(database, [row[0] for row in rows])
        stale.mark_river(database)
    return len(rows)


_MENTION = """
SELECT token, source, target, linkback.status, received_at, asked_at, entry_id, slug, hidden
FROM linkback JOIN entry ON entry.id = entry_id
"""


def _mention(row: dict[str, Any]) -> Mention:
    received_at, asked_at = to_instant(row["received_at"]), to_instant(row["asked_at"])
    assert received_at is not None
    assert asked_at is not None
    return Mention(
        token=row["token"],
        source=row["source"],
        target=row["target"],
        status=Status(row["status"]),
        received_at=received_at,
        asked_at=asked_at,
        post_path=f"/posts/{row['entry_id']}-{row['slug']}/" if not row["hidden"] else "",
    )


def counts(database: Database) -> dict[str, int]:
    """Return how many linkbacks have each status, all statuses named."""
    found = dict(database.execute("SELECT status, count(*) FROM linkback GROUP BY status").fetchall())
    return {status.value: int(found.get(status.value, 0)) for status in Status}


def _thought(row: dict[str, Any], number: int) -> Thought:
    at = to_instant(row["received_at"])
    assert at is not None
    before, linked, after = json.loads(row["excerpt"])
    return Thought(
        number=number,
        kind=json.loads(row["protocols"])[0],
        url=row["source"],
        title=row["title"],
        blog=row["blog"] or row["source_host"].removeprefix("www."),
        at=at,
        excerpt=(before, linked, after),
    )

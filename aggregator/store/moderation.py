"""Linkbacks as the operator sees and settles them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from aggregator.errors import NothingKnown
from aggregator.model import ListedMention, Status
from aggregator.store import blocks, mentions, stale
from aggregator.store.connection import to_instant, to_text
from aggregator.urls import canonical, is_blocked, is_pattern


def listed(database: Database, status: Status | None, limit: int) -> list[ListedMention]:
    """Return linkbacks, or those of one status, newest first."""
    where = "WHERE ? IN ('', linkback.status) ORDER BY received_at DESC, linkback.id DESC LIMIT ?"
    rows = database.query(f"{_LISTED} {where}", [status or "", limit])
    return [_listed(row) for row in rows]


def of_blog(database: Database, feed_id: int, limit: int) -> list[ListedMention]:
    """Return the published linkbacks of a blog's posts that are shown, newest first."""
    rows = database.query(_OF_BLOG, [feed_id, limit])
    return [_listed(row) for row in rows]


_LISTED = """
SELECT linkback.id, token, linkback.status, linkback.kind, protocols, source, source_host, linkback.title,
    linkback.author, excerpt, received_at, target, linkback.problem, entry_id, entry.slug, entry.title AS post,
    entry.lede, coalesce(nullif(feed.name, ''), nullif(feed.title, ''), '') AS blog
FROM linkback JOIN entry ON entry.id = entry_id LEFT JOIN feed ON feed.id = linkback.feed_id
"""
_OF_BLOG = f"""
{_LISTED} WHERE entry.feed_id = ? AND entry.hidden = '' AND linkback.status = 'published'
ORDER BY received_at DESC, linkback.id DESC LIMIT ?
"""


def matching(database: Database, what: str) -> list[int]:
    """Return the ids of the linkbacks that an operator means: by id, by source host, or by a prefix of sources."""
    if what.isdigit():
        rows = database.execute("SELECT id FROM linkback WHERE id = ?", [int(what)]).fetchall()
        return [row[0] for row in rows]
    if "/" not in what:
        host = what.lower()
        rows = database.execute(
            "SELECT id, source FROM linkback WHERE source_host = ? OR substr(source_host, -length(?)) = ?",
            [host, f".{host}", f".{host}"],
        ).fetchall()
    else:
        key = canonical(what if "://" in what else f"https://{what}")
        rows = database.execute(
            "SELECT id, source FROM linkback WHERE source_key >= ? AND source_key < ?", [key, f"{key}\U0010ffff"]
        ).fetchall()
    return [id for id, source in rows if is_blocked(source, (what,))]


def host_of(database: Database, id: int) -> str:
    """Return the host of a linkback's source, or ""."""
    row = database.execute("SELECT source_host FROM linkback WHERE id = ?", [id]).fetchone()
    return str(row[0]) if row else ""


def stands(database: Database, ids: Sequence[int]) -> list[tuple[int, Status, str]]:
    """Return of each linkback its id, what became of it, and its problem."""
    rows = database.execute(
        "SELECT id, status, problem FROM linkback WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        [json.dumps(list(ids))],
    ).fetchall()
    return [(id, Status(status), problem) for id, status, problem in rows]


def approve(database: Database, ids: Sequence[int], now: datetime) -> int:
    """Publish what was found and held or hidden; what is still being verified is published when it is found.

    Inside a transaction. Returns how many will be shown.
    """
    return _decide(database, ids, "approved", Status.PUBLISHED, (Status.HELD, Status.HIDDEN, Status.PUBLISHED), now)


def hide(database: Database, ids: Sequence[int], now: datetime) -> int:
    """Show these no more, whatever is found; inside a transaction. Returns how many."""
    return _decide(database, ids, "hidden", Status.HIDDEN, (Status.HELD, Status.PUBLISHED, Status.HIDDEN), now)


def remove(database: Database, ids: Sequence[int]) -> int:
    """Forget linkbacks; inside a transaction. Returns how many there were."""
    for id in ids:
        touched = mentions.touched(database, id)
        database.execute("DELETE FROM linkback WHERE id = ?", [id])
        _mark(database, touched)
    return len(ids)


def block(database: Database, pattern: str, now: datetime) -> int:
    """Refuse a host or a prefix from now on, and forget what came from there; inside a transaction.

    Raises: NothingKnown for what is neither.
    """
    if not is_pattern(pattern):
        raise NothingKnown(f"{pattern} can't be blocked: write a host (spam.example) or a prefix (spam.example/path/)")
    blocks.add(database, pattern, now)
    return remove(database, matching(database, pattern))


def _decide(
    database: Database, ids: Sequence[int], decision: str, status: Status, found: tuple[Status, ...], now: datetime
) -> int:
    decided = 0
    for id in ids:
        row = database.execute("SELECT status FROM linkback WHERE id = ?", [id]).fetchone()
        if row is None or Status(row[0]) not in (*found, Status.PENDING):
            continue
        decided += 1
        before = mentions.touched(database, id)
        database.execute("UPDATE linkback SET decision = ? WHERE id = ?", [decision, id])
        if row[0] != Status.PENDING:
            recheck_at = to_text(now) if status is Status.PUBLISHED else None
            database.execute(
                "UPDATE linkback SET status = ?, recheck_at = CASE WHEN protocols <> '[\"comment\"]' THEN ? END"
                " WHERE id = ?",
                [status, recheck_at, id],
            )
        _mark(database, {*before, *mentions.touched(database, id)})
    return decided


def _mark(database: Database, ids: Sequence[int] | set[int]) -> None:
    stale.mark_posts(database, ids)
    stale.mark_river(database)


def _listed(row: dict[str, Any]) -> ListedMention:
    received_at = to_instant(row["received_at"])
    assert received_at is not None
    before, linked, after = json.loads(row["excerpt"])
    return ListedMention(
        id=row["id"],
        token=row["token"],
        status=Status(row["status"]),
        kind=row["kind"] or mentions.way_of(row["protocols"]),
        source=row["source"],
        title=row["title"],
        author=row["author"],
        blog=row["blog"] or row["source_host"].removeprefix("www."),
        excerpt=(before, linked, after),
        received_at=received_at,
        target=row["target"],
        post=row["post"] or row["lede"][:80] or "Untitled",
        post_path=f"/posts/{row['entry_id']}-{row['slug']}/",
        problem=row["problem"],
        ways=tuple(json.loads(row["protocols"])),
    )

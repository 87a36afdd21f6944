"""Linkbacks: claims as they were received, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlite_utils import Database

from aggregator.model import Claim, Evidence, Mention, PendingLinkback, Status, Thought
from aggregator.standing import Standing
from aggregator.store import conversations, gone, stale
from aggregator.store.connection import an_instant, to_instant, to_text, transaction
from aggregator.urls import Address, canonical, host_of, web_url


@dataclass(frozen=True, slots=True)
class Known:
    """A linkback as it stands when the same claim comes again."""

    id: int
    token: str
    status: Status
    asked_at: datetime


class Arrival(NamedTuple):  # a flood makes many of them
    """A claim that is new: its source, the post, the member that it comes from, its status page."""

    claim: Claim
    source: Address
    entry_id: int
    feed_id: int | None
    token: str

    @property
    def pair(self) -> tuple[str, int]:
        """By what a linkback is known again."""
        return self.source.key, self.entry_id


def known(database: Database, pairs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Known]:
    """Return which of the linkbacks, each a source as compared and a post, are stored."""
    rows = database.execute(_KNOWN, [json.dumps(pairs)]).fetchall()
    return {(row[0], row[1]): Known(row[2], row[3], Status(row[4]), an_instant(row[5])) for row in rows}


_KNOWN = """
SELECT source_key, entry_id, linkback.id, token, status, asked_at FROM json_each(?) AS pair CROSS JOIN linkback
    ON source_key = json_extract(pair.value, '$[0]') AND entry_id = json_extract(pair.value, '$[1]')
"""


def find(database: Database, source: str, entry_id: int) -> Known | None:
    """Return the linkback from `source` to a post, whichever of the post's addresses it names."""
    pair = canonical(source), entry_id
    return known(database, [pair]).get(pair)


def add(database: Database, arrivals: Sequence[Arrival]) -> None:
    """Store claims that are new, to be verified now; inside a transaction.

    One statement stores many: each one that is executed gives up the interpreter's lock, and has to get it back.
    """
    for first in range(0, len(arrivals), _MOST_OF_A_STATEMENT):
        rows = [_row(arrival) for arrival in arrivals[first : first + _MOST_OF_A_STATEMENT]]
        database.execute(f"{_ADD} {', '.join([_NEW] * len(rows))}", [value for row in rows for value in row])


_MOST_OF_A_STATEMENT = 64
_ADD = (
    "INSERT INTO linkback (token, entry_id, source, source_key, source_host, target, protocols, status,"
    " received_at, asked_at, next_try_at, feed_id, vouch, client) VALUES"
)
_NEW = "(?, ?, ?, ?, ?, ?, json_array(?), 'pending', ?, ?, ?, ?, ?, ?)"


def _row(arrival: Arrival) -> tuple[Any, ...]:
    claim, received_at = arrival.claim, to_text(arrival.claim.received_at)
    return (
        arrival.token,
        arrival.entry_id,
        *arrival.source,
        claim.target,
        claim.protocol,
        received_at,
        received_at,
        received_at,
        arrival.feed_id,
        claim.vouch,
        claim.client,
    )


def renew(database: Database, id: int, claim: Claim) -> None:
    """Verify once more what was not found or has gone, because its sender says so; inside a transaction."""
    asked_at = to_text(claim.received_at)
    database.execute(
        "UPDATE linkback SET status = ?, asked_at = ?, next_try_at = ?, recheck_at = NULL, attempts = 0, failures = 0,"
        " failing_since = NULL, problem = '', target = ?, vouch = ?, client = ? WHERE id = ?",
        [Status.PENDING, asked_at, asked_at, claim.target, claim.vouch, claim.client, id],
    )


def ask_again(database: Database, id: int, now: datetime) -> None:
    """Note when the sender of a linkback that is being verified last said so; inside a transaction."""
    database.execute("UPDATE linkback SET asked_at = max(asked_at, ?) WHERE id = ?", [to_text(now), id])


def announce(database: Database, id: int, claim: Claim) -> None:
    """Note one more way by which a linkback came; inside a transaction."""
    row = database.execute(
        "UPDATE linkback SET protocols = json_insert(protocols, '$[#]', ?) WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM json_each(protocols) WHERE value = ?) RETURNING entry_id",
        [claim.protocol, id, claim.protocol],
    ).fetchone()
    if row:
        stale.mark_posts(database, [row[0]])


def recheck(database: Database, id: int, now: datetime, rest: timedelta) -> None:
    """Look again at a linkback that was found, when it has rested since the last look; inside a transaction."""
    settled = database.execute("SELECT settled_at FROM linkback WHERE id = ?", [id]).fetchone()
    settled_at = to_instant(settled[0]) if settled else None
    at = to_text(max(now, settled_at + rest) if settled_at else now)
    database.execute(f"{_RECHECK} AND id = :id", {"at": at, "id": id})


def recheck_sources(database: Database, sources: Collection[str], now: datetime) -> None:
    """Look again now at all links that were found on some pages; inside a transaction."""
    keys = json.dumps([canonical(source) for source in sources])
    database.execute(
        f"{_RECHECK} AND source_key IN (SELECT value FROM json_each(:keys))", {"at": to_text(now), "keys": keys}
    )


def recheck_member(database: Database, feed_id: int, at: datetime) -> None:
    """Look again at the newest links that were found on a member's pages; inside a transaction."""
    database.execute(
        "UPDATE linkback SET recheck_at = ? WHERE (recheck_at IS NULL OR recheck_at > ?) AND id IN ("
        " SELECT id FROM linkback WHERE feed_id = ? AND status IN ('published', 'held')"
        " AND protocols <> '[\"comment\"]' ORDER BY received_at DESC LIMIT ?)",
        [to_text(at), to_text(at), feed_id, MOST_OF_A_MEMBER],
    )


MOST_OF_A_MEMBER = 200
_RECHECK = """
UPDATE linkback SET recheck_at = :at
WHERE status IN ('published', 'held') AND protocols <> '["comment"]' AND (recheck_at IS NULL OR recheck_at > :at)
"""


def take_pending(
    database: Database, now: datetime, again_at: datetime, limit: int, busy_hosts: Collection[str]
) -> list[PendingLinkback]:
    """Take up to `limit` linkbacks to verify, one per source host; each comes again if nobody settles it.

    Those that have never been verified come first, then those that are to be looked at again.
    """
    # Looked up without the write lock, and many rows at a time: one host may have a flood of them waiting.
    values = [to_text(now), json.dumps(list(busy_hosts)), 8 * limit]
    rows = [*database.query(_PENDING, values), *database.query(_TO_RECHECK, values)]
    first_of_host = {row["source_host"]: row for row in reversed(rows)}
    taken = sorted(first_of_host.values(), key=lambda row: row["status"] != Status.PENDING)[:limit]
    if taken:
        with transaction(database):
            for row in taken:
                database.execute(
                    _TAKE if row["status"] == Status.PENDING else _TAKE_AGAIN, [to_text(again_at), row["id"]]
                )
    return [_pending(row) for row in taken]


_TAKE = "UPDATE linkback SET next_try_at = ?, attempts = attempts + 1 WHERE id = ?"
_TAKE_AGAIN = "UPDATE linkback SET recheck_at = ?, attempts = attempts + 1 WHERE id = ?"
_SELECT_PENDING = """
SELECT linkback.id, source, source_host, target, entry_id, entry.url, entry.slug, linkback.feed_id, attempts,
    linkback.status, decision, vouch, client, checks, linkback.failures, failing_since, retractions
FROM linkback"""
_PENDING = f"""
{_SELECT_PENDING} INDEXED BY linkback_to_verify JOIN entry ON entry.id = entry_id
WHERE linkback.status = 'pending' AND next_try_at <= ?
    AND source_host NOT IN (SELECT value FROM json_each(?))
ORDER BY next_try_at LIMIT ?
"""
_TO_RECHECK = f"""
{_SELECT_PENDING} INDEXED BY linkback_to_recheck JOIN entry ON entry.id = entry_id
WHERE recheck_at <= ? AND source_host NOT IN (SELECT value FROM json_each(?))
ORDER BY recheck_at LIMIT ?
"""


def settle(database: Database, id: int, standing: Standing, evidence: Evidence | None, now: datetime) -> None:
    """Store what a look at the source found; inside a transaction. Without evidence its texts stay as they are."""
    row = database.execute(
        "SELECT entry_id, source_key, status, title, excerpt, kind, author FROM linkback WHERE id = ?", [id]
    ).fetchone()
    if row is None:  # blocked and removed meanwhile
        return
    entry_id, source_key, before = row[0], row[1], tuple(row[2:])
    shown = _texts(standing, evidence, before[1:])
    touched = _touched(database, entry_id, source_key) if (standing.status, *shown) != before else []
    database.execute(
        "UPDATE linkback SET status = ?, settled_at = ?, next_try_at = NULL, problem = ?, title = ?, excerpt = ?,"
        " kind = ?, author = ?, recheck_at = ?, checks = ?, failures = ?, failing_since = ?, retractions = ?,"
        " attempts = 0, client = '', decision = CASE WHEN ? THEN '' ELSE decision END WHERE id = ?",
        [
            standing.status,
            to_text(now),
            standing.problem,
            *shown,
            to_text(standing.recheck_at),
            standing.checks,
            standing.failures,
            to_text(standing.failing_since),
            standing.retractions,
            standing.is_over,
            id,
        ],
    )
    if touched:
        stale.mark_posts(database, {*touched, *_touched(database, entry_id, source_key)})
        stale.mark_river(database)


def _texts(standing: Standing, evidence: Evidence | None, before: tuple[Any, ...]) -> tuple[Any, ...]:
    if standing.is_over:
        return ("", json.dumps(("", "", "")), "", "")
    if evidence is None:
        return before
    return (evidence.title, json.dumps(evidence.excerpt), evidence.kind, evidence.author)


def touched(database: Database, id: int) -> list[int]:
    """Return the posts whose pages show a linkback, or the conversation that it is part of."""
    row = database.execute("SELECT entry_id, source_key FROM linkback WHERE id = ?", [id]).fetchone()
    return _touched(database, row[0], row[1]) if row else []


def _touched(database: Database, entry_id: int, source_key: str) -> list[int]:
    """The posts whose pages show a linkback, or the conversation that it is part of."""
    sources = database.execute("SELECT id FROM entry WHERE url_key = ?", [source_key]).fetchall()
    ids = {entry_id, *(row[0] for row in sources)}
    if sources:
        ids |= {id for each in tuple(ids) for id in conversations.around(database, each)}
    return sorted(ids)


def try_again(database: Database, id: int, at: datetime, problem: str) -> None:
    """Leave a linkback pending after a failure that may pass; inside a transaction."""
    database.execute("UPDATE linkback SET next_try_at = ?, problem = ? WHERE id = ?", [to_text(at), problem, id])


def others_of_host(database: Database, id: int) -> int:
    """Return how many other published linkbacks of the same host a linkback's post has."""
    return int(database.execute(_OTHERS, [id]).fetchone()[0])


_OTHERS = """
SELECT count(*) FROM linkback AS own JOIN linkback AS other
    ON other.entry_id = own.entry_id AND other.source_host = own.source_host AND other.id <> own.id
WHERE own.id = ? AND other.status = 'published'
"""


def is_own(database: Database, id: int, ground: str, url: str) -> bool:
    """Tell whether a linkback, found at `url` on a member's ground, is a blog's link to its own post.

    Where several feeds share a ground, it is only when the page is a post of the very feed that it links to.
    """
    names = {"id": id, "ground": ground, "host": host_of(ground), "key": canonical(url)}
    return database.execute(_OWN, names).fetchone() is not None


_OWN = """
SELECT 1 FROM linkback JOIN entry AS target ON target.id = entry_id JOIN feed ON feed.id = target.feed_id
WHERE linkback.id = :id AND feed.territory = :ground AND (
    (SELECT count(*) FROM feed WHERE territory_host = :host AND territory = :ground AND removed_at IS NULL) = 1
    OR EXISTS (SELECT 1 FROM entry WHERE url_key = :key AND feed_id = target.feed_id))
"""


def counts_pending(database: Database, at_most: int) -> int:
    """Return how many linkbacks wait to be verified, or `at_most` when there are more."""
    return int(database.execute(_COUNT_PENDING, [at_most]).fetchone()[0])


_COUNT_PENDING = """
SELECT count(*) FROM (SELECT 1 FROM linkback INDEXED BY linkback_to_verify WHERE status = 'pending' LIMIT ?)
"""


def sources_of(database: Database, entry_id: int) -> list[str]:
    """Return the addresses of the published linkbacks of a post, in order of time."""
    rows = database.execute(
        "SELECT source FROM linkback WHERE entry_id = ? AND status = 'published' AND protocols <> '[\"comment\"]'"
        " ORDER BY received_at, id",
        [entry_id],
    ).fetchall()
    return [row[0] for row in rows]


def thoughts(database: Database, entry_ids: Sequence[int]) -> dict[int, list[Thought]]:
    """Return the published thoughts under each of the posts, numbered in order of time."""
    rows = database.query(_THOUGHTS, [json.dumps(entry_ids)])
    found: dict[int, list[Thought]] = {}
    for row in rows:
        thread = found.setdefault(row["entry_id"], [])
        thread.append(_thought(row, len(thread) + 1))
    return found


_THOUGHTS = """
SELECT entry_id, source, source_host, linkback.title, excerpt, protocols, received_at, kind, linkback.author,
    coalesce(nullif(feed.name, ''), nullif(feed.title, ''), '') AS blog
FROM linkback LEFT JOIN feed ON feed.id = linkback.feed_id
WHERE linkback.status = 'published' AND entry_id IN (SELECT value FROM json_each(?))
ORDER BY entry_id, received_at, linkback.id
"""


def way_of(protocols: str) -> str:
    """Return the protocol by which a linkback came; that a feed shows it, too, is worth telling only of others."""
    ways = json.loads(protocols)
    return str(next((way for way in ways if way not in ("feed", "comment")), ways[0]))


def mention(database: Database, token: str) -> Mention | None:
    """Return what the sender of a ping may know, or None for an unknown token."""
    rows = database.query(f"{_MENTION} WHERE token = ?", [token])
    return next((_mention(row) for row in rows), None)


def is_source(database: Database, url: str) -> bool:
    """Tell whether a linkback came from exactly this address, its fragment included."""
    return database.execute("SELECT 1 FROM linkback WHERE source = ? LIMIT 1", [web_url(url)]).fetchone() is not None


def purge(database: Database, url: str, now: datetime) -> int:
    """Delete the linkbacks from one source, and keep it out; inside a transaction. Returns how many there were.

    An address with a fragment that is one's own is a comment's, and that one only.
    """
    source = web_url(url)
    key = "" if "#" in source and is_source(database, source) else canonical(url)
    rows = database.execute(
        "DELETE FROM linkback WHERE source_key = ? OR source = ?"
        " RETURNING entry_id, source_key, substr(received_at, 1, 10)",
        [key, source],
    ).fetchall()
    if rows:
        gone.bury_names(database, {row[1] for row in rows}, now)
        stale.mark_posts(database, [row[0] for row in rows])
        stale.mark_river(database)
        stale.mark_sections(database, [("day", int(row[2].replace("-", ""))) for row in rows])
    return len(rows)


def forget_over(database: Database, rejected: datetime, retracted: datetime, limit: int) -> int:
    """Delete linkbacks that were rejected, or retracted, before an instant; inside a transaction.

    Nobody sees them, and whoever sends a ping again is looked at again. Returns how many there were, at most `limit`.
    """
    return database.execute(_FORGET_OVER, [to_text(rejected), to_text(retracted), limit]).rowcount


_FORGET_OVER = """
DELETE FROM linkback WHERE id IN (
    SELECT id FROM linkback INDEXED BY linkback_over
    WHERE status IN ('rejected', 'retracted') AND settled_at < CASE status WHEN 'rejected' THEN ? ELSE ? END
        AND decision = ''
    ORDER BY settled_at LIMIT ?)
"""


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
    blog = row["blog"] or row["source_host"].removeprefix("www.")
    # A comment stands on the page of the blog that was answered, and is somebody else's.
    is_comment = json.loads(row["protocols"]) == ["comment"]
    return Thought(
        number=number,
        kind=row["kind"] or way_of(row["protocols"]),
        url=row["source"],
        title=row["title"],
        blog=row["title"] if is_comment else blog,
        at=at,
        excerpt=(before, linked, after),
        author=row["title"] if is_comment else row["author"],
        place=blog if is_comment else "",
    )


def _pending(row: dict[str, Any]) -> PendingLinkback:
    return PendingLinkback(
        id=row["id"],
        source=row["source"],
        targets=(row["target"], row["url"], f"/posts/{row['entry_id']}-{row['slug']}/"),
        feed_id=row["feed_id"],
        attempts=row["attempts"],
        status=Status(row["status"]),
        decision=row["decision"],
        vouch=row["vouch"],
        client=row["client"],
        checks=row["checks"],
        failures=row["failures"],
        failing_since=to_instant(row["failing_since"]),
        retractions=row["retractions"],
    )

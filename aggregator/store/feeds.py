"""Feeds and the state of their polls."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from aggregator.cadence import LEASE
from aggregator.model import Blog, DueFeed, FeedHealth, PollState, Subscription
from aggregator.store import stale
from aggregator.store.connection import to_instant, to_text, transaction
from aggregator.urls import canonical, host_of, is_under, slug


def subscribe(database: Database, subscriptions: Sequence[Subscription], now: datetime) -> None:
    """Make the stored feeds those of the configuration; what is missing from it is hidden, not forgotten."""
    with transaction(database):
        before = _settings(database)
        for subscription in subscriptions:
            _upsert(database, subscription, now)
        wanted = json.dumps([subscription.url for subscription in subscriptions])
        database.execute(
            "UPDATE feed SET removed_at = ? WHERE removed_at IS NULL AND url NOT IN (SELECT value FROM json_each(?))",
            [to_text(now), wanted],
        )
        changed = [id for id, row in _settings(database).items() if before.get(id) != row]
        for id in changed:
            stale.mark_posts_of(database, id)
        if changed:
            stale.mark_river(database)


def due(
    database: Database, now: datetime, limit: int, *, under_way: Collection[int] = (), crowded: Collection[str] = ()
) -> list[DueFeed]:
    """Take up to `limit` feeds that may be polled now; each is marked as taken, lest it is taken twice.

    Feeds `under_way` and those of `crowded` hosts are left for later.
    """
    rows = list(database.query(_DUE, [to_text(now), json.dumps(list(under_way)), json.dumps(list(crowded)), limit]))
    if rows:
        lease = to_text(now + LEASE)
        with transaction(database):
            database.conn.executemany(
                "UPDATE feed SET next_poll_at = ?, is_taken = 1 WHERE id = ?", ((lease, row["id"]) for row in rows)
            )
    return [
        DueFeed(
            id=row["id"],
            url=row["url"],
            every=timedelta(seconds=row["every"]) if row["every"] else None,
            is_new=not row["has_entries"],
            state=_state(row),
        )
        for row in rows
    ]


_DUE = (
    "SELECT id, url, every, etag, last_modified, body_hash, next_poll_at, last_poll_at, failing_since, asked_for,"
    " status, failures, problem, EXISTS (SELECT 1 FROM entry WHERE feed_id = feed.id) AS has_entries FROM feed"
    " WHERE enabled AND removed_at IS NULL AND next_poll_at <= ?"
    " AND id NOT IN (SELECT value FROM json_each(?)) AND host NOT IN (SELECT value FROM json_each(?))"
    " ORDER BY next_poll_at LIMIT ?"
)


def take_back(database: Database, now: datetime) -> None:
    """Let feeds be due at once that were taken and not polled; for the one who polls, when nothing is under way."""
    if database.execute("SELECT 1 FROM feed WHERE is_taken LIMIT 1").fetchone():
        with transaction(database):
            database.execute("UPDATE feed SET next_poll_at = ?, is_taken = 0 WHERE is_taken", [to_text(now)])


def hurry(database: Database, at: datetime, failing_since: datetime) -> None:
    """Let feeds be due no later than `at` that fail, but only since `failing_since` or later."""
    with transaction(database):
        database.execute(
            "UPDATE feed SET next_poll_at = ? WHERE failing_since >= ? AND next_poll_at > ?",
            [to_text(at), to_text(failing_since), to_text(at)],
        )


def make_due(database: Database, now: datetime) -> int:
    """Let every enabled feed be polled now; return how many there are."""
    with transaction(database):
        marked = database.execute(
            "UPDATE feed SET next_poll_at = ? WHERE enabled AND removed_at IS NULL", [to_text(now)]
        )
    return int(marked.rowcount)


def make_due_by_ping(database: Database, feed_id: int, now: datetime) -> datetime:
    """Let a feed be polled because its blog says that it changed, at most every five minutes; inside a transaction.

    Returns when the blog is to be asked: now, or when the rest since its last ping is over. A feed that fails keeps
    its own pace: its server may have asked for it.
    """
    row = database.execute("SELECT pinged_at, last_poll_at FROM feed WHERE id = ?", [feed_id]).fetchone()
    pinged_at, polled_at = (to_instant(text) for text in row)
    at = now if pinged_at is None else max(now, pinged_at if pinged_at > now else pinged_at + PING_REST)
    if at != pinged_at:
        database.execute("UPDATE feed SET pinged_at = ? WHERE id = ?", [to_text(at), feed_id])
    poll_at = max(at, polled_at + PING_REST) if polled_at else at
    database.execute(
        "UPDATE feed SET next_poll_at = ? WHERE id = ? AND next_poll_at > ? AND failures = 0 AND NOT is_taken",
        [to_text(poll_at), feed_id, to_text(poll_at)],
    )
    return at


PING_REST = timedelta(minutes=5)


def named_by(database: Database, urls: Collection[str]) -> list[int]:
    """Return the ids of the feeds that are, or whose blogs are, at one of these addresses."""
    wanted = {key for key in map(canonical, urls) if key}
    hosts = json.dumps([host_of(url) for url in urls])
    rows = database.execute(_NAMED, [hosts, hosts, json.dumps(list(urls))]).fetchall()
    return [row[0] for row in rows if wanted & {canonical(url) for url in row[1:] if url}]


_NAMED = (
    "SELECT id, url, site, territory, home FROM feed WHERE removed_at IS NULL AND enabled AND"
    " (host IN (SELECT value FROM json_each(?)) OR territory_host IN (SELECT value FROM json_each(?))"
    " OR home IN (SELECT value FROM json_each(?)))"
)


def count_due(database: Database, now: datetime) -> int:
    """Return how many feeds may be polled now."""
    return int(
        database.execute(
            "SELECT count(*) FROM feed WHERE enabled AND removed_at IS NULL AND next_poll_at <= ?", [to_text(now)]
        ).fetchone()[0]
    )


def record_state(database: Database, id: int, state: PollState, *, is_good: bool) -> None:
    """Store what a poll left; inside a transaction."""
    was_failing = database.execute("SELECT failures > 0 FROM feed WHERE id = ?", [id]).fetchone()
    if was_failing and bool(was_failing[0]) != (state.failures > 0):
        stale.mark_river(database)  # it names the blogs that can't be read
    database.execute(
        "UPDATE feed SET is_taken = 0, etag = ?, last_modified = ?, body_hash = ?, next_poll_at = ?, last_poll_at = ?,"
        " failing_since = ?, asked_for = ?, status = ?, failures = ?, problem = ?,"
        " last_good_at = CASE WHEN ? THEN ? ELSE last_good_at END WHERE id = ?",
        [
            state.etag,
            state.last_modified,
            state.body_hash,
            to_text(state.next_poll_at),
            to_text(state.last_poll_at),
            to_text(state.failing_since),
            int(state.asked_for.total_seconds()),
            state.status,
            state.failures,
            state.problem,
            is_good,
            to_text(state.last_poll_at),
            id,
        ],
    )


def hold_host(database: Database, url: str, until: datetime) -> int:
    """Let no feed on the host of `url` be polled before `until`; inside a transaction. Returns how many wait."""
    held = database.execute(
        "UPDATE feed SET next_poll_at = ? WHERE host = ? AND enabled AND removed_at IS NULL AND next_poll_at < ?",
        [to_text(until), host_of(url), to_text(until)],
    )
    return int(held.rowcount)


def record_title(database: Database, id: int, title: str, home: str) -> None:
    """Store how a feed names itself; inside a transaction."""
    changed = database.execute(
        "UPDATE feed SET title = ?, home = ? WHERE id = ? AND (title IS NOT ? OR home IS NOT ?)",
        [title, home, id, title, home],
    )
    if changed.rowcount:
        stale.mark_posts_of(database, id)
        stale.mark_river(database)


def blogs(database: Database) -> list[Blog]:
    """Return all blogs of the configuration, by name."""
    rows = database.query(f"SELECT {BLOG_COLUMNS} FROM feed WHERE removed_at IS NULL")
    return sorted((blog_of(row) for row in rows), key=lambda blog: blog.name.casefold())


BLOG_COLUMNS = (
    "feed.id AS blog_id, feed.slug AS blog_slug, feed.url AS blog_url, feed.site AS blog_site,"
    " feed.territory AS blog_territory, feed.name AS blog_name, feed.title AS blog_title, feed.home AS blog_home,"
    " feed.tags AS blog_tags, feed.failures AS blog_failures, feed.enabled AS blog_enabled,"
    " feed.author AS blog_author, feed.content AS blog_content"
)


def blog_of(row: dict[str, Any]) -> Blog:
    """Build a Blog from a row that has BLOG_COLUMNS."""
    return Blog(
        id=row["blog_id"],
        slug=row["blog_slug"],
        name=row["blog_name"] or row["blog_title"] or host_of(row["blog_url"]),
        url=row["blog_url"],
        home=row["blog_site"] or row["blog_home"] or row["blog_territory"],
        tags=tuple(json.loads(row["blog_tags"])),
        is_failing=row["blog_failures"] > 0,
        enabled=bool(row["blog_enabled"]),
    )


def territory(database: Database, id: int | None) -> str:
    """Return the address under which pages are a member's own, or "" for a feed that there isn't."""
    row = database.execute("SELECT territory FROM feed WHERE id = ?", [id]).fetchone()
    return str(row[0]) if row else ""


def member_at(database: Database, url: str) -> int | None:
    """Return the id of the feed under whose site a page lies, the closest one, or None."""
    rows = database.execute(_MEMBERS, [host_of(url)]).fetchall()
    near = [(len(territory), id) for id, territory in rows if is_under(url, territory)]
    return max(near)[1] if near else None


_MEMBERS = "SELECT id, territory FROM feed WHERE removed_at IS NULL AND territory_host = ?"


def health(database: Database) -> list[FeedHealth]:
    """Return how every feed of the configuration is doing, those with problems first."""
    rows = database.query(_HEALTH)
    return [
        FeedHealth(
            url=row["url"],
            name=row["name"],
            health=row["health"],
            problem=row["problem"],
            last_poll=to_instant(row["last_poll_at"]),
            next_poll=to_instant(row["next_poll_at"]) if row["health"] != "disabled" else None,
            status=row["status"],
            entries=row["entries"],
        )
        for row in rows
    ]


_HEALTH = """
SELECT url, coalesce(nullif(name, ''), nullif(title, ''), url) AS name, problem, last_poll_at, next_poll_at, status,
    (SELECT count(*) FROM entry WHERE feed_id = feed.id) AS entries,
    CASE WHEN NOT enabled THEN 'disabled'
         WHEN last_poll_at IS NULL THEN 'new'
         WHEN failures > 0 THEN 'failing'
         ELSE 'healthy' END AS health
FROM feed WHERE removed_at IS NULL
ORDER BY health = 'failing' DESC, health = 'disabled', name COLLATE NOCASE
"""


def _upsert(database: Database, subscription: Subscription, now: datetime) -> None:
    database.execute(
        "INSERT INTO feed (url, host, slug, site, territory, territory_host, name, author, tags, content, every,"
        " enabled, next_poll_at)"
        " VALUES (:url, :host, :slug, :site, :territory, :territory_host, :name, :author, :tags, :content, :every,"
        " :enabled, :now)"
        " ON CONFLICT (url) DO UPDATE SET site = excluded.site, territory = excluded.territory,"
        " territory_host = excluded.territory_host, name = excluded.name, author = excluded.author,"
        " tags = excluded.tags, content = excluded.content, every = excluded.every, enabled = excluded.enabled,"
        " removed_at = NULL",
        {
            "url": subscription.url,
            "host": host_of(subscription.url),
            "slug": _free_slug(database, subscription),
            "site": subscription.site,
            "territory": subscription.territory,
            "territory_host": host_of(subscription.territory),
            "name": subscription.name,
            "author": subscription.author,
            "tags": json.dumps(subscription.tags),
            "content": subscription.content,
            "every": int(subscription.every.total_seconds()) if subscription.every else None,
            "enabled": subscription.enabled,
            "now": to_text(now),
        },
    )


def _free_slug(database: Database, subscription: Subscription) -> str:
    """The slug a feed has, or the first one like its name that no other feed has."""
    mine = database.execute("SELECT slug FROM feed WHERE url = ?", [subscription.url]).fetchone()
    if mine:
        return str(mine[0])
    wish = slug(subscription.name or host_of(subscription.url).removeprefix("www.")) or "blog"
    candidate, number = wish, 1
    while database.execute("SELECT 1 FROM feed WHERE slug = ?", [candidate]).fetchone():
        number += 1
        candidate = f"{wish}-{number}"
    return candidate


def _settings(database: Database) -> dict[int, tuple[Any, ...]]:
    """What of each feed shows on pages."""
    rows = database.execute("SELECT id, name, author, tags, content, enabled, removed_at, site FROM feed").fetchall()
    return {row[0]: tuple(row) for row in rows}


def _state(row: dict[str, Any]) -> PollState:
    next_poll_at = to_instant(row["next_poll_at"])
    assert next_poll_at is not None
    return PollState(
        next_poll_at=next_poll_at,
        etag=row["etag"],
        last_modified=row["last_modified"],
        body_hash=row["body_hash"],
        last_poll_at=to_instant(row["last_poll_at"]),
        failing_since=to_instant(row["failing_since"]),
        asked_for=timedelta(seconds=row["asked_for"]),
        status=row["status"],
        failures=row["failures"],
        problem=row["problem"],
    )

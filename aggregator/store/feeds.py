"""Feeds and the state of their polls."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlite_utils import Database

from aggregator.model import Blog, DueFeed, PollState, Quiet, Subscription, Whereabouts
from aggregator.overview import Census
from aggregator.store import gone, stale
from aggregator.store.blogs import BLOG_COLUMNS, blog_of
from aggregator.store.connection import an_instant, to_instant, to_text, transaction
from aggregator.urls import canonical, host_of, slug
from aggregator.whereabouts import Known, renamed

# Where the names of blogs and how they are doing are listed.
_LISTS: tuple[stale.Section, ...] = (("blogs", 0), ("status", 0))
_Settings = dict[int, tuple[Any, ...]]


def subscribe(database: Database, subscriptions: Sequence[Subscription], now: datetime) -> dict[str, int]:
    """Make the stored feeds those of the configuration; what is missing from it is hidden, not forgotten.

    Returns url and id of the feeds whose filters have changed: what is stored of them is to be sifted again.
    """
    with transaction(database):
        before = _settings(database)
        for old, new in renamed(_addresses(database), subscriptions).items():
            database.execute("UPDATE feed SET url = ?, address = '', address_why = '' WHERE url = ?", [new, old])
        for subscription in subscriptions:
            _upsert(database, subscription, now)
        wanted = json.dumps([subscription.url for subscription in subscriptions])
        database.execute(
            "UPDATE feed SET removed_at = ? WHERE removed_at IS NULL AND url NOT IN (SELECT value FROM json_each(?))",
            [to_text(now), wanted],
        )
        gone.show_orphans(database)
        after = _settings(database)
        changed = [id for id, row in after.items() if before.get(id) != row]
        for id in changed:
            stale.mark_posts_of(database, id)
        if changed:
            stale.mark_river(database)
            stale.mark_sections(database, _LISTS)
        ids = {url: id for id, url in database.execute("SELECT id, url FROM feed").fetchall()}
    sifted = {subscription.url: ids[subscription.url] for subscription in subscriptions}
    return {url: id for url, id in sifted.items() if id in before and before[id][-2:] != after[id][-2:]}


def due(
    database: Database, now: datetime, limit: int, *, under_way: Collection[int] = (), crowded: Collection[str] = ()
) -> list[DueFeed]:
    """Return up to `limit` feeds that may be polled now, and stay due until their polls are recorded.

    Feeds `under_way` and those of `crowded` hosts are left for later.
    """
    found = database.execute(_DUE, [to_text(now), json.dumps(list(under_way)), json.dumps(list(crowded)), limit])
    return [_due(row, now) for row in found]


def _due(row: Sequence[Any], now: datetime) -> DueFeed:
    id, url, every, is_new, hint, *state = row
    return DueFeed(id, url, timedelta(seconds=every) if every else None, bool(is_new), _state(state), now, hint)


_DUE = (
    "SELECT id, url, every, NOT EXISTS (SELECT 1 FROM entry WHERE feed_id = feed.id), hint,"
    " next_poll_at, etag, last_modified, body_hash, last_poll_at, failing_since, stay_away_until, asked_for, quiet,"
    " address, address_why, moved_to, moved_at, gone_at, retired_at, posted_at, posts_every, status, failures, problem,"
    " trusted_at IS NOT NULL FROM feed"
    " WHERE enabled AND removed_at IS NULL AND retired_at IS NULL AND next_poll_at <= ?"
    " AND id NOT IN (SELECT value FROM json_each(?)) AND host NOT IN (SELECT value FROM json_each(?))"
    " ORDER BY next_poll_at LIMIT ?"
)


def hurry(database: Database, at: datetime, failing_since: datetime) -> None:
    """Let feeds be due no later than `at` that fail, but only since `failing_since` or later."""
    with transaction(database):
        database.execute(
            "UPDATE feed SET next_poll_at = ? WHERE failing_since >= ? AND next_poll_at > ?",
            [to_text(at), to_text(failing_since), to_text(at)],
        )


def make_due(database: Database, now: datetime) -> int:
    """Let every enabled feed be polled now, unless its server asks us to stay away; return how many there are."""
    with transaction(database):
        marked = database.execute(
            "UPDATE feed SET next_poll_at = max(?, coalesce(stay_away_until, ''))"
            " WHERE enabled AND removed_at IS NULL AND retired_at IS NULL",
            [to_text(now)],
        )
    return int(marked.rowcount)


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
            "SELECT count(*) FROM feed"
            " WHERE enabled AND removed_at IS NULL AND retired_at IS NULL AND next_poll_at <= ?",
            [to_text(now)],
        ).fetchone()[0]
    )


def record_states(database: Database, polled: Collection[tuple[int, datetime, PollState]]) -> None:
    """Store what polls left of feeds (id, when it was found due, state); inside a transaction.

    A hint that came since then is still to be followed: the answer may be older.
    """
    failing = json.dumps([(id, state.failures > 0) for id, _, state in polled])
    if database.execute(_TURNED, [failing]).fetchone():
        stale.mark_river(database)
        stale.mark_sections(database, _LISTS)
    database.conn.executemany(_RECORD, (_row(*each) for each in polled))


def record_times(database: Database, polled: Collection[tuple[int, datetime, PollState]]) -> None:
    """Store when feeds were and will be polled, whose states are else what they were: well; inside a transaction.

    It does for most polls what `record_states` does, at half the price. What has come meanwhile from elsewhere stays,
    such as a rest that the host has asked another feed for.
    """
    database.conn.executemany(
        _RECORD_TIMES,
        (
            (to_text(due_at), to_text(state.next_poll_at), to_text(state.last_poll_at), id)
            for id, due_at, state in polled
        ),
    )


def _row(id: int, due_at: datetime, state: PollState) -> tuple[str | int | bytes | None, ...]:
    where = state.where
    since, failures, last_at = to_text(due_at), state.failures, to_text(state.last_poll_at)
    next_at, host = to_text(state.next_poll_at), host_of(where.address) if where.address else ""
    return (
        *(since, failures, next_at, last_at, next_at, since, last_at, failures, failures, last_at, host, host),
        state.etag,
        state.last_modified,
        state.body_hash,
        to_text(state.failing_since),
        to_text(state.stay_away_until),
        int(state.asked_for.total_seconds()),
        _quiet_text(state.quiet),
        where.address,
        where.why,
        where.moved_to,
        to_text(where.moved_at),
        to_text(where.gone_at),
        to_text(where.retired_at),
        state.status,
        state.problem,
        id,
    )


# Whether some of these feeds fail that were well, or are well that failed.
_TURNED = """
SELECT 1 FROM json_each(?) AS polled JOIN feed ON feed.id = json_extract(polled.value, '$[0]')
WHERE (failures > 0) <> json_extract(polled.value, '$[1]') LIMIT 1
"""
# By place: to bind so many by name costs as much as the rest of it.
_RECORD = """
UPDATE feed SET polls = polls + 1,
    next_poll_at = CASE WHEN hint <> '' AND hinted_at > ? AND ? = 0 THEN min(?, max(?, hinted_at)) ELSE ? END,
    hint = CASE WHEN hinted_at > ? THEN hint ELSE '' END, last_poll_at = ?, failures = ?,
    last_good_at = CASE WHEN ? = 0 THEN ? ELSE last_good_at END, host = CASE WHEN ? <> '' THEN ? ELSE host END,
    etag = ?, last_modified = ?, body_hash = ?, failing_since = ?, stay_away_until = ?, asked_for = ?, quiet = ?,
    address = ?, address_why = ?, moved_to = ?, moved_at = ?, gone_at = ?, retired_at = ?, status = ?, problem = ?
WHERE id = ?
"""

_RECORD_TIMES = """
UPDATE feed SET polls = polls + 1, last_poll_at = ?3, last_good_at = ?3,
    next_poll_at = CASE WHEN hint <> '' AND hinted_at > ?1 THEN min(?2, max(?3, hinted_at)) ELSE ?2 END,
    hint = CASE WHEN hinted_at > ?1 THEN hint ELSE '' END
WHERE id = ?4
"""


def is_there(database: Database, id: int) -> bool:
    """Tell whether a feed is in the store."""
    return database.execute("SELECT 1 FROM feed WHERE id = ?", [id]).fetchone() is not None


def record_posting(database: Database, id: int) -> None:
    """Note when a blog posted last and how often it does, by its ten newest dated posts; inside a transaction."""
    rows = database.execute(
        "SELECT coalesce(published_at, updated_at) AS written FROM entry WHERE feed_id = ? AND written IS NOT NULL"
        " ORDER BY written DESC LIMIT 10",
        [id],
    ).fetchall()
    written = [instant for row in rows if (instant := to_instant(row[0]))]
    gaps = sorted(later - earlier for later, earlier in pairwise(written))
    every = int(gaps[len(gaps) // 2].total_seconds()) if gaps else None
    newest = to_text(written[0]) if written else None
    database.execute("UPDATE feed SET posted_at = ?, posts_every = ? WHERE id = ?", [newest, every, id])


def hold_host(database: Database, url: str, until: datetime) -> int:
    """Let no feed on the host of `url` be polled before `until`; inside a transaction. Returns how many wait."""
    held = database.execute(
        "UPDATE feed SET next_poll_at = :until, stay_away_until = max(coalesce(stay_away_until, ''), :until)"
        " WHERE host = :host AND enabled AND removed_at IS NULL AND next_poll_at < :until",
        {"until": to_text(until), "host": host_of(url)},
    )
    return int(held.rowcount)


def record_icon(database: Database, id: int, icon: str) -> None:
    """Store where a feed says that its blog's picture is; inside a transaction."""
    database.execute("UPDATE feed SET icon = ? WHERE id = ? AND icon <> ?", [icon, id, icon])


def record_title(database: Database, id: int, title: str, home: str) -> None:
    """Store how a feed names itself; inside a transaction."""
    changed = database.execute(
        "UPDATE feed SET title = ?, home = ? WHERE id = ? AND (title IS NOT ? OR home IS NOT ?)",
        [title, home, id, title, home],
    )
    if changed.rowcount:
        stale.mark_posts_of(database, id)
        stale.mark_river(database)
        stale.mark_sections(database, _LISTS)


def blogs(database: Database) -> list[Blog]:
    """Return all blogs of the configuration, by name."""
    rows = database.query(f"SELECT {BLOG_COLUMNS} FROM feed WHERE removed_at IS NULL")
    return sorted((blog_of(row) for row in rows), key=lambda blog: blog.name.casefold())


def census(database: Database) -> Census:
    """Return how many blogs there are."""
    return Census(*database.execute(_CENSUS).fetchone())


_CENSUS = """
SELECT count(*), coalesce(sum(enabled), 0), coalesce(sum(enabled AND failures > 0), 0) FROM feed
WHERE removed_at IS NULL
"""


def slug_of(database: Database, id: int) -> str:
    """Return the slug of a feed, whether it is in the configuration or not; or ""."""
    row = database.execute("SELECT slug FROM feed WHERE id = ?", [id]).fetchone()
    return str(row[0]) if row else ""


def newest_posts(database: Database, id: int, limit: int) -> list[int]:
    """Return the ids of a blog's newest shown posts, newest first."""
    rows = database.execute(
        "SELECT id FROM entry INDEXED BY entry_of_blog WHERE feed_id = ? AND hidden = ''"
        " ORDER BY shown_at DESC, id DESC LIMIT ?",
        [id, limit],
    ).fetchall()
    return [row[0] for row in rows]


def _addresses(database: Database) -> dict[str, Known]:
    rows = database.execute("SELECT url, site, address, moved_to FROM feed").fetchall()
    return {row[0]: Known(*row[1:]) for row in rows}


# Asked once for each feed of a configuration: it must not look at all of them.
_STAY_AWAY = "SELECT max(stay_away_until) FROM feed AS other WHERE other.host = :host AND stay_away_until IS NOT NULL"


def _upsert(database: Database, subscription: Subscription, now: datetime) -> None:
    database.execute(
        "INSERT INTO feed (url, host, slug, site, territory, territory_host, name, author, tags, content, every,"
        " enabled, include, exclude, face, next_poll_at)"
        " VALUES (:url, :host, :slug, :site, :territory, :territory_host, :name, :author, :tags, :content, :every,"
        " :enabled, :include, :exclude, :face,"
        f" max(:now, coalesce(({_STAY_AWAY}), '')))"
        " ON CONFLICT (url) DO UPDATE SET site = excluded.site, territory = excluded.territory,"
        " territory_host = excluded.territory_host, name = excluded.name, author = excluded.author,"
        " tags = excluded.tags, content = excluded.content, every = excluded.every, enabled = excluded.enabled,"
        " include = excluded.include, exclude = excluded.exclude, face = excluded.face, removed_at = NULL",
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
            "include": json.dumps(subscription.include),
            "exclude": json.dumps(subscription.exclude),
            "face": subscription.face,
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


def _settings(database: Database) -> _Settings:
    """What of each feed shows on pages; its filters come last."""
    rows = database.execute(
        "SELECT id, name, author, tags, content, enabled, removed_at, site, include, exclude FROM feed"
    ).fetchall()
    return {row[0]: tuple(row) for row in rows}


def _state(row: Sequence[Any]) -> PollState:
    next_at, etag, modified, digest, last_at, failing, away, asked_for, quiet, *where = row[:-6]
    posted, every, status, failures, problem, trusts_push = row[-6:]
    return PollState(
        an_instant(next_at),
        to_instant(last_at),
        etag,
        modified,
        digest,
        to_instant(failing),
        to_instant(away),
        timedelta(seconds=asked_for) if asked_for else _NONE,
        _quiet(quiet) if quiet else _NEVER_QUIET,
        _whereabouts(*where) if any(where) else _AT_HOME,
        to_instant(posted),
        timedelta(seconds=every) if every is not None else None,
        status,
        failures,
        problem,
        bool(trusts_push),
    )


_AT_HOME, _NEVER_QUIET, _NONE = Whereabouts(), Quiet(), timedelta(0)


def _whereabouts(address: str, why: Any, moved_to: str, *at: str | None) -> Whereabouts:
    return Whereabouts(address, why, moved_to, *map(to_instant, at))


def _quiet(text: str) -> Quiet:
    hours, days = json.loads(text)
    return Quiet(frozenset(hours), frozenset(days))


def _quiet_text(quiet: Quiet) -> str:
    return json.dumps([sorted(quiet.hours), sorted(quiet.days)]) if quiet.hours or quiet.days else ""

"""How feeds and posts are doing: what `planet status`, `planet explain` and a blog's page tell of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlite_utils import Database

from aggregator.model import EntryFacts, FeedHealth, LinkbackFacts, Status
from aggregator.store.connection import an_instant, to_instant, to_text
from aggregator.urls import canonical


def health(database: Database) -> list[FeedHealth]:
    """Return how every feed of the configuration is doing, those with problems first."""
    rows = database.query(f"{_HEALTH} ORDER BY {_PROBLEMS_FIRST}, name COLLATE NOCASE")
    return [_feed(row) for row in rows]


def of_feed(database: Database, id: int) -> FeedHealth:
    """Return how one feed of the configuration is doing."""
    [row] = database.query(f"{_HEALTH} AND id = ?", [id])
    return _feed(row)


def _feed(row: dict[str, Any]) -> FeedHealth:
    return FeedHealth(
        url=row["url"],
        name=row["name"],
        health=row["health"],
        problem=row["quarantine"] or row["problem"],
        last_poll=to_instant(row["last_poll_at"]),
        next_poll=to_instant(row["next_poll_at"]) if row["health"] not in ("disabled", "retired") else None,
        status=row["status"],
        entries=row["entries"],
        address=row["address"],
        advice=_advice(row),
        newest_post=to_instant(row["posted_at"]),
        arrives=row["news_by"],
        lag=row["news_lag"],
        push=row["push"],
        push_problem=row["ask_problem"] if row["push"] in ("", "asked") else "",
    )


_HEALTH = """
SELECT id, url, coalesce(nullif(name, ''), nullif(title, ''), url) AS name, problem, quarantine, last_poll_at,
    next_poll_at, status, address, address_why, moved_to, posted_at, news_by, news_lag, ask_problem,
    coalesce((SELECT CASE WHEN min(state) = 'active' AND trusted_at IS NOT NULL THEN 'trusted' ELSE min(state) END
        FROM subscription WHERE feed_id = feed.id AND state IN ('active', 'asked')), '') AS push,
    (SELECT count(*) FROM entry WHERE feed_id = feed.id) AS entries,
    (SELECT other.url FROM feed AS other WHERE feed.address <> '' AND other.removed_at IS NULL AND other.id <> feed.id
        AND feed.address IN (other.url, other.address) LIMIT 1) AS twin,
    CASE WHEN NOT enabled THEN 'disabled'
         WHEN retired_at IS NOT NULL THEN 'retired'
         WHEN last_poll_at IS NULL THEN 'new'
         WHEN failures > 0 THEN 'failing'
         WHEN quarantine <> '' THEN 'quarantined'
         ELSE 'healthy' END AS health
FROM feed WHERE removed_at IS NULL
"""
_PROBLEMS_FIRST = "health IN ('failing', 'quarantined', 'retired') DESC, health = 'disabled'"


def _advice(row: dict[str, Any]) -> str:
    """What the operator can do, "" when nothing."""
    url, address = row["url"], row["address"]
    if row["health"] == "quarantined":
        return f"look at the blog; if it is still the one you mean: planet release {url}"
    if row["health"] == "retired":
        return f"remove it from feeds.toml, or ask it again: planet release {url}"
    if row["health"] == "failing":
        return f"planet check --online looks at it now; if its blog is gone: planet remove {url}"
    if row["twin"]:
        return f"it is fetched at the same address as {row['twin']}; remove one of the two from feeds.toml"
    if address:
        found = "it has moved to" if row["address_why"] == "moved" else "its feed was found at"
        return f"{found} {address} and is fetched there; planet check --fix writes that into feeds.toml"
    if row["moved_to"]:
        return f"it redirects to {row['moved_to']}; when this stays so for a week, it is fetched there"
    return ""


@dataclass(frozen=True, slots=True)
class Move:
    """A feed that is fetched at another address than the one in feeds.toml."""

    url: str
    address: str
    why: str


def moves(database: Database) -> list[Move]:
    """Return the feeds of the configuration whose address had better be changed there."""
    rows = database.execute(
        "SELECT url, address, address_why FROM feed WHERE address <> '' AND removed_at IS NULL ORDER BY url"
    ).fetchall()
    return [Move(*row) for row in rows]


def counts(database: Database) -> dict[str, int]:
    """Return how many feeds of the configuration are in each state of health."""
    rows = database.execute(f"SELECT health, count(*) FROM ({_HEALTH}) GROUP BY health").fetchall()
    return {row[0]: row[1] for row in rows}


def slow(database: Database, milliseconds: int) -> list[str]:
    """Return the feeds whose polls take longer than this, on the average of those that are kept."""
    rows = database.execute(
        "SELECT url FROM feed JOIN poll ON poll.feed_id = feed.id WHERE removed_at IS NULL AND enabled"
        " GROUP BY feed.id HAVING avg(milliseconds) > ?",
        [milliseconds],
    ).fetchall()
    return [row[0] for row in rows]


def failing_since(database: Database, since: datetime) -> list[str]:
    """Return the feeds of the configuration that have not been read since then, or longer."""
    rows = database.execute(
        "SELECT url FROM feed WHERE failing_since <= ? AND removed_at IS NULL", [to_text(since)]
    ).fetchall()
    return [row[0] for row in rows]


def entries_at(database: Database, url: str) -> list[EntryFacts]:
    """Return what is stored of the entries with this address, now or earlier, or with this guid."""
    key = canonical(url)
    rows = database.query(
        f"{_FACTS} WHERE (entry.url_key = :key AND :key <> '') OR entry.id IN"
        " (SELECT entry_id FROM alias WHERE url_key = :key AND :key <> '') OR entry.guid = :url ORDER BY entry.id",
        {"key": key, "url": url},
    )
    return [_facts(row) for row in rows]


def entry(database: Database, id: int) -> EntryFacts | None:
    """Return what is stored of one entry."""
    return next((_facts(row) for row in database.query(f"{_FACTS} WHERE entry.id = ?", [id])), None)


def newest_entries(database: Database, feed_id: int, limit: int) -> list[EntryFacts]:
    """Return what is stored of a feed's entries, newest first."""
    rows = database.query(
        f"{_FACTS} WHERE entry.feed_id = ? ORDER BY shown_at DESC, entry.id DESC LIMIT ?", [feed_id, limit]
    )
    return [_facts(row) for row in rows]


# `fold`: how many posts of the same blog and day stand above it.
_FACTS = """
SELECT entry.id, entry.slug, entry.feed_id, feed.url AS feed_url,
    coalesce(nullif(feed.name, ''), nullif(feed.title, ''), feed.url) AS blog, guid, entry.url, entry.title,
    published_at, first_seen_at, shown_at, hidden, missing_at, feed.removed_at IS NOT NULL AS is_removed,
    (SELECT '/posts/' || shown.id || '-' || shown.slug || '/' FROM entry AS shown WHERE shown.id = entry.story_of)
        AS story_of,
    (SELECT count(*) FROM entry AS other WHERE other.feed_id = entry.feed_id AND other.hidden = ''
        AND substr(other.shown_at, 1, 10) = substr(entry.shown_at, 1, 10)
        AND (other.shown_at, other.id) > (entry.shown_at, entry.id)) AS fold
FROM entry JOIN feed ON feed.id = entry.feed_id
"""


def linkbacks_from(database: Database, url: str) -> list[LinkbackFacts]:
    """Return what is stored of the linkbacks from one source, in order of time."""
    key = canonical(url)
    rows = database.query(_LINKBACKS, [key, f"{key}#{urlsplit(url).fragment}"] if key else ["", ""])
    return [_linkback(row) for row in rows]


_LINKBACKS = """
SELECT linkback.id, source, target, linkback.status, protocols, received_at, settled_at,
    CASE linkback.status WHEN 'pending' THEN next_try_at ELSE recheck_at END AS next_at, linkback.problem, decision,
    attempts, linkback.failures, linkback.failing_since, retractions,
    coalesce(nullif(feed.name, ''), nullif(feed.title, ''), feed.url, '') AS member
FROM linkback LEFT JOIN feed ON feed.id = linkback.feed_id
WHERE source_key IN (?, ?) AND source_key <> '' ORDER BY received_at, linkback.id
"""


def _linkback(row: dict[str, Any]) -> LinkbackFacts:
    return LinkbackFacts(
        id=row["id"],
        source=row["source"],
        target=row["target"],
        status=Status(row["status"]),
        ways=tuple(json.loads(row["protocols"])),
        received_at=an_instant(row["received_at"]),
        settled_at=to_instant(row["settled_at"]),
        next_at=to_instant(row["next_at"]),
        member=row["member"],
        problem=row["problem"],
        decision=row["decision"],
        attempts=row["attempts"],
        failures=row["failures"],
        failing_since=to_instant(row["failing_since"]),
        retractions=row["retractions"],
    )


def feed_id(database: Database, url: str) -> int | None:
    """Return the id of the feed of the configuration that has this address, or is fetched there."""
    row = database.execute(
        "SELECT id FROM feed WHERE removed_at IS NULL AND ? IN (url, address, moved_to)", [url]
    ).fetchone()
    return row and int(row[0])


def _facts(row: dict[str, Any]) -> EntryFacts:
    return EntryFacts(
        id=row["id"],
        path=f"/posts/{row['id']}-{row['slug']}/",
        feed_id=row["feed_id"],
        feed_url=row["feed_url"],
        blog=row["blog"],
        guid=row["guid"],
        url=row["url"],
        title=row["title"],
        published_at=to_instant(row["published_at"]),
        first_seen_at=an_instant(row["first_seen_at"]),
        shown_at=an_instant(row["shown_at"]),
        hidden=row["hidden"],
        story_of=row["story_of"] or "",
        missing_at=to_instant(row["missing_at"]),
        is_removed=bool(row["is_removed"]),
        fold=row["fold"],
    )

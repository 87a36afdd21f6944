"""What hubs and clouds were asked for, and what they have agreed to."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from dataclasses import astuple
from datetime import datetime
from typing import Any, Literal

from sqlite_utils import Database

from aggregator.model import Cloud, Offers, Registration, Wish
from aggregator.store.connection import to_text

_COLUMNS = "id, feed_id, protocol, token, topic, hub, callback, secret, state, attempts"
_IS_POLLED = "enabled AND removed_at IS NULL AND retired_at IS NULL"


def record_offers(database: Database, feed_id: int, offers: Offers, now: datetime) -> None:
    """Note what a feed offers; when that is something else than before, hubs are asked anew. In a transaction."""
    text = "" if offers.is_empty else json.dumps(astuple(offers))
    changed = database.execute(
        "UPDATE feed SET offers = ?, ask_at = ?, ask_failures = 0, ask_problem = '' WHERE id = ? AND offers <> ?",
        [text, to_text(now) if text else None, feed_id, text],
    )
    if changed.rowcount and not text:
        _leave(database, "feed_id = ?", [feed_id], now)


def wishes(database: Database, now: datetime, limit: int) -> list[Wish]:
    """Return feeds for which a hub or a cloud is to be asked now."""
    rows = database.execute(
        "SELECT id, url, coalesce(nullif(address, ''), url), offers, ask_failures FROM feed INDEXED BY feed_to_ask"
        f" WHERE ask_at <= ? AND {_IS_POLLED} AND offers <> '' ORDER BY ask_at LIMIT ?",
        [to_text(now), limit],
    ).fetchall()
    return [Wish(id, url, address, _offers(text), failures) for id, url, address, text, failures in rows]


def begin(
    database: Database,
    wish: Wish,
    protocol: Literal["websub", "rsscloud"],
    topic: str,
    hub: str,
    base: str,
    *,
    has_secret: bool,
    again_at: datetime,
) -> Registration:
    """Note that a hub is about to be asked; inside a transaction. What was asked before and came to nothing is void.

    `base` is the address under which callbacks lie; without an answer the next attempt is at `again_at`.
    """
    database.execute("DELETE FROM subscription WHERE feed_id = ? AND state = 'asked'", [wish.feed_id])
    token = secrets.token_urlsafe(32)
    secret = secrets.token_urlsafe(32) if has_secret else ""
    callback = f"{base}{token}" if protocol == "websub" else base
    row = database.execute(
        "INSERT INTO subscription (feed_id, protocol, token, topic, hub, callback, secret, state, next_at)"
        f" VALUES (?, ?, ?, ?, ?, ?, ?, 'asked', ?) RETURNING {_COLUMNS}",
        [wish.feed_id, protocol, token, topic, hub, callback, secret, to_text(again_at)],
    ).fetchone()
    database.execute(
        "UPDATE feed SET ask_at = ?, ask_failures = ask_failures + 1, ask_problem = 'no answer yet' WHERE id = ?",
        [to_text(again_at), wish.feed_id],
    )
    return Registration(*row)


def note_problem(database: Database, feed_id: int, problem: str) -> None:
    """Note why a hub has not agreed; inside a transaction."""
    database.execute("UPDATE feed SET ask_problem = ? WHERE id = ?", [problem[:300], feed_id])


def at(database: Database, token: str) -> Registration | None:
    """Return what was asked for with a callback, or None."""
    row = database.execute(_AT, [token]).fetchone()
    return Registration(*row) if row else None


_AT = f"SELECT {_COLUMNS} FROM subscription WHERE token = ?"


def of_cloud(database: Database, topic: str) -> Registration | None:
    """Return what a cloud was asked for about a feed's address, or None."""
    row = database.execute(_OF_CLOUD, [topic]).fetchone()
    return Registration(*row) if row else None


_OF_CLOUD = (
    f"SELECT {_COLUMNS} FROM subscription INDEXED BY subscription_topic WHERE topic = ? AND protocol = 'rsscloud'"
    " AND state IN ('asked', 'active') ORDER BY id DESC LIMIT 1"
)


def agree(database: Database, agreed: Registration, now: datetime, ends_at: datetime, renew_at: datetime) -> None:
    """Note that a hub has agreed; an earlier subscription gives way to the new one. Inside a transaction.

    What has become void meanwhile takes nobody's place.
    """
    begun = database.execute(
        "UPDATE subscription SET state = 'active', next_at = ? WHERE id = ?", [to_text(ends_at), agreed.id]
    )
    if not begun.rowcount:
        return
    _leave(database, "feed_id = ? AND id <> ? AND state = 'active'", [agreed.feed_id, agreed.id], now)
    database.execute(
        "UPDATE feed SET ask_at = ?, ask_failures = 0, ask_problem = '' WHERE id = ?",
        [to_text(renew_at), agreed.feed_id],
    )


def deny(database: Database, denied: Registration, again_at: datetime, reason: str) -> None:
    """Note that a hub will not tell of a feed, or no more; inside a transaction."""
    remove(database, denied.id)
    if denied.state == "leaving":
        return
    database.execute(
        "UPDATE feed SET ask_at = ?, ask_problem = ? WHERE id = ?", [to_text(again_at), reason[:300], denied.feed_id]
    )


def remove(database: Database, id: int) -> None:
    """Forget a subscription, with its pushes; inside a transaction."""
    database.execute("DELETE FROM subscription WHERE id = ?", [id])


def renew(database: Database, feed_id: int, at: datetime) -> None:
    """Let a feed's subscription be replaced by a new one; inside a transaction."""
    database.execute("UPDATE feed SET ask_at = min(coalesce(ask_at, ?1), ?1) WHERE id = ?2", [to_text(at), feed_id])


def settle(database: Database, base: str, now: datetime) -> None:
    """Bring subscriptions in line with feeds and with our own address: who is not polled needs no pushes.

    Those whose lease is over, and those that were asked for in vain, are forgotten. Inside a transaction.
    """
    _leave(database, f"state <> 'leaving' AND feed_id NOT IN (SELECT id FROM feed WHERE {_IS_POLLED})", [], now)
    moved = database.execute(_MOVED, {"base": base, "length": len(base)}).fetchall()
    for (feed_id,) in moved:
        renew(database, feed_id, now)
    database.execute("DELETE FROM subscription WHERE state IN ('active', 'asked') AND next_at <= ?", [to_text(now)])
    # A blog that comes back is asked for anew.
    database.execute(f"UPDATE feed SET ask_at = NULL WHERE ask_at IS NOT NULL AND NOT ({_IS_POLLED})")
    database.execute(
        f"UPDATE feed SET ask_at = ? WHERE ask_at IS NULL AND offers <> '' AND {_IS_POLLED}", [to_text(now)]
    )


_MOVED = """
SELECT DISTINCT feed_id FROM subscription AS old WHERE state <> 'leaving' AND substr(callback, 1, :length) <> :base
    AND NOT EXISTS (SELECT 1 FROM subscription AS new WHERE new.feed_id = old.feed_id AND new.state <> 'leaving'
        AND substr(new.callback, 1, :length) = :base)
"""


def leaving(database: Database, now: datetime, limit: int) -> list[Registration]:
    """Return subscriptions that are to be told to their hubs as unwanted."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM subscription INDEXED BY subscription_next"
        " WHERE state = 'leaving' AND next_at <= ? ORDER BY next_at LIMIT ?",
        [to_text(now), limit],
    ).fetchall()
    return [Registration(*row) for row in rows]


def try_to_leave(database: Database, id: int, again_at: datetime) -> None:
    """Note that a hub is about to be told; inside a transaction."""
    database.execute(
        "UPDATE subscription SET attempts = attempts + 1, next_at = ? WHERE id = ?", [to_text(again_at), id]
    )


def _leave(database: Database, which: str, values: Collection[Any], now: datetime) -> None:
    """Leave subscriptions: a cloud forgets by itself, a hub is told."""
    database.execute(
        f"DELETE FROM subscription WHERE {which} AND (protocol = 'rsscloud' OR state = 'asked')", [*values]
    )
    database.execute(
        f"UPDATE subscription SET state = 'leaving', next_at = ? WHERE {which} AND state <> 'leaving'",
        [to_text(now), *values],
    )


def _offers(text: str) -> Offers:
    topic, hubs, cloud = json.loads(text)
    return Offers(topic, tuple(hubs), Cloud(*cloud) if cloud else None)

"""What hubs have sent: kept until it is read; after that only a digest, by which it is known when it comes again."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlite_utils import Database

from aggregator.model import Pushed, Registration
from aggregator.store import arrivals
from aggregator.store.connection import an_instant, to_text

# So many of one subscription wait to be read; a poll brings what comes on top.
MOST_WAITING = 10
# So many of one subscription are known again when they come again.
MOST_REMEMBERED = 200
# Bodies that are read at a time may take so much memory.
MOST_BYTES = 50_000_000


def add(database: Database, sender: Registration, content_type: str, body: bytes, now: datetime) -> bool:
    """Store a push; inside a transaction. Tells whether it is new: the same one again is not."""
    digest = hashlib.blake2b(body, digest_size=16).digest()
    stored = database.execute(
        "INSERT INTO pushed (subscription_id, digest, received_at, content_type, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [sender.id, digest, to_text(now), content_type[:200], body],
    )
    if stored.rowcount > 0:
        database.execute(_FORGET, [sender.id, sender.id, MOST_REMEMBERED])
    return stored.rowcount > 0


_FORGET = """
DELETE FROM pushed WHERE subscription_id = ? AND body IS NULL
    AND id <= (SELECT id FROM pushed WHERE subscription_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)
"""


def has_room(database: Database, sender: Registration) -> bool:
    """Tell whether another push of a subscription may wait."""
    return int(database.execute(_COUNT, [sender.id]).fetchone()[0]) < MOST_WAITING


_COUNT = "SELECT count(*) FROM pushed INDEXED BY pushed_waiting WHERE subscription_id = ? AND body IS NOT NULL"


def waiting(database: Database, limit: int) -> list[Pushed]:
    """Return pushes that have not been read, in the order in which they came: some of them, if they are large."""
    if not database.execute(_READY).fetchone():  # asked four times a second
        return []
    found, size = [], 0
    for id, feed_id, url, address, is_strange, at, kind, body in database.execute(_WAITING, [limit]):
        found.append(Pushed(id, feed_id, url, address, bool(is_strange), an_instant(at), kind, body))
        size += len(body)
        if size >= MOST_BYTES:
            break
    return found


_READY = "SELECT 1 FROM pushed INDEXED BY pushed_waiting WHERE body IS NOT NULL LIMIT 1"
_WAITING = """
SELECT pushed.id, feed.id, feed.url, coalesce(nullif(feed.address, ''), feed.url),
    quarantine <> '', received_at, content_type, body
FROM pushed INDEXED BY pushed_waiting JOIN subscription ON subscription.id = subscription_id
    JOIN feed ON feed.id = feed_id
WHERE body IS NOT NULL AND feed.enabled AND feed.removed_at IS NULL AND feed.retired_at IS NULL
ORDER BY pushed.id LIMIT ?
"""


def give_up(database: Database, now: datetime) -> None:
    """Forget what waits to be read, whatever it holds; its feeds are polled instead. Inside a transaction."""
    rows = database.execute(_WAITING_FEEDS).fetchall()
    database.execute("UPDATE pushed SET body = NULL WHERE body IS NOT NULL")
    for (feed_id,) in rows:
        arrivals.hint(database, feed_id, now, "push")


_WAITING_FEEDS = """
SELECT DISTINCT feed_id FROM pushed JOIN subscription ON subscription.id = subscription_id WHERE body IS NOT NULL
"""


def settle(database: Database, id: int) -> None:
    """Forget what a push held; inside a transaction."""
    database.execute("UPDATE pushed SET body = NULL WHERE id = ?", [id])

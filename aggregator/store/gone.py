"""Entries that are gone: missing from their feed, removed at their source, purged for good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator.sameness import EXPIRED, REMOVED, WITHDRAWN
from aggregator.store import conversations, search, stale
from aggregator.store.connection import to_text
from aggregator.urls import canonical

# A page that was still there is not looked at again for as long as this.
LOOK_AGAIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Missing:
    """A stored entry that its feed holds no more, though it should."""

    id: int
    url: str
    title: str
    feed_url: str


def note_missing(
    database: Database, feed_id: int, present: Collection[str], missing: Iterable[int], now: datetime
) -> None:
    """Note which entries a feed has lost, and which it holds (again); inside a transaction."""
    database.conn.executemany(
        "UPDATE entry SET missing_at = ? WHERE id = ? AND missing_at IS NULL",
        ((to_text(now), id) for id in missing),
    )
    rows = database.execute(
        "SELECT id, guid FROM entry WHERE feed_id = ? AND missing_at IS NOT NULL", [feed_id]
    ).fetchall()
    back = [(id,) for id, guid in rows if guid in present]
    database.conn.executemany("UPDATE entry SET missing_at = NULL, checked_at = NULL WHERE id = ?", back)


def missing(database: Database, now: datetime, limit: int) -> list[Missing]:
    """Return entries that two polls have missed, and whose page has not been looked at lately."""
    rows = database.execute(_MISSING, [REMOVED, WITHDRAWN, EXPIRED, to_text(now - LOOK_AGAIN), limit]).fetchall()
    return [Missing(*row) for row in rows]


_MISSING = """
SELECT entry.id, entry.url, entry.title, feed.url
FROM entry INDEXED BY entry_missing JOIN feed ON feed.id = feed_id
WHERE missing_at IS NOT NULL AND hidden NOT IN (?, ?, ?) AND entry.url <> '' AND (checked_at IS NULL OR checked_at < ?)
    AND feed.last_good_at > missing_at AND feed.removed_at IS NULL
ORDER BY missing_at LIMIT ?
"""


def note_checked(database: Database, id: int, now: datetime) -> None:
    """Note that an entry's page was looked at, and is still there; inside a transaction."""
    database.execute("UPDATE entry SET checked_at = ? WHERE id = ?", [to_text(now), id])


def remove(database: Database, ids: Sequence[int], why: str) -> int:
    """Take entries off every page and forget their text; inside a transaction. Returns how many were shown.

    Should the feed bring one of them again, it is a post again.
    """
    shown = 0
    for id in ids:
        row = database.execute(
            "UPDATE entry SET hidden = ?, title = '', author = '', html = '', lede = '', words = 0, tags = '[]',"
            " enclosures = '[]', fingerprint = x'', content_hash = x'', story_of = NULL WHERE id = ? AND hidden <> ?"
            " RETURNING feed_id",
            [why, id, why],
        ).fetchone()
        shown += row is not None
        _forget_links(database, id)
    if ids:
        show_orphans(database)
        stale.mark_posts(database, [*ids, *_unsay(database, ids, why)])
        stale.mark_river(database)
    return shown


def _forget_links(database: Database, id: int) -> None:
    """Forget where a post linked to, with the words around it."""
    database.execute("DELETE FROM outlink WHERE entry_id = ?", [id])
    database.execute("DELETE FROM to_link WHERE entry_id = ?", [id])


def _unsay(database: Database, ids: Sequence[int], why: str) -> list[int]:
    """Withdraw the links that entries made, words and all, unless another shown one says the same.

    Returns the posts under which they stood.
    """
    wanted = json.dumps(list(ids))
    return [row[0] for row in database.execute(_UNSAY, [why, wanted]).fetchall()]


_SAID_BY = """
source_key IN (SELECT url_key FROM entry WHERE id IN (SELECT value FROM json_each(?)) AND url_key <> '')
    AND NOT EXISTS (SELECT 1 FROM entry AS other JOIN feed ON feed.id = other.feed_id
        WHERE other.url_key = source_key AND other.hidden = '' AND removed_at IS NULL)
"""
_UNSAY = f"""
UPDATE linkback SET status = 'retracted', problem = ?, title = '', author = '', excerpt = '["","",""]',
    recheck_at = NULL, next_try_at = NULL
WHERE status <> 'rejected' AND {_SAID_BY} RETURNING entry_id
"""


def expire(database: Database, before: datetime, limit: int) -> int:
    """Forget the texts and linkbacks of entries that stand before an instant; inside a transaction.

    What stays of them is by what they are known again, lest a feed that still holds them brings them back. Returns
    how many there were, at most `limit`.
    """
    ids = [row[0] for row in database.execute(_EXPIRED, [to_text(before), limit]).fetchall()]
    beside = {other for id in ids for other in conversations.beside(database, id)}
    for id in ids:
        database.execute(
            "UPDATE entry SET hidden = ?, title = '', author = '', html = '', lede = '', words = 0, tags = '[]',"
            " enclosures = '[]', comments_feed = '', missing_at = NULL, story_of = NULL"
            " WHERE id = ?",
            [EXPIRED, id],
        )
        database.execute("DELETE FROM linkback WHERE entry_id = ?", [id])
        _forget_links(database, id)
    if ids:
        show_orphans(database)
        stale.mark_posts(database, {*ids, *beside})
        stale.mark_river(database)
    return len(ids)


_EXPIRED = f"""
SELECT id FROM entry INDEXED BY entry_to_expire WHERE shown_at < ? AND hidden <> '{EXPIRED}' ORDER BY shown_at LIMIT ?
"""


def forget_removed(database: Database, before: datetime, limit: int) -> tuple[int, list[str]]:
    """Delete entries of feeds that have not been in the configuration since before an instant; inside a transaction.

    Returns how many entries went, at most `limit`, and the urls of the feeds of which nothing is left.
    """
    gone = database.execute(_REMOVED, [to_text(before), limit]).rowcount
    if gone >= limit:
        return gone, []
    rows = database.execute(
        "DELETE FROM feed WHERE removed_at < ? AND NOT EXISTS (SELECT 1 FROM entry WHERE feed_id = feed.id)"
        " RETURNING id, url",
        [to_text(before)],
    ).fetchall()
    if rows:
        ids = json.dumps([id for id, _ in rows])
        database.execute("DELETE FROM poll WHERE feed_id IN (SELECT value FROM json_each(?))", [ids])
    return gone, [url for _, url in rows]


_REMOVED = """
DELETE FROM entry WHERE id IN
    (SELECT entry.id FROM feed JOIN entry ON entry.feed_id = feed.id WHERE feed.removed_at < ? LIMIT ?)
"""


def show_orphans(database: Database) -> None:
    """Show entries that stand behind the same story of another blog, when that is shown no more; in a transaction."""
    heirs: dict[int, int] = {}
    for id, story_of in database.execute(_ORPHANS).fetchall():
        heir = heirs.setdefault(story_of, id)
        if heir == id:
            database.execute("UPDATE entry SET story_of = NULL, hidden = '' WHERE id = ?", [id])
        else:
            database.execute("UPDATE entry SET story_of = ? WHERE id = ?", [heir, id])
    if heirs:
        stale.mark_posts(database, heirs.values())
        stale.mark_river(database)


_ORPHANS = """
SELECT twin.id, twin.story_of FROM entry AS twin
JOIN feed AS own ON own.id = twin.feed_id AND own.removed_at IS NULL
JOIN entry AS shown ON shown.id = twin.story_of JOIN feed ON feed.id = shown.feed_id
WHERE twin.story_of IS NOT NULL AND (shown.hidden <> '' OR feed.removed_at IS NOT NULL) ORDER BY twin.id
"""


def ids_of(database: Database, feed_id: int, guids: Iterable[str]) -> list[int]:
    """Return the ids of a feed's entries that have these guids."""
    found = []
    for guid in guids:
        row = database.execute("SELECT id FROM entry WHERE feed_id = ? AND guid = ?", [feed_id, guid]).fetchone()
        if row:
            found.append(int(row[0]))
    return found


def bury(database: Database, id: int, now: datetime) -> None:
    """Delete an entry for good, and see to it that no feed brings it back; inside a transaction.

    Its linkbacks go with it, and so does what its feed is recognised by, which an earlier version made of its words.
    """
    names = database.execute(
        "SELECT guid, url_key FROM entry WHERE id = ? UNION SELECT guid, url_key FROM alias WHERE entry_id = ?",
        [id, id],
    ).fetchall()
    guids, addresses = {guid for guid, _ in names}, {url_key for _, url_key in names if url_key}
    # An address that other posts have, too, is the blog's: buried, it would keep all of them out.
    shared = {key for key in addresses if _is_shared(database, key, id)}
    bury_names(database, {name for name in guids | (addresses - shared) if canonical(name) not in shared}, now)
    stale.mark_posts(database, [id])
    stale.mark_river(database)
    # Once its linkbacks are gone, nothing tells in which weeks it was talked about.
    days = database.execute("SELECT DISTINCT substr(received_at, 1, 10) FROM linkback WHERE entry_id = ?", [id])
    stale.mark_sections(database, [("day", int(row[0].replace("-", ""))) for row in days.fetchall()])
    database.execute("UPDATE entry SET hidden = ? WHERE id = ?", [REMOVED, id])
    said = database.execute(f"DELETE FROM linkback WHERE {_SAID_BY} RETURNING entry_id", [json.dumps([id])])
    stale.mark_posts(database, [row[0] for row in said.fetchall()])
    show_orphans(database)
    database.execute("UPDATE feed SET voice = '' WHERE id = (SELECT feed_id FROM entry WHERE id = ?)", [id])
    database.execute("DELETE FROM entry WHERE id = ?", [id])


def bury_names(database: Database, names: Iterable[str], now: datetime) -> None:
    """Keep out what is called so, under a salted digest that tells nothing of the name; inside a transaction."""
    rows = [(_digest(database, name), to_text(now)) for name in names]
    database.conn.executemany("INSERT INTO tombstone VALUES (?, ?) ON CONFLICT DO NOTHING", rows)


def _is_shared(database: Database, url_key: str, id: int) -> bool:
    row = database.execute("SELECT 1 FROM entry WHERE url_key = ? AND id <> ? LIMIT 1", [url_key, id]).fetchone()
    return row is not None


def erase(database: Database) -> None:
    """Leave nothing in the files of what was deleted. Outside of a transaction; it waits for readers to finish."""
    search.erase(database)
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def is_buried(database: Database, guid: str, url: str) -> bool:
    """Tell whether an entry was purged, under its guid or its address."""
    return any(is_named_on_a_grave(database, name) for name in (guid, canonical(url)) if name)


def is_named_on_a_grave(database: Database, name: str) -> bool:
    """Tell whether something of this name was purged: a guid, or an address as it is compared."""
    row = database.execute("SELECT 1 FROM tombstone WHERE digest = ?", [_digest(database, name)]).fetchone()
    return row is not None


def has_graves(database: Database) -> bool:
    """Tell whether anything was ever purged."""
    return database.execute("SELECT 1 FROM tombstone LIMIT 1").fetchone() is not None


def _digest(database: Database, name: str) -> bytes:
    salt = database.execute("SELECT value FROM note WHERE name = 'salt'").fetchone()[0]
    return hashlib.blake2b(name.encode("utf-8", "replace"), key=str(salt).encode(), digest_size=16).digest()

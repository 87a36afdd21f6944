"""What it takes to know an entry again: stored entries as compared, their other names, and the same story elsewhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from aggregator.model import ReadEntry
from aggregator.sameness import Alias, Old
from aggregator.store.connection import to_instant, to_text
from aggregator.urls import canonical

# Older entries than so many of one feed are not compared any more.
_MOST_COMPARED = 2_000


def guids_of(database: Database, feed_id: int, guids: Collection[str]) -> set[str]:
    """Return those of some guids that stored entries of a feed have as their first ones."""
    rows = database.execute(
        "SELECT guid FROM entry WHERE feed_id = ? AND guid IN (SELECT value FROM json_each(?))",
        [feed_id, json.dumps(list(guids))],
    ).fetchall()
    return {row[0] for row in rows}


def old_like(database: Database, feed_id: int, entries: Collection[ReadEntry]) -> list[Old]:
    """Return the stored entries of a feed that may be some unseen ones: of the same address, second or text."""
    found: dict[int, tuple[Any, ...]] = {}
    for entry in entries:
        written = to_text(entry.published_at or entry.updated_at)
        marks = {
            "feed": feed_id,
            "address": canonical(entry.url),
            "second": written[:19] if written else None,
            "text": entry.fingerprint,
            "content": entry.content_hash,
        }
        found |= {row[0]: row for row in database.execute(_LIKE, marks)}
    return [_old(row) for row in found.values()]


def old_since(database: Database, feed_id: int, held: Collection[str]) -> list[Old]:
    """Return the stored entries of a feed that are no older than the oldest of those that it holds."""
    values = {"feed": feed_id, "most": _MOST_COMPARED, "held": json.dumps(list(held))}
    return [_old(row) for row in database.execute(_SINCE, values).fetchall()]


def stories_like(database: Database, feed_id: int, entry: ReadEntry) -> list[Old]:
    """Return shown posts of other feeds that have an entry's address or its text."""
    rows = database.execute(_STORIES, [canonical(entry.url) or None, feed_id, entry.fingerprint, feed_id]).fetchall()
    return [_old(row) for row in rows]


_OLD = "id, guid, url_key, title, coalesce(published_at, updated_at), fingerprint, content_hash"
# Titles and dates are compared by the second; entries without an address by their content as well.
_LIKE = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_url WHERE url_key = :address AND url_key <> '' AND feed_id = :feed
UNION
SELECT {_OLD} FROM entry INDEXED BY entry_written
    WHERE feed_id = :feed AND coalesce(published_at, updated_at) >= :second
    AND coalesce(published_at, updated_at) < :second || '~'
UNION
SELECT {_OLD} FROM entry INDEXED BY entry_fingerprint
    WHERE fingerprint = :text AND fingerprint <> x'' AND feed_id = :feed
UNION
SELECT {_OLD} FROM entry WHERE content_hash = :content AND url_key = '' AND feed_id = :feed
LIMIT 200
"""
_SINCE = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_written WHERE feed_id = :feed AND coalesce(published_at, updated_at) >= (
    SELECT min(coalesce(published_at, updated_at)) FROM entry INDEXED BY entry_known
    WHERE feed_id = :feed AND guid IN (SELECT value FROM json_each(:held)))
ORDER BY coalesce(published_at, updated_at) DESC LIMIT :most
"""
_STORIES = f"""
SELECT {_OLD} FROM entry WHERE url_key = ? AND feed_id <> ? AND hidden = ''
UNION
SELECT {_OLD} FROM entry WHERE fingerprint = ? AND fingerprint <> x'' AND feed_id <> ? AND hidden = ''
LIMIT 20
"""


def add_aliases(database: Database, feed_id: int, aliases: Mapping[str, Alias], now: datetime) -> None:
    """Store other names of entries, each with the address that the entry had so far; inside a transaction."""
    database.conn.executemany(
        "INSERT INTO alias SELECT ?, ?, url_key, id, ?, ? FROM entry WHERE id = ?"
        " ON CONFLICT (feed_id, guid) DO NOTHING",
        ((feed_id, guid, alias.why, to_text(now), alias.entry_id) for guid, alias in aliases.items()),
    )


def prune_aliases(database: Database, feed_id: int, present: Collection[str]) -> None:
    """Forget the names of entries that their feed uses no more, unless they were addresses; inside a transaction.

    Some feeds make up a new guid for every entry at every poll.
    """
    database.execute(
        "DELETE FROM alias WHERE feed_id = ? AND guid NOT IN (SELECT value FROM json_each(?))"
        " AND url_key = (SELECT url_key FROM entry WHERE entry.id = entry_id)",
        [feed_id, json.dumps(list(present))],
    )


def names_present(database: Database, feed_id: int, present: Collection[str]) -> set[str]:
    """Return the first guids of a feed's entries that it holds under other ones."""
    rows = database.execute(
        "SELECT entry.guid, alias.guid FROM alias JOIN entry ON entry.id = entry_id WHERE alias.feed_id = ?", [feed_id]
    ).fetchall()
    return {first for first, other in rows if other in present}


def aliases_of(database: Database, entry_id: int) -> list[tuple[str, str]]:
    """Return the other guids of an entry, each with by what it was known again."""
    rows = database.execute("SELECT guid, why FROM alias WHERE entry_id = ? ORDER BY made_at", [entry_id]).fetchall()
    return [(row[0], row[1]) for row in rows]


def _old(row: Sequence[Any]) -> Old:
    id, guid, url_key, title, written_at, fingerprint, content_hash = row
    return Old(id, guid, url_key, title, to_instant(written_at), fingerprint, content_hash)

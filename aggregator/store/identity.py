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
# More than a feed holds at a time, so that one that it holds no more is among them.
_MOST_ALIKE = 220


def guids_of(database: Database, feed_id: int, guids: Collection[str]) -> set[str]:
    """Return those of some guids that stored entries of a feed have as their first ones."""
    rows = database.execute(
        "SELECT guid FROM entry WHERE feed_id = ? AND guid IN (SELECT value FROM json_each(?))",
        [feed_id, json.dumps(list(guids))],
    ).fetchall()
    return {row[0] for row in rows}


def old_like(database: Database, feed_id: int, entries: Collection[ReadEntry]) -> list[Old]:
    """Return the stored entries of a feed that may be some unseen ones: of the same address, second, text or content.

    Of what very many have in common no more are returned than it takes to see that it tells nothing.
    """
    addressed = [(canonical(entry.url), entry) for entry in entries]
    written = [at for entry in entries if (at := to_text(entry.published_at or entry.updated_at))]
    marks: list[tuple[str, str | bytes]] = [
        *((_BY_ADDRESS, key) for key in {key for key, _ in addressed} if key),
        *((_BY_SECOND, second) for second in {at[:19] for at in written}),
        *((_BY_TEXT, text) for text in {entry.fingerprint for entry in entries} if text),
        *((_BY_CONTENT, entry.content_hash) for key, entry in addressed if not key),
    ]
    found: dict[int, Old] = {}
    for query, mark in marks:
        if len(found) >= _MOST_COMPARED:
            break
        rows = database.execute(query, {"feed": feed_id, "mark": mark, "most": _MOST_ALIKE})
        found |= {row[0]: _old(row) for row in rows}
    return list(found.values())


def old_since(database: Database, feed_id: int, held: Collection[str]) -> list[Old]:
    """Return the stored entries of a feed that are no older than the oldest of those that it holds."""
    values = {"feed": feed_id, "most": _MOST_COMPARED, "held": json.dumps(list(held))}
    return [_old(row) for row in database.execute(_SINCE, values).fetchall()]


def stories_like(database: Database, feed_id: int, entry: ReadEntry) -> list[Old]:
    """Return shown posts of other feeds that have an entry's address or its text, the oldest first."""
    marks = ((_STORIES_AT, canonical(entry.url)), (_STORIES_OF, entry.fingerprint))
    rows = {row[0]: row for query, mark in marks if mark for row in database.execute(query, [mark, feed_id]).fetchall()}
    return [_old(rows[id]) for id in sorted(rows)]


_OLD = "id, guid, url_key, title, coalesce(published_at, updated_at), fingerprint, content_hash"
_BY_ADDRESS = f"SELECT {_OLD} FROM entry INDEXED BY entry_url WHERE url_key = :mark AND feed_id = :feed LIMIT :most"
# As titles and dates are compared.
_BY_SECOND = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_written WHERE feed_id = :feed
    AND coalesce(published_at, updated_at) >= :mark AND coalesce(published_at, updated_at) < :mark || '~' LIMIT :most
"""
_BY_TEXT = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_fingerprint
WHERE fingerprint = :mark AND fingerprint <> x'' AND feed_id = :feed LIMIT :most
"""
# Those without an address; the others of one content have one address.
_BY_CONTENT = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_content WHERE content_hash = :mark AND url_key = '' AND feed_id = :feed
LIMIT :most
"""
_SINCE = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_written WHERE feed_id = :feed AND coalesce(published_at, updated_at) >= (
    SELECT min(coalesce(published_at, updated_at)) FROM entry INDEXED BY entry_known
    WHERE feed_id = :feed AND guid IN (SELECT value FROM json_each(:held)))
ORDER BY coalesce(published_at, updated_at) DESC LIMIT :most
"""
_STORIES_AT = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_url WHERE url_key = ? AND feed_id <> ? AND hidden = '' LIMIT 20
"""
_STORIES_OF = f"""
SELECT {_OLD} FROM entry INDEXED BY entry_fingerprint
WHERE fingerprint = ? AND fingerprint <> x'' AND feed_id <> ? AND hidden = '' LIMIT 20
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

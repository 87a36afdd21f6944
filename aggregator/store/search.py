"""The search index: the words of every post that is shown, and where its links lead."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from aggregator.errors import SearchTooBroad
from aggregator.finding import LONGEST_TEXT, as_indexed, as_read, links, marks
from aggregator.markup import plain
from aggregator.model import Post
from aggregator.store import entries
from aggregator.urls import canonical, host_of

# Ordering every hit of a common word takes seconds: the newest so many are looked at.
MOST_HITS = 2_000
# Of a search that finds next to nothing in a great many texts: steps of SQLite's machine, about a tenth of a second.
MOST_STEPS = 2_000_000
_MARK, _END = "\x02", "\x03"
_LONGEST_WORDS = 120


@dataclass(frozen=True, slots=True)
class Found:
    """A post that was found; of the snippet every second part holds the words that were searched for."""

    post: Post
    snippet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """One page of what was found; `total` counts no further than `MOST_HITS`."""

    found: tuple[Found, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index is to hold of an entry: a row, and links (key, address, words); nothing of one that is gone."""

    id: int
    row: tuple[str, ...] = ()
    links: tuple[tuple[str, str, str], ...] = ()


def prepare(database: Database, ids: Sequence[int]) -> list[Indexed]:
    """Read what the index is to hold of entries that may have changed, come or gone, where it holds something else."""
    rows = {row[0]: row for row in database.execute(_ENTRIES, [json.dumps(list(ids))]).fetchall()}
    prepared = []
    for id in ids:
        known = database.execute("SELECT hash FROM search WHERE rowid = ?", [id]).fetchone()
        row = rows.get(id)
        if row and not (known and known[0] == row[-1]):
            prepared.append(_indexed(*row))
        elif known and not row:
            prepared.append(Indexed(id))
    return prepared


_ENTRIES = """
SELECT entry.id, feed_id, shown_at, entry.url, entry.title, entry.author, html, entry.tags, hex(content_hash)
FROM entry JOIN feed ON feed.id = feed_id
WHERE entry.id IN (SELECT value FROM json_each(?)) AND hidden = '' AND removed_at IS NULL
"""


def _indexed(
    id: int, feed_id: int, shown_at: str, url: str, title: str, author: str, html: str, tags: str, digest: str
) -> Indexed:
    found, own = links(html), host_of(url)
    text = plain(html, is_html=True, longest=LONGEST_TEXT)
    addresses = " ".join(address for address, _ in found)
    words = as_indexed(f"{' '.join(json.loads(tags))} {author}")
    cited = (
        (key, address, plain(inner, is_html=True, longest=_LONGEST_WORDS))
        for address, inner in found
        if host_of(address) != own and (key := canonical(address))
    )
    row = (as_indexed(title), as_indexed(text), words, addresses, marks(feed_id, shown_at), digest)
    return Indexed(id, row, tuple(cited))


def index(database: Database, prepared: Sequence[Indexed]) -> None:
    """Bring the index up to date; inside a transaction.

    An entry that has gone meanwhile is left out: its going has been noted, too.
    """
    for each in prepared:
        database.execute("DELETE FROM search WHERE rowid = ?", [each.id])
        database.execute("DELETE FROM cited WHERE entry_id = ?", [each.id])
        if not each.row or not database.execute("SELECT 1 FROM entry WHERE id = ?", [each.id]).fetchone():
            continue
        database.execute(
            "INSERT INTO search (rowid, title, text, tags, links, marks, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [each.id, *each.row],
        )
        database.conn.executemany(
            "INSERT OR IGNORE INTO cited VALUES (?, ?, ?, ?)", ((each.id, *link) for link in each.links)
        )


def find(database: Database, expression: str, *, start: int, limit: int, best_first: bool = False) -> Hits:
    """Return posts that match an expression of `aggregator.finding`, newest first, or those first whose title matches.

    Raises: SearchTooBroad when it would take too long.
    """
    steps = iter(range(MOST_STEPS // 1_000))
    database.conn.set_progress_handler(lambda: next(steps, None) is None, 1_000)
    try:
        rows = database.execute(_FIND, [expression, MOST_HITS]).fetchall()
        titled = _titled(database, expression, rows) if best_first else set()
        ordered = sorted(rows, key=lambda row: (row[0] in titled, row[1], row[0]), reverse=True)
        page = [row[0] for row in ordered[start : start + limit]]
        snippets = {id: _snippet(database, expression, id) for id in page}
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        raise SearchTooBroad from error
    finally:
        database.conn.set_progress_handler(None, 0)
    posts = {post.id: post for post in entries.briefs(database, page)}
    return Hits(tuple(Found(posts[id], snippets[id]) for id in page if id in posts), len(rows))


_FIND = """
SELECT entry.id, entry.shown_at FROM (SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?)
JOIN entry ON entry.id = rowid JOIN feed ON feed.id = feed_id
WHERE hidden = '' AND removed_at IS NULL
"""


def _titled(database: Database, expression: str, rows: Sequence[tuple[int, str]]) -> set[int]:
    """Those of the hits whose title alone matches."""
    if not rows:
        return set()
    oldest = min(row[0] for row in rows)
    # What a person searches for is restricted to columns; here to one of them.
    titled = expression.replace("{title text tags links} :", "title :", 1)
    found = database.execute("SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ?", [titled, oldest])
    return {row[0] for row in found.fetchall()}


def _snippet(database: Database, expression: str, id: int) -> tuple[str, ...]:
    row = database.execute(
        "SELECT snippet(search, 1, ?, ?, ' … ', 32) FROM search WHERE search MATCH ? AND rowid = ?",
        [_MARK, _END, expression, id],
    ).fetchone()
    parts = as_read(str(row[0]) if row else "").replace(_END, _MARK)
    return tuple(parts.split(_MARK))


def erase(database: Database) -> None:
    """Leave nothing of deleted texts in the index, where their words stay until its parts are merged."""
    database.execute("INSERT INTO search (search) VALUES ('optimize')")
    database.conn.commit()

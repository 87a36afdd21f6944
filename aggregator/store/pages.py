"""What has been published: which file changed in which publish, and small notes about the site."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping

from sqlite_utils import Database

# The digest of a file of which nobody knows what it holds.
_UNKNOWN = b"\0"
_POST = re.compile(r"posts/(\d{1,18})-")


def digests(database: Database, paths: Iterable[str]) -> dict[str, bytes]:
    """Return the digests of those of the files that are published."""
    found: dict[str, bytes] = {}
    for path in paths:
        row = database.execute("SELECT digest FROM page WHERE path = ?", [path]).fetchone()
        if row:
            found[path] = row[0]
    return found


def announce(database: Database, paths: Iterable[str]) -> None:
    """Note files that are about to be written; inside a transaction.

    Until they are recorded nobody knows what they hold: they are written again, or removed, whatever happens.
    """
    current = generation(database)
    database.conn.executemany(
        "INSERT INTO page VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET digest = excluded.digest",
        ((path, _UNKNOWN, current) for path in paths),
    )


def record(database: Database, changed: Mapping[str, bytes], gone: Iterable[str]) -> None:
    """Note files that were written and removed, in a new generation; inside a transaction."""
    database.execute("UPDATE counter SET value = value + 1 WHERE name = 'generation'")
    current = generation(database)
    gone = list(gone)
    rows = [*changed.items(), *((path, b"") for path in gone)]
    database.conn.executemany(
        "INSERT INTO page VALUES (?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, generation = excluded.generation",
        ((path, digest, current) for path, digest in rows),
    )
    _forget_purged(database, gone)


def _forget_purged(database: Database, gone: Iterable[str]) -> None:
    """Forget even the names of the pages of posts that were purged: they are made of their titles."""
    ids = {path: match[1] for path in gone if (match := _POST.match(path))}
    purged = [
        path for path, id in ids.items() if not database.execute("SELECT 1 FROM entry WHERE id = ?", [id]).fetchone()
    ]
    if purged:
        database.conn.executemany("DELETE FROM page WHERE path = ?", ((path,) for path in purged))
        set_note(database, "forgotten", str(forgotten(database) + 1))


def forget_posts(database: Database, ids: Iterable[int]) -> None:
    """Forget the names of the pages of posts where no folder holds them; inside a transaction."""
    prefixes = [f"posts/{id}-" for id in ids]
    database.conn.executemany(
        "DELETE FROM page WHERE path >= ? AND path < ?", ((prefix, f"{prefix}\U0010ffff") for prefix in prefixes)
    )


def forgotten(database: Database) -> int:
    """Return how often pages were forgotten, so that nobody can be told which ones."""
    return int(note(database, "forgotten") or 0)


def generation(database: Database) -> int:
    """Return the number of the latest publish that changed a file."""
    return int(database.execute("SELECT value FROM counter WHERE name = 'generation'").fetchone()[0])


def changed_since(database: Database, earlier: int) -> list[str]:
    """Return the files that changed or went in publishes after `earlier`."""
    rows = database.execute("SELECT path FROM page WHERE generation > ?", [earlier]).fetchall()
    return [row[0] for row in rows]


def paths_under(database: Database, prefix: str) -> list[str]:
    """Return the files of one folder of the site that are published."""
    rows = database.execute(
        "SELECT path FROM page WHERE path >= ? AND path < ? AND digest <> x''", [prefix, f"{prefix}\U0010ffff"]
    ).fetchall()
    return [row[0] for row in rows]


def was_published(database: Database, path: str) -> bool:
    """Tell whether a file of the site was published once and is no more."""
    return digests(database, [path]).get(path) == b""


def newest_under(database: Database, prefix: str, limit: int) -> list[str]:
    """Return the files of one folder of the site that were published last, the latest first."""
    rows = database.execute(
        "SELECT path FROM page WHERE path >= ? AND path < ? AND digest <> x'' ORDER BY generation DESC, path LIMIT ?",
        [prefix, f"{prefix}\U0010ffff", limit],
    ).fetchall()
    return [row[0] for row in rows]


def all_paths(database: Database) -> set[str]:
    """Return all files of the site that are published."""
    return {row[0] for row in database.execute("SELECT path FROM page WHERE digest <> x''").fetchall()}


def is_published(database: Database, path: str) -> bool:
    """Tell whether a file of the site is published, and what it holds is known."""
    return digests(database, [path]).get(path, b"") not in (b"", _UNKNOWN)


def forget(database: Database) -> None:
    """Forget what the files hold, so that every one is written again; inside a transaction."""
    database.execute("UPDATE page SET digest = ? WHERE digest <> x''", [_UNKNOWN])


def note(database: Database, name: str) -> str:
    """Return a note, or ""."""
    row = database.execute("SELECT value FROM note WHERE name = ?", [name]).fetchone()
    return str(row[0]) if row else ""


def set_note(database: Database, name: str, value: str) -> None:
    """Write a note; inside a transaction."""
    database.execute(
        "INSERT INTO note VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", [name, value]
    )


def former_addresses(database: Database, url: str) -> list[str]:
    """Note the planet's public address, and return those that it had before; inside a transaction."""
    had: list[str] = json.loads(note(database, "addresses") or "[]")
    if url not in had[-1:]:
        had = [*(each for each in had if each != url), url]
        set_note(database, "addresses", json.dumps(had))
    return had[:-1]


def first_address(database: Database, url: str) -> str:
    """Return the public address that the planet had first, and note it; inside a transaction.

    Its feeds are named by it for good: under another name they would be other feeds to who follows them.
    """
    if not (first := note(database, "first address")):
        first = next(iter(json.loads(note(database, "addresses") or "[]")), url)
        set_note(database, "first address", first)
    return first


def secret(database: Database, name: str) -> str:
    """Return the unguessable part of a private address, made when it is first asked for; inside a transaction."""
    if not (found := note(database, f"secret: {name}")):
        found = secrets.token_urlsafe(18)
        set_note(database, f"secret: {name}", found)
    return found

"""Copies of the database: written while the planet runs, looked through before they take its place."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from aggregator.errors import BackupUnusable
from aggregator.store import gone, pages
from aggregator.store.connection import FILE_NAME, named_errors, open_store, transaction

# The database that a restore has replaced, and where a restore works.
REPLACED = "before-restore.db"
STAGING = ".restoring"
_CONFIGURATION = "configuration"


def write(database: Database, path: Path, configuration: str) -> int:
    """Write a consistent copy, with the text of the configuration in it; return its size in bytes.

    Nobody waits for it: readers and writers go on meanwhile. An unfinished copy never has the name of a whole one.

    Raises: StoreFailed.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    with named_errors(path):
        unfinished.unlink(missing_ok=True)
        try:
            unfinished.touch(0o600)
            database.execute("VACUUM INTO ?", [str(unfinished)])
            with closing(Database(unfinished, execute_plugins=False)) as copy, transaction(copy):
                pages.set_note(copy, _CONFIGURATION, configuration)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def configuration_in(path: Path) -> str:
    """Return the configuration that came with a copy, or "", after looking through all of it.

    Raises: BackupUnusable.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if (said := connection.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
                raise BackupUnusable(f"{path}: it is damaged: {said}")
            connection.execute("SELECT 1 FROM feed LIMIT 1").fetchone()
            row = connection.execute("SELECT value FROM note WHERE name = ?", [_CONFIGURATION]).fetchone()
    except sqlite3.Error as error:
        raise BackupUnusable(f"{path}: it is no backup of a planet: {error}") from error
    return str(row[0]) if row else ""


@contextmanager
def inside(path: Path) -> Iterator[Database]:
    """Open a copy that lies about, to be changed; it takes its place again when all went well.

    Raises: StoreFailed.
    """
    staging = path.with_name(f".{path.name}.opened")
    try:
        with named_errors(path):
            staging.mkdir(exist_ok=True)
            shutil.copyfile(path, staging / FILE_NAME)
        with closing(open_store(staging)) as database:
            yield database
            database.execute("PRAGMA journal_mode = DELETE")
        with named_errors(path):
            (staging / FILE_NAME).chmod(path.stat().st_mode & 0o777)
            (staging / FILE_NAME).replace(path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def restore(path: Path, folder: Path) -> int:
    """Put a copy in the place of the database in `folder`; nobody may be at work there.

    What has been purged since the copy was made is purged from it, too; returns how many entries these were. Every
    page is rendered anew afterwards.

    Raises: StoreFailed, also when the copy is of a newer planet; then the database is as it was.
    """
    with named_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        staging = folder / STAGING
        staging.mkdir(exist_ok=True)
        copy = staging / FILE_NAME
        shutil.copyfile(path, copy)
    try:
        with closing(open_store(staging)) as database:
            buried = _bury_again(database, folder) if (folder / FILE_NAME).exists() else 0
            with transaction(database):
                pages.set_note(database, "fingerprint", "")
            database.execute("PRAGMA journal_mode = DELETE")
        with named_errors(folder / FILE_NAME):
            for name in (f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"):
                (folder / name).unlink(missing_ok=True)
            copy.replace(folder / FILE_NAME)
    finally:
        for left in staging.iterdir():
            left.unlink()
        staging.rmdir()
    return buried


def _bury_again(database: Database, folder: Path) -> int:
    """Carry the tombstones of the database that is replaced into its successor."""
    with closing(open_store(folder)) as before:
        salt, graves = pages.note(before, "salt"), before.execute("SELECT digest, buried_at FROM tombstone").fetchall()
    if not graves or salt != pages.note(database, "salt"):
        return 0
    with transaction(database):
        database.conn.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?)", graves)
        rows = database.execute("SELECT id, guid, url FROM entry").fetchall()
        buried = [id for id, guid, url in rows if gone.is_buried(database, guid, url)]
        for id in buried:
            database.execute("DELETE FROM entry WHERE id = ?", [id])
        pages.forget_posts(database, buried)
        said = database.execute("SELECT DISTINCT source_key FROM linkback").fetchall()
        keys = [(key,) for (key,) in said if gone.is_named_on_a_grave(database, key)]
        database.conn.executemany("DELETE FROM linkback WHERE source_key = ?", keys)
    gone.erase(database)
    return len(buried)

"""Open the database, and write to it in one piece or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from aggregator.errors import FULL, UNWRITABLE, StoreBusy, StoreFailed, StoreReadOnly, unwritten
from aggregator.store.schema import migrations

WAIT_FOR_LOCK = 10.0
FILE_NAME = "planet.db"
ROOM = 500_000


def open_store(
    folder: Path, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL", wait_for_lock: float = WAIT_FOR_LOCK
) -> Database:
    """Open the database in `folder`, creating and migrating it as needed. For one thread at a time.

    `synchronous` FULL makes a commit survive a power cut; NORMAL survives a killed process.

    Raises: StoreFailed, also when the database is newer than this program.
    """
    path = folder / FILE_NAME
    with named_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        database = Database(
            sqlite3.connect(path, timeout=wait_for_lock, check_same_thread=False), execute_plugins=False
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("PRAGMA cache_size = -4000")
        _migrate(database, path)
    return database


@contextmanager
def transaction(database: Database) -> Iterator[None]:
    """Take the write lock, and commit all or nothing.

    `db.atomic()` begins deferred, and a reader that turns into a writer fails at once under contention:
    so the lock is taken first, and `atomic()` inside it is a savepoint.

    Raises: StoreFailed when the lock, the disk or the file says no; then nothing was kept.
    """
    with named_errors():
        database.execute("BEGIN IMMEDIATE")
        try:
            with database.atomic():
                yield
        except BaseException:
            if database.conn.in_transaction:
                database.conn.rollback()
            raise
        try:
            database.conn.commit()
        except BaseException:
            if database.conn.in_transaction:
                database.conn.rollback()
            raise


@contextmanager
def named_errors(path: Path = Path(FILE_NAME)) -> Iterator[None]:
    """Turn what SQLite and the file system say, while reading too, into StoreFailed."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _kind(str(error))(str(path), _in_words(str(error))) from error
    except sqlite3.DatabaseError as error:
        raise StoreFailed(str(path), _in_words(str(error))) from error
    except OSError as error:
        raise unwritten(error, str(error.filename or path)) from error


def check_writable(folder: Path) -> None:
    """See whether rights and file system let the database be written: it can be opened also where they don't.

    Raises: StoreReadOnly.
    """
    for path in (folder, folder / FILE_NAME):
        if path.exists() and not os.access(path, os.W_OK):
            raise StoreReadOnly(str(path), UNWRITABLE)


def prove_room(database: Database) -> None:
    """Write as much as a poll may, and take it away again.

    Raises: StoreFailed as long as that is impossible.
    """
    with transaction(database):
        database.execute("INSERT OR REPLACE INTO note VALUES ('proof of room', ?)", ["x" * ROOM])
    with transaction(database):
        database.execute("DELETE FROM note WHERE name = 'proof of room'")


def set_patience(database: Database, seconds: float) -> None:
    """Set how long a transaction waits for another process that is writing, before it raises StoreBusy."""
    with named_errors():
        database.execute(f"PRAGMA busy_timeout = {int(seconds * 1_000)}")


def data_version(database: Database) -> int:
    """Return a number that changes when another connection has changed the database."""
    return int(database.execute("PRAGMA data_version").fetchone()[0])


def to_text(instant: datetime | None) -> str | None:
    """Write an instant as it is stored: ISO 8601 in UTC, of one width, so that text order is time order."""
    if instant is None:
        return None
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return f"{instant.isoformat(timespec='microseconds')[:-6]}Z"


def an_instant(text: str) -> datetime:
    """Read an instant that is always stored."""
    return datetime.fromisoformat(text)


def to_instant(text: str | None) -> datetime | None:
    """Read an instant as it is stored."""
    return datetime.fromisoformat(text) if text else None


def _migrate(database: Database, path: Path) -> None:
    known = {migration.name for migration in migrations._migrations}
    unknown = sorted({migration.name for migration in migrations.applied(database)} - known)
    if unknown:
        raise StoreFailed(
            str(path),
            f"it was written by a newer planet (it knows {unknown[-1]!r}); upgrade, or use another data folder",
        )
    if migrations.pending(database):
        database.execute("BEGIN IMMEDIATE")  # two halves may start at once
        try:
            migrations.apply(database)
        except BaseException:
            database.conn.rollback()
            raise
        database.conn.commit()


def _kind(message: str) -> type[StoreFailed]:
    if "locked" in message or "busy" in message:
        return StoreBusy
    return StoreReadOnly if "readonly" in message or "unable to open" in message else StoreFailed


def _in_words(message: str) -> str:
    if "locked" in message or "busy" in message:
        return "another process holds the database for too long; is a backup or a shell open?"
    if "malformed" in message:
        return "the file is damaged; stop the planet and bring the last backup back: planet restore FILE"
    if "not a database" in message:
        return (
            "this file is no database of a planet; put it somewhere else, and the planet begins a new one,"
            " or bring the last backup back: planet restore FILE"
        )
    if "full" in message:
        return FULL
    if "readonly" in message or "unable to open" in message:
        return UNWRITABLE
    if "I/O" in message:
        return (
            "the disk fails, or has become read-only (disk I/O error); see what the system's log says of it (dmesg)."
            " Nothing was stored"
        )
    return message

"""A database of every version becomes one of today, with all that it holds; a newer one is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import StoreFailed
from aggregator.store.schema import migrations
from jobs import equipment, rendering
from tests.builders import NOON, planet
from tests.world import files_of

NAMES = [migration.name for migration in migrations._migrations]
_FEED = ("url, host, slug, site, territory, territory_host, name, author, tags, enabled, next_poll_at, title",
         ("http://blog.test/feed", "blog.test", "blog", "", "http://blog.test/", "blog.test", "Blog", "", "[]", 1, "2026-11-22T12:00:00.000000Z", "Blog"))  # fmt: skip
_ENTRY = ("feed_id, guid, url, url_key, slug, title, author, html, lede, words, language, tags, published_at, first_seen_at, shown_at, content_hash",
          (1, "g1", "http://blog.test/1/", "//blog.test/1", "one", "One", "Ann", "<p>Text</p>", "Text", 1, "en", "[]",
           *["2026-11-22T11:00:00.000000Z"] * 3, b"x"))  # fmt: skip
_LINKBACK = ("token, entry_id, source, source_key, source_host, target, protocols, status, received_at, asked_at, settled_at, title",
             ("token", 1, "http://other.test/x", "//other.test/x", "other.test", "http://blog.test/1/", '["pingback"]', "published",
              *["2026-11-22T11:30:00.000000Z"] * 3, "An answer"))  # fmt: skip


def as_of(folder: Path, count: int) -> None:
    """Write a database as the version with so many migrations has left it, with a feed, a post and a linkback."""
    folder.mkdir()
    with closing(Database(sqlite3.connect(folder / store.FILE_NAME), execute_plugins=False)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        migrations.apply(database, stop_before=NAMES[count] if count < len(NAMES) else None)
        for table, (columns, values) in (("feed", _FEED), ("entry", _ENTRY), ("linkback", _LINKBACK)):
            marks = ", ".join("?" * len(values))
            database.conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
        database.conn.commit()


def schema_of(folder: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(folder / store.FILE_NAME)) as database:
        rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {(kind, name, " ".join((sql or "").split())) for kind, name, sql in rows}


@pytest.mark.parametrize("count", range(1, len(NAMES) + 1), ids=NAMES)
def test_a_database_of_every_version_is_brought_up_to_date_and_published(tmp_path: Path, count: int) -> None:
    configured = planet(tmp_path, ["http://blog.test/feed"])
    as_of(configured.data, count)

    with closing(store.open_store(configured.data)) as database:
        equipment.subscribe(database, configured, NOON)
        for _ in range(3):
            rendering.publisher_for(database, configured, lambda: NOON).publish()
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert [migration.name for migration in migrations.applied(database)] == NAMES

    store.open_store(tmp_path / "fresh").close()
    assert schema_of(configured.data) == schema_of(tmp_path / "fresh")
    page = files_of(configured.public)["posts/1-one/index.html"].decode()
    assert "An answer" in page
    assert "Text" in page


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    as_of(folder, 1)
    with closing(sqlite3.connect(folder / store.FILE_NAME)) as database:
        database.execute("CREATE TABLE poll (x)")  # in the way of the second migration
        database.commit()
    before = schema_of(folder)

    with pytest.raises(StoreFailed):
        store.open_store(folder)

    assert {each for each in schema_of(folder) if "migrations" not in each[1]} == {
        each for each in before if "migrations" not in each[1]
    }


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store.open_store(folder).close()
    with closing(sqlite3.connect(folder / store.FILE_NAME)) as database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('planet', 'm999_tomorrow', '2030')"
        )
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (folder / store.FILE_NAME).read_bytes()

    with pytest.raises(StoreFailed, match=r"newer planet \(it knows 'm999_tomorrow'\); upgrade"):
        store.open_store(folder)

    assert (folder / store.FILE_NAME).read_bytes() == before

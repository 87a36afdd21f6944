"""What is kept and what is forgotten: backups, restores, retention, feeds that left the configuration."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlite_utils import Database

from aggregator import store
from aggregator.cli import main
from aggregator.errors import BackupUnusable
from aggregator.processes import Lock
from jobs.tidy import tidy
from tests.builders import NOON, entry, hours_ago, planet, stored
from tests.farm import Farm
from tests.world import World, feed_at

Worlds = Callable[..., World]


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(config)])


@pytest.fixture
def here(world: Worlds, web: Farm) -> World:
    made = world(feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y")))
    made.poll()
    made.publish()
    return made


# -- backups -----------------------------------------------------------------------------------------


def test_backup_is_restored_on_an_empty_machine_with_its_configuration(here: World, tmp_path: Path) -> None:
    copy, config = tmp_path / "planet.backup", tmp_path / "new" / "feeds.toml"
    config.parent.mkdir()

    made = run(here.planet.path, "backup", str(copy))
    restored = run(config, "restore", str(copy))

    assert made.exit_code == 0, made.output
    assert restored.exit_code == 0, restored.output
    assert copy.stat().st_mode & 0o777 == 0o600
    assert config.read_text("utf-8") == here.planet.path.read_text("utf-8")
    with closing(store.open_store(config.parent / "data")) as database:
        assert [post.title for post in store.entries.river(database, 10, 10)] == here.titles()
    assert run(config, "build").exit_code == 0
    assert "Two" in (config.parent / "data" / "public" / "index.html").read_text("utf-8")


def test_backup_while_somebody_writes_is_whole_and_keeps_nobody_waiting(here: World, tmp_path: Path) -> None:
    with store.transaction(here.database):
        here.database.execute("UPDATE entry SET title = 'unfinished'")
        # Another process would wait for the lock, if a copy needed it.
        with closing(sqlite3.connect(here.planet.data / "planet.db", timeout=0)) as other:
            other.execute("VACUUM INTO ?", [str(tmp_path / "copy")])

    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert {row[0] for row in copy.execute("SELECT title FROM entry")} == {"One", "Two"}


def test_what_was_purged_since_the_backup_stays_purged(here: World, web: Farm, tmp_path: Path) -> None:
    copy = tmp_path / "planet.backup"
    run(here.planet.path, "backup", str(copy))
    run(here.planet.path, "purge", f"{web.url}/1")

    result = run(here.planet.path, "restore", str(copy))

    assert "1 entry purged since then stayed purged" in result.output
    with closing(store.open_store(here.planet.data)) as database:
        assert [post.title for post in store.entries.river(database, 10, 10)] == ["Two"]
    assert b"One" not in (here.planet.data / "planet.db").read_bytes()


def test_restore_keeps_what_it_replaces_and_renders_everything_anew(here: World, web: Farm, tmp_path: Path) -> None:
    copy = tmp_path / "planet.backup"
    run(here.planet.path, "backup", str(copy))
    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y"), ("/3", "Three", "z"))
    here.later(hours=25).poll()
    here.publish()

    run(here.planet.path, "restore", str(copy))

    with closing(sqlite3.connect(here.planet.data / "before-restore.db")) as before:
        assert before.execute("SELECT count(*) FROM entry").fetchone()[0] == 3
    run(here.planet.path, "build")
    assert "Three" not in (here.planet.public / "index.html").read_text("utf-8")
    assert len(list((here.planet.public / "posts").iterdir())) == 2


def test_restore_refuses_while_a_planet_is_at_work(here: World, tmp_path: Path) -> None:
    copy = tmp_path / "planet.backup"
    run(here.planet.path, "backup", str(copy))

    with Lock(here.planet.data, "serve"):
        result = run(here.planet.path, "restore", str(copy))

    assert result.exit_code == 1
    assert "another planet is at work" in result.output


@pytest.mark.parametrize("body", [b"", b"no database at all" * 100])
def test_what_is_no_backup_changes_nothing(here: World, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "file").write_bytes(body)

    result = run(here.planet.path, "restore", str(tmp_path / "file"))

    assert result.exit_code == 1
    assert "it is no backup of a planet" in result.output
    assert here.titles() == ["One", "Two"]


def test_damaged_backup_is_told(here: World, tmp_path: Path) -> None:
    copy = tmp_path / "planet.backup"
    run(here.planet.path, "backup", str(copy))
    body = bytearray(copy.read_bytes())
    body[8192:24576] = b"\xff" * 16384
    copy.write_bytes(body)

    with pytest.raises(BackupUnusable):
        store.backup.configuration_in(copy)


def test_compact_gives_room_back(here: World) -> None:
    [feed_id] = [row[0] for row in here.database.execute("SELECT id FROM feed").fetchall()]
    stored(here.database, feed_id, *(entry(str(n), html="x" * 10_000) for n in range(200)))
    with store.transaction(here.database):
        here.database.execute("DELETE FROM entry WHERE html LIKE 'xxx%'")

    result = run(here.planet.path, "compact")

    before, now = (float(part.split()[0]) for part in result.output.rpartition(": ")[2].split(", "))
    assert before > 2
    assert now < 0.5


# -- retention ---------------------------------------------------------------------------------------


def test_entries_older_than_is_kept_lose_text_page_and_linkbacks(here: World, web: Farm) -> None:
    here.ping("https://stranger.test/reply", f"{web.url}/1")
    with store.transaction(here.database):
        here.database.execute("UPDATE entry SET shown_at = '2024-01-01T00:00:00.000000Z' WHERE title = 'One'")

    forgotten, _ = tidy(here.database, timedelta(days=365), here.now)
    here.publish()

    assert forgotten == 1
    assert here.titles() == ["Two"]
    assert store.mentions.counts(here.database)["pending"] == 0
    assert "older than [keep] entries in feeds.toml" in here.explain(f"{web.url}/1")
    assert len(list((here.planet.public / "posts").iterdir())) == 1
    assert tidy(here.database, timedelta(days=365), here.now) == (0, 0)


def test_entry_that_was_forgotten_does_not_come_back_with_its_feed(here: World, web: Farm) -> None:
    with store.transaction(here.database):
        here.database.execute("UPDATE entry SET shown_at = '2024-01-01T00:00:00.000000Z' WHERE title = 'One'")
    tidy(here.database, timedelta(days=365), here.now)
    feed_at(web, ("/1", "One, edited", "x"), ("/2", "Two", "y"), ("/3", "Three", "z"))

    here.later(hours=25).poll()

    assert here.titles() == ["Three", "Two"]
    assert "edited" not in str(here.database.execute("SELECT title, html, lede FROM entry").fetchall())


def test_nothing_is_forgotten_unless_the_operator_says_so(here: World) -> None:
    assert tidy(here.database, None, here.now + timedelta(days=10_000)) == (0, 0)


def test_retention_works_in_batches_and_stops_when_told(here: World) -> None:
    [feed_id] = [row[0] for row in here.database.execute("SELECT id FROM feed").fetchall()]
    old = hours_ago(24 * 1_000)
    stored(here.database, feed_id, *(entry(str(n), published_at=old) for n in range(450)))
    calls = iter([False, False, True])

    first = tidy(here.database, timedelta(days=365), NOON, lambda: next(calls, True))
    second = tidy(here.database, timedelta(days=365), NOON)

    assert (first[0], second[0]) == (400, 50)


def test_feed_that_left_the_configuration_is_deleted_after_thirty_days(here: World, world: Worlds) -> None:
    other = planet(here.planet.path.parent, ["http://127.0.0.1:9/other"])
    here.configure(other)

    early = tidy(here.database, None, here.now + timedelta(days=29))
    late = tidy(here.database, None, here.now + timedelta(days=31))

    assert (early, late) == ((0, 0), (0, 2))
    assert [row[0] for row in here.database.execute("SELECT url FROM feed").fetchall()] == ["http://127.0.0.1:9/other"]


def test_expiry_finds_its_entries_by_an_index(here: World) -> None:
    plan = here.database.execute(f"EXPLAIN QUERY PLAN {store.gone._EXPIRED}", ["", 1]).fetchall()

    assert "entry_to_expire" in str(plan)


# -- pings that led to nothing -------------------------------------------------------------------------


def test_pings_that_led_to_nothing_are_forgotten_and_all_others_stay(here: World, web: Farm, elsewhere: Farm) -> None:
    for number in range(5):
        here.ping(elsewhere.html(f"/no{number}", "no link"), f"{web.url}/1")
    here.ping(elsewhere.html("/yes", f'<a href="{web.url}/1">x</a>'), f"{web.url}/1")
    for _ in range(12):
        here.verify()
        here.later(hours=1)
    assert sorted(row[0] for row in here.database.execute("SELECT status FROM linkback")) == ["held", *["rejected"] * 5]

    tidy(here.database, None, here.now + timedelta(days=29))
    early = here.database.execute("SELECT count(*) FROM linkback").fetchone()[0]
    tidy(here.database, None, here.now + timedelta(days=31))

    assert early == 6
    assert [row[0] for row in here.database.execute("SELECT status FROM linkback")] == ["held"]
    plan = here.database.execute(f"EXPLAIN QUERY PLAN {store.mentions._FORGET_OVER}", ["", "", 1]).fetchall()
    assert any("linkback_over" in row[3] for row in plan)


def test_a_link_that_is_gone_is_remembered_for_a_year(here: World, web: Farm, elsewhere: Farm) -> None:
    page = elsewhere.html("/yes", f'<a href="{web.url}/1">x</a>')
    here.ping(page, f"{web.url}/1")
    here.verify()
    elsewhere.html("/yes", "no more")
    here.later(hours=2).verify()
    assert [row[0] for row in here.database.execute("SELECT status FROM linkback")] == ["retracted"]

    tidy(here.database, None, here.now + timedelta(days=300))

    assert here.database.execute("SELECT count(*) FROM linkback").fetchone()[0] == 1
    tidy(here.database, None, here.now + timedelta(days=366))
    assert here.database.execute("SELECT count(*) FROM linkback").fetchone()[0] == 0


def test_linkbacks_that_were_purged_since_the_backup_stay_purged(
    here: World, web: Farm, elsewhere: Farm, tmp_path: Path
) -> None:
    page, copy = elsewhere.html("/yes", f'Janes <a href="{web.url}/1">diagnosis</a>'), tmp_path / "planet.backup"
    here.ping(page, f"{web.url}/1")
    here.verify()
    run(here.planet.path, "backup", str(copy))
    run(here.planet.path, "purge", page)
    run(here.planet.path, "purge", f"{web.url}/2")

    run(here.planet.path, "restore", str(copy))

    body = (here.planet.data / "planet.db").read_bytes()
    assert b"diagnosis" not in body
    assert not re.search(rb"posts/\d-two", body)
    assert re.search(rb"posts/\d-one", body)


def test_of_no_table_all_is_looked_at_when_a_post_is_deleted(database: Database) -> None:
    plan = database.execute("EXPLAIN QUERY PLAN DELETE FROM entry WHERE id = 1").fetchall()

    assert len(plan) > 4  # what goes with it
    assert not [row[3] for row in plan if "SCAN" in row[3]]

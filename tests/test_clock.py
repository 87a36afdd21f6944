"""A clock that jumps, forth and back: nothing waits for years, nothing stands in the future, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from aggregator import store
from jobs.tidy import tidy
from tests.builders import NOON
from tests.farm import Farm
from tests.world import World, feed_at, files_of

Worlds = Callable[..., World]


def settle(here: World) -> int:
    """What the jobs half does once a minute."""
    moved = store.ahead.bring_back(here.database, here.now, here.planet.bounds.longest)
    tidy(here.database, here.planet.keep.entries, here.now)
    return moved


def test_a_clock_that_was_ahead_for_a_while_keeps_no_feed_waiting_and_no_post_on_top(
    world: Worlds, web: Farm, elsewhere: Farm, tmp_path: Path
) -> None:
    here = world(feed_at(web, ("/1", "One", "x")), more='[linkbacks]\nstrangers = "publish"\n')
    here.poll()
    here.publish()
    here.later(days=3_650)  # the machine woke with a wrong clock
    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y"))
    here.poll()
    here.ping(elsewhere.html("/a", f'<a href="{web.url}/1">x</a>'), f"{web.url}/1")
    here.verify()
    here.ping(f"{elsewhere.url}/none", f"{web.url}/1")
    here.verify()
    here.publish()

    here.now = NOON + timedelta(hours=1)  # and was told the time
    assert here.poll().feeds == 0
    assert settle(here) >= 3
    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y"), ("/3", "Three", "z"))
    assert here.poll().new_entries == 1
    here.verify()
    for _ in range(3):
        here.publish()

    river = store.entries.river(here.database, 10, 10)
    assert {post.title for post in river} == {"One", "Two", "Three"}
    assert max(post.shown_at for post in river) <= here.now
    assert not list((here.planet.public / "archive").glob("2036*"))
    # What is left of the wrong time is gone from every page: bit by bit equals anew.
    assert settle(here) == 0
    assert files_of(here.planet.public).keys() == here.rebuilt(tmp_path / "anew").keys()


def test_a_clock_that_goes_back_changes_nothing_that_is_right(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.publish()
    rows = [tuple(row) for row in here.database.execute("SELECT * FROM entry").fetchall()]

    for hours in (-1, 5, -3):
        here.later(hours=hours)
        assert settle(here) == 0 or hours < 0
        here.poll()

    kept = [tuple(row) for row in here.database.execute("SELECT * FROM entry").fetchall()]
    assert [row[0] for row in kept] == [row[0] for row in rows]


def test_a_clock_that_leaps_ahead_asks_each_feed_once(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()

    here.later(days=400)

    assert here.poll().feeds == 1
    assert here.poll().feeds == 0
    assert here.titles() == ["One"]


def test_who_looks_for_such_instants_uses_an_index(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))

    for query, index in ((store.ahead._AHEAD, "entry_river"), (store.ahead._PENDING.replace(":now", "?").replace(":latest", "?"), "linkback_to_verify"),
                         (store.ahead._FOUND.replace(":now", "?").replace(":latest", "?"), "linkback_to_recheck")):  # fmt: skip
        values = ["x"] * query.count("?")
        plan = here.database.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
        assert any(index in row[3] for row in plan), (query, [row[3] for row in plan])

"""What caches in front of the planet are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aggregator import store
from aggregator.errors import StoreFailed
from jobs import purges
from tests.farm import Farm
from tests.world import World, feed_at


def lists(world: World) -> list[list[str]]:
    return [path.read_text().split("\n")[:-1] for path in sorted((world.planet.data / "purge").glob("*.txt"))]


def test_each_publish_lists_the_addresses_of_what_changed_and_went(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    (here.planet.data / "purge").mkdir()
    here.poll()
    here.publish()
    first = {url for each in lists(here) for url in each}
    count = len(lists(here))

    feed_at(web, ("/2", "Two", "x"), ("/1", "One", "x"))
    here.later(hours=2).poll()
    here.publish()
    new = lists(here)[count:]
    again = len(lists(here))
    here.publish()

    assert {"http://planet.test/", "http://planet.test/feed.atom", "http://planet.test/posts/1-one/"} <= first
    assert "http://planet.test/posts/2-two/" in new[0]
    assert "http://planet.test/" in new[0]
    assert len(lists(here)) == again  # nothing has changed, nothing is said


def test_lists_that_nobody_takes_go_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "purge").mkdir()
    for number in range(1, 1_006):
        purges.write(tmp_path, number, "http://p.test/", ["index.html"])
        purges.tell(tmp_path, number)

    kept = sorted(path.name for path in (tmp_path / "purge").iterdir())

    assert len(kept) == purges.MOST_LISTS
    assert kept[-1] == "000000001005.txt"


def test_a_publish_of_nothing_has_no_list(tmp_path: Path) -> None:
    (tmp_path / "purge").mkdir()

    purges.write(tmp_path, 1, "http://p.test/", [])
    purges.tell(tmp_path, 1)

    assert not list((tmp_path / "purge").iterdir())


def test_where_nobody_waits_for_lists_there_are_none(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()

    here.publish()

    assert not (here.planet.data / "purge").exists()


def test_a_list_is_seen_when_its_publish_is_noted_also_after_a_crash_in_between(
    world: Callable[..., World], web: Farm
) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    (here.planet.data / "purge").mkdir()
    here.poll()
    here.publish()
    count, number = len(lists(here)), store.pages.generation(here.database)
    purges.write(here.planet.data, number, "http://planet.test/", ["noted/index.html"])
    purges.write(here.planet.data, number + 1, "http://planet.test/", ["not-noted/index.html"])
    unseen = len(lists(here))

    here.publish()  # a new publisher, as after a crash

    assert unseen == count
    assert ["http://planet.test/noted/"] in lists(here)
    assert ["http://planet.test/not-noted/"] not in lists(here)


def test_a_list_of_what_could_not_be_noted_is_not_seen(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    (here.planet.data / "purge").mkdir()
    here.poll()
    here.database.execute("CREATE TRIGGER full BEFORE UPDATE ON counter BEGIN SELECT RAISE(ABORT, 'full'); END")

    with pytest.raises(StoreFailed):
        here.publish()
    seen = lists(here)
    here.database.execute("DROP TRIGGER full")
    here.publish()

    assert seen == []
    assert lists(here)

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from aggregator import store
from jobs.children import Children
from tests.builders import planet
from tests.door import Door
from tests.farm import Farm, farm
from tests.world import World


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = store.open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def web() -> Iterator[Farm]:
    with farm() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Farm]:
    """Another host: what it links to is not its own."""
    with farm("127.0.0.2") as made:
        yield made


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    made = Children(1)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, children: Children) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*feeds: str, more: str = "") -> World:
        made.append(World(planet(tmp_path, feeds, more=more), children))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def open_world(tmp_path: Path, children: Children) -> Iterator[Callable[..., World]]:
    """A planet with an open door: its web half answers at its address."""
    door, made = Door(), list[World]()

    def make(*feeds: str, more: str = "") -> World:
        made.append(World(planet(tmp_path, feeds, url=door.url, more=more), children))
        door.open(made[0])
        return made[0]

    yield make
    door.close()
    for world in made:
        world.close()

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
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

# Before anything of ours runs: whoever opens a connection beside the door out is noted, here and in every process.
WATCH = Path(__file__).with_name("watch")
NOTES = Path(tempfile.mkdtemp(prefix="planet-watch-")) / "notes"
os.environ["PLANET_WATCH"] = str(NOTES)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(WATCH), os.environ.get("PYTHONPATH", ""))))
importlib.import_module("tests.watch.sitecustomize")


def pytest_unconfigure() -> None:
    shutil.rmtree(NOTES.parent, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _only_the_door_opens_connections() -> Iterator[None]:
    yield
    noted = NOTES.read_text("utf-8") if NOTES.exists() else ""
    assert not noted, f"connections were opened beside aggregator.outbound:\n{noted}"


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

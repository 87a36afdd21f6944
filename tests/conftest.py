from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from aggregator import store
from jobs.children import Children
from tests.farm import Farm, farm


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = store.open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def web() -> Iterator[Farm]:
    with farm() as made:
        yield made


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    made = Children(1)
    yield made
    made.close()

"""All real feeds of the shared corpus: read one by one against a pinned table, and through a poll on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator import store
from jobs import equipment
from jobs.children import Children
from jobs.poll import Sweep
from tests import corpus
from tests.builders import NOON, planet
from tests.farm import Farm, Reply

FEEDS = corpus.FOLDER / "real-feeds"
needs_corpus = pytest.mark.skipif(not FEEDS.exists(), reason="the corpus ../shared/corpus is not here")


@needs_corpus
@pytest.mark.filterwarnings("ignore")
def test_every_real_feed_is_read_as_the_table_says() -> None:
    expected = corpus.pinned()

    found = {str(path.relative_to(corpus.FOLDER)): corpus.row(path) for path in corpus.files()}

    assert len(found) == 840
    assert found == expected


@needs_corpus
def test_every_real_feed_ends_as_entries_or_as_a_named_problem(tmp_path: Path, web: Farm) -> None:
    paths = sorted(path for path in FEEDS.rglob("*") if path.is_file())
    for number, path in enumerate(paths):
        web.routes[f"/{number}"] = Reply(path.read_bytes())
    configured = planet(
        tmp_path, [f"{web.url}/{number}" for number in range(len(paths))], more="[poll]\nper_host = 8\n"
    )
    database = store.open_store(configured.data)
    store.feeds.subscribe(database, configured.subscriptions, NOON)
    children = Children(2)
    engine = equipment.engine_for(configured)

    summary = Sweep(database, engine, children, equipment.terms_for(configured), lambda: NOON).run()

    children.close()
    engine.close()
    health = store.health.health(database)
    assert len(paths) == 833
    assert summary.feeds == 833
    assert summary.fetched >= 770
    assert summary.new_entries >= 8_500
    assert all(feed.problem for feed in health if feed.health == "failing")
    assert not [feed for feed in health if "please report" in feed.problem or "died" in feed.problem]
    assert {feed.health for feed in health} == {"healthy", "failing"}
    database.close()

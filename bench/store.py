"""Figures of a large store: `python -m bench.store [ENTRIES]`, a million of them where nothing else is said.

A thousand posts of each blog, in the search index and on numbered pages, as if they had been published. Then what a
reader and a poll take: the newest page, searches, the way of a new post to its page, and polls beside those of a store
of ten thousand entries.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlite_utils import Database

from aggregator import config, store
from aggregator.finding import query
from aggregator.model import Subscription
from aggregator.outbound import Answer, Outcome
from bench import scale, site
from bench.machine import cpu_of
from bench.report import Figure, Report
from jobs import equipment
from jobs.children import Children
from jobs.poll import Sweep

ENTRIES = 1_000_000
FEW = 10_000
OF_A_BLOG = 1_000
_SEARCHES = ("patient", "patient record", '"consent portal"', "zyzzyva", "patient -record")


class Changing(scale.Network):
    """Every feed has a new entry in every sweep."""

    def _answer(self, url: str) -> Outcome:
        number = int(url.rpartition("/")[2])
        return Answer(url, 200, {"etag": f'"{self.cycle}"'}, scale._feed(number, self.cycle), seconds=0.3)


def measure(report: Report, entries: int = ENTRIES) -> None:
    """Measure a store of so many entries, and polls of a small one."""
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        small, _ = _filled(Path(name) / "small", FEW)
        polled = _poll(*small)
        small[0].close()
        (database, planet), seconds = _filled(Path(name) / "large", entries)
        report.note(f"{entries:,} posts of {entries // OF_A_BLOG:,} blogs, stored and indexed in {seconds:.0f} s")
        with closing(database):
            newest = site._median(lambda: store.entries._river_ids(database, 40, 3))
            report.add(Figure("newest page, its query, ms", 1000 * newest, 0.2, less=True))
            longest = max(site._median(_searching(database, words)) for words in _SEARCHES)
            report.add(Figure("slowest of five searches, ms", 1000 * longest, 100, less=True))
            report.add(Figure("a new post is visible after, s", _visible(database, planet), 2, less=True))
            took = _poll(database, planet)
            report.add(Figure(f"poll of a changed feed, in polls of {FEW:,} entries", took / polled, 1.1, less=True))


def _filled(folder: Path, entries: int) -> tuple[tuple[Database, config.Planet], float]:
    folder.mkdir()
    path = folder / "feeds.toml"
    path.write_text(
        '[planet]\ntitle = "Bench"\nurl = "https://bench.example/"\n[[feeds]]\nurl = "https://b0.example/0"\n'
    )
    planet, began = config.load(path), time.monotonic()
    database = store.open_store(planet.data)
    feeds = [Subscription(f"https://b{n}.example/{n}") for n in range(entries // OF_A_BLOG)]
    planet = replace(planet, subscriptions=tuple(feeds))
    store.feeds.subscribe(database, feeds, site.NOW)
    site._fill(database, [blog.id for blog in store.feeds.blogs(database)], entries)
    publisher = equipment.publisher_for(database, planet, lambda: site.NOW)
    publisher._notice_new_templates()
    gathering = publisher._gathering()
    while (stale := store.stale.some(database, 1_000)).posts:
        prepared = store.search.prepare(database, stale.posts)
        with store.transaction(database):
            store.search.index(database, prepared)
            store.topics.assign(database, stale.posts)
            store.stale.settle(database, stale)
            database.execute("DELETE FROM to_link")
    with store.transaction(database):
        store.chapters.extend(database, gathering.look.entries)
        database.execute("DELETE FROM stale")
    return (database, planet), time.monotonic() - began


def _searching(database: Database, words: str) -> Callable[[], object]:
    expression = query(words).expression
    return lambda: store.search.find(database, expression, start=0, limit=20)


def _visible(database: Database, planet: config.Planet) -> float:
    publisher = equipment.publisher_for(database, planet, lambda: site.NOW)
    feeds = [blog.id for blog in store.feeds.blogs(database)]
    took = []
    for number in range(6):
        site._store(database, feeds[number], [site._entry(f"new{number}", site.NOW + timedelta(seconds=number))])
        began = time.monotonic()
        publisher._publish_posts(lambda: False)
        took.append(time.monotonic() - began)
    return median(took[1:])


def _poll(database: Database, planet: config.Planet) -> float:
    """Return the CPU of a poll of a feed that has changed, in seconds."""
    children = Children(planet.workers.processes)
    terms, feeds = equipment.terms_for(planet), len(planet.subscriptions)
    took = []
    for cycle in range(1, 5 if feeds > 100 else 16):  # a few feeds take no longer than the clock's ticks
        now = site.NOW + timedelta(days=cycle)
        store.feeds.make_due(database, now)
        before = cpu_of(os.getpid())
        done = Sweep(database, Changing(cycle), children, terms, lambda: now).run()  # type: ignore[arg-type]  # noqa: B023
        took.append((cpu_of(os.getpid()) - before) / feeds)
        assert done.fetched == feeds, done
    children.close()
    return median(took[1:])


if __name__ == "__main__":
    told = Report("store")
    measure(told, int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else ENTRIES)
    told.finish()

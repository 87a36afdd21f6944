"""What grows with the posts: `python -m bench.store [ENTRIES...]`, ten thousand to a million where nothing else is said.

A thousand posts of each blog, in the search index and on numbered pages, as if they had been published. Then what a
reader and a poll take: the newest page, searches, the way of a new post to its page, and polls that find one new post.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlite_utils import Database

from aggregator import config, store
from aggregator.finding import query
from aggregator.model import Subscription
from aggregator.outbound import Answer, Outcome
from bench import scale, site
from bench.machine import apart, cpu_of, memory
from bench.report import Figure, Report
from jobs import equipment, rendering
from jobs.children import Children
from jobs.poll import Sweep

SIZES = (10_000, 100_000, 1_000_000)
OF_A_BLOG = 1_000
_SEARCHES = ("patient", "patient record", '"consent portal"', "zyzzyva", "patient -zyzzyva")


@dataclass(frozen=True, slots=True)
class Grown:
    """What one size costs: times in seconds (of CPU where it polls, for one feed), memory and database in MB."""

    entries: int
    filled: float
    newest: float
    search: float
    visible: float
    poll: float
    memory: float
    database: float


class Changing(scale.Network):
    """Every feed has a new entry in every sweep."""

    def _answer(self, url: str) -> Outcome:
        number = int(url.rpartition("/")[2])
        return Answer(url, 200, {"etag": f'"{self.cycle}"'}, scale._feed(number, self.cycle), seconds=0.3)


def measure(report: Report, sizes: Sequence[int] = SIZES) -> None:
    """Measure all sizes, and add what came out to the report."""
    found = apart(grow, sizes)
    columns = ["filled s", "newest ms", "search ms", "visible s", "poll CPU ms", "PSS MB", "database MB"]
    rows = [
        (
            f"{of.entries:,} entries",
            [
                f"{of.filled:.0f}", f"{1000 * of.newest:.3f}", f"{1000 * of.search:.1f}", f"{of.visible:.3f}",
                f"{1000 * of.poll:.2f}", f"{of.memory:.0f}", f"{of.database:,.0f}",
            ],
        )
        for of in found
    ]  # fmt: skip
    report.table("A store of many posts", columns, rows)
    few, many = found[0], found[-1]
    report.add(Figure(f"{many.entries:,} entries: newest page, ms", 1000 * many.newest, 0.2, less=True))
    report.add(Figure("... slowest of five searches, ms", 1000 * many.search, 100, less=True))
    report.add(Figure("... a new post is visible after, s", many.visible, 2, less=True))
    report.add(Figure(f"... a poll, in polls of {few.entries:,}", many.poll / few.poll, 1.1, less=True))


def grow(entries: int) -> Grown:
    """Measure one size."""
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        began = time.monotonic()
        database, planet = _filled(Path(name), entries)
        filled = time.monotonic() - began
        with closing(database):
            newest = site._median(lambda: store.entries._river_ids(database, 40, 3))
            search = max(site._median(_searching(database, words)) for words in _SEARCHES)
            visible = _visible(database, planet)
            poll, used = _poll(database, planet)
        size = sum(path.stat().st_size for path in planet.data.glob("planet.db*")) / 1e6
    return Grown(entries, filled, newest, search, visible, poll, used, size)


def _filled(folder: Path, entries: int) -> tuple[Database, config.Planet]:
    path = folder / "feeds.toml"
    path.write_text(
        '[planet]\ntitle = "Bench"\nurl = "https://bench.example/"\n[[feeds]]\nurl = "https://b0.example/0"\n'
    )
    planet = config.load(path)
    database = store.open_store(planet.data)
    feeds = [Subscription(f"https://b{n}.example/{n}") for n in range(entries // OF_A_BLOG)]
    planet = replace(planet, subscriptions=tuple(feeds))
    store.feeds.subscribe(database, feeds, site.NOW)
    site._fill(database, [blog.id for blog in store.feeds.blogs(database)], entries)
    publisher = rendering.publisher_for(database, planet, lambda: site.NOW)
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
    return database, planet


def _searching(database: Database, words: str) -> Callable[[], object]:
    expression = query(words).expression
    return lambda: store.search.find(database, expression, start=0, limit=20)


def _visible(database: Database, planet: config.Planet) -> float:
    publisher = rendering.publisher_for(database, planet, lambda: site.NOW)
    feeds = [blog.id for blog in store.feeds.blogs(database)]
    took = []
    for number in range(6):
        site._store(database, feeds[number], [site._entry(f"new{number}", site.NOW + timedelta(seconds=number))])
        began = time.monotonic()
        publisher._publish_posts(lambda: False)
        took.append(time.monotonic() - began)
    return median(took[1:])


def _poll(database: Database, planet: config.Planet) -> tuple[float, float]:
    """Return the CPU of a poll of a feed that has changed, in seconds, and the memory that is taken (PSS), in MB."""
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
    used = memory(os.getpid())
    children.close()
    return median(took[1:]), used


if __name__ == "__main__":
    told = Report("store")
    measure(told, [int(size.replace("_", "")) for size in sys.argv[1:]] or SIZES)
    told.finish()

"""Figures of publishing: `python -m bench.site [POSTS]`. A store of so many posts, published whole, then one more post.

It tells how long the whole site takes, how long a new post takes from its row to its page and to all sections that
show it, what the queries of a reader's search cost, and how large it all is.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlite_utils import Database

from aggregator import config, store
from aggregator.finding import query
from aggregator.model import ReadEntry
from aggregator.sameness import Place
from jobs import equipment, rendering
from jobs.publish import Publisher

BLOGS = 100
WORDS = [
    *("patient", "record", "downtime", "alarm", "nurse", "interface", "FHIR", "HL7", "consent", "portal", "vendor"),
    *("clinic", "ward", "data", "quality", "exchange", "model", "audit", "message", "standard", "hospital", "policy"),
    *("privacy", "workflow", "safety", "order", "result", "medication", "queue", "template"),
]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def main() -> None:
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        planet = _planet(Path(name))
        database = store.open_store(planet.data)
        equipment.subscribe(database, planet, NOW)
        feeds = [blog.id for blog in store.feeds.blogs(database)]
        print(f"{posts:,} posts of {BLOGS} blogs; Python {sys.version.split()[0]}")
        with _timed("stored"):
            _fill(database, feeds, posts)
        publisher = Publisher(database, rendering.renderer_for(planet), planet.public, lambda: datetime.now(UTC))
        with _timed("whole site published"):
            publisher.publish()
        _one_more(database, feeds, planet, publisher)
        for words in ("patient", "patient record", '"consent portal"', "zyzzyva", "patient -record"):
            expression = query(words).expression
            took = _median(lambda: store.search.find(database, expression, start=0, limit=20))  # noqa: B023
            print(f"search for {words:20} {took * 1_000:8.1f} ms")
        front = _median(lambda: store.entries.river(database, 40, 3))
        print(f"the front page's posts         {front * 1_000:8.1f} ms")
        size = sum(path.stat().st_size for path in planet.data.glob("planet.db*")) / 1e6
        files = [path for path in planet.public.rglob("*") if path.is_file()]
        print(f"database {size:,.0f} MB, {len(files):,} files of {sum(f.stat().st_size for f in files) / 1e6:,.0f} MB,")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000:,.0f} MB")
        database.close()


def _one_more(database: Database, feeds: list[int], planet: config.Planet, publisher: Publisher) -> None:
    visible, whole = [], []
    for number in range(5):
        _store(database, feeds[number], [_entry(f"new{number}", NOW + timedelta(seconds=number))])
        began = time.monotonic()
        publisher._publish_posts(lambda: False)
        visible.append(time.monotonic() - began)
        publisher._publish_sections(lambda: False)
        whole.append(time.monotonic() - began)
    print(f"a new post: on the front page after {median(visible):.3f} s, on all pages after {median(whole):.3f} s")


@contextmanager
def _timed(name: str) -> Iterator[None]:
    began, cpu = time.monotonic(), time.process_time()
    yield
    print(f"{name:30} {time.monotonic() - began:8.1f} s, {time.process_time() - cpu:8.1f} s of CPU", flush=True)


def _median(do: Callable[[], object]) -> float:
    took = []
    for _ in range(7):
        began = time.monotonic()
        do()
        took.append(time.monotonic() - began)
    return median(took)


def _planet(folder: Path) -> config.Planet:
    tables = "".join(f'[[feeds]]\nurl = "https://b{n}.example/feed"\nname = "Blog {n}"\n' for n in range(BLOGS))
    topics = '[[topics]]\nname = "FHIR"\nmatch = ["FHIR"]\n[[topics]]\nname = "Alarms"\nmatch = ["alarm nurse"]\n'
    path = folder / "feeds.toml"
    path.write_text(f'[planet]\ntitle = "Bench"\nurl = "https://bench.example/"\n{topics}{tables}', "utf-8")
    return config.load(path)


def _fill(database: Database, feeds: list[int], posts: int) -> None:
    begin = NOW - timedelta(hours=posts / 2)
    for start in range(0, posts, 1_000):
        batch = [_entry(str(n), begin + timedelta(minutes=30 * n)) for n in range(start, min(start + 1_000, posts))]
        for number, feed in enumerate(feeds):
            _store(database, feed, batch[number :: len(feeds)])


def _store(database: Database, feed: int, entries: list[ReadEntry]) -> None:
    with store.transaction(database):
        store.entries.add(database, feed, [(entry, Place(entry.published_at or NOW)) for entry in entries], NOW)


def _entry(guid: str, at: datetime) -> ReadEntry:
    chance = random.Random(guid)
    text = " ".join(chance.choices(WORDS, k=300))
    links = "".join(f' <a href="https://page{chance.randrange(500)}.example/x">a page</a>' for _ in range(4))
    return ReadEntry(
        guid=guid,
        content_hash=guid.encode(),
        url=f"https://b.example/{guid}/",
        title=" ".join(chance.choices(WORDS, k=6)),
        author="",
        html=f"<p>{text}</p><p>{links}</p>",
        lede=text[:300],
        words=300,
        language="en",
        tags=tuple(chance.choices(WORDS, k=2)),
        published_at=at,
        updated_at=None,
    )


if __name__ == "__main__":
    main()

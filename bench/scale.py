"""How cost grows: `python -m bench.scale [FEEDS...]`. Sweeps of a hundred to a million feeds, without a network.

The network is a function: of a sweep's feeds 90 % answer 304, 5 % have a new entry, 3 % fail, 2 % time out. All else is
real: the query of what is due, the children that read, the store, the pages of what is new. Feeds begin as if they had
been polled before, and nothing but the posts of this sweep is published.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log10
from pathlib import Path

from sqlite_utils import Database

from aggregator import config, store
from aggregator.model import Subscription
from aggregator.outbound import Answer, Landed, NoAnswer, Outcome, Request
from bench.machine import apart, cpu_of, memory
from bench.report import Report
from jobs import equipment, rendering
from jobs.children import Children
from jobs.link import Linking
from jobs.poll import Sweep

SIZES = (100, 1_000, 10_000, 100_000)
AT_ONCE = 128
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
_WORDS = "The interface went down at night and nobody on the ward could read the orders until the morning. " * 12


@dataclass(frozen=True, slots=True)
class Grown:
    """What one size costs; times in seconds, memory and files in MB, CPU in microseconds for each feed."""

    feeds: int
    subscribed: float
    swept: float
    cpu: float
    published: float
    posts: int
    memory: float
    database: float


class Network:
    """Sweeps as an engine does, and answers at once. `cycle` is which sweep it is."""

    def __init__(self, cycle: int) -> None:
        self.cycle = cycle

    def sweep(self, more: Callable[[int], Sequence[Request]]) -> Generator[list[Landed], None, None]:
        """Answer whatever `more(room)` gives, until it gives nothing."""
        while requests := more(AT_ONCE):
            yield [(request, self._answer(request.url)) for request in requests]

    def crowded_hosts(self) -> set[str]:
        """No host is busy."""
        return set()

    def bytes_under_way(self) -> int:
        """Nothing is under way."""
        return 0

    def _answer(self, url: str) -> Outcome:
        number = int(url.rpartition("/")[2])
        lot = (number * 7_919 + self.cycle * 31) % 100  # spread over all feeds, and others in each cycle
        if lot < 90:
            return Answer(url, 304, {"etag": '"1"'}, b"", seconds=0.1)
        if lot < 95:
            return Answer(url, 200, {"etag": f'"{self.cycle}"'}, _feed(number, self.cycle), seconds=0.3)
        return Answer(url, 503, {}, b"", seconds=0.2) if lot < 98 else NoAnswer("slow", "no complete answer", 20.0)


def _feed(number: int, cycle: int) -> bytes:
    home, first = f"https://b{number}.example/", max(0, cycle - 9)
    items = "".join(
        f"<item><title>Post {n}</title><link>{home}{n}</link><guid>{home}{n}</guid>"
        f"<pubDate>Wed, {25 - cycle + n:02} Nov 2026 10:00:00 GMT</pubDate>"
        f"<description>{number} {n} {_WORDS}</description></item>"
        for n in range(first, cycle + 1)
    )
    return (
        f"<rss version='2.0'><channel><title>Blog {number}</title><link>{home}</link>{items}</channel></rss>".encode()
    )


def grow(feeds: int) -> Grown:
    """Measure one size."""
    logging.disable()  # one feed in twenty fails, and says so
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        (Path(name) / "feeds.toml").write_text(
            '[planet]\ntitle = "Bench"\nurl = "https://bench.example/"\n[[feeds]]\nurl = "https://b0.example/0"\n'
        )
        planet = config.load(Path(name) / "feeds.toml")
        database = store.open_store(planet.data)
        began = time.monotonic()
        store.feeds.subscribe(database, [Subscription(f"https://b{n}.example/{n}") for n in range(feeds)], NOW)
        subscribed = time.monotonic() - began
        with store.transaction(database):
            database.execute("UPDATE feed SET etag = '\"1\"', last_poll_at = next_poll_at, title = url")
        children = Children(planet.workers.processes)
        publisher = rendering.publisher_for(database, planet, lambda: NOW)
        children.submit(abs, 1).result()  # so that their start is not part of it
        before, began = cpu_of(os.getpid()), time.monotonic()
        _sweep(database, planet, children, 1)
        swept, cpu, peak = time.monotonic() - began, cpu_of(os.getpid()) - before, memory(os.getpid())
        began = time.monotonic()
        publisher._publish_posts(lambda: False)
        published = time.monotonic() - began
        children.close()
        posts = int(database.execute("SELECT count(*) FROM entry").fetchone()[0])
        database.close()
        size = sum(path.stat().st_size for path in planet.data.glob("planet.db*")) / 1e6
        return Grown(feeds, subscribed, swept, cpu / feeds * 1e6, published, posts, peak, size)


def _sweep(database: Database, planet: config.Planet, children: Children, cycle: int) -> None:
    now = NOW + timedelta(days=cycle)
    store.feeds.make_due(database, now)
    network = Network(cycle)
    summary = Sweep(database, network, children, equipment.terms_for(planet), lambda: now).run()  # type: ignore[arg-type]
    Linking(database, children, equipment.policy_for(planet), lambda: now).run()
    assert summary.feeds == summary.fetched + summary.unchanged + summary.failed


def measure(report: Report, sizes: Sequence[int] = SIZES) -> list[Grown]:
    """Measure all sizes, and add a table to the report."""
    found = apart(grow, sizes)
    columns = ["feeds/s", "CPU µs/feed", "feeds an hour", "new posts", "publish s", "PSS MB", "database MB"]
    rows = [
        (
            f"{of.feeds:,} feeds",
            [
                f"{of.feeds / of.swept:,.0f}", f"{of.cpu:.0f}", f"{3600 * of.feeds / of.swept:,.0f}", f"{of.posts:,}",
                f"{of.published:.1f}", f"{of.memory:.0f}", f"{of.database:,.0f}",
            ],
        )
        for of in found
    ]  # fmt: skip
    report.table("Sweeps without a network", columns, rows)
    return found


def chart(found: Sequence[Grown]) -> str:
    """Draw how a sweep's time, the memory and the database grow with the feeds; both axes are logarithmic (SVG)."""
    lines = {
        "sweep, s": ("#b5482f", [(of.feeds, of.swept) for of in found]),
        "memory, MB": ("#2f6f73", [(of.feeds, of.memory) for of in found]),
        "database, MB": ("#6b5b95", [(of.feeds, of.database) for of in found]),
    }
    left, right = log10(found[0].feeds), log10(found[-1].feeds)
    values = [value for _, points in lines.values() for _, value in points]
    low, high = floor(log10(max(min(values), 0.01))), ceil(log10(max(values)))

    def at(feeds: float, value: float) -> str:
        x = 60 + 420 * (log10(feeds) - left) / (right - left)
        return f"{x:.0f},{260 - 230 * (log10(max(value, 0.01)) - low) / (high - low):.0f}"

    drawn = []
    for power in range(low, high + 1):
        x, y = at(10**left, 10**power).split(",")
        drawn.append(
            f'<path d="M{x} {y}H480" stroke="#8884"/><text x="52" y="{y}" text-anchor="end">{10.0**power:g}</text>'
        )
    for of in found:
        x, _ = at(of.feeds, 10**low).split(",")
        drawn.append(f'<text x="{x}" y="280" text-anchor="middle">{of.feeds:,}</text>')
    for name, (color, points) in lines.items():
        path = " ".join(at(feeds, value) for feeds, value in points)
        x, y = at(*points[-1]).split(",")
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        drawn.append(f'<text x="{int(x) + 8}" y="{y}" style="fill:{color}">{name}</text>')
    style = "text{font:12px system-ui,sans-serif;fill:#777}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 590 290"><style>{style}</style>{"".join(drawn)}</svg>\n'
    )


if __name__ == "__main__":
    told = Report("scale")
    grown = measure(told, [int(size.replace("_", "")) for size in sys.argv[1:]] or SIZES)
    told.finish()
    if len(grown) > 1 and grown[-1].feeds >= 100_000:  # a short run draws nothing
        (Path(__file__).parents[1] / "docs" / "scaling.svg").write_text(chart(grown))

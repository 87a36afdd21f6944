"""What hostile pages and feeds leave in memory, in the planet and in its children: nothing that adds up."""

from __future__ import annotations

import ctypes
import gc
import gzip
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path

import pytest
import requests

from jobs.children import result
from tests.farm import Farm, Reply
from tests.world import World, feed_at

KILOBYTE, MEGABYTE = 1_024, 1_000_000
# Each breaks a parser, or makes it slow or large, by its own ways; the first six are attack A15.
MARKUP = {
    "comments": "<!--" * 50_000,
    "anchors": " <a " * 25_000,
    "ends": "</" * 50_000,
    "instructions": "<?" * 50_000,
    "titles": "<title>" * 25_000,
    "nested": "<div>" * 100_000,
    "cdata": "<![CDATA[" * 50_000,
    "open attribute": '<a href="' * 25_000,
    "attributes": f"<a {'x=1 ' * 100_000}>",
    "entities": "&amp" * 50_000,
    "classes": '<p class="h-entry">' * 20_000,
}
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DOCTYPES = {
    "billion laughs": f'<!DOCTYPE rss [<!ENTITY l0 "lol">{LAUGHS}]><rss><channel><title>&l9;</title></channel></rss>',
    "quadratic blow-up": f'<!DOCTYPE rss [<!ENTITY a "{"a" * 50_000}">]><rss><channel>{"&a;" * 50_000}</channel></rss>',
}
# What costs a child its life ends what it has kept, too: the others are to show that they keep nothing.
DEADLY = ("nested", "cdata")
ROUNDS = 3


def bodies(number: int) -> dict[str, Reply]:
    """Every payload as a page and in a feed, and bombs; another number makes them other bodies."""
    html, xml = {"Content-Type": "text/html"}, {"Content-Type": "application/rss+xml"}
    made = {}
    for name, markup in MARKUP.items():
        item = f"<item><title>{number}</title><guid>x</guid><description>{escape(markup)}</description></item>"
        made[f"page of {name}"] = Reply(markup.encode(), headers=html)
        made[f"feed of {name}"] = Reply(f"<rss version='2.0'><channel>{item}</channel></rss>".encode(), headers=xml)
        made[f"broken feed of {name}"] = Reply(
            f"<rss><channel><item><guid>x</guid><title>{number}</title>{markup}".encode(), headers=xml
        )
    for name, document in DOCTYPES.items():
        made[f"feed of {name}"] = Reply(f"{document}<!--{number}-->".encode(), headers=xml)
        made[f"page of {name}"] = Reply(document.encode(), headers=html)
    bomb = gzip.compress(b"<rss>" + b" " * 60 * MEGABYTE, mtime=number)
    made["page of a bomb"] = Reply(bomb, headers={**html, "Content-Encoding": "gzip"})
    made["feed of a bomb"] = Reply(bomb, headers={**xml, "Content-Encoding": "gzip"})
    return made


def memory(here: World) -> tuple[int, int]:
    """What this process holds, which has the jobs and the web half, and what its children hold; shared memory once."""
    result(here.children.submit(give_back))
    give_back()
    return _memory(os.getpid()), sum(map(_memory, _children_of(os.getpid())))


def give_back() -> None:
    """Give the system what is free: how much the allocator keeps at hand is chance."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _children_of(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            yield from map(int, (task / "children").read_text().split())


def _memory(pid: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
        return KILOBYTE * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


@contextmanager
def somebody_reads(url: str) -> Iterator[list[int]]:
    """Ask for a page again and again meanwhile; yield the statuses of the answers."""
    seen: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.2):
            seen.append(requests.get(url, timeout=10).status_code)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux' /proc")
def test_what_breaks_parsers_leaves_nothing_that_adds_up_and_readers_are_answered(
    open_world: Callable[..., World], web: Farm, elsewhere: Farm
) -> None:
    names = list(bodies(0))
    paths = {name: f"/{number}" for number, name in enumerate(names, 10)}
    feeds = [f"{web.url}{path}" for name, path in paths.items() if "feed" in name]
    here = open_world(feed_at(web, ("/1", "Question", "x")), *feeds)
    here.poll()
    here.publish()
    bearable = [name for name in names if not name.endswith(DEADLY)]

    def send(names: Sequence[str], number: int) -> tuple[int, int]:
        hostile = bodies(number)
        for name in names:
            if "feed" in name:
                web.routes[paths[name]] = hostile[name]
            else:
                elsewhere.routes[f"{paths[name]}?{number}"] = hostile[name]
                here.ping(f"{elsewhere.url}{paths[name]}?{number}", f"{web.url}/1")
                here.later(minutes=5).verify()
                del elsewhere.routes[f"{paths[name]}?{number}"]
        here.later(days=2).poll()
        here.publish()
        return memory(here)

    with somebody_reads(here.planet.masthead.url) as seen:
        _, first, *others = [send(bearable, number) for number in range(ROUNDS)]
        in_the_end = send(names, ROUNDS)

    assert len({seen.path for seen in elsewhere.seen}) == ROUNDS * sum("page" in name for name in bearable) + sum(
        "page" in name for name in names
    )
    for whose in (0, 1):
        assert max(taken[whose] for taken in (*others, in_the_end)) - first[whose] < 25 * MEGABYTE, (first, others)
    assert set(seen) == {200}
    assert len(seen) > ROUNDS

"""`python -m bench.growth [FEEDS] [POSTS]`: how much disk a feed takes in a year of so many posts of 5 KB.

Everything that a year leaves is there: posts with what they are searched by, thoughts under every third, pages, feeds,
months and weeks, and as many polls as are remembered.
"""

from __future__ import annotations

import random
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from aggregator import store
from aggregator.model import Evidence, Status
from aggregator.standing import Standing
from jobs import equipment, rendering
from tests.builders import NOON, arrival, claim, entry, planet, stored

BYTES_OF_A_POST = 5_000


def main() -> None:
    feeds, posts = (int(word) for word in [*sys.argv[1:], *("20", "100")[len(sys.argv) - 1 :]][:2])
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(8_000)]
    with tempfile.TemporaryDirectory(prefix="planet-growth-") as name:
        urls = [f"https://blog{number}.example/feed" for number in range(feeds)]
        configured = planet(Path(name), urls)
        with closing(store.open_store(configured.data)) as database:
            equipment.subscribe(database, configured, NOON)
            _publish(database, configured)
            empty = _sizes(configured)
            for feed in range(feeds):
                year = [_post(chance, words, feed, number, posts) for number in range(posts)]
                ids = stored(database, feed + 1, *year)
                with store.transaction(database):
                    for number, id in enumerate(ids[::3]):
                        _thought(database, id, f"{feed}-{number}")
                    database.conn.executemany(
                        "INSERT INTO poll VALUES (?, ?, '2026-11-22T12:00:00.000000Z', 304, 0, 100, 'unchanged', 0, 0, '')",
                        [(slot, feed + 1) for slot in range(configured.keep.polls)],
                    )
                    store.stale.mark_posts(database, ids)
            _publish(database, configured)
            store.gone.erase(database)
            full = _sizes(configured)
        print(f"{feeds} feeds, {posts} posts a year of {BYTES_OF_A_POST / 1e3:g} KB each; for a feed and year:")
        for what, before, after in zip(("database", "pages"), empty, full, strict=True):
            print(f"{what:10}{(after - before) / feeds / 1e6:8.2f} MB")


def _post(chance: random.Random, words: list[str], feed: int, number: int, posts: int):  # type: ignore[no-untyped-def]
    text = ""
    while len(text) < BYTES_OF_A_POST:
        text += f"<p>{' '.join(chance.choices(words, k=60))}</p>"
    at = NOON - timedelta(days=365 * number / posts, minutes=feed)
    url = f"https://blog{feed}.example/{number}/"
    return entry(
        url, url=url, title=" ".join(chance.choices(words, k=6)), html=text, words=len(text.split()), published_at=at
    )


def _thought(database, id: int, name: str) -> None:  # type: ignore[no-untyped-def]
    made = arrival(claim(f"https://other.example/{name}", f"https://blog.example/{id}"), id, name)
    store.mentions.add(database, [made])
    known = store.mentions.find(database, made.claim.source, id)
    assert known is not None
    evidence = Evidence("An answer", ("before " * 15, "the link", "after " * 15))
    store.mentions.settle(database, known.id, Standing(Status.PUBLISHED), evidence, NOON)


def _publish(database, configured) -> None:  # type: ignore[no-untyped-def]
    for _ in range(4):
        rendering.publisher_for(database, configured, lambda: NOON).publish()


def _sizes(configured) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    database = sum(path.stat().st_size for path in configured.data.glob("planet.db*"))
    return database, sum(path.stat().st_size for path in configured.public.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()

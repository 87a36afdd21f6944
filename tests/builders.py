"""Small builders of values: they show only the fields that matter to a test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path

from linkbacks import claims
from linkbacks.claims import MaySend, Rules
from linkbacks.decisions import Decision
from sqlite_utils import Database

from aggregator import config, store
from aggregator.model import Claim, PollState, ReadEntry, Subscription
from aggregator.sameness import Place
from aggregator.store.mentions import Arrival
from aggregator.urls import address

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLANET = "http://planet.test/"


def hours_ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


def entry(guid: str = "1", **fields: object) -> ReadEntry:
    values: dict[str, object] = {
        "content_hash": f"hash of {guid}".encode(),
        "url": f"http://blog.test/{guid}/",
        "title": f"Post {guid}",
        "author": "",
        "html": "<p>Text</p>",
        "lede": "Text",
        "words": 1,
        "language": "",
        "tags": (),
        "published_at": NOON,
        "updated_at": None,
    }
    return ReadEntry(guid=guid, **{**values, **fields})  # type: ignore[arg-type]


def subscribed(database: Database, *urls: str, **fields: object) -> list[int]:
    """Subscribe to feeds; return their ids in the order given."""
    store.feeds.subscribe(database, [Subscription(url=url, **fields) for url in urls], NOON)  # type: ignore[arg-type]
    ids = dict(database.execute("SELECT url, id FROM feed").fetchall())
    return [ids[url] for url in urls]


def stored(database: Database, feed_id: int, *entries: ReadEntry, hidden: str = "") -> list[int]:
    """Store entries as shown; return their ids."""
    with store.transaction(database):
        placed = [(each, Place(each.published_at or NOON, hidden)) for each in entries]
        store.entries.add(database, feed_id, placed, NOON)
    found = dict(database.execute("SELECT guid, id FROM entry WHERE feed_id = ?", [feed_id]).fetchall())
    return [found[each.guid] for each in entries]


def claim(source: str, target: str, at: datetime = NOON) -> Claim:
    return Claim(source=source, target=target, protocol="pingback", received_at=at)


def arrival(made: Claim, entry_id: int, token: str) -> Arrival:
    """A stranger's claim, ready to be stored."""
    source = address(made.source)
    assert source is not None
    return Arrival(made, source, entry_id, None, token)


def accept(database: Database, made: Claim, rules: Rules, may_send: MaySend = lambda _: True) -> Decision:
    """Have one claim judged, inside a transaction."""
    return claims.accept(database, [made], rules, may_send=may_send)[0]


def state(**fields: object) -> PollState:
    return PollState(**{"next_poll_at": NOON, **fields})  # type: ignore[arg-type]


def rss(items: Sequence[tuple[str, str, str]], *, at: datetime = NOON, title: str = "A blog", home: str = "") -> bytes:
    """An RSS feed of (address, title, HTML)."""
    body = "".join(
        f"<item><title>{escape(name)}</title><link>{escape(url)}</link><guid>{escape(url)}</guid>"
        f"<pubDate>{format_datetime(at)}</pubDate><description>{escape(html)}</description></item>"
        for url, name, html in items
    )
    head = f"<title>{escape(title)}</title><link>{escape(home)}</link><description/>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{body}</channel></rss>'.encode()


def planet(folder: Path, feeds: Sequence[str], *, url: str = PLANET, more: str = "") -> config.Planet:
    """A configuration that may reach loopback."""
    tables = "".join(f'\n[[feeds]]\nurl = "{feed}"\n' if "\n" not in feed else feed for feed in feeds)
    text = (
        f'[planet]\ntitle = "Planet Test"\nurl = "{url}"\ndata = "data"\n'
        f'[network]\nallow_addresses = ["127.0.0.0/8", "::1/128"]\n{more}{tables}'
    )
    path = folder / "feeds.toml"
    path.write_text(text, "utf-8")
    return config.parse(text, path)

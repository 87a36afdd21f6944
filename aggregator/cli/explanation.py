"""Find out what an address is to the planet, and gather what there is to say about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from aggregator import diagnosis, store
from aggregator.config import Planet
from aggregator.model import EntryFacts, FeedHealth, LinkbackFacts, Poll
from aggregator.standing import MOST_RETURNS
from aggregator.urls import is_under, web_url

_ENTRIES, _ALIASES, _MEMBERS = 20, 3, 5
_POST = re.compile(r"/posts/(\d{1,18})-")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of an address: `kind` is what it is, `lines` say so to a person."""

    url: str
    kind: str
    lines: tuple[str, ...]
    entries: tuple[EntryFacts, ...] = ()
    polls: tuple[Poll, ...] = ()
    linkbacks: tuple[LinkbackFacts, ...] = ()


def explained(database: Database, planet: Planet, url: str, now: datetime) -> Explanation:
    """Explain a feed, a post (by its own address, its guid or its page here), a linkback's source, or nothing."""
    address = web_url(url) or url
    if (feed_id := store.health.feed_id(database, address)) is not None:
        return _feed(database, planet, address, feed_id, now)
    linkbacks = tuple(store.health.linkbacks_from(database, address))
    lines = _linkback_lines(planet, linkbacks, now)
    if facts := stored_at(database, planet, url):
        lines = [*_post_lines(database, planet, facts), *lines]
        return Explanation(url, "post", tuple(lines), tuple(facts), linkbacks=linkbacks)
    if linkbacks:
        return Explanation(url, "linkback", tuple(lines), linkbacks=linkbacks)
    return _unknown(database, url, address)


def _linkback_lines(planet: Planet, linkbacks: Sequence[LinkbackFacts], now: datetime) -> list[str]:
    rules = planet.linkbacks
    lines = []
    for each in linkbacks:
        lines += diagnosis.of_linkback(each, now, rules.members if each.member else rules.strangers, MOST_RETURNS)
    return lines


def _feed(database: Database, planet: Planet, url: str, feed_id: int, now: datetime) -> Explanation:
    entries = store.health.newest_entries(database, feed_id, _ENTRIES)
    lines = diagnosis.of_feed(_health(database, feed_id), now)
    if entries:
        lines += ["", f"Its newest {len(entries)} entries:"]
    per_day = planet.page.per_feed_per_day
    lines += [f"  {entry.title or entry.url or entry.guid}: {diagnosis.of_entry(entry, per_day)}" for entry in entries]
    return Explanation(url, "feed", tuple(lines), tuple(entries), tuple(store.polls.history(database, feed_id)))


def stored_at(database: Database, planet: Planet, url: str) -> list[EntryFacts]:
    """Return the entries that an address names: a page of this planet, an entry's own address, or its guid."""
    address = web_url(url) or url
    if is_under(address, planet.masthead.url) and (match := _POST.search(address)):
        facts = store.health.entry(database, int(match[1]))
        return [facts] if facts else []
    return store.health.entries_at(database, address) or store.health.entries_at(database, url)


def _post_lines(database: Database, planet: Planet, facts: list[EntryFacts]) -> list[str]:
    lines = []
    for entry in facts:
        lines.append(f"“{entry.title or 'Untitled'}” of {entry.blog} <{entry.url or entry.guid}>")
        lines.append(f"  {diagnosis.of_entry(entry, planet.page.per_feed_per_day)}")
        lines.append(f"  {diagnosis.of_dates(entry)}")
        aliases = store.identity.aliases_of(database, entry.id)
        lines += [f"  its feed has brought it again as {guid}; known by {why}" for guid, why in aliases[-_ALIASES:]]
    return lines


def _unknown(database: Database, url: str, address: str) -> Explanation:
    members = store.members.all_at(database, address)
    if not members:
        line = f"{url}: no feed, post or linkback here has this address, and it lies under no member's site"
        return Explanation(url, "unknown", (line,))
    lines: list[str] = []
    for member in members[:_MEMBERS]:
        entries = store.health.newest_entries(database, member, 10_000)
        written = sorted(entries, key=lambda entry: entry.published_at or entry.first_seen_at)
        ends = (written[-1], written[0]) if written else (None, None)
        lines += diagnosis.of_unseen(url, _health(database, member), *ends)
    return Explanation(url, "unseen", tuple(lines))


def _health(database: Database, feed_id: int) -> FeedHealth:
    return store.health.of_feed(database, feed_id)

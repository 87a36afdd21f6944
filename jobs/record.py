"""Store what one poll brought: which entries are new, which are old ones under new names, which are gone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from sqlite_utils import Database

from aggregator import store
from aggregator.filters import Filters
from aggregator.logs import counted
from aggregator.model import DueFeed, Offers, Poll, PollState, Pushed, ReadEntry, Reading, Voice
from aggregator.sameness import (
    DOUBLE,
    EMPTY,
    SAME_AS,
    WITHDRAWN,
    Place,
    is_doubtful,
    is_same_story,
    known_again,
    places,
    takeover,
    vanished,
)
from jobs import arrivals

# By so many of its newest entries a feed is recognised.
HEARD = 20


@dataclass(slots=True)
class Polled:
    """One feed's poll, ready to be stored.

    `is_whole` tells that the body held all that the feed has; `offers` are None when they stay what they were;
    `resting` is an address on the host that said 429.
    """

    feed: DueFeed
    state: PollState
    poll: Poll
    reading: Reading | None = None
    known: frozenset[str] = frozenset()
    is_whole: bool = True
    offers: Offers | None = None
    resting: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it: how much was stored, and what there is to tell."""

    new: int = 0
    edited: int = 0
    known: int = 0  # entries of a push that may be edits
    told: str = ""
    level: int = logging.INFO
    failed: PollState | None = None  # instead of what was to be stored: none of it could be


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of a feed: how many posts of a joining blog are shown, how many polls remembered, what is wanted."""

    first_import: int
    polls: int = 30
    filters: dict[str, Filters] = field(default_factory=dict)


def record(database: Database, polled: Polled, reading: Reading, keeping: Keeping, now: datetime) -> Recorded:
    """Store what one poll has read, whole; inside a transaction."""
    feed = polled.feed
    if not store.feeds.is_there(database, feed.id):
        return Recorded()  # it has left the store meanwhile
    strange = _strange(database, feed, reading)
    recorded = (
        Recorded(told=strange, level=logging.ERROR) if strange else _read(database, polled, reading, keeping, now)
    )
    if polled.offers is not None:
        store.subscriptions.record_offers(database, feed.id, polled.offers, now)
    arrivals.record(database, polled, reading, recorded.new, now)
    return recorded


def _strange(database: Database, feed: DueFeed, reading: Reading) -> str:
    """Put a feed that may be somebody else's now into quarantine, or lift it; return why."""
    before, after = _voices(database, feed.id, reading)
    if why := takeover(before, after):
        store.voices.quarantine(database, feed.id, why)
        return f"quarantined: {why}; nothing new of it is shown until: planet release {feed.url}"
    if reading.guids and (after.words or not is_doubtful(before, after)):
        store.voices.record_voice(database, feed.id, after)
    return ""


def _voices(database: Database, feed_id: int, reading: Reading) -> tuple[Voice, Voice]:
    """How a feed sounded and sounds; with its words then and now, where these are needed to tell."""
    before, after = store.voices.voice(database, feed_id), reading.voice
    if not is_doubtful(before, after):
        return before, after
    from aggregator.feeds.voice import vocabulary  # rarely, and it brings all readers of feeds along

    stored = store.entries.newest_texts(database, feed_id, HEARD)
    new = {entry.guid: (entry.title, entry.html) for entry in reading.entries}
    held = new | {guid: (title, html) for guid, title, html in stored if guid in reading.guids and guid not in new}
    then = vocabulary((title, html) for _, title, html in stored)
    now = vocabulary(islice((held[guid] for guid in reading.guids if guid in held), HEARD))
    return replace(before, words=then), replace(after, words=now)


def _read(database: Database, polled: Polled, reading: Reading, keeping: Keeping, now: datetime) -> Recorded:
    feed = polled.feed
    store.feeds.record_title(database, feed.id, reading.title, reading.home)
    store.feeds.record_icon(database, feed.id, reading.icon)
    first_import = keeping.first_import if feed.is_new else None
    kept = _keep(database, feed.id, reading, polled.known, now, first_import)
    removed = _gone(database, polled, reading, now)
    remark = f"; {reading.remark}" if reading.remark else ""
    withdrawn = f", {removed} withdrawn" if removed else ""
    again = f", {kept.again} known again under new names" if kept.again else ""
    entries = counted(len(reading.guids), "entry", "entries")
    return Recorded(
        kept.new, kept.edited, told=f"read: {entries}, {kept.new} new, {kept.edited} edited{again}{withdrawn}{remark}"
    )


def record_push(database: Database, pushed: Pushed, reading: Reading, now: datetime) -> Recorded | None:
    """Store the posts of a push that are new, inside a transaction; None when a poll had better decide.

    It may hold a few entries of the feed, or be an old one that comes late: so it edits and takes back nothing, and
    what it doesn't hold is not missing.
    """
    known = store.entries.known_hashes(database, pushed.feed_id)
    if pushed.is_quarantined or takeover(*_voices(database, pushed.feed_id, reading)):
        return None
    fresh = tuple(entry for entry in reading.entries if entry.guid not in known)
    news = replace(reading, entries=fresh, guids=(*reading.guids, *known), dated=(), comments=())
    kept = _keep(database, pushed.feed_id, news, frozenset(known), now, None)
    told = f"pushed: {counted(len(reading.guids), 'entry', 'entries')}, {kept.new} new"
    return Recorded(kept.new, known=len(reading.entries) - len(fresh) + kept.again, told=told)


@dataclass(frozen=True, slots=True)
class _Kept:
    """How many entries were stored, edited, and known again under other names."""

    new: int
    edited: int
    again: int


def _keep(
    database: Database,
    feed_id: int,
    reading: Reading,
    known: frozenset[str],
    now: datetime,
    first_import: int | None,
) -> _Kept:
    """Store what is new and what has changed."""
    # A push may have brought an entry since the poll looked what is known.
    unknown = [entry.guid for entry in reading.entries if entry.guid not in known]
    fresh, changed = _apart(reading.entries, known | store.identity.guids_of(database, feed_id, unknown))
    is_new = first_import is not None
    old = [] if is_new else store.identity.old_like(database, feed_id, fresh)
    if store.gone.has_graves(database):
        fresh = [entry for entry in fresh if not store.gone.is_buried(database, entry.guid, entry.url)]
    aliases = known_again(fresh, old, set(reading.guids)) if old else {}
    if aliases:
        store.identity.add_aliases(database, feed_id, aliases, now)
        changed += [entry for entry in fresh if entry.guid in aliases]
        fresh = [entry for entry in fresh if entry.guid not in aliases]
    standing = _standing(database, feed_id, fresh, {entry.content_hash for entry in old}, now, first_import)
    new = store.entries.add(database, feed_id, list(zip(fresh, standing, strict=True)), now)
    edited = store.entries.edit(database, feed_id, changed)
    store.entries.correct(database, feed_id, reading.dated, reading.comments)
    if aliases:
        store.identity.prune_aliases(database, feed_id, reading.guids)
    if new or edited:
        store.feeds.record_posting(database, feed_id)
    return _Kept(new, edited, len(aliases))


def _standing(
    database: Database,
    feed_id: int,
    fresh: Sequence[ReadEntry],
    known: Collection[bytes],
    now: datetime,
    first_import: int | None,
) -> list[Place]:
    """Where each new entry stands: those that are wanted first, so that they are the ones a joining blog shows."""
    said = set(known)
    reasons = []
    for entry in fresh:
        reasons.append(entry.unwanted or _lack(entry) or (DOUBLE if entry.url and entry.content_hash in said else ""))
        said.add(entry.content_hash)
    wanted = [entry for entry, why in zip(fresh, reasons, strict=True) if not why]
    of_wanted = iter(places(wanted, now, first_import=first_import))
    standing = [Place(now, why) if why else next(of_wanted) for why in reasons]
    return [_beside(database, feed_id, entry, place, now) for entry, place in zip(fresh, standing, strict=True)]


def _lack(entry: ReadEntry) -> str:
    return "" if entry.title or entry.lede or entry.enclosures or "<img" in entry.html else EMPTY


def _beside(database: Database, feed_id: int, entry: ReadEntry, place: Place, now: datetime) -> Place:
    """The place of an entry that another feed has brought already: behind that one."""
    if place.hidden:
        return place
    for other in store.identity.stories_like(database, feed_id, entry):
        if is_same_story(entry, other, now):
            store.stale.mark_posts(database, [other.id])
            return Place(place.shown_at, SAME_AS, story_of=other.id)
    return place


def _gone(database: Database, polled: Polled, reading: Reading, now: datetime) -> int:
    """Note what the feed has lost, and take back what it withdraws; return how much that is."""
    feed_id, present = polled.feed.id, set(reading.guids)
    if not polled.feed.is_new and polled.is_whole and not reading.is_cut and present:
        held = present | store.identity.names_present(database, feed_id, present)
        lost = vanished(store.identity.old_since(database, feed_id, held), held)
        store.gone.note_missing(database, feed_id, held, lost, now)
    withdrawn = [guid for guid in reading.deleted if guid not in present]
    return store.gone.remove(database, store.gone.ids_of(database, feed_id, withdrawn), WITHDRAWN)


def _apart(entries: Sequence[ReadEntry], known: frozenset[str]) -> tuple[list[ReadEntry], list[ReadEntry]]:
    """New entries, oldest first so that ids grow with time, and known ones that changed."""
    fresh = [entry for entry in entries if entry.guid not in known]
    return list(reversed(fresh)), [entry for entry in entries if entry.guid in known]

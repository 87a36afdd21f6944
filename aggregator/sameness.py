"""Decide what a newly seen entry is: a post, an edit, an old post under a new name; and where it stands. Pure.

No clock, no SQL. Every rule gives its reason in words, which `planet explain` and the pages repeat.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import ReadEntry, Voice
from aggregator.urls import canonical

# Clocks of blogs run ahead; more than this is a date in the future.
TOLERANCE = timedelta(minutes=15)
# A post that carries an older date than this when it is first seen would land below the fold, unseen.
BACKDATED = timedelta(days=2)
# More old posts than this in one poll are an archive that was opened, not posts that were written late.
FLOOD = 10
# A text that comes back after this long is a new edition, not the same story from another feed.
SAME_STORY = timedelta(days=30)

FIRST_IMPORT = "older than the newest posts of a blog that has just joined"
REMOVED = "removed at its source"
WITHDRAWN = "withdrawn by its feed"
EXPIRED = "older than [keep] entries in feeds.toml"
DOUBLE = "its feed holds the same entry under another guid"
EMPTY = "it has neither a title nor a text"
SAME_AS = "the same story as a post of another blog, which names this one"

# Shares of words in common, measured on the feeds of the test corpora: two halves of one feed have less than 0.05
# in 3 of 100 cases and less than 0.15 in 30; two unrelated English feeds in 35 and 75.
ALIEN, STRANGE = 0.05, 0.15
FEWEST_CHANGES = 2
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new entry stands in the river, and why it may not; `story_of` is the post that is shown for it."""

    shown_at: datetime
    hidden: str = ""
    story_of: int | None = None


@dataclass(frozen=True, slots=True)
class Old:
    """A stored entry, as far as it takes to know it again."""

    id: int
    guid: str
    url_key: str
    title: str
    written_at: datetime | None
    fingerprint: bytes
    content_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Alias:
    """An old entry under a new guid, and by what it was known again."""

    entry_id: int
    why: str


def places(entries: Sequence[ReadEntry], now: datetime, *, first_import: int | None) -> list[Place]:
    """Return a place for each new entry; they come oldest first, as far as their feed tells.

    `first_import` is how many of a blog's posts are shown when it joins; None for a known blog.
    Entries of a joining blog stand at their own dates, those of a known blog no lower than the time they came,
    unless a whole archive comes at once.
    Source: reader's recent sort; python/planet issues on backdated and future-dated posts.
    """
    if first_import is None:
        is_flood = sum(_is_backdated(entry, now) for entry in entries) > FLOOD
        return [Place(_own_date(entry, now) if is_flood else _arrival(entry, now)) for entry in entries]
    dated = [Place(_own_date(entry, now)) for entry in entries]
    newest = sorted(range(len(dated)), key=lambda index: (dated[index].shown_at, index), reverse=True)[:first_import]
    return [place if index in newest else Place(place.shown_at, FIRST_IMPORT) for index, place in enumerate(dated)]


def known_again(fresh: Sequence[ReadEntry], old: Sequence[Old], present: Collection[str]) -> dict[str, Alias]:
    """Return those of the fresh entries, by guid, that are stored entries whose guid or address has changed.

    `present` are the guids that the feed holds now: an entry that it holds under its old guid has no new one.
    What several entries have in common (every link is the blog's address, every text the same) tells nothing.
    """
    missing = [entry for entry in old if entry.guid not in present]
    marks = (
        ("the same content", [e.content_hash for e in fresh], [e.content_hash for e in missing]),
        ("the same address", _addresses(fresh), [e.url_key for e in missing]),
        ("the same title and date", [_titled(e.title, _written(e)) for e in fresh],
         [_titled(e.title, e.written_at) for e in missing]),
        # A text alone may be the blurb under every episode of a podcast.
        ("the same title and text", [_worded(e.title, e.fingerprint) for e in fresh],
         [_worded(e.title, e.fingerprint) for e in missing]),
    )  # fmt: skip
    found: dict[str, Alias] = {}
    taken: set[int] = set()
    for why, ours, theirs in marks:
        only_ours, by_mark = Counter(ours), _unique(theirs)
        for entry, mark in zip(fresh, ours, strict=True):
            index = by_mark.get(mark) if mark and only_ours[mark] == 1 else None
            if index is not None and entry.guid not in found and index not in taken:
                found[entry.guid] = Alias(missing[index].id, why)
                taken.add(index)
    return found


def is_same_story(entry: ReadEntry, other: Old, now: datetime) -> bool:
    """Tell whether an entry of one feed is a post that another feed has brought.

    Two of address, title and text must be the same, and the dates near each other: two blogs may both write about the
    page that they link to, and two podcasts of one house have the same blurb.
    """
    if abs((_written(entry) or now) - (other.written_at or now)) > SAME_STORY:
        return False
    same_address = bool(entry.url) and canonical(entry.url) == other.url_key
    same_text = bool(entry.fingerprint) and entry.fingerprint == other.fingerprint
    same_title = bool(_words(entry.title)) and _words(entry.title) == _words(other.title)
    return same_address + same_text + same_title >= 2


def vanished(old: Sequence[Old], present: Collection[str]) -> list[int]:
    """Return the ids of stored entries that their feed should still hold: newer than the oldest one that it does.

    Source: Planet 2.0's and Pluto's rule for entries that were removed.
    """
    held = [entry.written_at for entry in old if entry.guid in present and entry.written_at]
    if not held:
        return []
    oldest = min(held)
    return [e.id for e in old if e.guid not in present and e.written_at is not None and e.written_at > oldest]


def takeover(before: Voice, after: Voice) -> str:
    """Return why a feed seems to be somebody else's now, or "" when it is still itself.

    Blogs are renamed, move and change their programs; what they write about stays. So it takes strange words and
    three other changes, or alien words and two.
    """
    if not after.words:
        return ""
    # Of a blog whose texts are forgotten nothing is left to compare: then as many changes as with strange words.
    common = ALIEN
    if before.words:
        common = len(before.words & after.words) / min(len(before.words), len(after.words))
    changes = _changes(before, after)
    if common >= STRANGE or len(changes) < (3 if common >= ALIEN else FEWEST_CHANGES):
        return ""
    return f"it may have been taken over: {'; '.join(changes)}; and its words are not those it used"


def is_doubtful(before: Voice, after: Voice) -> bool:
    """Tell whether a feed has changed so much that only its words can tell whether it is still itself."""
    return before != Voice() and len(_changes(before, after)) >= FEWEST_CHANGES


def _changes(before: Voice, after: Voice) -> list[str]:
    changes = [
        f'its title was "{before.title}" and is "{after.title}"' if _is_renamed(before.title, after.title) else "",
        _changed("its posts were at", before.host, after.host) if before.host else "",
        _changed("it was made by", before.generator, after.generator),
        _changed("its language was", before.language, after.language),
    ]
    return [change for change in changes if change]


def _addresses(entries: Iterable[ReadEntry]) -> list[str]:
    return [canonical(entry.url) for entry in entries]


def _unique(marks: Sequence[Hashable]) -> dict[Hashable, int]:
    counted = Counter(marks)
    return {mark: index for index, mark in enumerate(marks) if mark and counted[mark] == 1}


def _words(title: str) -> str:
    return " ".join(_WORD.findall(title.casefold()))


def _titled(title: str, written: datetime | None) -> str:
    words = _words(title)
    return f"{words} {written.replace(microsecond=0)}" if words and written else ""


def _worded(title: str, fingerprint: bytes) -> str:
    words = _words(title)
    return f"{words} {fingerprint.hex()}" if words and fingerprint else ""


def _is_renamed(before: str, after: str) -> bool:
    words, others = ({word for word in _WORD.findall(t.casefold()) if len(word) > 2} for t in (before, after))
    return bool(words and others and not words & others)


def _changed(words: str, before: str, after: str) -> str:
    return f"{words} {before or 'nobody knows which'} and now {after}" if after and before != after else ""


def _arrival(entry: ReadEntry, now: datetime) -> datetime:
    written = _written(entry)
    if written is None or written > now + TOLERANCE or _is_backdated(entry, now):
        return now
    return min(written, now)


def _own_date(entry: ReadEntry, now: datetime) -> datetime:
    return min(_written(entry) or now, now)


def _is_backdated(entry: ReadEntry, now: datetime) -> bool:
    written = _written(entry)
    return written is not None and written < now - BACKDATED


def _written(entry: ReadEntry) -> datetime | None:
    return entry.published_at or entry.updated_at

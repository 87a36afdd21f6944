"""Decide how a newly seen entry takes its place in the river. Pure: no clock, no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import ReadEntry

# Clocks of blogs run ahead; more than this is a date in the future.
TOLERANCE = timedelta(minutes=15)
# A post that carries an older date than this when it is first seen would land below the fold, unseen.
BACKDATED = timedelta(days=2)

FIRST_IMPORT = "older than the newest posts of a blog that has just joined"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new entry stands in the river, and why it may not."""

    shown_at: datetime
    hidden: str = ""


def places(entries: Sequence[ReadEntry], now: datetime, *, first_import: int | None) -> list[Place]:
    """Return a place for each new entry; they come oldest first, as far as their feed tells.

    `first_import` is how many of a blog's posts are shown when it joins; None for a known blog.
    Entries of a joining blog stand at their own dates, those of a known blog no lower than the time they came.
    Source: reader's recent sort; python/planet issues on backdated and future-dated posts.
    """
    if first_import is None:
        return [Place(_arrival(entry, now)) for entry in entries]
    dated = [Place(min(_written(entry) or now, now)) for entry in entries]
    newest = sorted(range(len(dated)), key=lambda index: (dated[index].shown_at, index), reverse=True)[:first_import]
    return [place if index in newest else Place(place.shown_at, FIRST_IMPORT) for index, place in enumerate(dated)]


def _arrival(entry: ReadEntry, now: datetime) -> datetime:
    written = _written(entry)
    if written is None or written > now + TOLERANCE or written < now - BACKDATED:
        return now
    return min(written, now)


def _written(entry: ReadEntry) -> datetime | None:
    return entry.published_at or entry.updated_at

"""Posts by day, as the river shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from zoneinfo import ZoneInfo

from aggregator.model import Blog, Post


@dataclass(frozen=True, slots=True)
class Fold:
    """Posts of one prolific blog on one day that the river keeps behind a line."""

    blog: Blog
    posts: tuple[Post, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the river."""

    date: date
    posts: tuple[Post, ...]
    folds: tuple[Fold, ...] = ()


def days(posts: Sequence[Post], zone: ZoneInfo, per_feed: int | None = None) -> list[Day]:
    """Return posts (newest first) by day; of one blog and day no more than `per_feed` are unfolded."""
    return [
        _day(day, list(group), per_feed)
        for day, group in groupby(posts, key=lambda post: post.shown_at.astimezone(zone).date())
    ]


def _day(day: date, posts: Sequence[Post], per_feed: int | None) -> Day:
    shown: list[Post] = []
    surplus: dict[int, list[Post]] = {}
    count: dict[int, int] = {}
    for post in posts:
        count[post.blog.id] = count.get(post.blog.id, 0) + 1
        if per_feed is None or count[post.blog.id] <= per_feed:
            shown.append(post)
        else:
            surplus.setdefault(post.blog.id, []).append(post)
    folds = tuple(Fold(rest[0].blog, tuple(rest)) for rest in surplus.values())
    return Day(day, tuple(shown), folds)


def fair(posts: Sequence[Post], most: int) -> list[Post]:
    """Return posts without those that one blog has written beyond `most` of one day (of UTC)."""
    count: dict[tuple[int, date], int] = {}
    kept = []
    for post in posts:
        key = (post.blog.id, post.shown_at.date())
        count[key] = count.get(key, 0) + 1
        if count[key] <= most:
            kept.append(post)
    return kept

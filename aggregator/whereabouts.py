"""Decide what to make of a feed's redirects and farewells. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.model import Subscription, Whereabouts
from aggregator.urls import canonical

# Captive portals and maintenance pages redirect permanently, too: only what stays so is believed.
# Source: issues of Vienna, Drupal and lion-reader; Feedbin waits for about six days.
MOVED_FOR = timedelta(days=7)
# Two farewells on two days.
GONE_FOR = timedelta(hours=20)


def after_answer(where: Whereabouts, url: str, permanently: str, now: datetime) -> Whereabouts:
    """Return where a feed is after a good answer; `permanently` is where only 301 and 308 led, "" for nowhere.

    After a week of the same answer the feed is fetched there.
    """
    if where.gone_at or where.retired_at:
        where = replace(where, gone_at=None, retired_at=None)
    if not permanently or permanently == (where.address or url):
        return replace(where, moved_to="", moved_at=None) if where.moved_to else where
    if permanently != where.moved_to or where.moved_at is None:
        return replace(where, moved_to=permanently, moved_at=now)
    if now - where.moved_at < MOVED_FOR:
        return where
    return replace(where, address=permanently, why="moved", moved_to="", moved_at=None)


def after_gone(where: Whereabouts, now: datetime) -> Whereabouts:
    """Return where a feed is after a 410: on a second day it is retired."""
    if where.gone_at is None:
        return replace(where, gone_at=now)
    if where.retired_at is None and now - where.gone_at >= GONE_FOR:
        return replace(where, retired_at=now)
    return where


def after_lost(where: Whereabouts) -> Whereabouts:
    """Return where a feed is when there is nothing at the address that replaced its own: back where it was."""
    return replace(where, address="", why="", moved_to="", moved_at=None)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stored feed's addresses besides its own."""

    site: str
    address: str
    moved_to: str


def renamed(stored: Mapping[str, Known], subscriptions: Sequence[Subscription]) -> dict[str, str]:
    """Return which stored feeds the operator has given another url: old url to new.

    A feed that is not in the configuration any more is one that is new there when a redirect has led from one to the
    other, or when both have the same `site`: so it keeps its posts, and nothing floods the page.
    """
    configured = {subscription.url for subscription in subscriptions}
    left = {url: known for url, known in stored.items() if url not in configured}
    found: dict[str, str] = {}
    for subscription in subscriptions:
        if subscription.url in stored:
            continue
        new = canonical(subscription.url)
        for url, known in left.items():
            leads_there = new in map(canonical, (url, known.address, known.moved_to))
            same_site = subscription.site and known.site == subscription.site
            if url not in found and (leads_there or same_site):
                found[url] = subscription.url
                break
    return found

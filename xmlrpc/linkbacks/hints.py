"""A blog says that it has changed: poll it soon, and look again at its links."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlite_utils import Database

from aggregator import store


def take(database: Database, urls: Collection[str], now: datetime) -> bool:
    """Act on a hint about the blogs at these addresses; inside a transaction. Tells whether any is known.

    Many hints are one poll: each blog is asked at most every five minutes, whatever anybody sends.
    """
    feeds = store.feeds.named_by(database, urls)
    of_cloud = {made.feed_id for url in urls if (made := store.subscriptions.of_cloud(database, url))}
    for feed_id in feeds:
        store.arrivals.hint(database, feed_id, now, "push" if feed_id in of_cloud else "ping")
        if at := store.arrivals.links_due(database, feed_id, now):
            store.mentions.recheck_member(database, feed_id, at)
    return bool(feeds)

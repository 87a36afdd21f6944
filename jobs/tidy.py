"""Forget what is not to be kept, a little at a time: old entries, and feeds that left the configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.logs import counted

log = logging.getLogger("planet.work")

# One transaction's worth: pings wait for no longer than this takes.
BATCH = 200
BATCHES_AT_ONCE = 10
# A feed that is put back within this time brings its posts with it.
REMOVED_FOR = timedelta(days=30)
# Who sent a ping that led to nothing has had time to look why; a link that is gone may come back for much longer.
REJECTED_FOR = timedelta(days=30)
RETRACTED_FOR = timedelta(days=365)


def tidy(
    database: Database, keep: timedelta | None, now: datetime, until: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Forget some of what is too old; return how many entries were forgotten, and how many deleted with their feeds."""
    expired = _batches(lambda: _expire(database, keep, now), until)
    deleted = _batches(lambda: _forget(database, now), until)
    _batches(lambda: _forget_over(database, now), until)
    if expired:
        log.info("%s forgotten: older than is kept", counted(expired, "entry", "entries"))
    return expired, deleted


def _batches(one: Callable[[], int], until: Callable[[], bool]) -> int:
    total = 0
    for _ in range(BATCHES_AT_ONCE):
        done = 0 if until() else one()
        total += done
        if done < BATCH:
            break
    return total


def _expire(database: Database, keep: timedelta | None, now: datetime) -> int:
    if keep is None:
        return 0
    with store.transaction(database):
        return store.gone.expire(database, now - keep, BATCH)


def _forget_over(database: Database, now: datetime) -> int:
    with store.transaction(database):
        return store.mentions.forget_over(database, now - REJECTED_FOR, now - RETRACTED_FOR, BATCH)


def _forget(database: Database, now: datetime) -> int:
    with store.transaction(database):
        deleted, feeds = store.gone.forget_removed(database, now - REMOVED_FOR, BATCH)
    for url in feeds:
        log.info("deleted: it has not been in feeds.toml for 30 days", extra={"feed": url})
    return deleted

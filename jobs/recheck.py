"""Look at the pages of entries that their feeds have lost: what is gone there goes here, too."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.sameness import REMOVED
from aggregator.store.gone import LOOK_AGAIN, Missing

log = logging.getLogger("planet.poll")

AT_ONCE = 20
SECONDS = 15.0
MAX_BYTES = 1_000_000
# A page that can't be reached tells nothing: it is looked at again on the next day.
AFTER_TROUBLE = timedelta(days=1)


def recheck(
    database: Database, engine: Engine, clock: Callable[[], datetime], until: Callable[[], bool] = lambda: False
) -> int:
    """Fetch the pages of a few missing entries; return how many entries were removed.

    404 and 410 remove one everywhere: somebody took it off the web, and for a reason.
    Source: code4lib/planetcode4lib #34 (a name that stayed on the planet for days).
    """
    if not (waiting := store.gone.missing(database, clock(), AT_ONCE)):
        return 0
    with store.transaction(database):  # whatever happens from here on, nobody is asked twice in a row
        for missing in waiting:
            store.gone.note_checked(database, missing.id, clock() - LOOK_AGAIN + AFTER_TROUBLE)
    requests = [_request(missing) for missing in waiting]
    removed = 0
    with closing(engine.sweep(lambda room: [requests.pop() for _ in requests[:room]])) as sweep:
        for landed in sweep:
            for request, outcome in landed:
                assert isinstance(request.key, Missing)
                removed += _settle(database, request.key, outcome, clock())
            if until():
                break
    return removed


def _request(missing: Missing) -> Request:
    return Request(url=missing.url, key=missing, seconds=SECONDS, max_bytes=MAX_BYTES)


def _settle(database: Database, missing: Missing, outcome: Outcome, now: datetime) -> int:
    status = outcome.status if isinstance(outcome, Answer) else 0
    with store.transaction(database):
        if status in (404, 410):
            store.gone.remove(database, [missing.id], REMOVED)
        elif 200 <= status < 400:  # else it waits for a day, as was noted before it was asked
            store.gone.note_checked(database, missing.id, now)
    if status not in (404, 410):
        return 0
    log.warning("a post is gone at its source, and here: %s", missing.url, extra={"feed": missing.feed_url})
    return 1

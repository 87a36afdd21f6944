"""Read what hubs have pushed, as polls are read: in children with limits, into the same rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from sqlite_utils import Database

from aggregator import store
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict
from aggregator.filters import NO_FILTERS
from aggregator.model import Pushed, Reading
from jobs import arrivals
from jobs.children import Children, result
from jobs.outcomes import Terms
from jobs.readers import read_feed
from jobs.record import Recorded, record_push

log = logging.getLogger("planet.push")

AT_ONCE = 20


class Pushes:
    """One run over the pushes that wait."""

    def __init__(
        self,
        database: Database,
        children: Children,
        terms: Terms,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._children = children
        self._terms = terms
        self._clock = clock
        self._until = until

    def run(self) -> int:
        """Read until no push waits, or until told to stop; return how many were read.

        Raises: StoreFailed. A push that was not settled is read again.
        """
        done = 0
        while not self._until() and (waiting := store.pushes.waiting(self._database, AT_ONCE)):
            begun = [(pushed, self._begin(pushed)) for pushed in waiting]
            read_now = sum(self._finish(pushed, future) for pushed, future in begun)
            if not read_now:  # no process is to be had
                break
            done += read_now
        return done

    def _begin(self, pushed: Pushed) -> Future[Reading]:
        known = store.entries.known_hashes(self._database, pushed.feed_id)
        filters = self._terms.keeping.filters.get(pushed.url, NO_FILTERS)
        sent = (pushed.body, "", pushed.content_type, pushed.address)
        return self._children.submit(read_feed, *sent, known, self._terms.max_bytes, filters)

    def _finish(self, pushed: Pushed, future: Future[Reading]) -> bool:
        try:
            reading = result(future)
        except (FeedUnreadable, BodyRefused, ChildStopped) as error:
            self._poll_instead(pushed, "unreadable", str(error))
        except NoVerdict as error:
            log.error("%s", error, extra={"feed": pushed.url})
            return False
        else:
            self._store(pushed, reading)
        return True

    def _store(self, pushed: Pushed, reading: Reading) -> None:
        now = self._clock()
        try:
            with store.transaction(self._database):
                recorded = record_push(self._database, pushed, reading, now)
                if recorded is not None:
                    self._settle(pushed, reading, recorded, now)
        except (ValueError, TypeError, OverflowError) as error:  # what no database takes: this push's trouble
            log.exception("an entry can't be stored", extra={"feed": pushed.url})
            self._poll_instead(pushed, "unreadable", f"an entry can't be stored ({type(error).__name__})")
            return
        if recorded is None:
            self._poll_instead(pushed, "strange", "it doesn't sound like its feed")
        else:
            log.info("%s", recorded.told, extra={"feed": pushed.url})

    def _settle(self, pushed: Pushed, reading: Reading, recorded: Recorded, now: datetime) -> None:
        store.pushes.settle(self._database, pushed.id)
        if recorded.new:
            passed = arrivals.lag(reading.entries, now)
            store.arrivals.record(self._database, pushed.feed_id, "push", passed)
            store.arrivals.trust(self._database, pushed.feed_id, now)
        if recorded.known or reading.deleted:
            # What it says of posts that are known may be old; the feed itself tells how they are now.
            store.arrivals.hint(self._database, pushed.feed_id, now, "push")
        counts = {("pushes", "read"): 1.0, ("entries", "new"): float(recorded.new)}
        store.metrics.add(self._database, counts)

    def _poll_instead(self, pushed: Pushed, outcome: str, why: str) -> None:
        now = self._clock()
        with store.transaction(self._database):
            store.pushes.settle(self._database, pushed.id)
            store.arrivals.hint(self._database, pushed.feed_id, now, "push")
            store.metrics.add(self._database, {("pushes", outcome): 1})
        log.warning("a push is not taken, its feed is polled instead: %s", why, extra={"feed": pushed.url})

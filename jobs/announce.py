"""Tell the hub that our feeds name which of them have changed, after they are published."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from linkbacks import rsscloud, websub
from sqlite_utils import Database

from aggregator import store
from aggregator.logs import counted
from aggregator.outbound import Engine, NoAnswer, Request

log = logging.getLogger("planet.publish")

AT_ONCE = 50
SECONDS = 5.0
MAX_BYTES = 100_000
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_ANNOUNCED = "announced to hub"
_FEED = re.compile(r"(?:.+/)?feed\.(?:atom|rss|json)")


class Announcer:
    """Pings one hub about the feeds of one planet."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        hub: str,
        planet_url: str,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._engine = engine
        self._hub = hub
        self._planet_url = planet_url
        self._clock = clock
        self._until = until
        self._seen = -1
        self._failures = 0
        self._rest_until: datetime | None = None

    def run(self) -> int:
        """Announce what was published up to the last run; return how many feeds.

        A run later than the publish, because a hub comes at once, and the web half has to notice what is new first.
        What can't be announced now is announced later, together with what has come meanwhile.
        """
        latest, before = store.pages.generation(self._database), self._seen
        self._seen = latest
        earlier = int(store.pages.note(self._database, _ANNOUNCED) or 0)
        if before <= earlier or (self._rest_until and self._clock() < self._rest_until):
            return 0
        # Whatever happens from here on, the hub is not told twice in a row: it may be impossible to note that it was.
        self._rest_until = self._clock() + FIRST_PAUSE
        changed = store.pages.changed_since(self._database, earlier)
        feeds = sorted(f"{self._planet_url}{path}" for path in changed if _FEED.fullmatch(path))
        problem = self._tell(feeds)
        if self._until():
            return 0
        if problem:
            self._failures += 1
            pause = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
            self._rest_until = self._clock() + pause
            log.warning("the hub can't be told of %s: %s", counted(len(feeds), "feed"), problem)
            return 0
        with store.transaction(self._database):
            store.pages.set_note(self._database, _ANNOUNCED, str(before))
            store.metrics.add(self._database, {("hub_pings", ""): len(feeds)})
        self._failures, self._rest_until = 0, None
        return len(feeds)

    def _tell(self, feeds: list[str]) -> str:
        """Send pings; return what went wrong, or ""."""
        headers = (("Content-Type", rsscloud.FORM), ("Accept", "*/*"))
        for first in range(0, len(feeds), AT_ONCE):
            if self._until():
                return "the planet ends"
            content = websub.publication(feeds[first : first + AT_ONCE])
            outcome = self._engine.fetch(
                Request(self._hub, None, headers, "POST", content, seconds=SECONDS, max_bytes=MAX_BYTES)
            )
            if isinstance(outcome, NoAnswer):
                return outcome.reason
            if not 200 <= outcome.status < 300:
                return f"it answers with status {outcome.status}"
        return ""

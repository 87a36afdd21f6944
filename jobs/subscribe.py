"""Ask hubs and clouds to tell of feeds' news, again before they forget, and tell them when we want it no more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from linkbacks import rsscloud, websub
from sqlite_utils import Database

from aggregator import store
from aggregator.model import Cloud, Registration, Wish
from aggregator.outbound import Engine, NoAnswer, Outcome, Request

log = logging.getLogger("planet.push")

AT_ONCE = 20
SECONDS = 10.0
MAX_BYTES = 100_000
SETTLE_EVERY = timedelta(minutes=1)
# After each attempt in vain the next one waits twice as long. A hub that has accepted has as long to ask back.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(days=1)
MOST_FAREWELLS = 3


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request under way: for whom, and of which cloud unless it is a hub."""

    url: str
    registration: Registration
    cloud: Cloud | None = None


class Subscriptions:
    """Keeps the subscriptions of one planet, whose address is `planet_url`."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        planet_url: str,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._engine = engine
        self._planet_url = planet_url
        self._clock = clock
        self._until = until
        self._settle_at: datetime | None = None

    def run(self) -> int:
        """Ask for what is wanted and leave what isn't; return how many requests were sent.

        Raises: StoreFailed. What was begun is written down before it is sent: a hub may ask back at once.
        """
        self._settle()
        sent = 0
        while not self._until() and (requests := [*self._farewells(), *self._wishes()]):
            sent += len(requests)
            self._send(requests)
        return sent

    def _settle(self) -> None:
        now = self._clock()
        if self._settle_at is None or now >= self._settle_at:
            self._settle_at = now + SETTLE_EVERY
            with store.transaction(self._database):
                store.subscriptions.settle(self._database, self._planet_url, now)
                store.arrivals.distrust_deserted(self._database, now)

    def _wishes(self) -> list[Request]:
        now = self._clock()
        wishes = store.subscriptions.wishes(self._database, now, AT_ONCE)
        if not wishes:
            return []
        with store.transaction(self._database):
            return [self._begin(wish, now) for wish in wishes]

    def _begin(self, wish: Wish, now: datetime) -> Request:
        again_at = now + min(FIRST_PAUSE * 2 ** min(wish.failures, 10), LONGEST_PAUSE)
        offers = wish.offers
        # Each attempt goes to the next one of those that the feed names.
        hubs = offers.hubs if offers.topic else ()
        places: list[str | Cloud] = [*hubs, *([offers.cloud] if offers.cloud else [])]
        place = places[wish.failures % len(places)]
        if isinstance(place, Cloud):
            base = f"{self._planet_url}{'xmlrpc' if place.protocol == 'xml-rpc' else 'rsscloud'}"
            made = store.subscriptions.begin(
                self._database,
                wish,
                "rsscloud",
                wish.address,
                place.url,
                base,
                has_secret=False,
                again_at=again_at,
            )
            content, kind = rsscloud.request(place, made)
            return _post(place.url, _Asked(wish.url, made, place), content, kind)
        made = store.subscriptions.begin(
            self._database,
            wish,
            "websub",
            offers.topic,
            place,
            f"{self._planet_url}websub/",
            has_secret=_may_know_a_secret(place, offers.topic),
            again_at=again_at,
        )
        return _post(place, _Asked(wish.url, made), websub.request("subscribe", made))

    def _farewells(self) -> list[Request]:
        now = self._clock()
        leaving = store.subscriptions.leaving(self._database, now, AT_ONCE)
        if not leaving:
            return []
        with store.transaction(self._database):
            for each in leaving:
                if each.attempts >= MOST_FAREWELLS:
                    store.subscriptions.remove(self._database, each.id)
                else:
                    store.subscriptions.try_to_leave(self._database, each.id, now + FIRST_PAUSE)
        left = [each for each in leaving if each.attempts < MOST_FAREWELLS]
        return [_post(each.hub, _Asked(each.topic, each), websub.request("unsubscribe", each)) for each in left]

    def _send(self, requests: Sequence[Request]) -> None:
        waiting = list(requests)
        with closing(self._engine.sweep(lambda room: [waiting.pop() for _ in waiting[:room]])) as sweep:
            for landed in sweep:
                for request, outcome in landed:
                    assert isinstance(request.key, _Asked)
                    self._land(request.key, outcome)
                if self._until():
                    break

    def _land(self, asked: _Asked, outcome: Outcome) -> None:
        made, now = asked.registration, self._clock()
        problem = _problem(asked, outcome)
        if made.state == "leaving":
            log.debug("a hub was told that its pushes are unwanted: %s", problem or "taken", extra={"feed": asked.url})
            return
        with store.transaction(self._database):
            if problem:
                store.subscriptions.note_problem(self._database, made.feed_id, problem)
            elif asked.cloud:
                ends_at, renew_at = now + rsscloud.LASTS, now + rsscloud.RENEW
                store.subscriptions.agree(self._database, made, now, ends_at, renew_at)
        if problem:
            log.warning("nobody pushes its news: %s", problem, extra={"feed": asked.url})
        elif asked.cloud:
            log.info("a cloud will tell of its news", extra={"feed": asked.url})


def _problem(asked: _Asked, outcome: Outcome) -> str:
    """Why a hub or a cloud has not taken a request, "" when it has; in words that give no secret away."""
    if isinstance(outcome, NoAnswer):
        why = websub.in_words(asked.registration, outcome.reason)
        return f"its {'cloud' if asked.cloud else 'hub'} can't be asked: {why}"
    if asked.cloud:
        return rsscloud.problem(asked.cloud, outcome.status, outcome.body)
    if 200 <= outcome.status < 300:
        return ""
    said = websub.in_words(asked.registration, outcome.body[:2_000].decode("utf-8", "replace"))
    return f"its hub answers with status {outcome.status}{f': {said}' if said else ''}"


def _may_know_a_secret(hub: str, topic: str) -> bool:
    """Tell whether a secret may be sent to a hub: encrypted, or where the feed itself could be forged as well.

    Source: W3C WebSub section 5.1 (hub.secret).
    """
    return hub.startswith("https://") or topic.startswith("http://")


def _post(url: str, key: _Asked, content: bytes, kind: str = rsscloud.FORM) -> Request:
    headers = (("Content-Type", kind), ("Accept", "*/*"))
    return Request(url, key, headers, method="POST", content=content, seconds=SECONDS, max_bytes=MAX_BYTES)

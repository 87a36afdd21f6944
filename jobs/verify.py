"""Fetch the sources of claims, look for the link in a child, and settle what was claimed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urljoin

from sqlite_utils import Database

from aggregator import store
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped
from aggregator.evidence import examine
from aggregator.model import Evidence, PendingLinkback, Status
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.urls import host_of
from jobs.children import Children, result

log = logging.getLogger("planet.verify")

SECONDS = 8.0
MAX_WIRE_BYTES = 512_000
MAX_BYTES = 1_000_000
# A source may answer late: a blog with one worker can't serve its page while it pings us.
PAUSES = (timedelta(seconds=20), timedelta(minutes=5), timedelta(hours=1))
# A verification that never reports back (its process was killed) is done again after this.
LEASE = timedelta(minutes=2)
_PATIENCE = 0.2
_ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/*;q=0.5"


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a link that was found."""

    planet_url: str
    members: str = "publish"
    strangers: str = "hold"

    def status(self, linkback: PendingLinkback) -> Status:
        """Return what becomes of a linkback whose link was found."""
        rule = self.members if linkback.is_member else self.strangers
        return Status.PUBLISHED if rule == "publish" else Status.HELD


class Verification:
    """One run over the claims that wait."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        children: Children,
        policy: Policy,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._engine = engine
        self._children = children
        self._policy = policy
        self._clock = clock
        self._until = until
        self._hosts: dict[int, str] = {}
        self._examining: dict[Future[Evidence | None], PendingLinkback] = {}

    def run(self) -> int:
        """Verify until no claim waits, or until told to stop; return how many were settled.

        Raises: StoreFailed. Claims that were taken but not settled come again.
        """
        settled = 0
        more = True
        while more and not self._until():
            more = False
            with closing(self._engine.sweep(self._take)) as sweep:
                for landed in sweep:
                    for request, outcome in landed:
                        more = True
                        settled += self._land(request, outcome)
                    settled += self._collect(wait_for_all=False)
                    if self._until():
                        break
            settled += self._collect(wait_for_all=True)
        return settled

    def _take(self, room: int) -> Sequence[Request]:
        now = self._clock()
        linkbacks = store.mentions.take_pending(self._database, now, now + LEASE, room, set(self._hosts.values()))
        for linkback in linkbacks:
            self._hosts[linkback.id] = host_of(linkback.source)
        return [_request(linkback) for linkback in linkbacks]

    def _land(self, request: Request, outcome: Outcome) -> int:
        linkback = request.key
        assert isinstance(linkback, PendingLinkback)
        self._hosts.pop(linkback.id, None)
        if not isinstance(outcome, Answer):
            return self._retry_or_reject(linkback, outcome.reason)
        if outcome.status in (408, 425, 429) or outcome.status >= 500:
            return self._retry_or_reject(linkback, f"its server answers with status {outcome.status}")
        if outcome.status != 200:
            return self._settle(linkback, None, f"its server answers with status {outcome.status}")
        targets = tuple(urljoin(self._policy.planet_url, target.lstrip("/")) for target in linkback.targets if target)
        future = self._children.submit(
            examine, outcome.body, outcome.coding, outcome.content_type, outcome.url, targets, MAX_BYTES
        )
        self._examining[future] = linkback
        return 0

    def _collect(self, *, wait_for_all: bool) -> int:
        settled = 0
        while self._examining:
            finished, _ = wait(self._examining, timeout=_PATIENCE if wait_for_all else 0, return_when=FIRST_COMPLETED)
            if not finished and (self._until() or not wait_for_all):
                break
            for future in finished:
                linkback = self._examining.pop(future)
                try:
                    evidence, problem = result(future), "there is no link to the target on the page"
                except (BodyRefused, ChildStopped) as error:
                    evidence, problem = None, str(error)
                settled += self._settle(linkback, evidence, "" if evidence else problem)
        return settled

    def _retry_or_reject(self, linkback: PendingLinkback, problem: str) -> int:
        if linkback.attempts >= len(PAUSES):
            return self._settle(linkback, None, problem)
        again_at = self._clock() + PAUSES[linkback.attempts]
        with store.transaction(self._database):
            store.mentions.try_again(self._database, linkback.id, again_at, problem)
        log.info("later: %s", problem, extra={"source": linkback.source, "next": again_at.isoformat()})
        return 0

    def _settle(self, linkback: PendingLinkback, evidence: Evidence | None, problem: str) -> int:
        status = self._policy.status(linkback) if evidence else Status.REJECTED
        with store.transaction(self._database):
            store.mentions.settle(self._database, linkback.id, status, evidence, problem, self._clock())
        log.info("%s%s", status, f": {problem}" if problem else "", extra={"source": linkback.source})
        return 1


def _request(linkback: PendingLinkback) -> Request:
    return Request(
        url=linkback.source,
        key=linkback,
        headers=(("Accept", _ACCEPT), ("Accept-Encoding", ACCEPTED)),
        seconds=SECONDS,
        max_bytes=MAX_WIRE_BYTES,
    )

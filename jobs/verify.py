"""Fetch the sources of claims, look for the link in a child, and settle what was claimed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urljoin

from linkbacks.claims import is_blocked
from sqlite_utils import Database

from aggregator import store
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped, NoVerdict
from aggregator.evidence import examine
from aggregator.model import Evidence, PendingLinkback, Status
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.urls import host_of, is_under
from jobs.children import Children, result

log = logging.getLogger("planet.verify")

SECONDS = 8.0
MAX_WIRE_BYTES = 512_000
MAX_BYTES = 1_000_000
# A source may answer late: a blog with one worker can't serve its page while it pings us.
PAUSES = (timedelta(seconds=20), timedelta(minutes=5), timedelta(hours=1))
# A verification that never reports back (its process was killed) is done again after this.
LEASE = timedelta(minutes=2)
# One that was begun this often and never settled (whatever kills its process) is given up.
MOST_ATTEMPTS = 8
# Anybody can claim links from anybody's host: between two fetches that strangers caused, a host rests.
REST = timedelta(seconds=1)
_PATIENCE = 0.2
_ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/*;q=0.5"


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a link that was found."""

    planet_url: str
    members: Literal["publish", "hold"] = "publish"
    strangers: Literal["publish", "hold", "refuse"] = "hold"
    block: tuple[str, ...] = ()

    def status(self, *, is_member: bool) -> Status:
        """Return what becomes of a linkback whose link was found."""
        rule = self.members if is_member else self.strangers
        return {"publish": Status.PUBLISHED, "hold": Status.HELD, "refuse": Status.REJECTED}[rule]


@dataclass(frozen=True, slots=True)
class _Examined:
    """A page that a child looks at: whose claim it is, and what a link on it would be worth."""

    linkback: PendingLinkback
    status: Status


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
        rests: dict[str, datetime] | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._children = children
        self._policy = policy
        self._clock = clock
        self._until = until
        self._hosts: dict[int, str] = {}
        # Hosts that were asked just now on behalf of strangers, and when they may be asked again.
        self._rests = rests if rests is not None else {}
        self._examining: dict[Future[Evidence | None], _Examined] = {}

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
        if self._until():
            return []
        now = self._clock()
        for host in [host for host, until in self._rests.items() if until <= now]:
            del self._rests[host]
        busy = {*self._hosts.values(), *self._rests}
        linkbacks = store.mentions.take_pending(self._database, now, now + LEASE, room, busy)
        # A host stays busy until its linkback is settled, so that none is taken twice.
        self._hosts |= {linkback.id: host_of(linkback.source) for linkback in linkbacks}
        worn_out = [linkback for linkback in linkbacks if linkback.attempts >= MOST_ATTEMPTS]
        for linkback in worn_out:
            self._settle(linkback, Status.REJECTED, None, "its verification never came to an end")
        return [_request(linkback) for linkback in linkbacks if linkback not in worn_out]

    def _land(self, request: Request, outcome: Outcome) -> int:
        linkback = request.key
        assert isinstance(linkback, PendingLinkback)
        if linkback.feed_id is None:
            self._rests[host_of(linkback.source)] = self._clock() + REST
        if not isinstance(outcome, Answer):
            return self._retry_or_reject(linkback, outcome.reason)
        if outcome.status in (408, 425, 429) or outcome.status >= 500:
            return self._retry_or_reject(linkback, f"its server answers with status {outcome.status}")
        if outcome.status != 200:
            return self._settle(linkback, Status.REJECTED, None, f"its server answers with status {outcome.status}")
        status = self._worth(linkback, outcome.url)
        if status is Status.REJECTED:
            return self._settle(linkback, status, None, "it leads to a page that may not be shown here")
        targets = tuple(urljoin(self._policy.planet_url, target.lstrip("/")) for target in linkback.targets if target)
        future = self._children.submit(
            examine, outcome.body, outcome.coding, outcome.content_type, outcome.url, targets, MAX_BYTES
        )
        self._examining[future] = _Examined(linkback, status)
        return 0

    def _worth(self, linkback: PendingLinkback, final_url: str) -> Status:
        """What a link is worth on the page where redirects ended: a member's redirect lends nobody its name."""
        if is_under(final_url, self._policy.planet_url) or is_blocked(final_url, self._policy.block):
            return Status.REJECTED
        member = store.feeds.member_at(self._database, final_url)
        return self._policy.status(is_member=member is not None and member == linkback.feed_id)

    def _collect(self, *, wait_for_all: bool) -> int:
        settled = 0
        while self._examining:
            finished, _ = wait(self._examining, timeout=_PATIENCE if wait_for_all else 0, return_when=FIRST_COMPLETED)
            if not finished and (self._until() or not wait_for_all):
                break
            for future in finished:
                settled += self._judge(future, self._examining.pop(future))
        return settled

    def _judge(self, future: Future[Evidence | None], examined: _Examined) -> int:
        try:
            evidence, problem = result(future), "there is no link to the target on the page"
        except (BodyRefused, ChildStopped) as error:
            evidence, problem = None, str(error)
        except NoVerdict as error:
            return self._retry_or_reject(examined.linkback, str(error))
        if evidence is None:
            return self._settle(examined.linkback, Status.REJECTED, None, problem)
        return self._settle(examined.linkback, examined.status, evidence, "")

    def _retry_or_reject(self, linkback: PendingLinkback, problem: str) -> int:
        if linkback.attempts >= len(PAUSES):
            return self._settle(linkback, Status.REJECTED, None, problem)
        again_at = self._clock() + PAUSES[linkback.attempts]
        with store.transaction(self._database):
            store.mentions.try_again(self._database, linkback.id, again_at, problem)
        self._hosts.pop(linkback.id, None)
        log.info("later: %s", problem, extra={"source": linkback.source, "next": again_at.isoformat()})
        return 0

    def _settle(self, linkback: PendingLinkback, status: Status, evidence: Evidence | None, problem: str) -> int:
        with store.transaction(self._database):
            store.mentions.settle(self._database, linkback.id, status, evidence, problem, self._clock())
        self._hosts.pop(linkback.id, None)
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

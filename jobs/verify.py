"""Fetch the sources of claims, look for the link in a child, and settle what was claimed; later, look again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from sqlite_utils import Database

from aggregator import standing, store
from aggregator.budget import Allowance, Budget
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped, NoVerdict
from aggregator.model import Evidence, PendingLinkback, Status
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.standing import Standing
from aggregator.urls import canonical, host_of, is_blocked, is_under
from jobs.children import Children, result
from jobs.policy import Policy
from jobs.readers import does_vouch, examine_page

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
# Anybody can claim links from anybody's host: what strangers cause there is little, and never two at once.
STRANGERS = Allowance(burst=30, every=timedelta(seconds=10), rest=timedelta(seconds=1))
MEMBERS = Allowance(burst=60, every=timedelta(seconds=1))
# So many links of one stranger's host are shown under one post.
MOST_OF_A_HOST = 10
_PATIENCE = 0.2
_ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/*;q=0.5, application/json;q=0.4"


class Pace:
    """How much of each host's budget is spent, over many runs."""

    def __init__(self) -> None:
        self._strangers = Budget(STRANGERS)
        self._members = Budget(MEMBERS)

    def spend(self, url: str, now: datetime, *, is_member: bool) -> None:
        """Count a request to the host of `url`."""
        (self._members if is_member else self._strangers).spend(host_of(url), now)

    def resting(self, now: datetime) -> set[str]:
        """Return the hosts that are left alone for now."""
        return self._strangers.spent(now) | self._members.spent(now)


@dataclass(frozen=True, slots=True)
class _Examined:
    """A page that a child looks at: whose claim it is, and what a link on it would be worth."""

    linkback: PendingLinkback
    status: Status


@dataclass(frozen=True, slots=True)
class _Vouched:
    """A page that is to speak for a stranger's, whose link has been found."""

    linkback: PendingLinkback
    evidence: Evidence


class Verification:
    """One run over the claims that wait, and over the links that are to be looked at again."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        children: Children,
        policy: Policy,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._children = children
        self._policy = policy
        self._clock = clock
        self._until = until
        self._hosts: dict[int, str] = {}
        self._pace = pace or Pace()
        self._examining: dict[Future[Evidence | None], _Examined] = {}
        self._vouching: dict[Future[bool], _Vouched] = {}
        self._vouchers: list[Request] = []

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
            more = more or bool(self._vouchers)
        return settled

    def _take(self, room: int) -> Sequence[Request]:
        if self._until():
            return []
        vouchers, self._vouchers = self._vouchers, []
        now = self._clock()
        busy = {*self._hosts.values(), *self._pace.resting(now)}
        linkbacks = store.mentions.take_pending(self._database, now, now + LEASE, room, busy)
        # A host stays busy until its linkback is settled, so that none is taken twice.
        self._hosts |= {linkback.id: host_of(linkback.source) for linkback in linkbacks}
        worn_out = [linkback for linkback in linkbacks if linkback.attempts >= MOST_ATTEMPTS]
        for linkback in worn_out:
            self._settle(linkback, standing.after_missing(linkback, "its verification never came to an end"), None)
        return [*vouchers, *(self._request(linkback) for linkback in linkbacks if linkback not in worn_out)]

    def _request(self, linkback: PendingLinkback) -> Request:
        headers = [("Accept", _ACCEPT), ("Accept-Encoding", ACCEPTED)]
        if linkback.client and self._policy.user_agent:  # a victim of false pings learns whom to complain about
            headers.append(("User-Agent", self._policy.user_agent.format(client=linkback.client)))
            headers.append(("X-Pingback-Forwarded-For", linkback.client))
        return _request(linkback.source, linkback, headers)

    def _land(self, request: Request, outcome: Outcome) -> int:
        if isinstance(request.key, _Vouched):
            return self._land_voucher(request.key, outcome)
        linkback = request.key
        assert isinstance(linkback, PendingLinkback)
        self._spend(linkback, outcome)
        if not isinstance(outcome, Answer):
            return self._unclear(linkback, outcome.reason)
        if outcome.status == 410:
            return self._missing(linkback, "its server says that it is gone")
        if outcome.status != 200:
            may_pass = outcome.status in (408, 425, 429) or outcome.status >= 500
            return self._unclear(linkback, f"its server answers with status {outcome.status}", may_pass=may_pass)
        status = self._worth(linkback, outcome.url)
        sent = (outcome.body, outcome.coding, outcome.content_type, outcome.url)
        future = self._children.submit(examine_page, *sent, self._targets(linkback), MAX_BYTES)
        self._examining[future] = _Examined(linkback, status)
        return 0

    def _targets(self, linkback: PendingLinkback) -> tuple[str, ...]:
        return tuple(urljoin(self._policy.planet_url, target.lstrip("/")) for target in linkback.targets if target)

    def _spend(self, linkback: PendingLinkback, outcome: Outcome) -> None:
        """Count the request where it went, and where redirects led it."""
        now, is_member = self._clock(), linkback.feed_id is not None
        self._pace.spend(linkback.source, now, is_member=is_member)
        if isinstance(outcome, Answer) and host_of(outcome.url) != host_of(linkback.source):
            self._pace.spend(outcome.url, now, is_member=False)

    def _worth(self, linkback: PendingLinkback, final_url: str) -> Status:
        """What a link is worth on the page where redirects ended: a member's redirect lends nobody its name."""
        blocked = (*self._policy.block, *store.blocks.patterns(self._database))
        if is_under(final_url, self._policy.planet_url) or is_blocked(final_url, blocked):
            return Status.REJECTED
        if linkback.decision:  # the operator has spoken
            return Status.PUBLISHED if linkback.decision == "approved" else Status.HIDDEN
        ground, member = store.members.ground_of(self._database, final_url) or ("", None)
        # A blog has not much to say to itself (attack A25).
        if ground and store.mentions.is_own(self._database, linkback.id, ground, final_url):
            return Status.HIDDEN
        if store.blocks.is_allowed(self._database, host_of(final_url)):
            return Status.PUBLISHED
        is_there = bool(store.members.territory(self._database, linkback.feed_id))
        is_own = is_there and canonical(final_url) == canonical(linkback.source)
        is_member = is_own or (member is not None and member == linkback.feed_id)
        worth = self._policy.status(is_member=is_member)
        if worth is Status.PUBLISHED and not is_member and self._is_crowded(linkback):
            return Status.HELD
        return worth

    def _is_crowded(self, linkback: PendingLinkback) -> bool:
        """Tell whether a stranger's host has had its say under a post: the rest waits for the operator (attack A24)."""
        return store.mentions.others_of_host(self._database, linkback.id) >= MOST_OF_A_HOST

    def _collect(self, *, wait_for_all: bool) -> int:
        settled = 0
        while self._examining or self._vouching:
            under_way: list[Future[Any]] = [*self._examining, *self._vouching]
            finished, _ = wait(under_way, timeout=_PATIENCE if wait_for_all else 0, return_when=FIRST_COMPLETED)
            if not finished and (self._until() or not wait_for_all):
                break
            for future in finished:
                if future in self._examining:
                    settled += self._judge(future, self._examining.pop(future))
                else:
                    settled += self._judge_voucher(future, self._vouching.pop(future))
        return settled

    def _judge(self, future: Future[Evidence | None], examined: _Examined) -> int:
        linkback = examined.linkback
        try:
            evidence, problem = result(future), "there is no link to the target on the page"
        except (BodyRefused, ChildStopped) as error:
            evidence, problem = None, str(error)
        except NoVerdict as error:
            return self._unclear(linkback, str(error))
        if evidence is None:
            return self._still_told(linkback) or self._missing(linkback, problem)
        if examined.status is Status.HELD and linkback.vouch and self._ask_voucher(linkback, evidence):
            return 0
        return self._found(linkback, examined.status, evidence)

    # -- a member's page may speak for a stranger's (indieweb.org/Vouch) -----------------------------

    def _ask_voucher(self, linkback: PendingLinkback, evidence: Evidence) -> bool:
        if linkback.feed_id is not None or store.members.at(self._database, linkback.vouch) is None:
            return False
        headers = (("Accept", _ACCEPT), ("Accept-Encoding", ACCEPTED))
        key = _Vouched(linkback, evidence)
        self._vouchers.append(_request(linkback.vouch, key, headers))
        return True

    def _land_voucher(self, vouched: _Vouched, outcome: Outcome) -> int:
        linkback = vouched.linkback
        self._pace.spend(linkback.vouch, self._clock(), is_member=True)
        is_page = isinstance(outcome, Answer) and outcome.status == 200
        if not is_page or store.members.at(self._database, outcome.url) is None:  # type: ignore[union-attr]
            return self._found(linkback, Status.HELD, vouched.evidence)
        assert isinstance(outcome, Answer)
        host = host_of(linkback.source)
        future = self._children.submit(
            does_vouch, outcome.body, outcome.coding, outcome.content_type, outcome.url, host, MAX_BYTES
        )
        self._vouching[future] = vouched
        return 0

    def _judge_voucher(self, future: Future[bool], vouched: _Vouched) -> int:
        try:
            worth = Status.PUBLISHED if result(future) else Status.HELD
        except (BodyRefused, ChildStopped, NoVerdict):
            worth = Status.HELD
        return self._found(vouched.linkback, worth, vouched.evidence)

    # -- what became of it ---------------------------------------------------------------------------

    def _found(self, linkback: PendingLinkback, worth: Status, evidence: Evidence) -> int:
        return self._settle(linkback, standing.after_found(linkback, worth, self._clock()), evidence)

    def _still_told(self, linkback: PendingLinkback) -> int:
        """Leave a link as it is that a feed alone has told of, and still does: its page may be made by scripts."""
        targets = self._targets(linkback)
        if not standing.was_found(linkback) or not store.outlinks.is_in_feed(self._database, linkback.id, targets):
            return 0
        return self._settle(linkback, standing.after_found(linkback, linkback.status, self._clock()), None)

    def _missing(self, linkback: PendingLinkback, problem: str) -> int:
        return self._settle(linkback, standing.after_missing(linkback, problem), None)

    def _unclear(self, linkback: PendingLinkback, problem: str, *, may_pass: bool = True) -> int:
        """Nothing is known of the page: a link that was found before has some days, a new one some hours."""
        if standing.was_found(linkback):
            after = standing.after_failure(linkback, problem, self._clock())
            return self._still_told(linkback) or self._settle(linkback, after, None)
        if not may_pass or linkback.attempts >= len(PAUSES):
            return self._missing(linkback, problem)
        again_at = self._clock() + PAUSES[linkback.attempts]
        with store.transaction(self._database):
            store.mentions.try_again(self._database, linkback.id, again_at, problem)
            store.metrics.add(self._database, {("verifications", "later"): 1})
        self._hosts.pop(linkback.id, None)
        log.info("later: %s", problem, extra={"source": linkback.source, "next": again_at.isoformat()})
        return 0

    def _settle(self, linkback: PendingLinkback, now_stands: Standing, evidence: Evidence | None) -> int:
        with store.transaction(self._database):
            store.mentions.settle(self._database, linkback.id, now_stands, evidence, self._clock())
            if linkback.feed_id and evidence and not standing.was_found(linkback):
                # Who has just linked has just written: its blog is polled, so that the post itself is here, too.
                store.arrivals.hint(self._database, linkback.feed_id, self._clock())
            store.metrics.add(self._database, {("verifications", now_stands.status.value): 1})
        self._hosts.pop(linkback.id, None)
        problem = now_stands.problem
        log.info("%s%s", now_stands.status, f": {problem}" if problem else "", extra={"source": linkback.source})
        return 1


def _request(url: str, key: object, headers: Sequence[tuple[str, str]]) -> Request:
    """A request for a page, of which the beginning will do: that is where its links are looked for."""
    return Request(url, key, tuple(headers), seconds=SECONDS, max_bytes=MAX_WIRE_BYTES, may_be_cut=True)


def forget_blocked(database: Database, patterns: Sequence[str]) -> int:
    """Remove what is stored of sources that the configuration blocks; return how many linkbacks there were."""
    found = {id for pattern in patterns for id in store.moderation.matching(database, pattern)}
    if not found:
        return 0
    with store.transaction(database):
        return store.moderation.remove(database, sorted(found))

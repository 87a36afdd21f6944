"""Decide which claims are taken, and store them. No answer here depends on any fetch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlite_utils import Database

from aggregator import standing, store
from aggregator.model import Claim, Status
from aggregator.store.mentions import Arrival, Known
from aggregator.urls import Address, address, canonical, is_blocked, is_key_under, web_url
from linkbacks.decisions import Accepted, Decision, Refusal
from linkbacks.register import Register

PROTOCOLS = ("pingback", "trackback", "webmention")

# Whoever sends the same again and again has the same page fetched no more often than this. WordPress sends at each
# edit what it has sent before; whoever sends a webmention again says that the page has changed.
REST_OF_A_PING = timedelta(minutes=10)
REST_OF_A_WEBMENTION = timedelta(seconds=10)

MaySend = Callable[[Claim], bool]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator says about linkbacks."""

    planet_url: str
    strangers: str = "hold"
    block: tuple[str, ...] = ()
    accepts: tuple[str, ...] = PROTOCOLS


def accept(
    database: Database,
    claims: Sequence[Claim],
    rules: Rules,
    register: Register | None = None,
    may_send: MaySend = lambda _: True,
) -> list[Decision]:
    """Take claims, or say why not, in their order; inside a transaction whose commit makes the answers true.

    `may_send` is asked for strangers only, and only when there is something to store.
    """
    register = register or Register(database)
    sources = [address(claim.source) for claim in claims]
    register.refresh(rules.planet_url, [source for source in sources if source])
    tokens = _tokens(len(claims))
    judged = [_judged(*each, rules, register) for each in zip(claims, sources, tokens, strict=True)]
    counter = _Counter(database, [each for each in judged if isinstance(each, Arrival)], may_send)
    decisions = [counter.decide(each) if isinstance(each, Arrival) else each for each in judged]
    counter.store()
    return decisions


def sources(database: Database, target: str, planet_url: str) -> list[str] | Refusal:
    """Return the addresses of the published linkbacks of a post, or why there are none to speak of."""
    register = Register(database)
    register.refresh(planet_url)
    post = register.target(target)
    return store.mentions.sources_of(database, post.id) if post else _unknown(target, register)


def _judged(claim: Claim, source: Address | None, token: str, rules: Rules, register: Register) -> Arrival | Refusal:
    """Order of the checks: syntax, target, source, already there (research on pingback, 1.1)."""
    if claim.protocol not in rules.accepts:
        return Refusal.NOT_ACCEPTED
    if source is None:
        return Refusal.SOURCE_INVALID
    if source.key == canonical(claim.target):
        return Refusal.SAME
    post = register.target(claim.target)
    if post is None:
        return _unknown(claim.target, register)
    if is_key_under(source.key, rules.planet_url) or is_blocked(source.url, (*rules.block, *register.blocks())):
        return Refusal.SOURCE_DENIED
    if source.key in post.addresses:
        return Refusal.SAME
    if register.is_buried(source):
        return Refusal.SOURCE_DENIED
    member = register.member(source)
    if member is None and rules.strangers == "refuse":
        return Refusal.SOURCE_DENIED
    return Arrival(_cleaned(claim, source.url), source, post.id, member, token)


def _cleaned(claim: Claim, source: str) -> Claim:
    target, vouch = web_url(claim.target), web_url(claim.vouch)
    if (source, target, vouch) == (claim.source, claim.target, claim.vouch):
        return claim
    return replace(claim, source=source, target=target, vouch=vouch)


def _unknown(target: str, register: Register) -> Refusal:
    return Refusal.TARGET_GONE if register.was_ours(target) else Refusal.TARGET_UNKNOWN


class _Counter:
    """Decides about claims that may be stored, one after the other, and stores those that are new in one piece."""

    def __init__(self, database: Database, arrivals: Sequence[Arrival], may_send: MaySend) -> None:
        self._database = database
        self._may_send = may_send
        self._known = store.mentions.known(database, [arrival.pair for arrival in arrivals])
        self._new: dict[tuple[str, int], Arrival] = {}

    def decide(self, arrival: Arrival) -> Decision:
        pair = arrival.pair
        if pair in self._new:  # twice in one batch: the second finds what the first has left
            self.store()
            self._look_up(pair)
        if known := self._known.get(pair):
            return self._again(arrival, known)
        if not self._is_welcome(arrival):
            return Refusal.TOO_MANY
        self._new[pair] = arrival
        return Accepted(arrival.token)

    def store(self) -> None:
        store.mentions.add(self._database, [*self._new.values()])
        self._new.clear()

    def _again(self, arrival: Arrival, known: Known) -> Decision:
        claim = arrival.claim
        store.mentions.announce(self._database, known.id, claim)
        is_found = known.status in (Status.PUBLISHED, Status.HELD, Status.HIDDEN)
        seems = standing.seems(known.status, known.asked_at, claim.received_at)
        if claim.protocol != "webmention" and (is_found or seems is Status.PENDING):
            self._look_again(arrival, known)
            return Refusal.ALREADY_THERE
        if not self._is_welcome(arrival):
            return Refusal.TOO_MANY
        if is_found:  # a webmention again is an update (W3C Webmention, 3.2.4)
            store.mentions.recheck(self._database, known.id, claim.received_at, REST_OF_A_WEBMENTION)
        elif known.status is Status.PENDING:
            store.mentions.ask_again(self._database, known.id, claim.received_at)
        else:
            store.mentions.renew(self._database, known.id, claim)
            self._look_up(arrival.pair)
        return Accepted(known.token)

    def _look_again(self, arrival: Arrival, known: Known) -> None:
        """Act on a ping that is there already. What was found of it so far must not show in the answer, or later."""
        claim = arrival.claim
        if known.status is Status.REJECTED and self._is_welcome(arrival):
            store.mentions.renew(self._database, known.id, claim)
            self._look_up(arrival.pair)
        elif known.status in (Status.PENDING, Status.REJECTED):
            store.mentions.ask_again(self._database, known.id, claim.received_at)
        else:
            store.mentions.recheck(self._database, known.id, claim.received_at, REST_OF_A_PING)

    def _is_welcome(self, arrival: Arrival) -> bool:
        return arrival.feed_id is not None or self._may_send(arrival.claim)

    def _look_up(self, pair: tuple[str, int]) -> None:
        self._known |= store.mentions.known(self._database, [pair])


def _tokens(count: int) -> list[str]:
    """Names for status pages, of 72 random bits each.

    Those of one batch begin alike, so that they lie side by side in the index: as many commits of a page less.
    """
    beginning, rest = secrets.token_urlsafe(3), secrets.token_urlsafe(9 * count)
    return [beginning + rest[12 * index : 12 * index + 12] for index in range(count)]

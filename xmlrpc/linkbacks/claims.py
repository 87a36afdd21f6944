"""Decide which claims are taken, and store them. No answer here depends on any fetch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Claim, Status
from aggregator.store.entries import Target
from aggregator.store.mentions import Arrival, Known
from aggregator.urls import canonical, is_blocked, is_under, web_url
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


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A claim that may be stored: on which post, and from which member."""

    claim: Claim
    source_key: str
    entry_id: int
    member: int | None

    @property
    def pair(self) -> tuple[str, int]:
        return self.source_key, self.entry_id


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
    register = register or Register(database, rules.planet_url)
    register.refresh()
    judged = [_judged(claim, rules, register) for claim in claims]
    counter = _Counter(database, [each for each in judged if isinstance(each, _Admitted)], may_send)
    decisions = [counter.decide(each) if isinstance(each, _Admitted) else each for each in judged]
    counter.store()
    return decisions


def sources(database: Database, target: str, planet_url: str) -> list[str] | Refusal:
    """Return the addresses of the published linkbacks of a post, or why there are none to speak of."""
    register = Register(database, planet_url)
    post = register.target(target)
    return store.mentions.sources_of(database, post.id) if post else _unknown(target, register)


def _judged(claim: Claim, rules: Rules, register: Register) -> _Admitted | Refusal:
    """Order of the checks: syntax, target, source, already there (research on pingback, 1.1)."""
    if claim.protocol not in rules.accepts:
        return Refusal.NOT_ACCEPTED
    source = web_url(claim.source)
    if not source:
        return Refusal.SOURCE_INVALID
    source_key = canonical(source)
    if source_key == canonical(claim.target):
        return Refusal.SAME
    post = register.target(claim.target)
    if post is None:
        return _unknown(claim.target, register)
    if is_under(source, rules.planet_url) or is_blocked(source, (*rules.block, *register.blocks())):
        return Refusal.SOURCE_DENIED
    member = register.member(source)
    if refusal := _own(source_key, member, post):
        return refusal
    if member is None and rules.strangers == "refuse":
        return Refusal.SOURCE_DENIED
    return _Admitted(_cleaned(claim, source), source_key, post.id, member[1] if member else None)


def _own(source_key: str, member: tuple[str, int] | None, post: Target) -> Refusal | None:
    """Why a post's own page, or another one of its blog, says nothing under it (attack A25)."""
    if source_key in post.addresses:
        return Refusal.SAME
    return Refusal.OWN if member is not None and member[0] == post.territory else None


def _cleaned(claim: Claim, source: str) -> Claim:
    target, vouch = web_url(claim.target), web_url(claim.vouch)
    if (source, target, vouch) == (claim.source, claim.target, claim.vouch):
        return claim
    return replace(claim, source=source, target=target, vouch=vouch)


def _unknown(target: str, register: Register) -> Refusal:
    return Refusal.TARGET_GONE if register.was_ours(target) else Refusal.TARGET_UNKNOWN


class _Counter:
    """Decides about admitted claims one after the other, and stores those that are new in one piece."""

    def __init__(self, database: Database, admitted: Sequence[_Admitted], may_send: MaySend) -> None:
        self._database = database
        self._may_send = may_send
        self._known = store.mentions.known(database, [each.pair for each in admitted])
        self._new: dict[tuple[str, int], Arrival] = {}
        self._tokens = _tokens(len(admitted))

    def decide(self, admitted: _Admitted) -> Decision:
        if admitted.pair in self._new:  # twice in one batch: the second finds what the first has left
            self.store()
            self._known |= store.mentions.known(self._database, [admitted.pair])
        known = self._known.get(admitted.pair)
        if known is not None:
            return self._again(admitted, known)
        if admitted.member is None and not self._may_send(admitted.claim):
            return Refusal.TOO_MANY
        token = self._tokens.pop()
        self._new[admitted.pair] = Arrival(
            admitted.claim, admitted.source_key, admitted.entry_id, admitted.member, token
        )
        return Accepted(token)

    def store(self) -> None:
        store.mentions.add(self._database, [*self._new.values()])
        self._new.clear()

    def _again(self, admitted: _Admitted, known: Known) -> Decision:
        claim = admitted.claim
        store.mentions.announce(self._database, known.id, claim)
        is_found = known.status in (Status.PUBLISHED, Status.HELD, Status.HIDDEN)
        if claim.protocol != "webmention" and (is_found or known.status is Status.PENDING):
            store.mentions.recheck(self._database, known.id, claim.received_at, REST_OF_A_PING)
            return Refusal.ALREADY_THERE
        if admitted.member is None and not self._may_send(claim):
            return Refusal.TOO_MANY
        if is_found:  # a webmention again is an update (W3C Webmention, 3.2.4)
            store.mentions.recheck(self._database, known.id, claim.received_at, REST_OF_A_WEBMENTION)
        elif known.status is not Status.PENDING:
            store.mentions.renew(self._database, known.id, claim)
            self._known |= store.mentions.known(self._database, [admitted.pair])
        return Accepted(known.token)


def _tokens(count: int) -> list[str]:
    """Names for status pages, of 72 random bits each.

    Those of one batch begin alike, so that they lie side by side in the index: as many commits of a page less.
    """
    beginning, rest = secrets.token_urlsafe(3), secrets.token_urlsafe(9 * count)
    return [beginning + rest[12 * index : 12 * index + 12] for index in range(count)]

"""Decide whether a claim is taken, and store it. No answer here depends on any fetch."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Claim, Status
from aggregator.urls import canonical, is_blocked, is_under, web_url
from linkbacks.decisions import Accepted, Decision, Refusal

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


def with_blocks(database: Database, rules: Rules) -> Rules:
    """Return the rules with those sources blocked, too, that the operator has blocked by command."""
    blocked = store.blocks.patterns(database)
    return replace(rules, block=(*rules.block, *blocked)) if blocked else rules


def accept(database: Database, claim: Claim, rules: Rules, may_send: MaySend = lambda _: True) -> Decision:
    """Take a claim, or say why not; inside a transaction whose commit makes the answer true.

    Order of the checks: syntax, target, source, already there (research on pingback, 1.1).
    `may_send` is asked for strangers only, and only when there is something to store.
    """
    if claim.protocol in PROTOCOLS and claim.protocol not in rules.accepts:
        return Refusal.NOT_ACCEPTED
    source = web_url(claim.source)
    if not source:
        return Refusal.SOURCE_INVALID
    if canonical(source) == canonical(claim.target):
        return Refusal.SAME
    entry_id = post_at(database, claim.target, rules.planet_url)
    if entry_id is None:
        return _unknown(database, claim.target, rules.planet_url)
    target, vouch = web_url(claim.target), web_url(claim.vouch)
    if (source, target, vouch) != (claim.source, claim.target, claim.vouch):
        claim = replace(claim, source=source, target=target, vouch=vouch)
    member = store.feeds.member_at(database, source)
    if is_under(source, rules.planet_url) or is_blocked(source, rules.block):
        return Refusal.SOURCE_DENIED
    if post_at(database, source, rules.planet_url) == entry_id:
        return Refusal.SAME
    if member is None and rules.strangers == "refuse":
        return Refusal.SOURCE_DENIED
    return _stored(database, claim, entry_id, member, may_send)


def sources(database: Database, target: str, planet_url: str) -> list[str] | Refusal:
    """Return the addresses of the published linkbacks of a post, or why there are none to speak of."""
    entry_id = post_at(database, target, planet_url)
    if entry_id is not None:
        return store.mentions.sources_of(database, entry_id)
    return _unknown(database, target, planet_url)


def post_at(database: Database, url: str, planet_url: str) -> int | None:
    """Return the id of the post that an address names: where it was written, its page, or its conversation's."""
    key = _key(url, planet_url)
    if isinstance(key, int):
        return key if store.entries.is_shown(database, key) else None
    return store.entries.target(database, url) if key else None


def _unknown(database: Database, target: str, planet_url: str) -> Refusal:
    was_ours = store.entries.is_gone(database, _key(target, planet_url))
    return Refusal.TARGET_GONE if was_ours else Refusal.TARGET_UNKNOWN


def _key(url: str, planet_url: str) -> int | str | None:
    """The id in the address of a page of ours, the canonical form of an address elsewhere, or None."""
    key, home = canonical(url), canonical(planet_url)
    if not key.startswith(f"{home}/"):
        return key or None
    kind, _, name = key.removeprefix(f"{home}/").partition("/")
    if kind not in ("posts", "conversations") or "/" in name or "?" in name:
        return None
    id = name.partition("-")[0]
    return int(id) if id.isascii() and id.isdigit() and len(id) < 19 else None


def _stored(database: Database, claim: Claim, entry_id: int, member: int | None, may_send: MaySend) -> Decision:
    known = store.mentions.find(database, claim.source, entry_id)
    if known is None:
        return _new(database, claim, entry_id, member, may_send)
    store.mentions.announce(database, known.id, claim)
    is_found = known.status in (Status.PUBLISHED, Status.HELD, Status.HIDDEN)
    if claim.protocol != "webmention" and (is_found or known.status is Status.PENDING):
        store.mentions.recheck(database, known.id, claim.received_at, REST_OF_A_PING)
        return Refusal.ALREADY_THERE
    if member is None and not may_send(claim):
        return Refusal.TOO_MANY
    if is_found:  # a webmention again is an update (W3C Webmention, 3.2.4)
        store.mentions.recheck(database, known.id, claim.received_at, REST_OF_A_WEBMENTION)
    elif known.status is not Status.PENDING:
        store.mentions.renew(database, known.id, claim)
    return Accepted(known.token)


def _new(database: Database, claim: Claim, entry_id: int, member: int | None, may_send: MaySend) -> Decision:
    if member is None and not may_send(claim):
        return Refusal.TOO_MANY
    token = secrets.token_urlsafe(12)
    store.mentions.add(database, claim, entry_id, member, token)
    return Accepted(token)

"""Decide whether a claim is taken, and store it. No answer here depends on any fetch."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Claim, Status
from aggregator.urls import canonical, host_of, is_under, web_url
from linkbacks.decisions import Accepted, Decision, Refusal


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator says about linkbacks."""

    planet_url: str
    strangers: str = "hold"
    block: tuple[str, ...] = ()
    accepts_pingback: bool = True


def accept(database: Database, claim: Claim, rules: Rules) -> Decision:
    """Take a claim, or say why not; inside a transaction whose commit makes the answer true.

    Order of the checks: syntax, target, source, already there (research on pingback, 1.1).
    """
    source = web_url(claim.source)
    if not rules.accepts_pingback and claim.protocol == "pingback":
        return Refusal.NOT_ACCEPTED
    if not source:
        return Refusal.SOURCE_INVALID
    if canonical(source) == canonical(claim.target):
        return Refusal.SAME
    entry_id = post_at(database, claim.target, rules.planet_url)
    if entry_id is None:
        return Refusal.TARGET_UNKNOWN
    claim = replace(claim, source=source, target=web_url(claim.target))
    member = store.feeds.member_at(database, source)
    if is_under(source, rules.planet_url) or is_blocked(source, rules.block):
        return Refusal.SOURCE_DENIED
    if member is None and rules.strangers == "refuse":
        return Refusal.SOURCE_DENIED
    return _store(database, claim, entry_id, member)


def post_at(database: Database, url: str, planet_url: str) -> int | None:
    """Return the id of the post that an address names: its page on the planet, or where it was written."""
    key, home = canonical(url), canonical(planet_url)
    if not key:
        return None
    folder, _, name = key.removeprefix(home).rpartition("/")
    if key.startswith(f"{home}/") and folder == "/posts" and "?" not in name:
        id = name.partition("-")[0]
        if id.isascii() and id.isdigit() and len(id) < 19 and store.entries.is_shown(database, int(id)):
            return int(id)
        return None
    return store.entries.target(database, url)


def is_blocked(source: str, block: tuple[str, ...]) -> bool:
    """Tell whether a source's host, one above it, or a prefix of its address is blocked."""
    host = host_of(source)
    for entry in block:
        if "/" in entry:
            if is_under(source, entry if "://" in entry else f"https://{entry}"):
                return True
        elif host == entry.lower() or host.endswith(f".{entry.lower()}"):
            return True
    return False


def _store(database: Database, claim: Claim, entry_id: int, member: int | None) -> Decision:
    known = store.mentions.find(database, claim.source, entry_id)
    if known is None:
        token = secrets.token_urlsafe(12)
        store.mentions.add(database, claim, entry_id, member, token)
        return Accepted(token)
    if known.status in (Status.PENDING, Status.PUBLISHED, Status.HELD):
        return Refusal.ALREADY_THERE
    store.mentions.renew(database, known.id, claim)
    return Accepted(known.token)

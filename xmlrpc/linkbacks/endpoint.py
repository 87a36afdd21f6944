"""The XML-RPC endpoint: one body in, one answer out, whatever was sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from aggregator.errors import StoreFailed
from aggregator.model import Claim
from linkbacks import calls, pingback, system, weblogs
from linkbacks.calls import Call, Fault
from linkbacks.decisions import Decision, Refusal

_STORE_FAILED = -32400


class Desk(Protocol):
    """Where requests are dealt with: nothing of it waits for a fetch."""

    async def accept(self, claim: Claim) -> Decision:
        """Store a claim durably, or say why not."""

    async def notice(self, urls: Collection[str], now: datetime) -> bool:
        """Act on the hint that blogs at these addresses have changed; tell whether any is known."""

    async def sources(self, target: str) -> list[str] | Refusal:
        """Return the addresses of the published linkbacks of a post."""


async def respond(body: bytes, desk: Desk, planet_url: str, now: datetime, client: str = "") -> bytes:
    """Answer a call; every failure is a fault, and nothing is acknowledged that is not stored."""
    try:
        return calls.answer(await _result(calls.read(body), desk, planet_url, now, client))
    except Fault as fault:
        return calls.fault(fault.code, fault.reason)
    except StoreFailed:
        return calls.fault(_STORE_FAILED, "The ping could not be stored; please send it again later.")


async def _result(call: Call, desk: Desk, planet_url: str, now: datetime, client: str) -> Any:
    if call.method == pingback.METHOD:
        return pingback.reply(await desk.accept(pingback.claim(call.params, now, client)), planet_url)
    if call.method == pingback.LIST:
        return pingback.sources(await desk.sources(pingback.target(call.params)))
    if call.method in (*weblogs.METHODS, weblogs.NOTIFY):
        is_known = await desk.notice(weblogs.urls(call.params), now)
        return weblogs.reply(call.method, is_known=is_known)
    if call.method in system.METHODS:
        return system.answer(call)
    raise Fault(calls.METHOD_NOT_FOUND, "there is no such method here; system.listMethods lists them")

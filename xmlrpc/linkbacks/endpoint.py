"""The XML-RPC endpoint: one body in, one answer out, whatever was sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from aggregator.errors import StoreFailed
from aggregator.model import Claim
from linkbacks import calls, pingback
from linkbacks.calls import Call, Fault
from linkbacks.decisions import Decision

Accept = Callable[[Claim], Awaitable[Decision]]

_STORE_FAILED = -32400
_METHODS = {
    pingback.METHOD: "Tell that a page links to a post of this planet: pingback.ping(source, target).",
    "system.listMethods": "List the methods of this endpoint.",
    "system.methodHelp": "Tell what a method is for: system.methodHelp(name).",
}


async def respond(body: bytes, accept: Accept, planet_url: str, now: datetime) -> bytes:
    """Answer a call; every failure is a fault, and nothing is acknowledged that is not stored."""
    try:
        return calls.answer(await _result(calls.read(body), accept, planet_url, now))
    except Fault as fault:
        return calls.fault(fault.code, fault.reason)
    except StoreFailed:
        return calls.fault(_STORE_FAILED, "The ping could not be stored; please send it again later.")


async def _result(call: Call, accept: Accept, planet_url: str, now: datetime) -> str | list[str]:
    if call.method == pingback.METHOD:
        return pingback.reply(await accept(pingback.claim(call.params, now)), planet_url)
    if call.method == "system.listMethods":
        return sorted(_METHODS)
    if call.method == "system.methodHelp":
        name = call.params[0] if call.params else ""
        if isinstance(name, str) and name in _METHODS:
            return _METHODS[name]
        raise Fault(calls.INVALID_PARAMETERS, "system.methodHelp takes the name of a method of this endpoint")
    raise Fault(calls.METHOD_NOT_FOUND, "there is no such method here; system.listMethods lists them")

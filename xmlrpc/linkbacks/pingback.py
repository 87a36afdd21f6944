"""Pingback 1.0: parameters to a claim, a decision to an answer. Pure.

Source: hixie.ch/specs/pingback/pingback-1.0, sections 3 and 4.
"""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any

from aggregator.model import Claim
from linkbacks.calls import INVALID_PARAMETERS, Fault
from linkbacks.decisions import Decision, Refusal

METHOD = "pingback.ping"
LIST = "pingback.extensions.getPingbacks"

GENERIC = 0
TARGET_MISSING = 32
TARGET_UNUSABLE = 33
ALREADY_REGISTERED = 48
ACCESS_DENIED = 49

_CODES = {
    Refusal.NOT_ACCEPTED: TARGET_UNUSABLE,
    Refusal.SOURCE_INVALID: GENERIC,
    Refusal.SAME: GENERIC,
    Refusal.TARGET_UNKNOWN: TARGET_UNUSABLE,
    Refusal.TARGET_GONE: TARGET_MISSING,
    Refusal.SOURCE_DENIED: ACCESS_DENIED,
    Refusal.ALREADY_THERE: ALREADY_REGISTERED,
    Refusal.TOO_MANY: ACCESS_DENIED,
}


def claim(params: tuple[Any, ...], now: datetime, client: str = "") -> Claim:
    """Read the parameters of pingback.ping.

    Raises: Fault.
    """
    match params:
        case (str(source), str(target)):
            return Claim(_address(source), _address(target), "pingback", now, client)
    raise Fault(INVALID_PARAMETERS, "pingback.ping takes two strings: the address of the source, and of the target")


def fault_of(refusal: Refusal) -> int:
    """Return the fault code that the sender of a refused ping reads."""
    return _CODES[refusal]


def reply(decision: Decision, planet_url: str) -> str:
    """Return what the sender of a ping reads.

    Raises: Fault.
    """
    if isinstance(decision, Refusal):
        raise Fault(_CODES[decision], f"Sorry, {decision.value}.")
    return f"Thank you. The link is being verified; see {planet_url}mentions/{decision.token}"


def target(params: tuple[Any, ...]) -> str:
    """Read the parameter of pingback.extensions.getPingbacks.

    Raises: Fault.
    """
    if len(params) != 1 or not isinstance(params[0], str):
        raise Fault(INVALID_PARAMETERS, f"{LIST} takes one string: the address of a post")
    return _address(params[0])


def sources(found: list[str] | Refusal) -> list[str]:
    """Return the answer to pingback.extensions.getPingbacks.

    Raises: Fault.
    """
    if isinstance(found, Refusal):
        raise Fault(_CODES[found], f"Sorry, {found.value}.")
    return found


def _address(param: str) -> str:
    """WordPress decodes once more what some senders escape twice; so do we."""
    return html.unescape(param.strip()) if "&amp;" in param else param.strip()

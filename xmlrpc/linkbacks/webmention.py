"""Webmention: a form to a claim, a decision to an answer. Pure.

Source: W3C Webmention, section 3.2; indieweb.org/Vouch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregator.model import Claim
from linkbacks import forms
from linkbacks.decisions import Accepted, Decision, Refusal

INCOMPLETE = "A webmention needs two fields, source and target, in the form application/x-www-form-urlencoded."


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, words for a person, and the status page of a webmention that is taken."""

    status: int
    text: str
    location: str = ""


def claim(body: bytes, content_type: str, now: datetime, client: str = "") -> Claim | None:
    """Read a webmention, or return None when a field is missing."""
    fields = forms.read(body, content_type)
    source, target = fields.get("source", "").strip(), fields.get("target", "").strip()
    if not source or not target:
        return None
    return Claim(source, target, "webmention", now, client=client, vouch=fields.get("vouch", "").strip())


def reply(decision: Decision, planet_url: str) -> Reply:
    """Return what the sender reads."""
    if isinstance(decision, Accepted):
        location = f"{planet_url}mentions/{decision.token}"
        return Reply(201, f"Thank you. The link is being verified; see {location}", location)
    if decision is Refusal.TOO_MANY:
        return Reply(429, f"Sorry, {decision.value}.")
    return Reply(400, f"Sorry, {decision.value}.")

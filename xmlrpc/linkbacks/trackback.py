"""TrackBack: a form to a claim, a decision to an answer. Pure.

What a trackback says about its own page is not believed: title and words come from the page, where the link is
looked for as for any other linkback (research, 1.3: verification took the spam to zero).
Source: Six Apart, TrackBack technical specification.
"""

from __future__ import annotations

import html
from datetime import datetime
from xml.sax.saxutils import escape

from aggregator.model import Claim
from linkbacks import forms
from linkbacks.decisions import Accepted, Decision, Refusal

CONTENT_TYPE = "text/xml; charset=utf-8"
NO_URL = "A trackback needs the field url: the address of your post."


def claim(body: bytes, content_type: str, target: str, now: datetime, client: str = "") -> Claim | None:
    """Read a trackback to `target`, or return None when it names no address."""
    url = html.unescape(forms.read(body, content_type).get("url", "")).strip()
    return Claim(url, target, "trackback", now, client=client) if url else None


def reply(decision: Decision) -> str:
    """Return what the sender reads; a linkback that is there already has arrived, which is no error."""
    if isinstance(decision, Accepted) or decision is Refusal.ALREADY_THERE:
        return success()
    return failure(f"Sorry, {decision.value}.")


def success() -> str:
    """Return the answer to a trackback that is stored."""
    return '<?xml version="1.0" encoding="utf-8"?>\n<response>\n<error>0</error>\n</response>\n'


def failure(reason: str) -> str:
    """Return the answer to a trackback that is not taken."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<response>\n<error>1</error>\n'
        f"<message>{escape(reason)}</message>\n</response>\n"
    )

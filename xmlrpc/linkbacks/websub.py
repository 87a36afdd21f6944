"""WebSub as a subscriber: what a hub is asked, what it may ask back, and whether a push is its own. Pure.

Source: W3C WebSub sections 5 (subscribing), 5.3 (verification), 7 (distribution) and 8 (signatures).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from aggregator.link_header import links
from aggregator.markup import plain
from aggregator.model import Registration
from aggregator.urls import canonical, web_url

LEASE = timedelta(days=10)
LONGEST_LEASE = timedelta(days=30)
LONGEST_CHALLENGE = 2_000
AFTER_DENIAL = timedelta(days=7)
_METHODS = ("sha1", "sha256", "sha384", "sha512")


class Verdict(Enum):
    """What a push is worth: the value is how it is counted."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"  # nobody can tell whose it is: it only says that there may be news
    FORGED = "forged"
    ELSEWHERE = "wrong topic"


class Question(NamedTuple):
    """What a hub says or asks at a callback, all of it as it was sent."""

    mode: str
    topic: str
    challenge: str
    lease: str
    reason: str


def request(mode: Literal["subscribe", "unsubscribe"], wanted: Registration) -> bytes:
    """Return the form that is sent to a hub."""
    fields = {"hub.mode": mode, "hub.topic": wanted.topic, "hub.callback": wanted.callback}
    if mode == "subscribe":
        fields["hub.lease_seconds"] = str(int(LEASE.total_seconds()))
        if wanted.secret:
            fields["hub.secret"] = wanted.secret
    return urlencode(fields).encode()


def publication(topics: list[str]) -> bytes:
    """Return the form that tells a hub which of our feeds have changed. Source: PubSubHubbub 0.4 section 7.1."""
    return urlencode([("hub.mode", "publish"), *(("hub.url", topic) for topic in topics)]).encode()


def question(query: Mapping[str, str]) -> Question:
    """Return what a hub asks."""
    return Question(
        *(query.get(f"hub.{name}", "") for name in ("mode", "topic", "challenge", "lease_seconds", "reason"))
    )


def is_expected(asked: Question, wanted: Registration) -> bool:
    """Tell whether a hub asks about what we have asked for, and that is still open: else nothing is echoed."""
    open_for = {"subscribe": "asked", "unsubscribe": "leaving"}
    return (
        wanted.protocol == "websub"
        and open_for.get(asked.mode) == wanted.state
        and asked.topic == wanted.topic
        and 0 < len(asked.challenge) <= LONGEST_CHALLENGE
    )


def is_denial(asked: Question, wanted: Registration) -> bool:
    """Tell whether a hub will not tell of a feed, or no more."""
    return asked.mode == "denied" and wanted.protocol == "websub" and asked.topic == wanted.topic


def reason_of(asked: Question, wanted: Registration) -> str:
    """Return why a hub denies something, in its words, without our secrets among them."""
    words = in_words(wanted, asked.reason[:2_000])
    return f"its hub will not tell of it{f': {words}' if words else ''}"


def in_words(wanted: Registration, said: str) -> str:
    """Return what a hub has said as plain text; of the names that only it may know none is left."""
    for secret in filter(None, (wanted.token, wanted.secret)):
        said = said.replace(secret, "…")
    return plain(said, is_html=True, longest=200)


def lease_of(asked: Question) -> timedelta:
    """Return for how long a hub will tell of a feed; what it doesn't say is taken to be what we asked for."""
    digits = asked.lease.strip()
    if not (digits.isascii() and digits.isdigit()) or not int(digits[:12]):
        return LEASE
    return min(timedelta(seconds=min(int(digits[:12]), 10**9)), LONGEST_LEASE)


def renewal(lease: timedelta) -> timedelta:
    """Return how long after its beginning a lease is renewed: before it ends, but never more often than hourly."""
    return max(lease - min(lease / 4, timedelta(days=1)), timedelta(hours=1))


def judge(sender: Registration, signature: str, link_header: str, body: bytes) -> Verdict:
    """Tell what a push is worth that has come to a subscription's callback.

    By its header alone it can be told apart as another topic's; never is a subscription found by it.
    """
    own = next((web_url(target) for target, rels in links(link_header) if "self" in rels), "")
    if own and canonical(own) != canonical(sender.topic):
        return Verdict.ELSEWHERE
    if not sender.secret or not signature:
        return Verdict.UNSIGNED
    return Verdict.SIGNED if is_signed(sender.secret, signature, body) else Verdict.FORGED


def is_signed(secret: str, signature: str, body: bytes) -> bool:
    """Tell whether a body was signed with a secret; compared in constant time."""
    method, _, digits = signature.strip().partition("=")
    if method.lower() not in _METHODS:
        return False
    expected = hmac.new(secret.encode(), body, getattr(hashlib, method.lower())).hexdigest()
    return hmac.compare_digest(expected.encode(), digits.strip().lower().encode("utf-8", "replace"))

"""From what a server said to the state of a feed and its next poll; every decision of a sweep without its doing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from aggregator.cadence import Bounds, after_failure, after_success, outside
from aggregator.content_coding import ACCEPTED
from aggregator.freshness import LONGEST_FRESH, fresh_for, retry_after
from aggregator.model import DueFeed, Poll, PollState
from aggregator.outbound import Answer, Outcome, Request
from aggregator.whereabouts import after_answer, after_gone, after_lost
from jobs.record import Keeping

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9,"
    " application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
DELTA = 226
TOO_MANY_REQUESTS, UNAVAILABLE = 429, 503
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a sweep is done."""

    bounds: Bounds
    timeout: timedelta
    max_bytes: int
    keeping: Keeping


def request(url: str, key: object, terms: Terms, state: PollState | None = None) -> Request:
    """Return a request for a feed, conditional when there is a state with validators."""
    headers = [("Accept", ACCEPT), ("Accept-Encoding", ACCEPTED)]
    if state and state.etag:
        headers.append(("If-None-Match", state.etag))
        headers.append(("A-IM", "feed"))  # a server that can sends only what is new (RFC 3229 with "feed")
    if state and state.last_modified:
        headers.append(("If-Modified-Since", state.last_modified))
    seconds = terms.timeout.total_seconds()
    return Request(url=url, key=key, headers=tuple(headers), seconds=seconds, max_bytes=terms.max_bytes)


def digest(body: bytes) -> bytes:
    """Return by what a body is recognised that comes again, as it came over the wire."""
    return hashlib.blake2b(body, digest_size=16).digest()


def is_feed(answer: Answer) -> bool:
    """Tell whether an answer's body is to be looked at."""
    return answer.status in (200, 203, DELTA) and "cf-mitigated" not in answer.headers


def renewed(state: PollState, answer: Answer) -> PollState:
    """Return the state with the validators that an answer brings, exactly as sent; a 304 may leave them out."""
    is_new_body = answer.status != 304
    etag = answer.headers.get("etag", "" if is_new_body else state.etag)
    last_modified = answer.headers.get("last-modified", "" if is_new_body else state.last_modified)
    if (etag, last_modified, answer.status) == (state.etag, state.last_modified, state.status):
        return state  # as of most polls
    return state._replace(etag=etag, last_modified=last_modified, status=answer.status)


def well(feed: DueFeed, state: PollState, answer: Answer, bounds: Bounds, now: datetime) -> PollState:
    """Return the state after a good answer: where the feed is, and when it may be asked again."""
    where = after_answer(state.where, feed.url, answer.permanently, now)
    asked = min(max(fresh_for(answer.headers, now), state.asked_for), LONGEST_FRESH)
    rest = bounds.at_most if state.trusts_push else bounds.fitting(state, now)
    every = bounds.interval(feed.url, feed.every or rest, asked)
    next_poll_at = outside(state.quiet, now + every, now + bounds.at_most)
    return after_success(state if where is state.where else state._replace(where=where), now, next_poll_at - now)


def failed(feed: DueFeed, outcome: Outcome | None, problem: str, bounds: Bounds, now: datetime) -> PollState:
    """Return the state after a failure; validators and hash stay those of the last good body."""
    status, where, stay_away = 0, feed.state.where, timedelta(0)
    if isinstance(outcome, Answer):
        status = outcome.status
        stay_away = retry_after(outcome.headers, now) if status in (TOO_MANY_REQUESTS, UNAVAILABLE) else stay_away
    if status == 410 and not where.address:
        where = after_gone(where, now)
    elif where.address and status in (404, 410):
        where = after_lost(where)
    if stay_away:
        problem = f"{problem}; it asks us not to come before {now + stay_away:%Y-%m-%d %H:%M} UTC"
    every = bounds.interval(feed.url, feed.every)
    return after_failure(feed.state._replace(status=status, where=where), now, problem, every, stay_away)


def history(
    now: datetime, outcome: Outcome, what: Literal["read", "unchanged", "failed"], size: int, problem: str = ""
) -> Poll:
    """Return what is remembered of a poll."""
    status = outcome.status if isinstance(outcome, Answer) else 0
    return Poll(now, status, size, round(outcome.seconds * 1000), what, problem=problem)


def reason(answer: Answer) -> str:
    """Say why an answer is no feed, by its status."""
    if mitigated := answer.headers.get("cf-mitigated", ""):
        doing = f"{mitigated[:40]}, {answer.status}"
        return f"Cloudflare keeps programs out ({doing}); ask the blog's owner to let feed readers in"
    known = {
        304: "the server says that it is unchanged (304), to a request that didn't ask",
        401: "it asks for a password (401)",
        403: "the server forbids it (403)",
        404: "there is nothing at this address (404)",
        410: "it is gone for good (410); remove it from feeds.toml",
        429: "the server asks us to come less often (429)",
    }
    if answer.status in _REDIRECTS:
        return f"it redirects, but doesn't say where to ({answer.status})"
    return known.get(answer.status, f"the server answers with status {answer.status}")

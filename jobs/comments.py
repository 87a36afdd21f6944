"""Ask for the comments of recent posts, rarely and ever more rarely; what they say joins the thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict
from aggregator.freshness import retry_after
from aggregator.logs import counted
from aggregator.model import ReadEntry
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.store.comments import CommentFeed
from aggregator.urls import host_of, is_blocked
from jobs.children import Children, result
from jobs.outcomes import ACCEPT
from jobs.policy import Policy
from jobs.readers import read_feed

log = logging.getLogger("planet.comments")

AT_ONCE = 20
SECONDS = 10.0
MAX_BYTES = 1_000_000
RECENT = timedelta(days=14)
# How old a post is, and how long its comments are left alone.
PAUSES = (
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=3), timedelta(hours=4)),
    (RECENT, timedelta(hours=24)),
)
WITHOUT_COMMENTS = timedelta(hours=4)
AFTER_TROUBLE = timedelta(hours=24)


def poll_comments(
    database: Database,
    engine: Engine,
    children: Children,
    policy: Policy,
    clock: Callable[[], datetime],
    until: Callable[[], bool] = lambda: False,
) -> int:
    """Ask the comment feeds that are due, one of each host; return how many comments are new or changed.

    Raises: StoreFailed.
    """
    since = clock() - RECENT
    store.comments.forget_old(database, clock(), since)
    feeds = store.comments.due(database, clock(), since, AT_ONCE)
    requests = [_request(feed) for feed in feeds if _is_own(feed)]
    with store.transaction(database):
        for feed in feeds:  # whatever happens from here on, nobody is asked twice in a row
            never = None if not _is_own(feed) else clock() + AFTER_TROUBLE
            store.comments.record(database, feed.entry_id, never, feed.etag, feed.last_modified)
    changed = 0
    with closing(engine.sweep(lambda room: [requests.pop() for _ in requests[:room]])) as sweep:
        for landed in sweep:
            for request, outcome in landed:
                assert isinstance(request.key, CommentFeed)
                changed += _settle(database, children, policy, request.key, outcome, clock())
            if until():
                break
    if changed:
        log.info("%s new or changed", counted(changed, "comment"))
    return changed


def _is_own(feed: CommentFeed) -> bool:
    """A feed may name any address: comments are asked for where the post is, and nowhere else."""
    return host_of(feed.url) == host_of(feed.post_url)


def _request(feed: CommentFeed) -> Request:
    headers = [("Accept", ACCEPT), ("Accept-Encoding", ACCEPTED)]
    if feed.etag:
        headers.append(("If-None-Match", feed.etag))
    if feed.last_modified:
        headers.append(("If-Modified-Since", feed.last_modified))
    return Request(feed.url, feed, tuple(headers), seconds=SECONDS, max_bytes=MAX_BYTES)


def _settle(
    database: Database, children: Children, policy: Policy, feed: CommentFeed, outcome: Outcome, now: datetime
) -> int:
    if not isinstance(outcome, Answer):
        return 0  # it waits for a day, as was noted before it was asked
    if outcome.status in (404, 410):
        return _record(database, feed, None, feed.etag, feed.last_modified)
    if outcome.status == 304:
        return _record(database, feed, now + _pause(feed, now), feed.etag, feed.last_modified)
    if outcome.status != 200:
        stay_away = max(retry_after(outcome.headers, now), AFTER_TROUBLE)
        return _record(database, feed, now + stay_away, feed.etag, feed.last_modified)
    comments = _comments(children, outcome)
    etag, last_modified = outcome.headers.get("etag", ""), outcome.headers.get("last-modified", "")
    blocked = (*policy.block, *store.blocks.patterns(database))
    shown = [comment for comment in comments if not is_blocked(comment.url, blocked)]
    with store.transaction(database):
        store.comments.record(database, feed.entry_id, now + _pause(feed, now), etag, last_modified)
        return store.comments.add(database, feed, shown, policy.status(is_member=True), now)


def _record(database: Database, feed: CommentFeed, at: datetime | None, etag: str, last_modified: str) -> int:
    with store.transaction(database):
        store.comments.record(database, feed.entry_id, at, etag, last_modified)
    return 0


def _comments(children: Children, answer: Answer) -> list[ReadEntry]:
    future = children.submit(read_feed, answer.body, answer.coding, answer.content_type, answer.url, {}, MAX_BYTES)
    try:
        return list(result(future).entries)
    except (FeedUnreadable, BodyRefused, ChildStopped, NoVerdict) as error:
        log.info("comments can't be read: %s", error, extra={"feed": answer.url})
        return []


def _pause(feed: CommentFeed, now: datetime) -> timedelta:
    age = now - feed.shown_at
    pause = next((pause for oldest, pause in PAUSES if age <= oldest), AFTER_TROUBLE)
    return max(pause, WITHOUT_COMMENTS) if feed.comments == 0 else pause

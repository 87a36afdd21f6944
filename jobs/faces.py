"""Fetch the pictures of blogs, rarely; they are kept and served by us, so that readers ask nobody else."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.content_coding import ACCEPTED, decode
from aggregator.errors import BodyRefused, ChildStopped, NoVerdict
from aggregator.outbound import Answer, Engine, Outcome, Request
from aggregator.store.faces import Wanted
from jobs.children import Children, result
from jobs.portraits import portrait

log = logging.getLogger("planet.faces")

AT_ONCE = 20
SECONDS = 15.0
MAX_BYTES = 2_000_000
# Pictures hardly ever change.
AGAIN_AFTER = timedelta(days=14)
AFTER_TROUBLE = timedelta(days=2)
_ACCEPT = "image/webp, image/png, image/jpeg, image/*;q=0.5"


def fetch_faces(
    database: Database,
    engine: Engine,
    children: Children,
    clock: Callable[[], datetime],
    until: Callable[[], bool] = lambda: False,
) -> int:
    """Ask for the pictures that are due; return how many blogs have a new one.

    Raises: StoreFailed.
    """
    wanted = store.faces.due(database, clock(), AT_ONCE)
    with store.transaction(database):  # whatever happens from here on, nobody is asked twice in a row
        for each in wanted:
            store.faces.postpone(database, each, clock() + AFTER_TROUBLE)
    requests = [_request(each) for each in wanted]
    new = 0
    with closing(engine.sweep(lambda room: [requests.pop() for _ in requests[:room]])) as sweep:
        for landed in sweep:
            for request, outcome in landed:
                assert isinstance(request.key, Wanted)
                new += _settle(database, children, request.key, outcome, clock())
            if until():
                break
    if new:
        log.info("%d new faces", new)
    return new


def _request(wanted: Wanted) -> Request:
    headers = (("Accept", _ACCEPT), ("Accept-Encoding", ACCEPTED))
    return Request(wanted.url, wanted, headers, seconds=SECONDS, max_bytes=MAX_BYTES)


def _settle(database: Database, children: Children, wanted: Wanted, outcome: Outcome, now: datetime) -> int:
    if not isinstance(outcome, Answer) or outcome.status != 200:
        return 0  # what is there stays; it is asked again in some days
    image = _face(children, outcome)
    name = f"{hashlib.blake2b(image, digest_size=8).hexdigest()}.webp" if image else ""
    if not image:
        log.info("its picture can't be read", extra={"feed": wanted.url})
    with store.transaction(database):
        store.faces.record(database, wanted, name, image, now + AGAIN_AFTER)
    return 1 if image else 0


def _face(children: Children, answer: Answer) -> bytes:
    try:
        body = decode(answer.body, answer.coding, MAX_BYTES)
        return result(children.submit(portrait, body)) or b""
    except (BodyRefused, ChildStopped, NoVerdict):
        return b""

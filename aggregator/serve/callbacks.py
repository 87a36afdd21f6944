"""Where hubs and clouds come: they ask whether we meant it, and bring what is new. What they say is stored, not read.

Nothing is echoed but what we have asked for, and nothing but a name that cannot be guessed tells who speaks.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from linkbacks import forms, rsscloud, websub
from linkbacks.websub import Question, Verdict
from sqlite_utils import Database
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from aggregator import store
from aggregator.budget import Allowance, Budget
from aggregator.errors import StoreFailed
from aggregator.model import Registration
from aggregator.serve.pages import SAFETY
from aggregator.serve.receivers import CODED, NO_STORE, is_plain, later

log = logging.getLogger("planet.push")

# How often a hub may come for one subscription: many times as often as any blog publishes, and as a hub asks again.
OF_A_SUBSCRIPTION = Allowance(burst=60, every=timedelta(seconds=10))

_CALLBACK = re.compile(rb"/websub/([A-Za-z0-9_-]{43})/?")
_TAKEN = "Thank you.\n"
_UNKNOWN = "Nobody here has asked for this.\n"
_OVER = "This subscription has ended.\n"
_TOO_OFTEN = "This comes too often; its feed is polled anyhow.\n"
_TOO_LONG = "This is longer than a feed may be.\n"


class Doorkeeper:
    """Tells from whom something is expected, for nearly nothing: anybody may knock, as often as they like.

    One connection is kept for that. For one thread.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._database: Database | None = None

    def is_callback(self, path: bytes) -> bool:
        """Tell whether a path is that of a subscription which a hub may bring something to: more than a ping."""
        found = _CALLBACK.search(path) if b"/websub/" in path else None
        if not found or found.end() != len(path):
            return False
        try:
            sender = self.subscriber(found[1].decode())
        except StoreFailed:
            return False
        return sender is not None and sender.state == "active"

    def subscriber(self, token: str) -> Registration | None:
        """Return what was asked for with a callback, or None. Raises: StoreFailed."""
        with store.named_errors():
            return store.subscriptions.at(self._opened(), token)

    def of_cloud(self, topic: str) -> Registration | None:
        """Return what a cloud was asked for about a feed's address, or None. Raises: StoreFailed."""
        with store.named_errors():
            return store.subscriptions.of_cloud(self._opened(), topic) if topic else None

    def is_planned(self, feed_id: int, now: datetime) -> bool:
        """Tell whether one more hint at a feed would change nothing. Raises: StoreFailed."""
        with store.named_errors():
            return store.arrivals.is_planned(self._opened(), feed_id, now)

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()

    def _opened(self) -> Database:
        if self._database is None:
            store.check_writable(self._data)
            self._database = store.open_store(self._data, wait_for_lock=0)
        return self._database


class Callbacks:
    """Takes what hubs and clouds send to one planet."""

    def __init__(self, data: Path, doorkeeper: Doorkeeper, max_bytes: int, clock: Callable[[], datetime]) -> None:
        self._data = data
        self._doorkeeper = doorkeeper
        self._budget = Budget(OF_A_SUBSCRIPTION)
        self._max_bytes = max_bytes
        self._clock = clock

    async def websub(self, request: Request) -> Response:
        """Answer a hub at a subscription's own address."""
        token = str(request.path_params["token"])
        if request.method not in ("GET", "POST"):
            return _told(405, "Hubs ask with GET and bring with POST.\n", Allow="GET, POST")
        try:
            if self._doorkeeper.subscriber(token) is None:
                return _told(404, _UNKNOWN)
            if not self._budget.take(token, self._clock()):
                return _told(429, _TOO_OFTEN, **{"Retry-After": "60"})
            if request.method == "GET":
                asked = websub.question(request.query_params)
                return _told(*await asyncio.to_thread(self._answer, token, asked))
            if not is_plain(request.headers.get("content-encoding", "")):
                return _told(415, CODED)
            head = {name: ", ".join(request.headers.getlist(name)) for name in ("link", "content-type")}
            signature = request.headers.get("x-hub-signature", "")
            return _told(*await asyncio.to_thread(self._take, token, signature, head, await request.body()))
        except StoreFailed:
            return later()

    async def rsscloud(self, request: Request) -> Response:
        """Answer a cloud: echo its challenge for a feed that we have registered, or poll the feed that it names."""
        if request.method == "GET":
            fields, is_challenge = dict(request.query_params), True
        elif request.method == "POST" and is_plain(request.headers.get("content-encoding", "")):
            fields, is_challenge = (
                dict(forms.read(await request.body(), request.headers.get("content-type", ""))),
                False,
            )
        else:
            return _told(405, "Clouds ask with GET and tell with POST.\n", Allow="GET, POST")
        challenge = fields.get("challenge", "")
        if is_challenge and not 0 < len(challenge) <= rsscloud.LONGEST_CHALLENGE:
            return _told(404, _UNKNOWN)
        try:
            wanted = self._doorkeeper.of_cloud(rsscloud.topic_of(fields))
            if wanted is None or (is_challenge and wanted.state != "asked"):
                return _told(404, _UNKNOWN)
            if not is_challenge and not self._doorkeeper.is_planned(wanted.feed_id, self._clock()):
                await asyncio.to_thread(self._notice, wanted)
        except StoreFailed:
            return later()
        return _told(200, challenge if is_challenge else _TAKEN)

    # -- in a thread ---------------------------------------------------------------------------------

    def _open(self) -> closing[Database]:
        return closing(store.open_store(self._data, synchronous="FULL"))

    def _answer(self, token: str, asked: Question) -> tuple[int, str]:
        now = self._clock()
        with self._open() as database, store.transaction(database):
            wanted = store.subscriptions.at(database, token)  # another may have taken its place meanwhile
            return self._answered(database, wanted, asked, now) if wanted else (404, _UNKNOWN)

    @staticmethod
    def _answered(database: Database, wanted: Registration, asked: Question, now: datetime) -> tuple[int, str]:
        if websub.is_denial(asked, wanted):
            reason = websub.reason_of(asked, wanted)
            store.subscriptions.deny(database, wanted, now + websub.AFTER_DENIAL, reason)
            log.warning("a hub will not tell of a feed", extra={"topic": wanted.topic})
            return 200, _TAKEN
        if not websub.is_expected(asked, wanted):
            return 404, _UNKNOWN
        if asked.mode == "subscribe":
            lease = websub.lease_of(asked)
            store.subscriptions.agree(database, wanted, now, now + lease, now + websub.renewal(lease))
            log.info("a hub will tell of a feed's news", extra={"topic": wanted.topic})
        else:
            store.subscriptions.remove(database, wanted.id)
        return 200, asked.challenge

    def _take(self, token: str, signature: str, head: dict[str, str], body: bytes) -> tuple[int, str]:
        with self._open() as database, store.named_errors():
            sender = store.subscriptions.at(database, token)
            if sender is None or sender.protocol != "websub":
                return 404, _UNKNOWN
            if sender.state == "leaving":
                return 410, _OVER
            if len(body) > self._max_bytes:
                self._count(database, sender, "oversized")
                return 413, _TOO_LONG
            verdict = websub.judge(sender, signature, head["link"], body)
            with store.transaction(database):
                outcome = self._store(database, sender, verdict, head["content-type"], body)
                store.metrics.add(database, {("pushes", outcome): 1})
        level = logging.INFO if verdict in (Verdict.SIGNED, Verdict.UNSIGNED) else logging.WARNING
        log.log(level, "a push has come: %s", outcome, extra={"topic": sender.topic})
        return 202, _TAKEN

    def _count(self, database: Database, sender: Registration, outcome: str) -> None:
        with store.transaction(database):
            store.metrics.add(database, {("pushes", outcome): 1})
        log.warning("a push is not taken: %s", outcome, extra={"topic": sender.topic})

    def _store(self, database: Database, sender: Registration, verdict: Verdict, kind: str, body: bytes) -> str:
        """Note a push inside a transaction; return what it is counted as."""
        now = self._clock()
        if verdict is Verdict.UNSIGNED:
            store.arrivals.hint(database, sender.feed_id, now, "push")
        elif verdict is Verdict.SIGNED and sender.state == "active":
            if not store.pushes.has_room(database, sender):
                store.arrivals.hint(database, sender.feed_id, now, "push")
                return "crowded"
            return "signed" if store.pushes.add(database, sender, kind, body, now) else "repeated"
        elif verdict is Verdict.SIGNED:
            return "premature"  # its hub has not asked back yet
        return str(verdict.value)

    def _notice(self, wanted: Registration) -> None:
        with self._open() as database, store.transaction(database):
            store.arrivals.hint(database, wanted.feed_id, self._clock(), "push")
            store.metrics.add(database, {("pushes", "cloud"): 1})


def _told(status: int, text: str, **headers: str) -> Response:
    """Plain text, whatever it holds: a challenge is a stranger's."""
    return PlainTextResponse(text, status, {**dict(SAFETY), **NO_STORE, **headers})

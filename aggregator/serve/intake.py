"""Pings into the store: one durable commit for all that arrived while the last one was made."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import queue
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from linkbacks import claims, hints
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Decision, Refusal
from sqlite_utils import Database

from aggregator import store
from aggregator.budget import Allowance, Budget
from aggregator.errors import PlanetError, StoreFailed
from aggregator.logs import counted
from aggregator.model import Claim

log = logging.getLogger("planet.intake")

MOST_AT_ONCE = 500
MOST_LINES = 5
# After a rest or a commit, pings are gathered for so long: in a flood, many more share the next commit.
GATHER_FOR = 0.001
# WordPress hangs up after three seconds, and a ping may have to wait for the batch before its own.
WAIT_FOR_LOCK = 1.0
# How many strangers' links one client may have stored: a blog that pings all links of a long post is well within.
OF_A_CLIENT = Allowance(burst=100, every=timedelta(seconds=2))
# So many verifications may wait; beyond that, members' pings are stored and strangers' are not.
MOST_WAITING = 100_000
COUNT_EVERY = timedelta(seconds=10)

T = TypeVar("T")
# What is done in the intake's thread, inside its transaction.
_Deed = Callable[[Database, Rules], Any]
_Waiting = tuple[_Deed, "asyncio.Future[Any]"]


class Intake:
    """A thread that stores pings; whoever waits for one is answered after its commit, never before.

    What arrives meanwhile is gathered in the event loop, and handed over in one piece: to wake the thread for each
    ping would cost more than to store it.
    """

    def __init__(
        self, data: Path, rules: Callable[[], Rules], is_exempt: Callable[[str], bool] = lambda _client: False
    ) -> None:
        self._data = data
        self._rules = rules
        self._is_exempt = is_exempt
        self._budget = Budget(OF_A_CLIENT)
        self._arrived: list[_Waiting] = []  # the event loop's, and so is whether the thread rests
        self._is_resting = True
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._database: Database | None = None
        self._decided: list[tuple[Claim, Decision]] = []
        self._counted_at: datetime | None = None
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    async def accept(self, claim: Claim) -> Decision:
        """Store a claim durably, or say why it is refused.

        Raises: StoreFailed; then nothing was stored.
        """
        return await self._done(lambda database, rules: self._accepted(database, claim, rules))

    async def notice(self, urls: Collection[str], now: datetime) -> bool:
        """Act on the hint that blogs have changed; tell whether any of them is known.

        Raises: StoreFailed.
        """
        is_known = await self._done(lambda database, _rules: hints.take(database, urls, now))
        log.log(logging.INFO if is_known else logging.DEBUG, "a blog says that it changed: %s", " ".join(urls)[:500])
        return is_known

    async def sources(self, target: str) -> list[str] | Refusal:
        """Return the addresses of the published linkbacks of a post.

        Raises: StoreFailed.
        """
        return await self._done(lambda database, rules: claims.sources(database, target, rules.planet_url))

    def close(self) -> None:
        """Store what has arrived, and end."""
        if self._arrived:
            self._queue.put(self._arrived)
        self._queue.put(None)
        self._thread.join()

    async def _done(self, deed: Callable[[Database, Rules], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._arrived.append((deed, future))
        if self._is_resting:
            self._is_resting = False
            loop.call_later(GATHER_FOR, self._hand_over)
        return await future

    def _hand_over(self) -> None:
        batch, self._arrived = self._arrived[:MOST_AT_ONCE], self._arrived[MOST_AT_ONCE:]
        self._queue.put(batch)

    def _accepted(self, database: Database, claim: Claim, rules: Rules) -> Decision:
        decision = claims.accept(database, claim, rules, self._may_send)
        self._decided.append((claim, decision))
        return decision

    def _may_send(self, claim: Claim) -> bool:
        """Tell whether a stranger's claim is stored: the queue has room, and its client has not sent too many."""
        if self._is_full(claim.received_at):
            return False
        return not claim.client or self._is_exempt(claim.client) or self._budget.take(claim.client, claim.received_at)

    def _is_full(self, now: datetime) -> bool:
        assert self._database is not None
        if self._counted_at is None or now - self._counted_at > COUNT_EVERY:
            self._counted_at = now
            self._waiting = store.mentions.counts_pending(self._database, MOST_WAITING)
        return self._waiting >= MOST_WAITING

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._decided.clear()
            done = self._do([deed for deed, _ in batch])
            batch[0][1].get_loop().call_soon_threadsafe(self._settle, batch, done)
            if not isinstance(done, PlanetError):
                _tell_operator(self._decided)

    def _do(self, deeds: list[_Deed]) -> list[Any] | PlanetError:
        try:
            if self._database is None:
                self._database = store.open_store(self._data, synchronous="FULL", wait_for_lock=WAIT_FOR_LOCK)
            with store.transaction(self._database):
                rules = claims.with_blocks(self._database, self._rules())
                return [deed(self._database, rules) for deed in deeds]
        except PlanetError as error:
            log.error("not stored, and not acknowledged: %s: %s", counted(len(deeds), "ping"), error)
            return error
        except Exception:
            log.exception("%d pings were not stored: this is a fault of the planet itself", len(deeds))
            return StoreFailed(str(self._data), "a fault of the planet itself")

    def _settle(self, batch: list[_Waiting], done: list[Any] | PlanetError) -> None:
        _tell([future for _, future in batch], done)
        self._is_resting = not self._arrived
        if self._arrived:
            asyncio.get_running_loop().call_later(GATHER_FOR, self._hand_over)


@lru_cache(1_024)
def is_near(client: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether a client's address is this machine's own or in one of the networks that the operator allows."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    networks = (ipaddress.ip_network(network) for network in allowed)
    return address.is_loopback or any(address.version == net.version and address in net for net in networks)


def _tell_operator(decided: list[tuple[Claim, Decision]]) -> None:
    """A line for each ping that was taken, or one for many that came at once; refusals only on request."""
    taken = [claim for claim, decision in decided if isinstance(decision, Accepted)]
    if len(taken) > MOST_LINES:
        log.info("%s taken, to be verified", counted(len(taken), "ping"))
    for claim in taken if len(taken) <= MOST_LINES else ():
        log.info("%s taken, to be verified", claim.protocol, extra={"source": claim.source, "target": claim.target})
    if log.isEnabledFor(logging.DEBUG):  # anybody can have as many of these as they like
        for claim, decision in decided:
            if isinstance(decision, Refusal):
                keys = {"source": claim.source, "target": claim.target}
                log.debug("%s refused: %s", claim.protocol, decision.value, extra=keys)


def _tell(futures: list[asyncio.Future[Any]], done: list[Any] | PlanetError) -> None:
    for index, future in enumerate(futures):
        if future.done():  # its sender has hung up
            continue
        if isinstance(done, PlanetError):
            future.set_exception(done)
        else:
            future.set_result(done[index])

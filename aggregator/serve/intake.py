"""Pings into the store: one durable commit for all that have arrived."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from linkbacks import claims, hints
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Decision, Refusal
from linkbacks.register import Register
from sqlite_utils import Database

from aggregator import store
from aggregator.budget import Allowance, Budget
from aggregator.errors import PlanetError, StoreBusy, StoreFailed
from aggregator.logs import counted
from aggregator.model import Claim
from aggregator.serve.client import household

log = logging.getLogger("planet.intake")

MOST_AT_ONCE = 500
MOST_LINES = 5
# WordPress hangs up after three seconds, and a ping may have to wait for the batch before its own.
WAIT_FOR_LOCK = 1.0
# A commit that takes longer is one of a disk that must not hold up readers.
SLOW = 0.05
# How many strangers' links one client may have stored: a blog that pings all links of a long post is well within.
OF_A_CLIENT = Allowance(burst=100, every=timedelta(seconds=2))
# So many verifications may wait; beyond that, members' pings are stored and strangers' are not.
MOST_WAITING = 100_000
COUNT_EVERY = timedelta(seconds=10)

# A claim to be taken, or something else to be done inside the transaction.
_Deed = Claim | Callable[[Database], Any]
_Waiting = tuple[_Deed, "asyncio.Future[Any]"]


class Intake:
    """Stores pings; whoever waits for one is answered after its commit, never before.

    What has arrived is stored in one piece, in the event loop itself: to hand it to a thread and back would cost more
    than to store it. A thread does it in the loop's stead when somebody else is writing, or the disk is slow.
    """

    def __init__(
        self, data: Path, rules: Callable[[], Rules], is_exempt: Callable[[str], bool] = lambda _client: False
    ) -> None:
        self._data = data
        self._rules = rules
        self._is_exempt = is_exempt
        self._budget = Budget(OF_A_CLIENT)
        self._arrived: list[_Waiting] = []
        self._is_busy = False  # a batch is being gathered or stored
        self._is_slow = True  # until the database is open
        self._desk: _Desk | None = None
        self._decided: list[tuple[Claim, Decision]] = []
        self._counted_at: datetime | None = None
        self._waiting = 0
        self._trouble = ""
        self._aside = ThreadPoolExecutor(1, "intake")

    async def accept(self, claim: Claim) -> Decision:
        """Store a claim durably, or say why it is refused.

        Raises: StoreFailed; then nothing was stored.
        """
        return cast(Decision, await self._done(claim))

    async def notice(self, urls: Collection[str], now: datetime) -> bool:
        """Act on the hint that blogs have changed; tell whether any of them is known.

        Raises: StoreFailed.
        """
        is_known = bool(await self._done(lambda database: hints.take(database, urls, now)))
        log.debug("a blog says that it changed: %s", " ".join(urls)[:500])  # anybody may, and often
        return is_known

    async def sources(self, target: str) -> list[str] | Refusal:
        """Return the addresses of the published linkbacks of a post.

        Raises: StoreFailed.
        """
        planet_url = self._rules().planet_url
        found = await self._done(lambda database: claims.sources(database, target, planet_url))
        return cast(list[str] | Refusal, found)

    def close(self) -> None:
        """End; what a thread is storing is stored first."""
        self._aside.shutdown()
        if self._desk is not None:
            self._desk.close()

    # -- one batch after the other -------------------------------------------------------------------

    async def _done(self, deed: _Deed) -> Any:
        if not self._is_busy:
            self._is_busy = True
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._gather, 0)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._arrived.append((deed, future))
        return await future

    def _gather(self, seen: int) -> None:
        """Store what has arrived, as soon as a turn of the loop brings nothing more."""
        if seen < len(self._arrived) < MOST_AT_ONCE:
            self._loop.call_soon(self._gather, len(self._arrived))
            return
        batch, self._arrived = self._arrived[:MOST_AT_ONCE], self._arrived[MOST_AT_ONCE:]
        deeds = [deed for deed, _ in batch]
        began = self._loop.time()
        done = StoreBusy(str(self._data), "") if self._is_slow else self._do(deeds, 0)
        if isinstance(done, StoreBusy):
            future = self._loop.run_in_executor(self._aside, self._do, deeds, WAIT_FOR_LOCK)
            future.add_done_callback(lambda future: self._settle(batch, future.result(), began))
        else:
            self._settle(batch, done, began)

    def _settle(self, batch: list[_Waiting], done: list[Any] | PlanetError, began: float) -> None:
        self._is_slow = self._loop.time() - began > SLOW
        _tell([future for _, future in batch], done)
        if isinstance(done, PlanetError):
            # How many are refused is the senders' to decide; the same trouble is told once.
            level = logging.DEBUG if str(done) == self._trouble else logging.ERROR
            log.log(level, "not stored, and not acknowledged: %s: %s", counted(len(batch), "ping"), done)
            self._trouble = str(done)
        else:
            if self._trouble:
                log.info("pings are stored again")
            self._trouble = ""
            _tell_operator(self._decided)
        self._is_busy = bool(self._arrived)
        if self._arrived:
            self._loop.call_soon(self._gather, 0)

    # -- inside the transaction ----------------------------------------------------------------------

    def _do(self, deeds: list[_Deed], patience: float) -> list[Any] | PlanetError:
        """Do everything or nothing; wait for whoever else is writing as long as there is patience."""
        try:
            if self._desk is None:
                self._desk = _Desk(self._data)
            store.set_patience(self._desk.database, patience)
            with store.transaction(self._desk.database):
                return self._all_done(self._desk, deeds)
        except PlanetError as error:
            return error
        except Exception:
            log.exception("this is a fault of the planet itself")
            return StoreFailed(str(self._data), "a fault of the planet itself")

    def _all_done(self, desk: _Desk, deeds: list[_Deed]) -> list[Any]:
        sent = [deed for deed in deeds if isinstance(deed, Claim)]
        decisions = claims.accept(desk.database, sent, self._rules(), desk.register, self._may_send)
        self._decided = list(zip(sent, decisions, strict=True))
        made = iter(decisions)
        return [next(made) if isinstance(deed, Claim) else deed(desk.database) for deed in deeds]

    def _may_send(self, claim: Claim) -> bool:
        """Tell whether a stranger's claim is stored: the queue has room, and its client has not sent too many."""
        if self._is_full(claim.received_at):
            return False
        return (
            not claim.client
            or self._is_exempt(claim.client)
            or self._budget.take(household(claim.client), claim.received_at)
        )

    def _is_full(self, now: datetime) -> bool:
        assert self._desk is not None
        if self._counted_at is None or now - self._counted_at > COUNT_EVERY:
            self._counted_at = now
            self._waiting = store.mentions.counts_pending(self._desk.database, MOST_WAITING)
        return self._waiting >= MOST_WAITING


class _Desk:
    """The database, open for durable commits, and what is known of it."""

    def __init__(self, data: Path) -> None:
        store.check_writable(data)
        self.database = store.open_store(data, synchronous="FULL", wait_for_lock=WAIT_FOR_LOCK)
        self.register = Register(self.database)

    def close(self) -> None:
        self.database.close()


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

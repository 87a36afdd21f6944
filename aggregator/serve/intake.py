"""Claims into the store: one durable commit for all that arrived while the last one was made."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from linkbacks.claims import Rules, accept
from linkbacks.decisions import Accepted, Decision
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import PlanetError, StoreFailed
from aggregator.logs import counted
from aggregator.model import Claim

log = logging.getLogger("planet.intake")

MOST_AT_ONCE = 500
# WordPress hangs up after three seconds, and a ping may have to wait for the batch before its own.
WAIT_FOR_LOCK = 1.0

_Waiting = tuple[Claim, "asyncio.Future[Decision]"]


class Intake:
    """A thread that stores claims; whoever waits for one is answered after its commit, never before."""

    def __init__(self, data: Path, rules: Callable[[], Rules]) -> None:
        self._data = data
        self._rules = rules
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._database: Database | None = None
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    async def accept(self, claim: Claim) -> Decision:
        """Store a claim durably, or say why it is refused.

        Raises: StoreFailed; then nothing was stored.
        """
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._queue.put((claim, future))
        return await future

    def close(self) -> None:
        """Store what has arrived, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch: list[_Waiting] = []
            is_open = self._gather(batch)
            if batch:
                self._settle(batch, self._decide([claim for claim, _ in batch]))

    def _gather(self, batch: list[_Waiting]) -> bool:
        """Wait for a claim, and take all others that are there; False when the queue is closed."""
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MOST_AT_ONCE:
                return True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return True
        return False

    def _decide(self, claims: list[Claim]) -> list[Decision] | PlanetError:
        try:
            if self._database is None:
                self._database = store.open_store(self._data, synchronous="FULL", wait_for_lock=WAIT_FOR_LOCK)
            rules = self._rules()
            with store.transaction(self._database):
                decisions = [accept(self._database, claim, rules) for claim in claims]
        except PlanetError as error:
            log.error("not stored, and not acknowledged: %s: %s", counted(len(claims), "ping"), error)
            return error
        except Exception:
            log.exception("%d pings were not stored: this is a fault of the planet itself", len(claims))
            return StoreFailed(str(self._data), "a fault of the planet itself")
        for claim, decision in zip(claims, decisions, strict=True):
            _tell_operator(claim, decision)
        return decisions

    def _settle(self, batch: list[_Waiting], decided: list[Decision] | PlanetError) -> None:
        loop = batch[0][1].get_loop()
        futures = [future for _, future in batch]
        loop.call_soon_threadsafe(_tell, futures, decided)


def _tell_operator(claim: Claim, decision: Decision) -> None:
    keys = {"source": claim.source, "target": claim.target}
    if isinstance(decision, Accepted):
        log.info("%s taken, to be verified", claim.protocol, extra=keys)
    else:  # anybody can have as many of these as they like: not in the log of every day
        log.debug("%s refused: %s", claim.protocol, decision.value, extra=keys)


def _tell(futures: list[asyncio.Future[Decision]], decided: list[Decision] | PlanetError) -> None:
    for index, future in enumerate(futures):
        if future.done():  # its sender has hung up
            continue
        if isinstance(decided, PlanetError):
            future.set_exception(decided)
        else:
            future.set_result(decided[index])

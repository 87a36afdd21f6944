"""Have feeds fetched and read on a Dask cluster; where that fails, here. The only module that knows Dask.

Feeds go out in batches. All feeds of a host are in one batch at a time, so that its limit holds over all workers; a
batch whose worker dies is given to another one by Dask, and what comes back is stored by one writer, once.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aggregator.filters import NO_FILTERS, Filters
from aggregator.logs import counted
from aggregator.model import DueFeed
from aggregator.outbound import Engine, Landed, NoAnswer, Outcome, Request
from aggregator.urls import host_of
from jobs.remote import Item, Manners, fetch_and_read

log = logging.getLogger("planet.poll")

BATCH = 50
# Batches for each thread of the workers: one under way, one that waits beside it.
EACH = 2
CONNECT_SECONDS = 5
TRY_AGAIN = timedelta(minutes=1)
LOOK_EVERY = timedelta(seconds=5)
# What a batch may take beside its requests: to get its turn, and to be read.
SPARE = timedelta(minutes=2)
_TICK = 0.1
_ASK_EVERY = 5
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Batch:
    requests: tuple[Request, ...]
    hosts: frozenset[str]
    until: datetime


class Cluster:
    """Sweeps like an engine; falls back to one when the cluster has gone, and says so."""

    def __init__(
        self,
        address: str,
        engine: Engine,
        manners: Manners,
        filters: dict[str, Filters],
        clock: Callable[[], datetime],
    ) -> None:
        self._address = address
        self._engine = engine
        self._manners = manners
        self._filters = filters
        self._clock = clock
        self._client: Any = None
        self._try_at: datetime | None = None
        self.trouble = ""  # why feeds are read on this machine
        # Where feeds were redirected to: that host has to be free as well.
        self._leads_to: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._under_way: dict[Future[list[Outcome]], _Batch] = {}
        self._waiting: deque[Request] = deque()

    def sweep(self, more: Callable[[int], Sequence[Request]]) -> Generator[list[Landed], None, None]:
        """Fetch and read whatever `more(room)` gives, and yield what has landed; ends when there is nothing left."""
        try:
            self._waiting.extend(more(BATCH))
            threads = self._threads() if self._waiting else 0
            if threads:
                yield from self._sweep_there(more, threads)
            # Without a cluster, or when it has gone: what is left is done here.
            yield from self._engine.sweep(self._rest_and(more))
        finally:
            self._abandon()
            self._waiting.clear()

    def _sweep_there(
        self, more: Callable[[int], Sequence[Request]], threads: int
    ) -> Generator[list[Landed], None, None]:
        executor = self._client.get_executor(pure=False, retries=0)
        ask_in, look_at = 0, self._clock() + LOOK_EVERY
        while self._client is not None:
            if self._clock() >= look_at:  # workers come and go; what is given to none waits for ever
                threads, look_at = self._threads(), self._clock() + LOOK_EVERY
                if not threads:
                    self._take_back()
                    return
            ask_in = self._ask(more, threads) if ask_in <= 0 else ask_in - 1
            self._submit(executor)
            if not self._under_way and not self._waiting:
                return
            landed = self._landed()
            ask_in = 0 if landed or not self._under_way else ask_in
            yield landed

    def _ask(self, more: Callable[[int], Sequence[Request]], threads: int) -> int:
        """Take more feeds, if there is room; return in how many ticks to ask again when nothing lands."""
        out = len(self._waiting) + sum(len(batch.requests) for batch in self._under_way.values())
        if (room := threads * EACH * BATCH - out) > 0:
            self._waiting.extend(more(room))
        return _ASK_EVERY

    def crowded_hosts(self) -> set[str]:
        """Return the hosts that are being asked: no more of theirs is to be taken."""
        busy = {host for batch in self._under_way.values() for host in batch.hosts}
        return busy | {host_of(request.url) for request in self._waiting} | self._engine.crowded_hosts()

    def bytes_under_way(self) -> int:
        """Return how much of unfinished bodies is in memory here."""
        return self._engine.bytes_under_way()

    def close(self) -> None:
        """Let the cluster go."""
        self._abandon()
        self._disconnect()

    # -- batches -------------------------------------------------------------------------------------

    def _submit(self, executor: Any) -> None:
        """Send out what waits, by hosts that nobody is asking."""
        busy = {host for batch in self._under_way.values() for host in batch.hosts}
        groups: dict[frozenset[str], list[Request]] = {}
        held: deque[Request] = deque()
        for request in self._waiting:
            hosts = self._hosts(request)
            overlapping = [known for known in groups if known & hosts]
            if hosts & busy:
                held.append(request)
            else:
                merged = [each for known in overlapping for each in groups.pop(known)]
                groups[hosts.union(*overlapping)] = [*merged, request]
        self._waiting = held
        for batch, hosts in _filled(groups.items()):
            items = [self._item(request) for request in batch]
            future = executor.submit(fetch_and_read, items, self._manners, hosts)
            self._under_way[future] = _Batch(tuple(batch), hosts, self._latest(batch))

    def _hosts(self, request: Request) -> frozenset[str]:
        return self._leads_to.get(request.url, frozenset()) | {host_of(request.url)}

    def _item(self, request: Request) -> Item:
        feed = request.key
        assert isinstance(feed, DueFeed)
        return Item(request._replace(key=None), feed.state.body_hash, self._filters.get(feed.url, NO_FILTERS))

    def _latest(self, batch: Sequence[Request]) -> datetime:
        """When a batch must be back: its feeds may all be of one host, and so may those of the one before it."""
        turns = EACH * (max(len(batch), BATCH) / self._manners.per_host + 1)
        return self._clock() + turns * timedelta(seconds=max(request.seconds for request in batch)) + SPARE

    def _landed(self) -> list[Landed]:
        done, _ = wait(self._under_way, timeout=_TICK, return_when=FIRST_COMPLETED)
        landed: list[Landed] = []
        why = ""
        for future in done:
            try:
                outcomes = future.result()
            except Exception as error:  # of a library of many layers: whatever ends a batch from afar
                why = why or f"{type(error).__name__}: {error}"
            else:
                batch = self._under_way.pop(future)
                landed += [each for each in map(self._sorted, batch.requests, outcomes) if each]
        if any(batch.until < self._clock() for batch in self._under_way.values()):
            why = why or "a batch did not come back in time"
        if why:
            self._give_up(why)
        return landed

    def _sorted(self, request: Request, outcome: Outcome) -> Landed | None:
        """What landed; a request that was led to another host goes out again when that is free, too."""
        if isinstance(outcome, NoAnswer) and outcome.kind == "elsewhere" and outcome.reason:
            hosts = self._hosts(request) | {outcome.reason}
            if len(hosts) <= 6:
                self._leads_to[request.url] = hosts
                self._leads_to.move_to_end(request.url)
                if len(self._leads_to) > _MOST_REMEMBERED:
                    self._leads_to.popitem(last=False)
                self._waiting.append(request)
                return None
            return request, NoAnswer("redirects", "it is redirected from host to host")
        return request, outcome

    # -- when the cluster goes ------------------------------------------------------------------------

    def _threads(self) -> int:
        """How many batches the workers can do at once; 0 when there is no cluster."""
        now = self._clock()
        if self._try_at is not None and now < self._try_at:
            return 0
        try:
            if self._client is None:
                self._client = _connect(self._address)
            threads = sum(int(count) for count in self._client.nthreads().values())
        except Exception as error:  # a library of many layers: whatever it says, there is no cluster
            self._tell(f"{type(error).__name__}: {error}")
            return 0
        if not threads:
            self._tell("it has no workers")
            return 0
        if self.trouble:
            log.info("the cluster at %s is there; feeds are read on it", self._address)
        self.trouble, self._try_at = "", None
        return threads

    def _give_up(self, why: str) -> None:
        self._take_back()
        self._tell(why)

    def _take_back(self) -> None:
        """Let whatever is under way wait again: it is done here."""
        self._waiting.extend(request for batch in self._under_way.values() for request in batch.requests)
        self._abandon()

    def _tell(self, why: str) -> None:
        words = f"the cluster at {self._address} can't be used, so feeds are read on this machine: {why[:300]}"
        if words != self.trouble:
            log.error("%s", words)
        self.trouble, self._try_at = words, self._clock() + TRY_AGAIN
        self._disconnect()

    def _rest_and(self, more: Callable[[int], Sequence[Request]]) -> Callable[[int], Sequence[Request]]:
        def next_ones(room: int) -> Sequence[Request]:
            mine = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            return mine or more(room)

        return next_ones

    def _abandon(self) -> None:
        for future in self._under_way:
            future.cancel()
        self._under_way.clear()

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close(timeout=1)
            except Exception as error:
                log.debug("the cluster was left: %s", error)


def _filled(groups: Iterable[tuple[frozenset[str], list[Request]]]) -> Iterable[tuple[list[Request], frozenset[str]]]:
    """Batches of about the same size; whatever shares a host stays together."""
    batch: list[Request] = []
    hosts: frozenset[str] = frozenset()
    for named, requests in groups:
        if batch and len(batch) + len(requests) > BATCH:
            yield batch, hosts
            batch, hosts = [], frozenset()
        batch, hosts = [*batch, *requests], hosts | named
    if batch:
        yield batch, hosts


def _connect(address: str) -> Any:
    """A client of the cluster; certificates for tls:// are those of Dask's own configuration."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("distributed is not installed; install planet[dask]") from error
    client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="planet")
    log.info("%s at %s", counted(len(client.nthreads()), "worker"), address)
    return client

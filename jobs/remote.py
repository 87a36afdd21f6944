"""A batch of feeds, fetched and read wherever there is room: values in, values out. Knows no store and no cluster.

Guard, deadlines, bounds and children with limits are those of a planet that does it all by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import current_process
from typing import Protocol

from aggregator import __version__
from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict, PlanetError
from aggregator.filters import Filters
from aggregator.model import Reading
from aggregator.outbound import Answer, Engine, Guard, Landed, Outcome, Request
from jobs.children import MOST_WAITING_BYTES, Children, result
from jobs.outcomes import digest, is_feed
from jobs.readers import read_feed


@dataclass(frozen=True, slots=True)
class Manners:
    """How a planet asks: what it may reach, who it says that it is, and how much at once."""

    guard: Guard
    user_agent: str
    at_once: int
    per_host: int
    max_bytes: int
    processes: int = 1
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Item:
    """One feed of a batch: the request, the digest of the body that is known, and what is wanted of its entries."""

    request: Request
    known: bytes
    filters: Filters


@dataclass(slots=True)
class ReadAnswer(Answer):
    """An answer whose body was read where it was fetched: of the body only digest and size are left.

    `reading` holds all entries, since nobody there knows which are new; it is an error when there is nothing to read,
    and None when there was nothing to look at.
    """

    digest: bytes = b""
    size: int = 0
    reading: Reading | PlanetError | None = None


class WorkerUnfit(PlanetError):
    """A worker can't do what it is asked for."""


def fetch_and_read(batch: Sequence[Item], manners: Manners, hosts: frozenset[str]) -> list[Outcome]:
    """Fetch a batch and read what has changed; return what came of each item, in order.

    Nothing is asked of other hosts than `hosts`: where a redirect leads elsewhere, the outcome says so.

    Raises: WorkerUnfit.
    """
    if manners.version != __version__:
        raise WorkerUnfit(f"a worker runs version {__version__} of the planet, and the planet {manners.version}")
    engine = Engine(manners.guard, manners.user_agent, at_once=manners.at_once, per_host=manners.per_host, hosts=hosts)
    work = _Work(batch, manners, engine, _children(manners.processes))
    with engine:
        while work.requests:
            with closing(engine.sweep(work.more)) as sweep:
                for landed in sweep:
                    for request, outcome in landed:
                        work.land(request, outcome)
            work.wait_for_room()
    return work.results()


class _Work:
    """A batch on its way: what is still to be asked for, what came of the rest, and what is being read."""

    def __init__(self, batch: Sequence[Item], manners: Manners, engine: Engine, children: Children) -> None:
        self.requests = [item.request._replace(key=index) for index, item in enumerate(batch)]
        self._batch = batch
        self._max_bytes = manners.max_bytes
        self._engine = engine
        self._children = children
        self._outcomes: dict[int, Outcome] = {}
        self._begun: dict[int, Future[Reading]] = {}
        self._sizes: dict[Future[Reading], int] = {}

    def more(self, room: int) -> list[Request]:
        """Take what is asked for next; nothing while too much waits to be read."""
        self._sizes = {future: size for future, size in self._sizes.items() if not future.done()}
        if self._engine.bytes_under_way() + sum(self._sizes.values()) > MOST_WAITING_BYTES:
            return []
        return [self.requests.pop() for _ in self.requests[:room]]

    def land(self, request: Request, outcome: Outcome) -> None:
        index = request.key
        assert isinstance(index, int)
        self._outcomes[index] = _without_body(outcome)
        if isinstance(outcome, Answer) and _is_to_be_read(outcome, self._batch[index]):
            sent = (outcome.body, outcome.coding, outcome.content_type, outcome.url)
            future = self._children.submit(read_feed, *sent, {}, self._max_bytes, self._batch[index].filters)
            self._begun[index] = future
            self._sizes[future] = len(outcome.body)

    def wait_for_room(self) -> None:
        if self.requests:
            wait(self._sizes, return_when=FIRST_COMPLETED)

    def results(self) -> list[Outcome]:
        for index, future in self._begun.items():
            answer = self._outcomes[index]
            assert isinstance(answer, ReadAnswer)
            self._outcomes[index] = replace(answer, reading=_read(future))
        return [self._outcomes[index] for index in range(len(self._batch))]


def _is_to_be_read(answer: Answer, item: Item) -> bool:
    return is_feed(answer) and digest(answer.body) != item.known


def _without_body(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, Answer):
        return outcome
    return ReadAnswer(
        outcome.url,
        outcome.status,
        dict(outcome.headers),
        b"",
        outcome.permanently,
        outcome.seconds,
        digest(outcome.body),
        len(outcome.body),
    )


def _read(future: Future[Reading]) -> Reading | PlanetError:
    try:
        return result(future)
    except (FeedUnreadable, BodyRefused, ChildStopped, NoVerdict) as error:
        error.__traceback__ = None
        return error


# -- where the answers are taken in ------------------------------------------------------------------


class Fetcher(Protocol):
    """What a sweep fetches with: an engine, or many of them."""

    def sweep(self, more: Callable[[int], Sequence[Request]]) -> Generator[list[Landed], None, None]:
        """Fetch whatever `more(room)` gives, and yield what has landed."""

    def crowded_hosts(self) -> set[str]:
        """Return the hosts of which nothing more is to be taken."""

    def bytes_under_way(self) -> int:
        """Return how much of unfinished bodies is in memory."""


def digest_of(answer: Answer) -> bytes:
    """Return the digest of an answer's body, wherever that is."""
    return answer.digest if isinstance(answer, ReadAnswer) else digest(answer.body)


def size_of(answer: Answer) -> int:
    """Return the size of an answer's body, wherever that is."""
    return answer.size if isinstance(answer, ReadAnswer) else len(answer.body)


def read_elsewhere(answer: ReadAnswer, known: Mapping[str, bytes]) -> Future[Reading]:
    """Return what was read of a body, as a child of our own would have: without the entries that are `known`."""
    future: Future[Reading] = Future()
    reading = answer.reading
    if isinstance(reading, Reading):
        changed = tuple(entry for entry in reading.entries if known.get(entry.guid) != entry.content_hash)
        future.set_result(replace(reading, entries=changed))
    else:
        future.set_exception(reading or NoVerdict("nobody has read it"))
    return future


# -- where they are read -----------------------------------------------------------------------------

_lock = threading.Lock()
_pools: dict[int, Children] = {}


def _children(processes: int) -> Children:
    """The children of this process; they end with it. Raises: WorkerUnfit."""
    if current_process().daemon:
        raise WorkerUnfit(
            "a worker may start no processes to read in; start it with DASK_DISTRIBUTED__WORKER__DAEMON=False"
        )
    with _lock:
        if processes not in _pools:
            _pools[processes] = Children(processes)
        return _pools[processes]

"""Bodies of feeds on their way through the children: they wait, are read a few at a time, and come out as readings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.filters import NO_FILTERS
from aggregator.model import DueFeed, PollState, Reading
from aggregator.outbound import Answer
from jobs.children import MOST_WAITING_BYTES, Children
from jobs.outcomes import Terms
from jobs.readers import read_feed
from jobs.remote import ReadAnswer, read_elsewhere, size_of

# About so many bodies are being read, or have been: what came of them is large, and it is enough to do meanwhile.
MOST_READING = 32
# No further feed is asked while so many bodies wait for a child: the network is faster than children are.
MOST_UNREAD = 128
# Bodies that one child reads in a row, unless one is large (bytes), and how long a body may wait for so many.
TOGETHER = 4
LARGE = 200_000
FOR_COMPANY = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A body that waits for its turn, as it came: what is read of it may be twenty times as long."""

    feed: DueFeed
    state: PollState
    answer: Answer
    since: datetime


@dataclass(frozen=True, slots=True)
class Begun:
    """A body that is being read, or has been; `answer` is without it where a child reads it."""

    feed: DueFeed
    state: PollState
    answer: Answer
    known: frozenset[str]
    size: int


class Bodies:
    """The bodies of one sweep that are to be read, or being read."""

    def __init__(self, database: Database, children: Children, terms: Terms, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._children = children
        self._terms = terms
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._reading: dict[Future[Reading], Begun] = {}

    @property
    def are_being_read(self) -> bool:
        """Tell whether any is being read."""
        return bool(self._reading)

    def have_no_room(self, bytes_under_way: int) -> bool:
        """Tell whether no further feed should be asked, while so many bytes are on their way."""
        if len(self._waiting) >= MOST_UNREAD:
            return True
        held = [size_of(body.answer) for body in self._waiting] + [begun.size for begun in self._reading.values()]
        return bytes_under_way + sum(held) > MOST_WAITING_BYTES

    def add(self, feed: DueFeed, state: PollState, answer: Answer) -> None:
        """Let a body wait for its turn."""
        self._waiting.append(_Waiting(feed, state, answer, self._clock()))

    def begin(self, *, at_once: bool) -> None:
        """Have bodies read, several at a time; the last few wait for company, but not for long."""
        while self._waiting and len(self._reading) < MOST_READING:
            is_late = self._clock() - self._waiting[0].since >= FOR_COMPANY
            if len(self._waiting) < TOGETHER and not (at_once or is_late):
                return
            self._read(self._several())

    def finished(self, patience: float) -> list[tuple[Begun, Future[Reading]]]:
        """Return what has been read, after waiting for it for some seconds; each has a result, or raises."""
        done, _ = wait(self._reading, timeout=patience, return_when=FIRST_COMPLETED)
        found = []
        for future in done:
            begun = self._reading.pop(future)
            if (alone := self._children.again(future)) is not None:
                self._reading[alone] = begun
            else:
                found.append((begun, future))
        return found

    def _several(self) -> list[_Waiting]:
        """The next bodies for one child: a large one is its last."""
        several = [self._waiting.popleft()]
        while self._waiting and len(several) < TOGETHER and size_of(several[-1].answer) < LARGE:
            several.append(self._waiting.popleft())
        return several

    def _read(self, bodies: Sequence[_Waiting]) -> None:
        here: list[Begun] = []
        tasks = []
        for body in bodies:
            feed, answer = body.feed, body.answer
            known = store.entries.known_hashes(self._database, feed.id)
            begun = Begun(feed, body.state, replace(answer, body=b""), frozenset(known), size_of(answer))
            if isinstance(answer, ReadAnswer):
                self._reading[read_elsewhere(answer, known)] = begun
            else:
                filters = self._terms.keeping.filters.get(feed.url, NO_FILTERS)
                sent = (answer.body, answer.coding, answer.content_type, answer.url)
                tasks.append((*sent, known, self._terms.max_bytes, filters))
                here.append(begun)
        if tasks:
            self._reading |= zip(self._children.submit_together(read_feed, tasks), here, strict=True)

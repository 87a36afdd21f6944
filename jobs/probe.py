"""Look at addresses as somebody who thinks of adding them, or wants to know how they are: nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict, PageInstead
from aggregator.feeds.description import Description, examine
from aggregator.model import DueFeed, PollState, Reading
from aggregator.outbound import Answer, Engine, NoAnswer, Outcome, Request
from aggregator.proposals import Seen
from jobs import search
from jobs.children import Children, result
from jobs.outcomes import Terms, reason, request

# Bodies that wait for a child.
_MOST_WAITING = 32
_NOTHING_FOUND = "it is a web page, and no feed was found that belongs to it"


@dataclass(frozen=True, slots=True)
class Probe:
    """What is at an address: the feed that was read, where from, or why none was.

    `page` is the web page that named the feed, "" when the address is a feed's own; `others` are further feeds that
    it names.
    """

    url: str
    problem: str = ""
    status: int = 0
    answer: Answer | None = None
    reading: Reading | None = None
    description: Description | None = None
    page: str = ""
    others: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where the feed is for good."""
        if self.answer is None:
            return self.url
        return self.answer.permanently or (self.answer.url if self.page else self.url)


def probe(
    engine: Engine,
    children: Children,
    terms: Terms,
    urls: Sequence[str],
    now: datetime,
    until: Callable[[], bool] = lambda: False,
) -> Iterator[Probe]:
    """Look at every address, many at once; yield what each has come to, in the order in which they answer."""
    waiting = [request(url, url, terms) for url in reversed(urls)]
    reading: dict[Future[tuple[Reading, Description]], tuple[str, Answer]] = {}
    pages: list[tuple[str, Answer, tuple[str, ...]]] = []

    def more(room: int) -> list[Request]:
        if len(reading) > _MOST_WAITING:
            wait(reading)
        return [waiting.pop() for _ in waiting[:room]]

    with closing(engine.sweep(more)) as sweep:
        for landed in sweep:
            for asked, outcome in landed:
                assert isinstance(asked.key, str)
                if isinstance(outcome, Answer) and not _problem(outcome):
                    reading[_examine(children, outcome, terms)] = (asked.key, outcome)
                else:
                    yield _failed(asked.key, outcome)
            yield from _read(reading, pages, wait_for_all=False)
            if until():
                return
    yield from _read(reading, pages, wait_for_all=True)
    for url, answer, named in pages:
        yield _found_from(engine, children, terms, url, answer, named, now)


def seen(probes: Sequence[Probe], secure: Sequence[Probe]) -> list[Seen]:
    """Return what was found, as it is judged; `secure` are probes of the same feeds by https."""
    private = {one.url: one.reading.guids for one in secure if one.reading and not one.page}
    found = []
    for one in probes:
        guids = one.reading.guids if one.reading else ()
        by_https = one.url.replace("http://", "https://", 1)
        found.append(
            Seen(
                url=one.url,
                problem=one.problem,
                status=one.status,
                address=one.address,
                is_page=bool(one.page),
                ends_at=one.answer.url if one.answer else one.url,
                guids=guids,
                secure=by_https if guids and private.get(by_https) == guids else "",
            )
        )
    return found


def _examine(children: Children, answer: Answer, terms: Terms) -> Future[tuple[Reading, Description]]:
    sent = (answer.body, answer.coding, answer.content_type, answer.url)
    return children.submit(examine, *sent, terms.max_bytes)


def _problem(answer: Answer) -> str:
    return "" if answer.status in (200, 203) and "cf-mitigated" not in answer.headers else reason(answer)


def _failed(url: str, outcome: Outcome) -> Probe:
    if isinstance(outcome, NoAnswer):
        return Probe(url, outcome.reason)
    return Probe(url, _problem(outcome), outcome.status, outcome)


def _read(
    reading: dict[Future[tuple[Reading, Description]], tuple[str, Answer]],
    pages: list[tuple[str, Answer, tuple[str, ...]]],
    *,
    wait_for_all: bool,
) -> Iterator[Probe]:
    while reading:
        finished, _ = wait(reading, timeout=None if wait_for_all else 0, return_when=FIRST_COMPLETED)
        if not finished:
            return
        for future in finished:
            url, answer = reading.pop(future)
            light = replace(answer, body=b"")
            try:
                found, description = result(future)
            except PageInstead as error:
                pages.append((url, light, error.feeds))
            except (FeedUnreadable, BodyRefused, ChildStopped, NoVerdict) as error:
                yield Probe(url, str(error), answer.status, light)
            else:
                yield Probe(url, "", answer.status, light, found, description)


def _found_from(
    engine: Engine,
    children: Children,
    terms: Terms,
    url: str,
    page: Answer,
    named: tuple[str, ...],
    now: datetime,
) -> Probe:
    """What the feed of a web page is; six requests at most, the page's own among them."""
    stand_in = DueFeed(id=0, url=url, every=None, is_new=True, state=PollState(next_poll_at=now), due_at=now)
    begun = search.begin(stand_in, page, named)
    for found in search.search(engine, children, terms, [begun], lambda: False):
        if found.answer is not None:
            reading, description = result(_examine(children, found.answer, terms))
            others = tuple(each for each in named if each != found.answer.url)
            light = replace(found.answer, body=b"")
            return Probe(url, "", light.status, light, reading, description, page.url, others)
    return Probe(url, _NOTHING_FOUND, page.status, page)

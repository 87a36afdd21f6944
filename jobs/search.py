"""Look for the feeds of web pages that were given as feeds: what they name first, then where feeds usually are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from aggregator.errors import BodyRefused, ChildStopped, FeedUnreadable, NoVerdict
from aggregator.filters import NO_FILTERS
from aggregator.model import NO_OFFERS, DueFeed, Offers, Reading
from aggregator.outbound import Answer, Engine, NoAnswer, Outcome, Request
from jobs.children import Children, result
from jobs.outcomes import TOO_MANY_REQUESTS, Terms, request
from jobs.readers import read_feed

# The page itself is the sixth request.
MOST_PLACES = 5


@dataclass(frozen=True, slots=True)
class Search:
    """A web page that was given as a feed, and where its feed may be, likeliest first."""

    feed: DueFeed
    page: Answer
    places: tuple[str, ...]
    offers: Offers = NO_OFFERS


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has come to: a feed and what it says, or neither."""

    search: Search
    answer: Answer | None = None
    reading: Reading | None = None


def begin(feed: DueFeed, page: Answer, named: Sequence[str], offers: Offers = NO_OFFERS) -> Search:
    """Begin a search from a page, the feeds that it names, and who tells of its news."""
    from aggregator.feeds.discovery import usual_places  # with it come all readers of feeds

    places = dict.fromkeys((*named[:MOST_PLACES], *usual_places(page.url)))
    return Search(feed, page, tuple(place for place in places if place and place != page.url)[:MOST_PLACES], offers)


def search(
    engine: Engine, children: Children, terms: Terms, searches: Sequence[Search], until: Callable[[], bool]
) -> Iterator[Found]:
    """Do all searches at once, each a place at a time; yield what each has come to."""
    waiting = list(searches)
    while waiting and not until():
        requests = [request(one.places[0], one, terms) for one in waiting]
        waiting = []
        with closing(engine.sweep(_all_of(requests))) as sweep:
            for landed in sweep:
                for asked, outcome in landed:
                    assert isinstance(asked.key, Search)
                    found = _look_at(asked.key, outcome, children, terms)
                    if found.reading or not asked.key.places[1:] or _is_unwelcome(outcome):
                        yield found
                    else:
                        waiting.append(replace(asked.key, places=asked.key.places[1:]))
                if until():
                    break


def _look_at(one: Search, outcome: Outcome, children: Children, terms: Terms) -> Found:
    if isinstance(outcome, NoAnswer) or outcome.status not in (200, 203):
        return Found(one)
    sent = (outcome.body, outcome.coding, outcome.content_type, outcome.url)
    try:
        filters = terms.keeping.filters.get(one.feed.url, NO_FILTERS)
        reading = result(children.submit(read_feed, *sent, {}, terms.max_bytes, filters))
    except (FeedUnreadable, BodyRefused, ChildStopped, NoVerdict):
        return Found(one)
    return Found(one, outcome, reading)


def _is_unwelcome(outcome: Outcome) -> bool:
    return outcome.kind == "spared" if isinstance(outcome, NoAnswer) else outcome.status == TOO_MANY_REQUESTS


def _all_of(requests: list[Request]) -> Callable[[int], list[Request]]:
    return lambda room: [requests.pop() for _ in requests[:room]]

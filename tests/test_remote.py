"""What a worker does with a batch of feeds."""

from __future__ import annotations

from aggregator.filters import NO_FILTERS
from aggregator.outbound import Guard, Request
from aggregator.urls import host_of
from jobs.children import MOST_WAITING_BYTES
from jobs.remote import Item, Manners, ReadAnswer, fetch_and_read
from tests.farm import Farm, Reply, Seen

LARGE = 9_500_000
COUNT = MOST_WAITING_BYTES // LARGE + 4
SLOW = b"<rss><channel><item>" + b" <a " * 15_000  # to read it takes longer than to fetch it


def test_bodies_beyond_what_may_wait_are_asked_for_when_others_have_been_read(web: Farm) -> None:
    def large(_seen: Seen) -> Reply:
        return Reply(SLOW.ljust(LARGE), headers={"Content-Type": "application/rss+xml"})

    web.routes |= {f"/{number}": large for number in range(COUNT)}
    requests = [Request(f"{web.url}/{number}", max_bytes=10_000_000) for number in range(COUNT)]
    manners = Manners(Guard.of(["127.0.0.0/8"], []), "planet-test", 2, 2, 10_000_000)

    outcomes = fetch_and_read(
        [Item(request, b"", NO_FILTERS) for request in requests], manners, frozenset({host_of(web.url)})
    )

    answers = [outcome for outcome in outcomes if isinstance(outcome, ReadAnswer)]
    assert [answer.url for answer in answers] == [request.url for request in requests]
    assert all(answer.reading is not None and answer.size == LARGE for answer in answers)

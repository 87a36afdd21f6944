"""What a blog's author is told of its feed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from aggregator.diagnosis import for_author
from aggregator.model import EntryFacts, FeedHealth, Poll
from tests.builders import NOON

HEALTHY = FeedHealth("https://b.example/feed", "B", "healthy", "", NOON, NOON, 200, 3)
ENTRY = EntryFacts(1, "/posts/1-x/", 1, "f", "B", "g", "u", "A title", NOON, NOON, NOON, "", "", None, False, 0)


def polls(*outcomes: str, status: int = 200, size: int = 1_000) -> list[Poll]:
    return [Poll(NOON - timedelta(hours=n), status, size, 5, outcome) for n, outcome in enumerate(outcomes)]  # type: ignore[arg-type]


def test_a_feed_that_is_well_needs_no_advice() -> None:
    assert for_author(HEALTHY, polls("read", *["unchanged"] * 9, status=304), [ENTRY]) == []


def test_a_server_that_sends_everything_each_time_is_told_how_not_to() -> None:
    [line] = for_author(HEALTHY, polls("read", *["unchanged"] * 9), [ENTRY])

    assert "ETag" in line


def test_a_feed_that_is_broken_a_little_is_told_where() -> None:
    [line] = for_author(replace(HEALTHY, problem="it is not well-formed (line 3)"), [], [ENTRY])

    assert "not well-formed (line 3)" in line


def test_large_open_undated_and_untitled_feeds_are_told() -> None:
    health = replace(HEALTHY, url="http://b.example/feed")
    entry = replace(ENTRY, title="", published_at=None)

    lines = " ".join(for_author(health, polls("read", size=2_000_000), [entry]))

    for word in ("megabyte", "https", "no date", "no title"):
        assert word in lines

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from aggregator.cadence import Bounds, after_failure, after_success
from tests.builders import NOON, state

HOUR = timedelta(hours=1)
BOUNDS = Bounds(every=HOUR, at_least=timedelta(minutes=15), at_most=timedelta(hours=24))


def test_a_success_forgets_failures() -> None:
    after = after_success(state(failures=3), NOON, HOUR)

    assert after.failures == 0
    assert after.next_poll_at == NOON + HOUR


def test_failures_wait_1_2_4_hours() -> None:
    waits = []
    current = state()
    for _ in range(7):
        current = after_failure(current, NOON, "slow", HOUR)
        waits.append((current.next_poll_at - NOON) / HOUR)

    assert waits == [1, 2, 4, 8, 16, 24, 24]


@given(st.integers(0, 10_000), st.timedeltas(timedelta(seconds=1), timedelta(days=2)))
def test_waiting_after_a_failure_never_shrinks(failures: int, every: timedelta) -> None:
    one = after_failure(state(failures=failures), NOON, "x", every)
    two = after_failure(one, NOON, "x", every)

    assert two.next_poll_at >= one.next_poll_at >= NOON + min(every, HOUR)


def test_a_feed_that_fails_for_two_weeks_is_asked_once_a_week_and_never_given_up() -> None:
    after = after_failure(state(failures=30, failing_since=NOON - timedelta(days=14)), NOON, "gone", HOUR)

    assert after.next_poll_at == NOON + timedelta(days=7)


def test_a_feed_that_recovers_starts_counting_anew() -> None:
    well = after_success(after_failure(state(), NOON, "x", HOUR), NOON, HOUR)

    assert (well.failing_since, well.failures) == (None, 0)


@given(st.integers(0, 50), st.timedeltas(timedelta(0), timedelta(days=7)))
def test_nothing_comes_before_a_server_lets_us(failures: int, stay_away: timedelta) -> None:
    assert after_failure(state(failures=failures), NOON, "x", HOUR, stay_away).next_poll_at >= NOON + stay_away


urls = st.integers(0, 10_000).map("http://blog{}.test/feed".format)
spans = st.timedeltas(timedelta(seconds=1), timedelta(days=400))


@given(urls, st.none() | spans, spans)
def test_a_healthy_feed_is_always_within_the_bounds(url: str, every: timedelta | None, asked: timedelta) -> None:
    assert BOUNDS.at_least <= BOUNDS.interval(url, every, asked) <= BOUNDS.at_most


@given(urls, st.timedeltas(timedelta(0), timedelta(hours=24)))
def test_a_feed_is_not_polled_sooner_than_it_asks(url: str, asked: timedelta) -> None:
    assert BOUNDS.interval(url, None, asked) >= asked


@given(urls)
def test_jitter_is_a_tenth_at_most_and_a_feeds_own(url: str) -> None:
    interval = BOUNDS.interval(url)

    assert HOUR * 0.9 <= interval <= HOUR * 1.1
    assert interval == BOUNDS.interval(url)


def test_jitter_spreads_feeds() -> None:
    assert len({BOUNDS.interval(f"http://blog{number}.test/feed") for number in range(100)}) == 100

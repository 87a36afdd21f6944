from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aggregator.cadence import Bounds, after_failure, after_success, outside
from aggregator.model import Quiet
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


# -- how often a blog posts --------------------------------------------------------------------------


def test_the_longer_a_blog_is_silent_the_longer_its_interval() -> None:
    silent_for = (None, 1, 13, 14, 30, 60, 180, 4_000)
    states = [state(posted_at=NOON - timedelta(days=days) if days is not None else None) for days in silent_for]

    assert [BOUNDS.fitting(each, NOON) / HOUR for each in states] == [1, 1, 1, 2, 4, 8, 24, 24]


def test_a_busy_blog_is_polled_twice_as_often_at_most() -> None:
    def busy(minutes: int) -> timedelta:
        return BOUNDS.fitting(state(posted_at=NOON, posts_every=timedelta(minutes=minutes)), NOON)

    assert [busy(minutes) / HOUR for minutes in (1, 30, 45, 600)] == [0.5, 0.5, 0.75, 1]


instants = st.timedeltas(timedelta(days=-13_000), timedelta(days=1_000)).map(lambda span: NOON + span)
quiets = st.builds(Quiet, st.frozensets(st.integers(0, 23), max_size=23), st.frozensets(st.integers(0, 6), max_size=6))


@given(urls, st.none() | instants, st.none() | spans, spans, quiets)
def test_a_healthy_feed_that_nobody_pinged_is_always_within_the_bounds(
    url: str, posted_at: datetime | None, posts_every: timedelta | None, asked: timedelta, quiet: Quiet
) -> None:
    fitting = BOUNDS.fitting(state(posted_at=posted_at, posts_every=posts_every), NOON)
    next_poll_at = outside(quiet, NOON + BOUNDS.interval(url, fitting, asked), NOON + BOUNDS.at_most)

    assert NOON + BOUNDS.at_least <= next_poll_at <= NOON + BOUNDS.at_most


@given(instants, quiets)
def test_a_feed_is_asked_outside_of_its_hours_of_rest_unless_that_takes_too_long(due: datetime, quiet: Quiet) -> None:
    latest = due + timedelta(hours=24)

    asked = outside(quiet, due, latest)

    assert due <= asked <= latest
    assert asked == latest or (asked.hour not in quiet.hours and asked.weekday() not in quiet.days)


def test_a_feed_without_hours_of_rest_is_asked_when_it_is_due() -> None:
    assert outside(Quiet(), NOON, NOON + HOUR) == NOON


@given(st.integers(0, 50), st.timedeltas(timedelta(seconds=1), timedelta(days=7)))
def test_a_failure_notes_until_when_to_stay_away(failures: int, stay_away: timedelta) -> None:
    failed = after_failure(state(failures=failures), NOON, "x", HOUR, stay_away)

    assert failed.stay_away_until == NOON + stay_away
    assert after_success(failed, NOON, HOUR).stay_away_until is None


def test_a_feed_without_quiet_hours_may_be_asked_at_once_even_late() -> None:
    late = NOON + timedelta(days=2)

    assert outside(Quiet(), late, NOON) == late


def test_a_feed_that_has_failed_for_months_is_still_asked_once_a_week() -> None:
    lost = state(failures=20, failing_since=NOON - timedelta(days=90))

    assert after_failure(lost, NOON, "gone", HOUR).next_poll_at == NOON + timedelta(days=7)


def test_no_feed_waits_longer_than_the_longest_pause_and_a_day() -> None:
    patient = Bounds(every=HOUR, at_least=HOUR, at_most=timedelta(days=30))

    assert BOUNDS.longest == timedelta(days=8)
    assert patient.longest == timedelta(days=31)

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from aggregator.cadence import Bounds, after_failure, after_success, taken
from tests.builders import NOON, state

HOUR = timedelta(hours=1)
BOUNDS = Bounds(every=HOUR, at_least=timedelta(minutes=15), at_most=timedelta(hours=24))


def test_a_poll_is_due_again_even_if_it_never_reports_back() -> None:
    assert NOON < taken(state(), NOON).next_poll_at <= NOON + timedelta(minutes=10)


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


@given(st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=400)))
def test_a_feed_of_its_own_mind_stays_within_the_bounds(every: timedelta | None) -> None:
    assert BOUNDS.at_least <= BOUNDS.for_feed(every) <= BOUNDS.at_most

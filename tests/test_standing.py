from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator import standing
from aggregator.budget import Allowance, Budget
from aggregator.model import PendingLinkback, Status
from tests.builders import NOON


def linkback(**fields: object) -> PendingLinkback:
    values: dict[str, object] = {"source": "http://a.test/", "targets": (), "feed_id": None, "attempts": 0}
    return PendingLinkback(id=1, **{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("checks", "pause"),
    [(0, {"hours": 1}), (1, {"days": 1}), (2, {"days": 7}), (3, {"days": 30}), (4, {"days": 30}), (99, {"days": 30})],
)
def test_a_link_that_was_found_is_looked_at_again_ever_more_rarely(checks: int, pause: dict[str, float]) -> None:
    stands = standing.after_found(linkback(checks=checks), Status.PUBLISHED, NOON)

    assert stands.recheck_at == NOON + timedelta(**pause)
    assert (stands.status, stands.checks) == (Status.PUBLISHED, checks + 1)


def test_a_link_that_was_never_found_is_rejected_and_one_that_was_is_retracted() -> None:
    assert standing.after_missing(linkback(), "").status is Status.REJECTED
    assert standing.after_missing(linkback(status=Status.HELD), "").status is Status.RETRACTED
    assert standing.after_missing(linkback(retractions=1), "").status is Status.RETRACTED


def test_a_page_that_cannot_be_read_is_hidden_after_three_failures_over_three_days() -> None:
    was = linkback(status=Status.PUBLISHED, checks=2)
    statuses = []
    now = NOON
    for _ in range(3):
        stands = standing.after_failure(was, "502", now)
        statuses.append(stands.status)
        was = linkback(status=stands.status, failures=stands.failures, failing_since=stands.failing_since)
        now = stands.recheck_at or now

    assert statuses == [Status.PUBLISHED, Status.PUBLISHED, Status.RETRACTED]
    assert now == NOON + timedelta(days=3)


def test_a_page_that_recovers_is_as_before() -> None:
    was = linkback(status=Status.PUBLISHED, failures=2, failing_since=NOON)

    stands = standing.after_found(was, Status.PUBLISHED, NOON)

    assert (stands.failures, stands.failing_since) == (0, None)


def test_a_link_that_went_twice_needs_a_person_to_come_back() -> None:
    assert standing.after_found(linkback(retractions=1), Status.PUBLISHED, NOON).status is Status.PUBLISHED
    assert standing.after_found(linkback(retractions=2), Status.PUBLISHED, NOON).status is Status.HELD
    approved = linkback(retractions=2, decision="approved")
    assert standing.after_found(approved, Status.PUBLISHED, NOON).status is Status.PUBLISHED


def test_a_budget_is_a_burst_and_then_a_pace() -> None:
    budget = Budget(Allowance(burst=3, every=timedelta(seconds=10)))

    assert [budget.take("a", NOON) for _ in range(5)] == [True, True, True, False, False]
    assert budget.take("b", NOON)
    assert budget.spent(NOON) == {"a"}
    assert not budget.take("a", NOON + timedelta(seconds=9))
    assert budget.take("a", NOON + timedelta(seconds=10))
    assert not budget.take("a", NOON + timedelta(seconds=10))
    assert all(budget.take("a", NOON + timedelta(seconds=60)) for _ in range(3))


def test_a_budget_forgets_whom_it_has_not_seen_for_long() -> None:
    budget = Budget(Allowance(burst=1, every=timedelta(seconds=10)))

    for number in range(25_000):
        budget.take(str(number), NOON)

    assert len(budget.spent(NOON)) <= 10_000
    assert not budget.take("24999", NOON)

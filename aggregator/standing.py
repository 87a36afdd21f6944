"""Decide what becomes of a linkback after a look at its source, and when to look again. Pure: no clock.

Nobody announces that a link was removed, so links that were found are looked at again (research, attack A22).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import PendingLinkback, Status

# After the first look; then monthly.
LOOK_AGAIN_AFTER = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
# A page that can't be read is hidden after three failures over three days.
MOST_FAILURES = 3
LONGEST_FAILING = timedelta(days=3)
AFTER_FAILURE = LONGEST_FAILING / (MOST_FAILURES - 1)
# A link that goes and comes back is published again once; then a person decides.
MOST_RETURNS = 1
# A no is told so long after its sender last asked, whatever was found and whenever: who asks can't tell a closed port
# from an open one, nor either from a page without the link (attack A2).
REVEAL_AFTER = timedelta(hours=2)
OWN = "it is a blog's link to a post of its own"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a linkback stands from now on."""

    status: Status
    problem: str = ""
    recheck_at: datetime | None = None
    checks: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    retractions: int = 0

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of the source's text may be kept."""
        return self.status in (Status.REJECTED, Status.RETRACTED)


def after_found(linkback: PendingLinkback, worth: Status, now: datetime) -> Standing:
    """Return the standing of a linkback whose link is there; `worth` is what the operator's rules make of it."""
    if worth is Status.REJECTED:
        return after_missing(linkback, "it leads to a page that may not be shown here")
    if worth is Status.PUBLISHED and linkback.retractions > MOST_RETURNS and linkback.decision != "approved":
        worth = Status.HELD
    if worth is Status.HIDDEN:
        return Standing(worth, "" if linkback.decision else OWN, retractions=linkback.retractions)
    pause = LOOK_AGAIN_AFTER[min(linkback.checks, len(LOOK_AGAIN_AFTER) - 1)]
    return Standing(worth, recheck_at=now + pause, checks=linkback.checks + 1, retractions=linkback.retractions)


def after_missing(linkback: PendingLinkback, problem: str) -> Standing:
    """Return the standing of a linkback whose page holds no link, or is gone for good: hidden at once."""
    if was_found(linkback):
        return Standing(Status.RETRACTED, problem, retractions=linkback.retractions + 1)
    status = Status.RETRACTED if linkback.retractions else Status.REJECTED
    return Standing(status, problem, retractions=linkback.retractions)


def after_failure(linkback: PendingLinkback, problem: str, now: datetime) -> Standing:
    """Return the standing of a linkback that was found before and whose page can't be read now."""
    failing_since = linkback.failing_since or now
    failures = linkback.failures + 1
    if failures >= MOST_FAILURES and now - failing_since >= LONGEST_FAILING:
        return after_missing(linkback, problem)
    return Standing(
        linkback.status,
        problem,
        recheck_at=now + AFTER_FAILURE,
        checks=linkback.checks,
        failures=failures,
        failing_since=failing_since,
        retractions=linkback.retractions,
    )


def seems(status: Status, asked_at: datetime, now: datetime) -> Status:
    """Return how a linkback looks to whoever sent it: a no is no no yet."""
    return Status.PENDING if status is Status.REJECTED and now < asked_at + REVEAL_AFTER else status


def was_found(linkback: PendingLinkback) -> bool:
    """Tell whether the link has been found before, and this is another look."""
    return linkback.status in (Status.PUBLISHED, Status.HELD, Status.HIDDEN)

"""Count what was done, for operators. Pure: values in, counts out."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from aggregator.model import Poll

# Upper bounds in seconds; what takes longer is counted by the sum of all.
POLL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_BOUNDS = [bound * 1000 for bound in POLL_BUCKETS]
_BUCKETS = [*map(str, POLL_BUCKETS), "+Inf"]


def of_polls(polls: Sequence[Poll]) -> Counter[tuple[str, str]]:
    """Return the counts of polls: outcomes, answers, bytes, how long they took, and what they brought."""
    counts: Counter[tuple[str, str]] = Counter(("polls", poll.outcome) for poll in polls)
    counts.update(("poll_answers", str(poll.status or "none")) for poll in polls)
    counts.update(("poll_bucket", _BUCKETS[bisect_left(_BOUNDS, poll.milliseconds)]) for poll in polls)
    counts["poll_bytes", ""] = sum(poll.bytes for poll in polls)
    counts["poll_milliseconds", ""] = sum(poll.milliseconds for poll in polls)
    counts["entries", "new"] = sum(poll.new_entries for poll in polls)
    counts["entries", "edited"] = sum(poll.edited_entries for poll in polls)
    return counts

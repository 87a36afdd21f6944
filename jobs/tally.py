"""Count what was done, for operators. Pure: values in, counts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aggregator.model import Poll

# Upper bounds in seconds; what takes longer is counted by the sum of all.
POLL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


def of_polls(polls: Iterable[Poll]) -> Counter[tuple[str, str]]:
    """Return the counts of polls: outcomes, answers, bytes, how long they took, and what they brought."""
    counts: Counter[tuple[str, str]] = Counter()
    milliseconds = 0
    for poll in polls:
        counts["polls", poll.outcome] += 1
        counts["poll_answers", str(poll.status or "none")] += 1
        counts["poll_bytes", ""] += poll.bytes
        seconds = poll.milliseconds / 1000
        counts["poll_bucket", str(next((bound for bound in POLL_BUCKETS if seconds <= bound), "+Inf"))] += 1
        milliseconds += poll.milliseconds
        counts["entries", "new"] += poll.new_entries
        counts["entries", "edited"] += poll.edited_entries
    counts["poll_milliseconds", ""] = milliseconds
    return counts

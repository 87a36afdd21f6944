"""How often something may be done on behalf of one host or client: a burst, then a pace. Pure: no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once; one more each `every`; never two within `rest`."""

    burst: int
    every: timedelta
    rest: timedelta = timedelta(0)


class Budget:
    """What is left of everybody's allowance. For one thread."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._whole_at: dict[str, datetime] = {}  # when the burst is whole again
        self._rests_until: dict[str, datetime] = {}

    def spend(self, key: str, now: datetime) -> None:
        """Count one."""
        if len(self._whole_at) >= _MOST_KEPT:
            self._forget(now)
        whole_at = max(self._whole_at.pop(key, now), now) + self._allowance.every
        self._whole_at[key] = whole_at
        spent_until = whole_at - self._allowance.every * self._allowance.burst
        self._rests_until[key] = max(now + self._allowance.rest, spent_until + self._allowance.every)

    def is_spent(self, key: str, now: datetime) -> bool:
        """Tell whether this one has to wait."""
        return self._rests_until.get(key, now) > now

    def take(self, key: str, now: datetime) -> bool:
        """Count one if it may be; tell whether it may."""
        if self.is_spent(key, now):
            return False
        self.spend(key, now)
        return True

    def spent(self, now: datetime) -> set[str]:
        """Return all that have to wait."""
        return {key for key, until in self._rests_until.items() if until > now}

    def _forget(self, now: datetime) -> None:
        """Drop those whose burst is whole again; and if all are busy, those that have been quiet for longest."""
        whole = [key for key, at in self._whole_at.items() if at <= now]
        for key in whole or list(self._whole_at)[: _MOST_KEPT // 10]:
            del self._whole_at[key]
            self._rests_until.pop(key, None)

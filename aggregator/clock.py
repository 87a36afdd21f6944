"""The one clock. Only the wiring imports it; everything below takes `now` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return this instant, aware, in UTC."""
    return datetime.now(UTC)


def seconds() -> float:
    """Return a monotonic reading for durations; only differences mean anything."""
    return time.monotonic()

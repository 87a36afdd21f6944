"""Dates of entries, from what parsers give. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from time import struct_time

# Before the web there were no feeds, and what is later than this is a typing error:
# both would sort to one end of every page for ever.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def from_struct(parsed: struct_time | None) -> datetime | None:
    """Return the instant of a UTC struct_time, or None when there is none to believe."""
    if parsed is None:
        return None
    try:
        return believable(datetime.fromtimestamp(calendar.timegm(parsed), UTC))
    except (ValueError, OverflowError, OSError):
        return None


def from_rfc3339(text: object) -> datetime | None:
    """Return the instant that an RFC 3339 text names, or None; without a zone it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text.strip().upper().replace(" ", "T"))
        return believable(instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def believable(instant: datetime) -> datetime | None:
    """Return `instant` unless no entry can have been written then."""
    return instant if EARLIEST <= instant <= LATEST else None

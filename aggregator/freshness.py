"""Read what an answer's headers ask of us: how long it stays fresh, when to come again. Pure.

Source: RFC 9111 section 4.2 and 5.3 (freshness), RFC 9110 section 10.2.3 (Retry-After).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_FRESH = timedelta(hours=24)
LONGEST_RETRY = timedelta(days=7)

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,12})\"?", re.IGNORECASE)
_REVALIDATE = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?:$|[\s,=])", re.IGNORECASE)


def fresh_for(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Return for how long an answer asks not to be fetched again, at most a day; zero when it asks nothing.

    `headers` have lower-case names. no-cache asks for nothing: it never means "faster".
    """
    control = headers.get("cache-control", "")
    if _REVALIDATE.search(control):
        return timedelta(0)
    if age := _MAX_AGE.search(control):
        return _within(timedelta(seconds=min(int(age[1]), 10**9)), LONGEST_FRESH)
    expires = _date(headers.get("expires", ""))
    if expires is None:
        return timedelta(0)
    return _within(expires - (_date(headers.get("date", "")) or now), LONGEST_FRESH)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Return how long an answer asks us to stay away, at most a week; zero when it doesn't say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _within(timedelta(seconds=min(int(text), 10**9)), LONGEST_RETRY)
    until = _date(text)
    return _within(until - now, LONGEST_RETRY) if until else timedelta(0)


def _within(span: timedelta, longest: timedelta) -> timedelta:
    return min(max(span, timedelta(0)), longest)


def _date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)

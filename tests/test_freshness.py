from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.freshness import fresh_for, retry_after
from tests.builders import NOON

HOUR = timedelta(hours=1)
LATER = "Sun, 22 Nov 2026 13:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "span"),
    [
        ({}, timedelta(0)),
        ({"cache-control": "max-age=3600"}, HOUR),
        ({"cache-control": "public, Max-Age=3600, must-revalidate"}, HOUR),
        ({"cache-control": 'max-age="3600"'}, HOUR),
        ({"cache-control": "s-maxage=3600"}, timedelta(0)),
        ({"cache-control": "max-age=99999999999"}, timedelta(hours=24)),
        ({"cache-control": "no-cache, max-age=3600"}, timedelta(0)),
        ({"cache-control": "no-store"}, timedelta(0)),
        ({"cache-control": "max-age=0", "expires": LATER}, timedelta(0)),
        ({"expires": LATER}, HOUR),
        ({"expires": LATER, "date": "Sun, 22 Nov 2026 12:30:00 GMT"}, HOUR / 2),
        ({"expires": "0"}, timedelta(0)),
        ({"expires": "Sun, 22 Nov 2020 13:00:00 GMT"}, timedelta(0)),
    ],
)
def test_freshness_is_what_the_headers_say(headers: dict[str, str], span: timedelta) -> None:
    assert fresh_for(headers, NOON) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("120", timedelta(minutes=2)),
        (LATER, HOUR),
        ("99999999999", timedelta(days=7)),
        ("Sun, 22 Nov 2020 13:00:00 GMT", timedelta(0)),
        ("-5", timedelta(0)),
        ("soon", timedelta(0)),
        ("", timedelta(0)),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, span: timedelta) -> None:
    assert retry_after({"retry-after": text}, NOON) == span


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_header_gives_a_span_within_bounds(control: str, expires: str, retry: str) -> None:
    headers = {"cache-control": control, "expires": expires, "date": expires, "retry-after": retry}

    assert timedelta(0) <= fresh_for(headers, NOON) <= timedelta(hours=24)
    assert timedelta(0) <= retry_after(headers, NOON) <= timedelta(days=7)

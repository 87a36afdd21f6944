"""Dates as feeds spell them; most of the odd ones were found in real feeds."""

from __future__ import annotations

import pytest

from aggregator.feeds.dates import is_day_first, read_date

SPELLINGS = {
    # as the formats ask for them
    "Sun, 22 Nov 2026 12:00:00 GMT": "2026-11-22T12:00:00",
    "22 Nov 2026 12:00 +0100": "2026-11-22T11:00:00",
    "2026-11-22T12:00:00Z": "2026-11-22T12:00:00",
    "2026-11-22T12:00:00.123456-08:00": "2026-11-22T20:00:00",
    "2026-11-22t12:00:00z": "2026-11-22T12:00:00",
    "2026-11-22": "2026-11-22T00:00:00",
    "2026-11": "2026-11-01T00:00:00",
    # zones
    "Fri, 17 May 2019 23:21:44 BST": "2019-05-17T22:21:44",
    "Sun, 20 Apr 2014 8:19 pm CEST": "2014-04-20T18:19:00",
    "Mon, 21 Jan 2008 8:56 am PST": "2008-01-21T16:56:00",
    "Thu, 01 Jan 2004 19:48:21 EST": "2004-01-02T00:48:21",
    "Tue, 26 May 2009 15:55:35 Europe/Berlin": "2009-05-26T13:55:35",
    "Mon, 3 Oct 2011 18:28:59 + 0200": "2011-10-03T16:28:59",
    "Mon, 03 Oct 2011 10:00:00 GMT+02:00": "2011-10-03T08:00:00",
    "Mon, 03 Oct 2011 10:00:00 +0530": "2011-10-03T04:30:00",
    "Fri, 11 Mar 2016 01:15:00 +3000": "2016-03-11T01:15:00",
    "2026-11-22T12:00:00 PST": "2026-11-22T20:00:00",
    "2026-11-22 12:00:00 +0100": "2026-11-22T11:00:00",
    "Sun, 22 Nov 2026 12:00:00 Etc/GMT": "2026-11-22T12:00:00",
    "Sun, 22 Nov 2026 12:00:00": "2026-11-22T12:00:00",
    # parts in another order, left out, or too short
    "Sun Jan  6 12:00:00 2004": "2004-01-06T12:00:00",
    "27 June 2010 Sunday 16:32:16 GMT": "2010-06-27T16:32:16",
    "Fri, 10 Dec 2010 GMT": "2010-12-10T00:00:00",
    "Friday, January 29, 2021 04:42 PM": "2021-01-29T16:42:00",
    "Sat, Dec 16 2023 02:02:33 PM": "2023-12-16T14:02:33",
    "12:05 am, October 3 2011": "2011-10-03T00:05:00",
    "Oct. 3rd, 2011": "2011-10-03T00:00:00",
    "January, 29 Jan 2021 17:56:15 +0530": "2021-01-29T12:26:15",
    "03 Apr 02 1500 GMT": "2002-04-03T15:00:00",
    "Monday, 02-Nov-26 10:15:00 GMT": "2026-11-02T10:15:00",
    "Mon, 03 Oct 2011 18:8:54 +0000": "2011-10-03T18:08:54",
    "2006-01-17T12:35:9+01:00": "2006-01-17T11:35:09",
    "2026-11-02T24:00:00Z": "2026-11-03T00:00:00",
    "Sat, 31 Dec 2016 23:59:60 GMT": "2016-12-31T23:59:59",
    # numbers only
    "20261122T101500Z": "2026-11-22T10:15:00",
    "20261122": "2026-11-22T00:00:00",
    "2003-335": "2003-12-01T00:00:00",
    "1762077600": "2025-11-02T10:00:00",
    "1762077600000": "2025-11-02T10:00:00",
    "2026/11/22 12:00": "2026-11-22T12:00:00",
    "22.11.2022 12:16:00": "2022-11-22T12:16:00",
    "22-11-2022 12:16": "2022-11-22T12:16:00",
    "11/22/2026 3:04 PM": "2026-11-22T15:04:00",
    "22/11/2026 15:04": "2026-11-22T15:04:00",
    "03/04/2026": "2026-03-04T00:00:00",
    "Fri, 05/03/2019 - 15:21": "2019-05-03T15:21:00",
    # other languages
    "Mi, 04 Jan 2017 17:36:24 +0000": "2017-01-04T17:36:24",
    "Do, 22 Dez 2016 17:36:00 +0000": "2016-12-22T17:36:00",
    "Seg, 24 Set 2018 19:42:40 -0300": "2018-09-24T22:42:40",
    "mer, 16 nov 2022 00:38:15 +0100": "2022-11-15T23:38:15",
    "mar, 15 nov 2022 10:00:00 +0100": "2022-11-15T09:00:00",
    "1er août 2020 10:00 CEST": "2020-08-01T08:00:00",
    "2 de noviembre de 2026 10:00": "2026-11-02T10:00:00",
    "5. März 2026, 10:00": "2026-03-05T10:00:00",
    "5 juin 2026 10:00": "2026-06-05T10:00:00",
    "5 juil. 2026 10:00": "2026-07-05T10:00:00",
    "Вс, 22 ноя 2026 12:00:00 +0300": "2026-11-22T09:00:00",
    "Κυρ, 11 Ιούλ 2004 12:00:00 EST": "2004-07-11T17:00:00",
    "2011年10月3日 星期一 12:05": "2011-10-03T12:05:00",
    "2011년 10월 3일 오후 3:05": "2011-10-03T06:05:00",
    "2004-05-25 오후 11:23:17": "2004-05-25T14:23:17",
}
NO_DATES = (
    "", "yesterday", "GMT", "Mo, 02 Nov", "31 Jun 2026", "Mon, 01 Jan 0001 00:00:00 +0000", "1970-01-01T00:00:00Z",
    "12345678901234567890", "2026-13-45", "25:99", "9999-12-31T23:59:59Z", "\x00", "May 2009" * 50,
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_a_date_is_read_as_feeds_spell_it(text: str, expected: str) -> None:
    instant = read_date(text)

    assert instant is not None
    assert instant.isoformat() == f"{expected}+00:00"


@pytest.mark.parametrize("text", NO_DATES)
def test_what_no_entry_can_have_is_no_date(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_what_is_no_text_is_no_date(value: object) -> None:
    assert read_date(value) is None


@pytest.mark.parametrize(
    ("texts", "language", "expected"),
    [
        (["03/04/2026"], "", False),
        (["03/04/2026"], "en-US", False),
        (["03/04/2026"], "en-GB", True),
        (["03/04/2026"], "fr", True),
        (["03/04/2026", "Sat, 13/04/2026 10:00"], "en-US", True),
        (["03/04/2026", "04/13/2026"], "fr", False),
    ],
)
def test_a_feeds_other_dates_tell_days_from_months(texts: list[str], language: str, expected: bool) -> None:
    assert is_day_first(texts, language) is expected
    assert str(read_date(texts[0], day_first=expected))[:10] == ("2026-04-03" if expected else "2026-03-04")

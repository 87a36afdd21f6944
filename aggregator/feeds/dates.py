"""Dates of entries, in the spellings that feeds really use. Pure.

RFC 3339 and RFC 5322 are what the formats ask for; what follows them was found in feeds: names of months and
zones in other languages, month first, am and pm, dots, numbers of seconds, a missing zone (UTC) or time (midnight).
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from time import struct_time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Before the web there were no feeds, and what is later than this is a typing error:
# both would sort to one end of every page for ever.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
LONGEST = 100
# 031231 and the like, of which feedparser knows all.
SHORT_ISO = re.compile(r"-{0,2}\d[\d-]{2,7}")
_FARTHEST = timedelta(hours=15)  # no zone is farther from UTC

# Hours east of UTC. RFC 5322 section 4.3 has the American ones; BST and IST are taken as British and Indian.
_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "mez": 1, "cest": 2,
    "mest": 2, "mesz": 2, "sast": 2, "cat": 2, "eet": 2, "eest": 3, "msk": 3, "eat": 3, "trt": 3, "ist": 5.5, "pkt": 5,
    "wib": 7, "ict": 7, "sgt": 8, "hkt": 8, "pht": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5,
    "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "brt": -3, "art": -3, "nst": -3.5, "ndt": -2.5, "adt": -3,
    "ast": -4, "at": -4, "edt": -4, "est": -5, "et": -5, "cdt": -5, "cst": -6, "ct": -6, "mdt": -6, "mst": -7,
    "mt": -7, "pdt": -7, "pst": -8, "pt": -8, "akdt": -8, "akst": -9, "hst": -10, "a": -1, "n": 1, "m": -12, "y": 12,
}  # fmt: skip

# Beginnings of the months' names, folded to bare letters. Where two languages differ, as Croatian
# October and Polish November do, the more common one counts.
_MONTHS = (
    "jan ene gen oca sty januar янв січ ιαν",
    "feb fev fbr sub lut фев лют φεβ helmi",
    "mar maa mae mrt mars март бер μαρ",
    "apr abr avr nis kwi апр кві απρ huhti",
    "may mai mei mag maj май мая тра μαι touko",
    "jun jui giu haz cze июн чер ιουν kesak",
    "jul juil lug tem lip июл лип ιουλ heina",
    "aug ago aou agu agt sie авг сер αυγ elok",
    "sep set eyl wrz сен вер σεπ syys",
    "oct okt out ott eki paz окт жов οκτ lokak",
    "nov kas lis ноя лис нοε νοε marras",
    "dec dez dic dis des ara gru дек гру δεκ joulu",
)
_MONTH_OF = {beginning: number for number, names in enumerate(_MONTHS, 1) for beginning in names.split()}

_ORDINAL = re.compile(r"(\d{4})-?(\d{3})")
_ISO = re.compile(
    r"([+-]?\d{4})(?:-(0?\d{1,2})(?:-(\d{1,2}))?)?"
    r"(?:\s*[T_ ]\s*(\d{1,2})(?::?(\d{1,2})(?::?(\d{1,2})(?:[.,:]\d+)?)?)?)?\s*(.*)",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?(?:[.,]\d+)?)?\s*(Z|[+-].*)?", re.IGNORECASE)
# What nearly all feeds write.
_RFC_5322 = re.compile(r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (GMT|[+-]\d{4})")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT[01]\d:\d\d:[0-5]\d(?:\.\d{3})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)")
_ENGLISH = {name: n for n, name in enumerate(calendar.month_abbr)}
_SECONDS = re.compile(r"(\d{9,10})(?:\.\d+)?|(\d{12,13})")
_TIME = re.compile(r"(\d{1,2})\s*[:h]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2})(?:[.,]\d+)?)?(?!\d)", re.IGNORECASE)
_FOUR_DIGITS = re.compile(r"(?<=\d\s)(\d{2})(\d{2})(?=\s+[a-z]{1,4}$|\s+[+-]|$)", re.IGNORECASE)
_HALF = re.compile(r"(?<![a-z])([ap])\.?\s?m\b\.?|(午前|上午|오전|πμ)|(午後|下午|오후|μμ)", re.IGNORECASE)
_OFFSET = re.compile(r"(?:\b(?:gmt|utc|ut))?\s*([+-])\s*(\d{1,2})\s*(?::?\s*(\d{2}))?(?!\d)", re.IGNORECASE)
_PLACE = re.compile(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+")
_NUMBERS = re.compile(r"(?<![\d.])(\d{1,4})\s*([./-])\s*(\d{1,2})\s*\2\s*(\d{1,4})(?!\d)")
_EAST_ASIAN = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?")
# Korean services write their own time and no zone.
_NOTE = re.compile(r"(?<=[\dZz])\[[\w/+-]{1,40}\]$")  # Java adds the zone's name to its offset
_KOREAN, _KOREA = re.compile(r"[\uac00-\ud7a3]"), timezone(timedelta(hours=9))
_WORD = re.compile(r"[^\W\d_]+")
_MONTH_FIRST = re.compile(r"^(?:\D*\s)?\d{1,2}/(?:1[3-9]|2\d|3[01])/\d{2,4}")
_DAY_FIRST = re.compile(r"^(?:\D*\s)?(?:1[3-9]|2\d|3[01])/\d{1,2}/\d{2,4}")


def read_date(text: object, *, day_first: bool = False) -> datetime | None:
    """Return the instant that a text names, or None when it names none that an entry can have.

    A date without a zone is in UTC. 03/04/2026 is in March unless `day_first`; 03.04.2026 and 03-04-2026 are in April.
    Source: RFC 5322 section 3.3 and 4.3; RFC 3339; W3C NOTE-datetime; feeds of the test corpora.
    """
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return None
    if isinstance(text, str) and (usual := _usual(text)):
        return usual
    words = " ".join(unicodedata.normalize("NFKC", str(text)).split())[:LONGEST]
    words = _NOTE.sub("", words.replace("−", "-").replace("–", "-"))
    for read in (_seconds, _compact, _ordinal, _iso):
        if instant := read(words):
            return instant
    return _in_words(words, day_first=day_first)


def _usual(text: str) -> datetime | None:
    """A date as RFC 5322 or RFC 3339 has it; None for all others, which take longer to read."""
    if match := _RFC_5322.fullmatch(text):
        day, month, year, hour, minute, second, zone = match.groups()
        east = timedelta(0) if zone == "GMT" else timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        if month not in _ENGLISH or east > _FARTHEST:
            return None
        time = (int(hour), int(minute), int(second))
        return _instant(int(year), _ENGLISH[month], int(day), time, timezone(-east if zone[0] == "-" else east))
    if _RFC_3339.fullmatch(text):
        try:
            return believable(datetime.fromisoformat(text).replace(microsecond=0).astimezone(UTC))
        except (ValueError, OverflowError):
            return None
    return None


def is_day_first(texts: list[str], language: str) -> bool:
    """Tell how a feed means 03/04/2026: as its other dates show, else as its language has it."""
    for text in texts:
        if _DAY_FIRST.match(text.strip()):
            return True
        if _MONTH_FIRST.match(text.strip()):
            return False
    return bool(language) and language.lower().replace("_", "-") not in ("en", "en-us")


def from_struct(parsed: struct_time | None) -> datetime | None:
    """Return the instant of a UTC struct_time, or None when there is none to believe."""
    if parsed is None:
        return None
    try:
        return believable(datetime.fromtimestamp(calendar.timegm(parsed), UTC))
    except (ValueError, OverflowError, OSError):
        return None


def believable(instant: datetime) -> datetime | None:
    """Return `instant` unless no entry can have been written then."""
    return instant if EARLIEST <= instant <= LATEST else None


def _seconds(text: str) -> datetime | None:
    """Seconds or milliseconds since 1970."""
    if match := _SECONDS.fullmatch(text):
        return believable(datetime.fromtimestamp(int(match[1]) if match[1] else int(match[2]) / 1000, UTC))
    return None


def _ordinal(text: str) -> datetime | None:
    """The day of a year, as ISO 8601 has it."""
    match = _ORDINAL.fullmatch(text)
    if not match or not 1 <= int(match[2]) <= 366:
        return None
    return believable(datetime(max(int(match[1]), 1), 1, 1, tzinfo=UTC) + timedelta(days=int(match[2]) - 1))


def _compact(text: str) -> datetime | None:
    if match := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        return _instant(year, month, day, (hour, minute, second), _zone(match[7] or ""))
    return None


def _iso(text: str) -> datetime | None:
    match = _ISO.fullmatch(text)
    if not match or (not match[2] and match[7]):
        return None
    rest = match[7].strip()
    if rest and not (
        _PLACE.fullmatch(rest) or _OFFSET.fullmatch(rest) or rest.lower().strip("()") in _ZONES or _HALF.fullmatch(rest)
    ):
        return None
    time = (int(match[4] or 0), int(match[5] or 0), int(match[6] or 0))
    half = _HALF.search(rest)
    zone = _zone(_HALF.sub(" ", rest))
    return _instant(int(match[1]), int(match[2] or 1), int(match[3] or 1), _of_day(time, half), zone)


def _in_words(text: str, *, day_first: bool) -> datetime | None:
    half, rest = _HALF.search(text), text
    time: tuple[int, int, int] = (0, 0, 0)
    zone: tzinfo = _KOREA if _KOREAN.search(text) else UTC
    if clock := (_TIME.search(text) or _FOUR_DIGITS.search(text)):
        time = (int(clock[1]), int(clock[2]), int(clock[3] or 0) if clock.re is _TIME else 0)
        after = text[clock.end() :]
        zone = _zone(_HALF.sub(" ", after)) if _HALF.sub("", after).strip(" .") else zone
        rest = f"{text[: clock.start()]} {_OFFSET.sub(' ', after, count=1)}"
    day = _day(_HALF.sub(" ", rest), day_first=day_first)
    return _instant(*day, _of_day(time, half), zone) if day else None


def _day(text: str, *, day_first: bool) -> tuple[int, int, int] | None:
    """Year, month and day out of a text that holds no time of day any more."""
    if match := _EAST_ASIAN.search(text):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _NUMBERS.search(text):
        return _numbers(match, day_first=day_first)
    months = [(word.start(), month) for word in _WORD.finditer(text) if (month := _month(word[0]))]
    numbers = [(number[0], number.start()) for number in re.finditer(r"(?<!\d)\d{1,4}", text)]
    if not months or len(numbers) < 2:
        return None
    # The last one: "mar, 15 nov" is a Tuesday in November.
    month = months[-1][1]
    first, second = numbers[0][0], numbers[1][0]
    if len(first) == 4:
        return int(first), month, int(second)
    return _year(second), month, int(first)


def _numbers(match: re.Match[str], *, day_first: bool) -> tuple[int, int, int]:
    first, mark, second, third = match.groups()
    if len(first) > 2:
        return int(first), int(second), int(third)
    day, month = (int(first), int(second)) if day_first or mark != "/" else (int(second), int(first))
    if month > 12 and day <= 12:
        day, month = month, day
    return _year(third), month, day


def _month(word: str) -> int | None:
    letters = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    return next((_MONTH_OF[letters[:n]] for n in (6, 5, 4, 3) if letters[:n] in _MONTH_OF), None)


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year >= 90 else 2000)


def _zone(text: str) -> tzinfo:
    if place := _PLACE.search(text):
        try:
            return ZoneInfo(place[0])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC
    if match := _OFFSET.search(text):
        east = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-east if match[1] == "-" else east) if east <= _FARTHEST else UTC
    named = [word[0].lower() for word in _WORD.finditer(text)]
    return timezone(timedelta(hours=next((_ZONES[name] for name in named if name in _ZONES), 0)))


def _of_day(time: tuple[int, int, int], half: re.Match[str] | None) -> tuple[int, int, int]:
    hour, minute, second = time
    if half and 1 <= hour <= 12:
        is_after_noon = bool(half[3]) or (half[1] or "").lower() == "p"
        hour = hour % 12 + (12 if is_after_noon else 0)
    return hour, minute, second


def _instant(year: int, month: int, day: int, time: tuple[int, int, int], zone: tzinfo) -> datetime | None:
    hour, minute, second = time
    if hour > 24 or minute > 59:
        return None
    try:
        midnight = datetime(year, month, day, tzinfo=zone)
        return believable((midnight + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))).astimezone(UTC))
    except (ValueError, OverflowError):
        return None

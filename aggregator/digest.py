"""What a week, or a topic, was about: the pages to which several blogs link. Pure.

Source: the "memes" of Planet Venus: a link weighs 1 - (age / 7 days)², the newest of each blog counts, and a page is
told of when two blogs link to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from urllib.parse import unquote, urlsplit

from aggregator.markup import shortened
from aggregator.overview import Citation, Cited

WINDOW = timedelta(days=7)
FEWEST_BLOGS = 2
_SHARING = re.compile(
    r"^//(?:[^/]*\.)?(?:facebook\.com/(?:sharer|share|dialog)|(?:twitter|x)\.com/(?:intent|share|home)"
    r"|linkedin\.com/(?:share|cws)|reddit\.com/submit|pinterest\.com/pin/create|feeds\.feedburner\.com/~"
    r"|wordpress\.com/\?|addtoany\.com|mailto)",
    re.IGNORECASE,
)
_GENERIC = frozenset(
    ("here", "this", "link", "read", "more", "source", "via", "original", "article", "post", "click", "website", "see")
)
_LONGEST_TITLE = 90


def most_cited(
    citations: Sequence[Citation], until: datetime, most: int, window: timedelta = WINDOW
) -> tuple[Cited, ...]:
    """Return the pages to which at least two blogs have linked in the time before `until`, the weightiest first."""
    by_page: dict[str, list[Citation]] = {}
    for citation in citations:
        if not _SHARING.match(citation.url_key):
            by_page.setdefault(citation.url_key, []).append(citation)
    found = [_cited(group, until, window) for group in by_page.values()]
    worthy = [each for each in found if len(each.blogs) >= FEWEST_BLOGS and each.weight > 0]
    return tuple(sorted(worthy, key=lambda each: (-each.weight, each.url))[:most])


def _cited(group: Sequence[Citation], until: datetime, window: timedelta) -> Cited:
    newest: dict[int, Citation] = {}
    for citation in group:
        known = newest.get(citation.blog_id)
        if known is None or citation.at > known.at:
            newest[citation.blog_id] = citation
    weight = sum(_weight(until - citation.at, window) for citation in newest.values())
    blogs = tuple(citation.blog for citation in sorted(newest.values(), key=lambda each: each.at))
    return Cited(group[0].url, _title(group), blogs, weight)


def _weight(age: timedelta, window: timedelta) -> float:
    return max(0.0, 1 - (max(age, timedelta(0)) / window) ** 2)


def _title(group: Sequence[Citation]) -> str:
    """How those who link to a page call it; failing that, its address."""
    names = Counter(citation.words for citation in group if _tells(citation.words))
    if names:
        return shortened(min(names, key=lambda name: (-names[name], -len(name), name)), _LONGEST_TITLE)
    parts = urlsplit(group[0].url)
    path = unquote(parts.path).rstrip("/")
    return shortened(f"{parts.netloc.removeprefix('www.')}{path}", _LONGEST_TITLE)


def _tells(words: str) -> bool:
    return len(words) > 3 and not words.startswith("http") and bool(set(words.lower().split()) - _GENERIC)


def week_of(day: date) -> str:
    """Return the week of a day as ISO 8601 writes it, without the letter: "2026-48"."""
    year, week, _ = day.isocalendar()
    return f"{year}-{week:02}"


def first_day_of(week: str) -> date:
    """Return the Monday of a week. Raises: ValueError for what is no week."""
    year, number = week.split("-")
    return date.fromisocalendar(int(year), int(number), 1)

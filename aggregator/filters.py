"""Which entries of a feed the operator wants: words or patterns, in title, text or category. Pure.

A pattern is the operator's, but the text is a stranger's: each search has a time limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

SECONDS = 0.05
_EXCLUDED, _NOT_INCLUDED = "excluded by the filter", "not included by the filters"
_PLACES = ("title", "content", "category")


class FilterBroken(ValueError):
    """A filter can't be read; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One line of `include` or `exclude`: where to look, "" for everywhere, and for what."""

    written: str
    place: str
    search: Callable[[str], object]

    @classmethod
    def of(cls, written: str) -> Filter:
        """Read "FHIR", "title: FHIR", "/fhir|hl7/" or "category: /^health/".

        Words match as whole words, whatever their case; so do patterns, which are searched anywhere.

        Raises: FilterBroken.
        """
        place, colon, rest = written.partition(":")
        if not colon or place.strip().lower() not in _PLACES:
            place, rest = "", written
        wanted = rest.strip()
        if wanted in ("", "/", "//"):
            raise FilterBroken('a filter is empty; write a word, "title: word" or "/pattern/"')
        return cls(written, place.strip().lower(), _search_for(wanted))

    def matches(self, title: str, text: str, categories: Sequence[str]) -> bool:
        """Tell whether it is found. Raises: TimeoutError."""
        places = {"title": (title,), "content": (text,), "category": tuple(categories)}
        searched = places[self.place] if self.place else (title, text, *categories)
        return any(self.search(part) for part in searched)


def _search_for(wanted: str) -> Callable[[str], object]:
    if not (len(wanted) > 2 and wanted.startswith("/") and wanted.endswith("/")):
        words = r"\s+".join(map(re.escape, wanted.split()))
        return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE).search
    import regex  # 11 MB that a planet without patterns does without; unlike re it can be told when to give up

    try:
        return partial(regex.compile(wanted[1:-1], regex.IGNORECASE).search, timeout=SECONDS)
    except regex.error as error:
        raise FilterBroken(f"the pattern {wanted} can't be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Filters:
    """What an operator wants of one feed, as written in feeds.toml."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


NO_FILTERS = Filters()


class Sieve:
    """Applies the filters of one feed to its entries, one after the other.

    A pattern that takes too long is given up for the rest, finds nothing more, and is named by `remark`.
    """

    def __init__(self, filters: Filters) -> None:
        """Raises: FilterBroken."""
        self._include = [Filter.of(written) for written in filters.include]
        self._exclude = [Filter.of(written) for written in filters.exclude]
        self._slow: set[str] = set()

    @property
    def remark(self) -> str:
        """What the operator must know of the filters, "" when nothing."""
        if not self._slow:
            return ""
        return (
            f"the filter {', '.join(map(repr, sorted(self._slow)))} takes too long, and was not applied to all entries"
        )

    def verdict(self, title: str, text: str, categories: Sequence[str]) -> str:
        """Return why an entry isn't wanted, or "".

        With `include` an entry must match one of them; one of `exclude` outranks it.
        """
        for one in self._exclude:
            if self._found(one, title, text, categories):
                return f"{_EXCLUDED} {one.written!r} in feeds.toml"
        if self._include and not any(self._found(one, title, text, categories) for one in self._include):
            named = ", ".join(repr(one.written) for one in self._include)
            return f"{_NOT_INCLUDED} in feeds.toml ({named})"
        return ""

    def _found(self, one: Filter, title: str, text: str, categories: Sequence[str]) -> bool:
        if one.written in self._slow:
            return False
        try:
            return one.matches(title, text, categories)
        except TimeoutError:
            self._slow.add(one.written)
            return False


def is_by_filter(why: str) -> bool:
    """Tell whether a reason for hiding an entry is one of `unwanted`."""
    return why.startswith((_EXCLUDED, _NOT_INCLUDED))

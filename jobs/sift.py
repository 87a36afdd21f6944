"""Apply filters that have changed to what is stored of their feeds."""

from __future__ import annotations

from collections.abc import Mapping

from sqlite_utils import Database

from aggregator import store
from aggregator.filters import Filters, Sieve, is_by_filter
from aggregator.markup import plain


def sift(database: Database, feeds: Mapping[str, int], filters: Mapping[str, Filters]) -> None:
    """Hide and show the entries of some feeds (url to id) as the filters of each say now.

    Nothing is locked while patterns search: they may take their time.
    """
    for url, id in feeds.items():
        sieve = Sieve(filters.get(url, Filters()))
        verdicts: dict[int, str] = {}
        for entry_id, title, html, categories, hidden in store.entries.texts(database, id):
            if not hidden or is_by_filter(hidden):
                text = plain(html, is_html=True, longest=len(html) + 1)
                if (why := sieve.verdict(title, text, categories)) != hidden:
                    verdicts[entry_id] = why
        if verdicts:
            with store.transaction(database):
                store.entries.hide(database, verdicts)

"""The door down: the only package that speaks SQL. One module per noun, one function per verb."""

from aggregator.store import entries, feeds, gone, health, identity, mentions, pages, polls, stale, voices
from aggregator.store.connection import FILE_NAME, named_errors, open_store, transaction

__all__ = [
    "FILE_NAME",
    "entries",
    "feeds",
    "gone",
    "health",
    "identity",
    "mentions",
    "named_errors",
    "open_store",
    "pages",
    "polls",
    "stale",
    "transaction",
    "voices",
]

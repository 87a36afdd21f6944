"""The door down: the only package that speaks SQL. One module per noun, one function per verb."""

from aggregator.store import blocks, conversations, entries, feeds, mentions, moderation, outlinks, pages, stale
from aggregator.store.connection import FILE_NAME, named_errors, open_store, transaction

__all__ = [
    "FILE_NAME",
    "blocks",
    "conversations",
    "entries",
    "feeds",
    "mentions",
    "moderation",
    "named_errors",
    "open_store",
    "outlinks",
    "pages",
    "stale",
    "transaction",
]

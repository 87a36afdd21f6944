"""The door down: the only package that speaks SQL. One module per noun, one function per verb."""

from aggregator.store import (
    blocks,
    comments,
    conversations,
    entries,
    feeds,
    gone,
    health,
    identity,
    mentions,
    moderation,
    outlinks,
    pages,
    polls,
    stale,
    voices,
)
from aggregator.store.connection import FILE_NAME, data_version, named_errors, open_store, set_patience, transaction

__all__ = [
    "FILE_NAME",
    "blocks",
    "comments",
    "conversations",
    "data_version",
    "entries",
    "feeds",
    "gone",
    "health",
    "identity",
    "mentions",
    "moderation",
    "named_errors",
    "open_store",
    "outlinks",
    "pages",
    "polls",
    "set_patience",
    "stale",
    "transaction",
    "voices",
]

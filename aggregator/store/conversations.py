"""Posts that link to each other, as one conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlite_utils import Database

from aggregator.model import Answer

# Where everybody links to everybody, this is where a page ends.
MOST_POSTS = 200


def around(database: Database, entry_id: int) -> list[int]:
    """Return the ids of the posts that belong to the conversation around a post, itself among them, oldest first."""
    return sorted({row[0] for row in database.execute(_AROUND, [entry_id, MOST_POSTS]).fetchall()})


def _is_shown(post: str) -> str:
    return (
        f"{post}.hidden = '' AND {post}.url_key <> ''"
        f" AND EXISTS (SELECT 1 FROM feed WHERE feed.id = {post}.feed_id AND removed_at IS NULL)"
    )


_AROUND = f"""
WITH RECURSIVE thread(id) AS (
    SELECT entry.id FROM entry WHERE entry.id = ? AND {_is_shown("entry")}
    UNION
    SELECT answered.id FROM thread
        JOIN entry AS post ON post.id = thread.id
        JOIN linkback ON linkback.source_key = post.url_key AND linkback.status = 'published'
        JOIN entry AS answered ON answered.id = linkback.entry_id
        WHERE {_is_shown("answered")}
    UNION
    SELECT answer.id FROM thread
        JOIN linkback ON linkback.entry_id = thread.id AND linkback.status = 'published'
        JOIN entry AS answer ON answer.url_key = linkback.source_key
        WHERE {_is_shown("answer")}
    LIMIT ?
)
SELECT id FROM thread
"""


def beside(database: Database, entry_id: int) -> list[int]:
    """Return the posts that have to do with a post that may be gone: those it linked to, those that linked to it."""
    rows = database.execute(_BESIDE, [entry_id, entry_id]).fetchall()
    return [row[0] for row in rows]


_BESIDE = """
SELECT linkback.entry_id FROM entry JOIN linkback ON linkback.source_key = entry.url_key WHERE entry.id = ?
UNION
SELECT entry.id FROM linkback JOIN entry ON entry.url_key = linkback.source_key WHERE linkback.entry_id = ?
"""


def answers(database: Database, ids: Sequence[int]) -> list[Answer]:
    """Return which of the posts answers which other one, in order of time."""
    rows = database.execute(_ANSWERS, [json.dumps(list(ids)), json.dumps(list(ids))]).fetchall()
    return [Answer(row[0], row[1], tuple(json.loads(row[2]))) for row in rows]


_ANSWERS = """
SELECT post.id, linkback.entry_id, linkback.excerpt
FROM entry AS post JOIN linkback ON linkback.source_key = post.url_key
WHERE linkback.status = 'published' AND post.url_key <> '' AND post.id <> linkback.entry_id
    AND post.id IN (SELECT value FROM json_each(?)) AND linkback.entry_id IN (SELECT value FROM json_each(?))
ORDER BY linkback.received_at, linkback.id
"""


def told(database: Database, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return of which conversation each published post tells, and of how many posts: these, and all beside them."""
    rows = database.execute(_TOLD, [json.dumps(list(ids))]).fetchall()
    return {id: (conversation, posts) for id, conversation, posts in rows}


_TOLD = """
SELECT entry_id, conversation, posts FROM talk WHERE conversation IN
    (SELECT conversation FROM talk WHERE entry_id IN (SELECT value FROM json_each(?)))
"""


def tell(database: Database, told: Mapping[int, tuple[int, int] | None]) -> None:
    """Note of which conversation, and of how many posts, pages tell that were published; inside a transaction."""
    database.conn.executemany("DELETE FROM talk WHERE entry_id = ?", ((id,) for id in told))
    database.conn.executemany(
        "INSERT INTO talk VALUES (?, ?, ?)", ((id, *talk) for id, talk in told.items() if talk is not None)
    )

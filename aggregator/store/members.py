"""Whose a page is: the addresses under which pages are members' own."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from sqlite_utils import Database

from aggregator.urls import canonical, host_of, is_key_under, is_under


def territory(database: Database, id: int | None) -> str:
    """Return the address under which pages are a member's own, or "" for a feed that is not of the planet."""
    row = database.execute("SELECT territory FROM feed WHERE id = ? AND removed_at IS NULL", [id]).fetchone()
    return str(row[0]) if row else ""


def at(database: Database, url: str) -> int | None:
    """Return the id of the feed under whose site a page lies, the closest one, or None."""
    ground = ground_of(database, url)
    return ground[1] if ground else None


def ground_of(database: Database, url: str) -> tuple[str, int] | None:
    """Return the address under which a page lies that is a member's own, and the member's id; or None."""
    return closest(grounds(database, [host_of(url)]), canonical(url))


def all_at(database: Database, url: str) -> list[int]:
    """Return the ids of the feeds under whose sites a page lies, the closest first."""
    near = [ground for ground in grounds(database, [host_of(url)]) if is_under(url, ground[0])]
    return [id for _, id in sorted(near, key=_closeness, reverse=True)]


def grounds(database: Database, hosts: Collection[str]) -> list[tuple[str, int]]:
    """Return the addresses on these hosts under which pages are members' own, each with its member's id."""
    return database.execute(_GROUNDS, [json.dumps([*hosts])]).fetchall()


_GROUNDS = """
SELECT territory, feed.id FROM json_each(?) AS host
CROSS JOIN feed ON territory_host = host.value AND removed_at IS NULL
"""


def closest(grounds: Iterable[tuple[str, int]], key: str) -> tuple[str, int] | None:
    """Return that one of the grounds which a page, given as compared, is on; or None."""
    found = None
    for ground in grounds:
        if is_key_under(key, ground[0]) and (found is None or _closeness(ground) > _closeness(found)):
            found = ground
    return found


def _closeness(ground: tuple[str, int]) -> tuple[int, int]:
    return len(ground[0]), ground[1]

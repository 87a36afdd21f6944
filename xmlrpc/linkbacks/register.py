"""What claims are judged by: posts and blocks, remembered until somebody else changes the store; and members."""

from __future__ import annotations

from collections.abc import Iterable

from sqlite_utils import Database

from aggregator import store
from aggregator.store.entries import Target
from aggregator.urls import Address, canonical, host_of

# Whoever sends made-up addresses is not to fill the memory with them.
_MOST_REMEMBERED = 10_000


class Register:
    """Answers from memory what would else be asked of the store for each of many claims. For one connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._planet_url = ""
        self._version = (-1, "")
        self._targets: dict[str, Target | None] = {}
        self._grounds: dict[str, list[tuple[str, int]]] = {}  # by host, of the batch at hand
        self._blocks: list[str] | None = None
        self._has_graves: bool | None = None

    def refresh(self, planet_url: str, sources: Iterable[Address] = ()) -> None:
        """Forget what may have changed since; inside the transaction whose claims, from these sources, are judged."""
        version = store.data_version(self._database), planet_url
        self._planet_url = planet_url
        if version != self._version or len(self._targets) > _MOST_REMEMBERED:
            self._version = version
            self._targets.clear()
            self._blocks = self._has_graves = None
        self._grounds.clear()
        for ground in store.members.grounds(self._database, {source.host for source in sources}):
            self._grounds.setdefault(host_of(ground[0]), []).append(ground)

    def target(self, url: str) -> Target | None:
        """Return the post that an address names, or None."""
        if url not in self._targets:
            id = post_at(self._database, url, self._planet_url)
            self._targets[url] = None if id is None else store.entries.as_target(self._database, id)
        return self._targets[url]

    def was_ours(self, url: str) -> bool:
        """Tell whether an address that names no post has named one."""
        return store.entries.is_gone(self._database, _key(url, self._planet_url))

    def member(self, source: Address) -> int | None:
        """Return the id of the member whose page this is, or None."""
        ground = store.members.closest(self._grounds.get(source.host, ()), source.key)
        return ground[1] if ground else None

    def blocks(self) -> list[str]:
        """Return which sources the operator has blocked by command."""
        if self._blocks is None:
            self._blocks = store.blocks.patterns(self._database)
        return self._blocks

    def is_buried(self, source: Address) -> bool:
        """Tell whether what this page said was purged."""
        if self._has_graves is None:
            self._has_graves = store.gone.has_graves(self._database)
        return self._has_graves and store.gone.is_named_on_a_grave(self._database, source.key)


def post_at(database: Database, url: str, planet_url: str) -> int | None:
    """Return the id of the post that an address names: where it was written, its page, or its conversation's."""
    key = _key(url, planet_url)
    if isinstance(key, int):
        return key if store.entries.is_shown(database, key) else None
    return store.entries.target(database, url) if key else None


def _key(url: str, planet_url: str) -> int | str | None:
    """The id in the address of a page of ours, the canonical form of an address elsewhere, or None."""
    key, home = canonical(url), canonical(planet_url)
    if not key.startswith(f"{home}/"):
        return key or None
    kind, _, name = key.removeprefix(f"{home}/").partition("/")
    if kind not in ("posts", "conversations") or "/" in name or "?" in name:
        return None
    id = name.partition("-")[0]
    return int(id) if id.isascii() and id.isdigit() and len(id) < 19 else None

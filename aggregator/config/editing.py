"""Change the text of feeds.toml as a careful person would: comments, order and everything else stay."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from aggregator.config.statements import statements
from aggregator.errors import ConfigBroken
from aggregator.importing import Listed
from aggregator.urls import canonical, web_url


def write(path: Path, text: str) -> None:
    """Write a file in one piece, with the rights that it has: a reader sees the old one or the new one.

    Raises: ConfigBroken when it can't be written.
    """
    target = path.resolve()
    fresh = target.with_name(f".{target.name}.new")
    try:
        fresh.write_bytes(text.encode())
        if target.exists():
            fresh.chmod(target.stat().st_mode & 0o7777)
        fresh.replace(target)
    except OSError as error:
        reason = f"it can't be written ({error.strerror}); check the owner and the rights of its folder"
        raise ConfigBroken([f"{path}: {reason}"]) from error


def with_feeds(text: str, feeds: Sequence[Listed]) -> str:
    """Add feeds at the end, each a [[feeds]] table that holds only what there is to say."""
    tables = "\n".join(f"[[feeds]]\n{_table(feed)}" for feed in feeds)
    return f"{text.rstrip()}\n\n{tables}" if text.strip() else tables


def without_feed(text: str, url: str) -> str:
    """Take out the [[feeds]] table of a feed, the comment directly above it included.

    Raises: KeyError when there is none.
    """
    tables = _feed_tables(text)
    first, last = tables[_index(text, url)]
    lines = text.splitlines(keepends=True)
    above = max((end for _, end in tables if end < first), default=0)
    while first - 1 > above and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    while last < len(lines) and not lines[last].strip():
        last += 1
    return "".join(lines[: first - 1] + lines[last:]).rstrip() + "\n"


def with_addresses(text: str, addresses: Mapping[str, str]) -> str:
    """Give feeds other addresses: from url, as it is asked for, to url."""
    document: Any = tomlkit.parse(text)
    for feed in document.get("feeds", ()):
        if (address := addresses.get(web_url(str(feed["url"])))) is not None:
            feed["url"] = address
    return tomlkit.dumps(document)


def disabled(text: str, url: str) -> str:
    """Let a feed be known, and polled no more. Raises: KeyError when there is none."""
    document: Any = tomlkit.parse(text)
    document["feeds"][_index(text, url)]["enabled"] = False
    return tomlkit.dumps(document)


def difference(path: Path, before: str, after: str) -> Iterator[str]:
    """Yield the lines of the difference between two texts of a file."""
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="")


def _table(feed: Listed) -> str:
    table = tomlkit.table()
    for name in ("url", "name", "site", "author", "face"):
        if value := getattr(feed, name):
            table.add(name, value)
    for name in ("tags", "include", "exclude"):
        if values := getattr(feed, name):
            table.add(name, list(values))
    if not feed.enabled:
        table.add("enabled", False)
    return table.as_string()


def _index(text: str, url: str) -> int:
    feeds = tomllib.loads(text).get("feeds", [])
    wanted = canonical(url)
    for key in ("url", "site"):
        for index, feed in enumerate(feeds):
            if wanted and wanted == canonical(str(feed.get(key, ""))):
                return index
    raise KeyError(url)


def _feed_tables(text: str) -> list[tuple[int, int]]:
    """The first and the last line of each [[feeds]] table; comments around them belong to nobody."""
    tables: list[tuple[int, int]] = []
    is_inside = False
    for statement in statements(text):
        if statement.is_heading:
            is_inside = statement.is_of_array and statement.location[0] == "feeds"
            if is_inside:
                tables.append((statement.line, statement.last_line))
        elif is_inside:
            tables[-1] = (tables[-1][0], statement.last_line)
    return tables

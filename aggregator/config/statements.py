"""A TOML document statement by statement, with the lines on which each stands: for messages and for edits."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A table's heading or a key with its value: where it is, and what it is.

    Of `location` what is longer than `deeper` parts is named by this statement itself. Lines count from one;
    `last_line` is where a value of several lines ends.
    """

    location: Location
    deeper: int
    line: int
    last_line: int
    column: int
    is_heading: bool = False
    is_of_array: bool = False


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a document that is TOML."""
    arrays: dict[str, int] = {}
    table: Location = ()
    written, begins = "", 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        begins = begins if written else number
        written += line
        try:
            parsed = tomllib.loads(written)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on in the next line
        stripped, column = written.strip(), len(line) - len(line.lstrip()) + 1
        written = ""
        if stripped.startswith("[["):
            name = next(iter(parsed))
            arrays[name] = arrays.get(name, -1) + 1
            table = (name, arrays[name])
            yield Statement(table, 2, begins, number, column, is_heading=True, is_of_array=True)
        elif stripped.startswith("["):
            table = tuple(_path_of(parsed))
            yield Statement(table, len(table), begins, number, column, is_heading=True)
        elif parsed:
            path = _path_of(parsed)
            yield Statement((*table, *path), len(table) + 1, begins, number, column)


def _path_of(parsed: dict[str, Any]) -> list[str]:
    path: list[str] = []
    while isinstance(parsed, dict) and len(parsed) == 1:
        name, parsed = next(iter(parsed.items()))
        path.append(name)
    return path

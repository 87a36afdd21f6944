"""Mistakes in feeds.toml: each in words, with its place in the text."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aggregator.config.sections import File
from aggregator.config.statements import Location, statements
from aggregator.urls import canonical, slug


def located(text: str, path: Path, mistakes: Iterable[tuple[Location, str]]) -> list[str]:
    """Return a line for each mistake, in order of place; `text` is valid TOML."""
    places = _places(text)
    lines = sorted({(*_place(places, loc), _dotted(loc), message) for loc, message in mistakes})
    return [f"{path}:{line}:{column}: {key}: {message}" for line, column, key, message in lines]


def twice(document: dict[str, Any]) -> Iterable[tuple[Location, str]]:
    """Find feeds and topics that are there twice."""
    for index, first in _repeated(document, "topics", "name", slug):
        yield ("topics", index, "name"), f"its page would be that of topic number {first}; rename it"
    for index, first in _repeated(document, "feeds", "url", canonical):
        yield ("feeds", index, "url"), f"the same feed as number {first}; remove one of the two"


def _repeated(
    document: dict[str, Any], table: str, key: str, identity: Callable[[str], str]
) -> Iterable[tuple[int, int]]:
    """Yield the index of each row that is another one again, and the number (from 1) of that other."""
    rows = document.get(table)
    seen: dict[str, int] = {}
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        same = identity(row[key]) if isinstance(row, dict) and isinstance(row.get(key), str) else ""
        if same and same in seen:
            yield index, seen[same]
        elif same:
            seen[same] = index + 1


def lacking(document: dict[str, Any]) -> Iterable[tuple[Location, str]]:
    """Find keys that do nothing without others."""
    notify = document.get("notify")
    if isinstance(notify, dict) and notify.get("mail") and not document.get("smtp"):
        yield ("notify", "mail"), "mail needs a server: add [smtp] with its host"
    if document.get("newsletter") and not document.get("smtp"):
        yield ("newsletter",), "a newsletter needs a server: add [smtp] with its host"


def in_words(error: dict[str, Any]) -> str:
    """Say what a validation error means to an operator."""
    kind, context = error["type"], error.get("ctx", {})
    location: Location = error["loc"]
    if kind == "missing" and location == ("feeds",):
        return "there is no feed yet; planet add URL adds one, planet import FILE many"
    if kind == "missing":
        return "it is missing; add it"
    if kind == "extra_forbidden":
        return f"there is no such key{_did_you_mean(location)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"write one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return 'write a language like "en" or "pt-BR"'
    if kind == "too_short" and location == ("feeds",):
        return "there is no feed; planet add URL adds one, planet import FILE many"
    if location[0] in ("feeds", "topics") and (kind == "model_type" or location == (location[0],)):
        return f"write tables, each under [[{location[0]}]]"
    if words := _WORDS.get(kind):
        return words.format(**context)
    message = str(error["msg"])
    return message[:1].lower() + message[1:]


_WORDS = {
    "model_type": "write a table, like [planet] on a line of its own",
    "list_type": 'write a list, like ["a", "b"]',
    "string_type": "write a text in quotes",
    "string_too_short": "it is empty; write something",
    "string_too_long": "write at most {max_length} characters",
    "too_short": "it is empty; write at least one",
    "int_type": "write a whole number, without quotes",
    "bool_type": "write true or false, without quotes",
    "greater_than_equal": "write a number from {ge}",
    "greater_than": "write a number above {gt}",
    "less_than_equal": "write a number up to {le}",
    "date_type": "write a date, like 2026-03-01",
}


def _did_you_mean(location: Location) -> str:
    names = [part for part in location if isinstance(part, str)]
    model: Any = File
    for name in names[:-1]:
        annotation = model.model_fields[name].annotation
        model = annotation if isinstance(annotation, type) else annotation.__args__[0]
    known = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(names[-1], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def syntax(path: Path, error: tomllib.TOMLDecodeError) -> str:
    """Say where and why a text is no TOML, in one line."""
    message = str(error)
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if place:
        return f"{path}:{place[1]}:{place[2]}: this is not TOML: {message[: place.start()]}"
    return f"{path}:1:1: this is not TOML: {message}"


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _place(places: dict[Location, tuple[int, int]], location: Location) -> tuple[int, int]:
    """The place of a key, or of the nearest table around it that is in the file."""
    while location and location not in places:
        location = location[:-1]
    return places.get(location, (1, 1))


def _places(text: str) -> dict[Location, tuple[int, int]]:
    """Line and column of every table and key of a document that is TOML."""
    places: dict[Location, tuple[int, int]] = {}
    for statement in statements(text):
        if statement.is_of_array:
            places.setdefault(statement.location[:1], (statement.line, statement.column))
        for end in range(statement.deeper, len(statement.location) + 1):
            places[statement.location[:end]] = (statement.line, statement.column)
    return places

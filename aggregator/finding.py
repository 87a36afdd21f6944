"""What readers and topics search for: from a person's words to an expression of SQLite's FTS5. Pure.

Everything that a person writes ends up in quotation marks, so no operator of FTS5 can be smuggled in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.markup import without_controls

LONGEST_QUERY = 200
MOST_TERMS = 12
LONGEST_TEXT = 50_000
MOST_LINKS = 50
_TERM = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_LETTER = re.compile(r"\w")
# These scripts write words without spaces: each character is a word of its own.
_CHARACTER = "[\u0e00-\u0e7f\u1000-\u109f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_BETWEEN = re.compile(rf"(?<={_CHARACTER})(?=\S)|(?<=\S)(?={_CHARACTER})")
_SPACED = re.compile(rf"(?<={_CHARACTER}) (?={_CHARACTER})")
_LINK = re.compile(r'<a href="(https?://[^"]+)"[^>]*>(.*?)</a>', re.DOTALL)
# What a person's words are looked for in; the column "marks" is the planet's own.
_COLUMNS = "{title text tags links}"


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for; `expression` is "" when there is nothing to search for."""

    words: str
    expression: str


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What narrows a search: the number of a blog, a topic's expression, and a year ("2026") or month ("2026-11")."""

    blog: int | None = None
    topic: str = ""
    time: str = ""


def query(text: str) -> Query:
    """Read what a person has typed: words that must all be there, "phrases", and -words that must not."""
    words = " ".join(text[:LONGEST_QUERY].split())
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, word in _TERM.findall(words)[:MOST_TERMS]:
        if _LETTER.search(phrase or word):
            (unwanted if minus else wanted).append(quoted(phrase or word))
    if not wanted:
        return Query(words, "")
    expression = " AND ".join(wanted)
    if unwanted:
        expression = f"({expression}) NOT ({' OR '.join(unwanted)})"
    return Query(words, f"{_COLUMNS} : ({expression})")


def any_of(words: Sequence[str]) -> str:
    """Return the expression for posts that have at least one of some words, phrases, or links (by host and path)."""
    found = []
    for word in words:
        host = re.sub(r"^https?://(www\.)?|/+$", "", word.strip())
        is_link = ("." in host and "/" in word) or word.startswith(("http://", "https://"))
        if _LETTER.search(host):
            found.append(f"links : {quoted(host)}" if is_link else f"{{title text tags}} : {quoted(word)}")
    return " OR ".join(found)


def narrowed(expression: str, by: Narrowing) -> str:
    """Return an expression that finds less; without one of its own, it finds all of what narrows it."""
    parts = [f"({expression})"] if expression else []
    if by.topic:
        parts.append(f"({by.topic})")
    if by.blog is not None:
        parts.append(f'marks : "b{by.blog}"')
    if re.fullmatch(r"\d{4}(-\d{2})?", by.time):
        parts.append(f'marks : "t{by.time.replace("-", "")}"')
    return " AND ".join(parts)


def marks(blog: int, shown_at: str) -> str:
    """Return the words under which an entry is found by blog and time; `shown_at` is ISO 8601."""
    return f"b{blog} t{shown_at[:4]} t{shown_at[:4]}{shown_at[5:7]}"


def quoted(words: str) -> str:
    """Return a string of FTS5."""
    return '"' + as_indexed(without_controls(words)).replace('"', " ").strip() + '"'


def as_indexed(text: str) -> str:
    """Return a text as it is indexed."""
    return _BETWEEN.sub(" ", text)


def as_read(text: str) -> str:
    """Return a part of an indexed text as a person reads it."""
    return _SPACED.sub("", text)


def links(html: str) -> list[tuple[str, str]]:
    """Return the links of sanitised HTML, each address once, with the markup that links."""
    found: dict[str, str] = {}
    for address, inner in _LINK.findall(html):
        if len(found) >= MOST_LINKS:
            break
        found.setdefault(address.replace("&amp;", "&"), inner)
    return list(found.items())

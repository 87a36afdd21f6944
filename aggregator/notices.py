"""Word what an operator is told: a subject, a text, and the same for programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aggregator.model import Masthead, Notice

_NOUNS = {
    "broken": ("feed is broken", "feeds are broken"),
    "moved": ("feed has moved", "feeds have moved"),
    "quarantined": ("feed is in quarantine", "feeds are in quarantine"),
    "retired": ("feed is gone for good", "feeds are gone for good"),
}
_LONGEST_SUBJECT = 200


def subject(masthead: Masthead, notices: Sequence[Notice]) -> str:
    """Return what happened in one line."""
    counts: Counter[str] = Counter(notice.what for notice in notices)
    parts = [f"{counts[what]} {nouns[counts[what] > 1]}" for what, nouns in _NOUNS.items() if counts[what]]
    if counts["waiting"]:
        parts.append("linkbacks wait for you")
    if counts["test"]:
        parts.append("a test")
    return _one_line(f"{masthead.title}: {', '.join(parts)}")[:_LONGEST_SUBJECT]


def text(masthead: Masthead, notices: Sequence[Notice]) -> str:
    """Return all of it, for people."""
    body = "\n\n".join(_one_line(notice.words) for notice in notices)
    planet = f"{_one_line(masthead.title)} <{masthead.url}>"
    return f"{body}\n\n-- \n{planet}\nEach thing is told once, because feeds.toml says so ([notify] mail).\n"


def payload(masthead: Masthead, notices: Sequence[Notice]) -> dict[str, Any]:
    """Return all of it, for programs; `text` is what chat servers show."""
    return {
        "planet": masthead.title,
        "url": masthead.url,
        "text": "\n".join([subject(masthead, notices), *(_one_line(notice.words) for notice in notices)]),
        "notices": [{"what": notice.what, "about": notice.about, "words": notice.words} for notice in notices],
    }


def _one_line(words: str) -> str:
    """Words that strangers' titles may be part of, without anything that a mail or a terminal might obey."""
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())

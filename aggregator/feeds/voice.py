"""By what a text and a blog are recognised when their names change. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from aggregator.markup import plain
from aggregator.model import ParsedEntry, ParsedFeed, Voice
from aggregator.urls import host_of

# Shorter texts ("Photo of the day") are alike without being the same.
FEWEST_WORDS = 20
_MOST_WORDS = 200
_TEXT = 4_000
# For counting words only: what is left of markup harms nobody. Two patterns, as each then has a first letter to find.
_TAG, _ENTITY = re.compile(r"<[^>]{0,1000}>"), re.compile(r"&\w{1,20};")
_WORD = re.compile(r"[^\W\d_]{4,}")
_FEW = 100
_IN_WORD = re.compile(r"\w")
_ASCII = bytes(range(128))
_LOWER = bytes(range(256)).lower()
_NOT_IN_WORDS = bytes(code for code in _ASCII if not _IN_WORD.match(chr(code)))


def fingerprint(text: str) -> bytes:
    """Return a digest of a text's words, however they are spaced, marked and written; b"" for few of them."""
    if len(text.split(" ", FEWEST_WORDS - 1)) < FEWEST_WORDS:
        return b""
    words = text.encode("utf-8", "replace").translate(_LOWER, _NOT_IN_WORDS)
    return hashlib.blake2b(words if words.isascii() else _folded(words), digest_size=8).digest()


def count_words(text: str) -> int:
    """Return how many words a text of one line has: as many as its spaces part."""
    return text.count(" ") + 1 if text else 0


def _folded(text: bytes) -> bytes:
    """A text in UTF-8 whose characters beyond ASCII are case-folded, and left out where they are in no word.

    Character by character where a text has few that differ: folding all of it takes ten times as long.
    """
    others = set(text.translate(None, _ASCII).decode())
    folded = {one: one.casefold() if _IN_WORD.match(one) else "" for one in others}
    different = {one: other for one, other in folded.items() if other != one}
    if len(different) > _FEW:
        return text.decode().translate({ord(one): other for one, other in different.items()}).encode()
    # What is left out goes first: folding makes such characters of others.
    for one in sorted(different, key=lambda one: different[one] != ""):
        text = text.replace(one.encode(), different[one].encode())
    return text


def voice_of(feed: ParsedFeed, entries: Sequence[ParsedEntry]) -> Voice:
    """Return by what a feed is recognised, but for the words of its entries."""
    hosts = Counter(host_of(entry.url).removeprefix("www.") for entry in entries if entry.url)
    return Voice(
        title=plain(feed.title, is_html=True),
        host=hosts.most_common(1)[0][0] if hosts else host_of(feed.home).removeprefix("www."),
        generator=_product(feed.generator),
        language=feed.language.strip().lower()[:2],
    )


def _product(generator: str) -> str:
    """The name of a program without its version: "https://wordpress.org/?v=6.8" is still WordPress at 6.9."""
    return re.sub(r"[\d.]+|\?.*", "", plain(generator, is_html=True).casefold()).strip(" /-v")


def vocabulary(texts: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the words that most of some texts (title and HTML) hold."""
    counted: Counter[str] = Counter()
    for title, html in texts:
        text = _ENTITY.sub(" ", _TAG.sub(" ", f"{title} {html[:_TEXT]}"))
        counted.update(set(_WORD.findall(text.casefold())))
    often = [word for word, times in counted.items() if times > 1]
    candidates = often if len(often) >= _MOST_WORDS else list(counted)
    # Of words that are equally common the longer ones: they say more of what a blog is about.
    ranked = sorted(candidates, key=lambda word: (-counted[word], -len(word), word))
    return frozenset(ranked[:_MOST_WORDS])

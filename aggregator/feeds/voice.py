"""By what a text and a blog are recognised when their names change. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from aggregator.markup import plain
from aggregator.model import ParsedEntry, ParsedFeed, Voice
from aggregator.urls import host_of

# Shorter texts ("Photo of the day") are alike without being the same.
FEWEST_WORDS = 20
_MOST_WORDS = 200
_ENTRIES = 20
_TEXT = 4_000
_WORD = re.compile(r"[^\W\d_]{4,}")
_TAG = re.compile(r"<[^>]{0,1000}>|&\w{1,20};")  # for counting words only: what is left of markup harms nobody
_ANY_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return the words of a plain text, as readers would count them."""
    return _ANY_WORD.findall(text)


def fingerprint(words: Sequence[str]) -> bytes:
    """Return a digest of a text's words, however they are spaced, marked and written; b"" for few of them."""
    if len(words) < FEWEST_WORDS:
        return b""
    return hashlib.blake2b(" ".join(words).casefold().encode("utf-8", "replace"), digest_size=8).digest()


def voice_of(feed: ParsedFeed, entries: Sequence[ParsedEntry]) -> Voice:
    """Return by what a feed is recognised: its own words about itself, and those of its newest entries."""
    hosts = Counter(host_of(entry.url).removeprefix("www.") for entry in entries if entry.url)
    return Voice(
        title=plain(feed.title, is_html=True),
        host=hosts.most_common(1)[0][0] if hosts else host_of(feed.home).removeprefix("www."),
        generator=_product(feed.generator),
        language=feed.language.strip().lower()[:2],
        words=_vocabulary(entries[:_ENTRIES]),
    )


def _product(generator: str) -> str:
    """The name of a program without its version: "https://wordpress.org/?v=6.8" is still WordPress at 6.9."""
    return re.sub(r"[\d.]+|\?.*", "", plain(generator, is_html=True).casefold()).strip(" /-v")


def _vocabulary(entries: Sequence[ParsedEntry]) -> frozenset[str]:
    """The words that most of the entries' texts hold."""
    counted: Counter[str] = Counter()
    for entry in entries:
        text = _TAG.sub(" ", f"{entry.title} {entry.html[:_TEXT]}")
        counted.update(set(_WORD.findall(text.casefold())))
    # Of words that are equally common the longer ones: they say more of what a blog is about.
    ranked = sorted(counted, key=lambda word: (-counted[word], -len(word), word))
    return frozenset(ranked[:_MOST_WORDS])

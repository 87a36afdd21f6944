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
_LETTER = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 4
# For counting words only: what is left of markup harms nobody. Two patterns, as each then has a first letter to find.
_TAG, _ENTITY = re.compile(r"<[^>]{0,1000}>"), re.compile(r"&\w{1,20};")
_IN_WORD = re.compile(r"\w")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


_NOT_IN_WORDS = bytes(code for code in range(128) if not _IN_WORD.match(chr(code)))
_OTHERS_AS_SPACES = bytes(code if code > 127 or _LETTER.match(chr(code)) else 32 for code in range(256))


def fingerprint(text: str) -> bytes:
    """Return a digest of a text's words, however they are spaced, marked and written; b"" for few of them."""
    if count_words(text) < FEWEST_WORDS:
        return b""
    if text.isascii():
        folded = text.lower().encode()
    else:
        folded = _without(_IN_WORD, text, "").casefold().encode("utf-8", "replace")
    return hashlib.blake2b(folded.translate(None, _NOT_IN_WORDS), digest_size=8).digest()


def count_words(text: str) -> int:
    """Return how many words a text of one line has: as many as its spaces part."""
    return text.count(" ") + 1 if text else 0


def _without(kept: re.Pattern[str], text: str, instead: str) -> str:
    """A text in which every character beyond ASCII that isn't kept is replaced."""
    for character in set(_BEYOND_ASCII.findall(text)):
        if not kept.match(character):
            text = text.replace(character, instead)
    return text


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
        text = _ENTITY.sub(" ", _TAG.sub(" ", f"{entry.title} {entry.html[:_TEXT]}")).casefold()
        text = text if text.isascii() else _without(_LETTER, text, " ")
        words = set(text.encode("utf-8", "replace").translate(_OTHERS_AS_SPACES).split())
        long_enough = (word.decode() for word in words if len(word) >= _FEWEST_LETTERS)
        counted.update(word for word in long_enough if len(word) >= _FEWEST_LETTERS)
    often = [word for word, times in counted.items() if times > 1]
    candidates = often if len(often) >= _MOST_WORDS else list(counted)
    # Of words that are equally common the longer ones: they say more of what a blog is about.
    ranked = sorted(candidates, key=lambda word: (-counted[word], -len(word), word))
    return frozenset(ranked[:_MOST_WORDS])

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
_TAG = re.compile(r"<[^>]{0,1000}>|&\w{1,20};")  # for counting words only: what is left of markup harms nobody
_IN_WORDS = re.compile(r"\w")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def _others_as_spaces(kept: re.Pattern[str]) -> bytes:
    return bytes(code if code > 127 or kept.match(chr(code)) else 32 for code in range(256))


_ONLY_WORDS, _ONLY_LETTERS = _others_as_spaces(_IN_WORDS), _others_as_spaces(_LETTER)


def words_and_fingerprint(text: str) -> tuple[int, bytes]:
    r"""Return how many words a plain text has (what `\w+` finds), and a digest of them; b"" for few of them.

    The digest is the same however they are spaced, marked and written.
    """
    words = _runs(text, _IN_WORDS, _ONLY_WORDS)
    if len(words) < FEWEST_WORDS:
        return len(words), b""
    joined = b" ".join(words)
    folded = joined.lower() if joined.isascii() else joined.decode("utf-8", "replace").casefold().encode("utf-8")
    return len(words), hashlib.blake2b(folded, digest_size=8).digest()


def _runs(text: str, kept: re.Pattern[str], table: bytes) -> list[bytes]:
    """The runs of kept characters in a text, in UTF-8: as a regular expression finds them, in a fifth of its time."""
    if not text.isascii():
        for character in set(_BEYOND_ASCII.findall(text)):
            if not kept.match(character):
                text = text.replace(character, " ")
    return text.encode("utf-8", "replace").translate(table).split()


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
        text = _TAG.sub(" ", f"{entry.title} {entry.html[:_TEXT]}").casefold()
        found = (word.decode() for word in set(_runs(text, _LETTER, _ONLY_LETTERS)) if len(word) >= _FEWEST_LETTERS)
        counted.update(word for word in found if len(word) >= _FEWEST_LETTERS)
    often = [word for word, times in counted.items() if times > 1]
    candidates = often if len(often) >= _MOST_WORDS else list(counted)
    # Of words that are equally common the longer ones: they say more of what a blog is about.
    ranked = sorted(candidates, key=lambda word: (-counted[word], -len(word), word))
    return frozenset(ranked[:_MOST_WORDS])

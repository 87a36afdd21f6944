"""Read quickly what nearly all feeds are: RSS 2.0, RSS 1.0 and Atom 1.0, well-formed, in their usual words. Pure.

The answer is the one that feedparser gives, in its terms, which a test compares for every feed of the corpus; but an
xml:base ends with its element, and an Atom author is named by `name` alone.
Whatever is unusual (a document type, markup in a text that should be escaped, a word that isn't in the vocabulary)
is refused here, and read by feedparser. expat sees no network, and no entities: a document type ends the reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from xml.parsers import expat

import feedparser
from feedparser.urls import _urljoin, make_safe_absolute_uri

Attributes = Mapping[str, str]
# feedparser's own names of namespaces: several addresses of one module have one prefix.
PREFIXES: dict[str, str] = {
    address.lower(): prefix for address, prefix in feedparser.mixin._FeedParserMixin.namespaces.items()
}
_RESERVED = {"thr", *PREFIXES.values()}
_XML = "http://www.w3.org/XML/1998/namespace"
_VERSIONS = {"http://purl.org/rss/1.0/": "rss10", "http://www.w3.org/2005/atom": "atom10"}
_BUFFER = 1 << 18
_OF_NOBODY = "*"  # an element of a namespace that feedparser doesn't know
# What feedparser makes of control characters that Windows shows as letters.
_C1 = re.compile("[\x80-\x9f]")
_WINDOWS = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


class Unusual(Exception):
    """A document that is for feedparser to read."""


class Word(NamedTuple):
    """What an element means: what its beginning and end do, which elements may be inside, whether text counts."""

    begin: Callable[[Reader, Attributes], None] | None
    end: Callable[[Reader, str], None] | None
    inside: Mapping[str, Word]
    has_text: bool = False


class Reader:
    """One document on its way through expat.

    `feed` and `entries` are as feedparser has them, `hours` and `days` those of skipHours and skipDays; `into` is the
    one that the element at hand belongs to, and `written` is that element's text before it is mended.
    """

    def __init__(self, vocabulary: Mapping[str, Word]) -> None:
        self.feed: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []
        self.hours: list[str] = []
        self.days: list[str] = []
        self.into = self.feed
        self.version = ""
        self.base = ""
        self.language: str | None = None
        self.kind = self.written = ""
        self.is_permalink = False
        self._names: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        self._addresses: dict[str | None, str] = {}
        self._word = Word(None, None, vocabulary)
        self._open: list[tuple[Word, str, str | None]] = []
        self._pieces: list[str] = []  # of the text since the last tag
        self._parser = parser = expat.ParserCreate(namespace_separator=" ", intern={})
        parser.buffer_text = True
        parser.buffer_size = _BUFFER
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._pieces.append
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartDoctypeDeclHandler = _refuse

    def read(self, text: str) -> None:
        """Raises: Unusual; expat.ExpatError when the text is not well-formed."""
        try:
            self._parser.Parse(text, True)
        finally:
            del self._parser  # it holds this reader's methods: so both would live until the garbage collector comes

    @property
    def namespaces(self) -> Collection[str]:
        """The addresses of all namespaces that the document declares, in lower case."""
        return self._addresses.values()

    def resolved(self, address: str) -> str:
        """An address against the xml:base at hand, as feedparser resolves it."""
        return str(_urljoin(self.base, address)) if self.base or ":///" in address else address

    def _declare(self, prefix: str | None, address: str | None) -> None:
        if not address:
            return
        lower = address.lower()
        if self._addresses.setdefault(prefix, lower) != lower or "backend.userland.com/rss" in lower:
            raise Unusual
        self.version = self.version or _VERSIONS.get(lower, "")
        if lower not in PREFIXES and prefix in _RESERVED and lower != "http://purl.org/syndication/thread/1.0":
            raise Unusual
        if prefix and address not in self._prefixes:
            self._prefixes[address] = prefix

    def _named(self, name: str) -> str:
        """The name that feedparser gives to an element: with its own prefix of the namespace, in lower case."""
        address, _, local = name.rpartition(" ")
        prefix = PREFIXES.get(address.lower())
        if prefix is None and address in self._prefixes:
            prefix = self._prefixes[address] if self._prefixes[address] == "thr" else _OF_NOBODY
        found = _OF_NOBODY if prefix == _OF_NOBODY else f"{prefix}:{local}".lower() if prefix else local.lower()
        self._names[name] = found
        return found

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        around, pieces = self._word, self._pieces
        word = around[2].get(self._names.get(name) or self._named(name))
        if word is None:
            raise Unusual
        if pieces:
            if around[3] and "".join(pieces).strip():  # text beside elements
                raise Unusual
            pieces.clear()
        self._open.append((around, self.base, self.language))
        self._word = word
        given = self._given(attributes) if attributes else attributes
        if begin := word[0]:
            begin(self, given)

    def _finish(self, _name: str) -> None:
        _begin, end, _inside, has_text = self._word
        pieces = self._pieces
        if end:
            self.written = written = "".join(pieces).strip() if has_text and pieces else ""
            end(self, written if written.isascii() else _mended(written))
        pieces.clear()
        self._word, self.base, self.language = self._open.pop()

    def _given(self, attributes: dict[str, str]) -> dict[str, str]:
        """Attributes by the names that feedparser gives them; xml:base and xml:lang take effect."""
        given = {}
        for name, value in attributes.items():
            address, _, local = name.rpartition(" ")
            prefix = PREFIXES.get(address.lower(), "") if address else ""
            key = f"{prefix}:{local}".lower() if prefix else local.lower()
            given[key] = value.lower() if key in ("rel", "type") else value
        if base := given.get("xml:base", given.get("base")):
            self.base = (make_safe_absolute_uri(self.base, base) or self.base) if self.base else _urljoin("", base)
        if (language := given.get("xml:lang", given.get("lang"))) is not None:
            self.language = language or None
        return given


def _mended(text: str) -> str:
    """A text as feedparser mends it: UTF-8 that somebody took for Latin-1, and Windows' characters."""
    with suppress(UnicodeError):
        text = text.encode("iso-8859-1").decode("utf-8")
    # In UTF-8 those begin with a byte that few texts hold, and one byte is found far faster than a set of characters.
    has_any = b"\xc2" in text.encode("utf-8", "surrogatepass") and _C1.search(text)
    return text.translate(_WINDOWS) if has_any else text


def _refuse(*_: object) -> None:
    raise Unusual

"""One function for each reader of strangers' bytes: any bytes in; it raises when a promise of that reader is broken.

The tests run them on what has been found and on what hypothesis makes up; `python -m fuzz` has a fuzzer look for more.
"""

from __future__ import annotations

import pickle
import xmlrpc.client
from collections.abc import Callable, Collection, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from bs4 import BeautifulSoup
from linkbacks import calls, endpoint, trackback, webmention
from linkbacks.decisions import Accepted, Decision, Refusal

from aggregator import evidence, feeds, markup
from aggregator.content_coding import ACCEPTED
from aggregator.errors import BodyRefused, FeedUnreadable
from aggregator.markup import without_controls
from aggregator.model import Claim
from aggregator.urls import LONGEST, address, web_url

PLANET = "https://planet.example/"
TARGET = f"{PLANET}posts/1-x/"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MOST_BYTES = 1_000_000
_CODINGS = ("", *ACCEPTED.split(", "), "deflate")
_FEED_TYPES = ("application/rss+xml", "text/html; charset=utf-16", "application/json", "text/xml; charset=koi8-r", "")
_PAGE_TYPES = ("text/html", "text/html; charset=big5", "application/json", "text/plain", "application/xhtml+xml", "")
_FORM_TYPES = ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=shift_jis", "")
_DECISIONS: tuple[Decision, ...] = (Accepted("token"), *Refusal)


class Desk:
    """Takes every claim, and remembers nothing."""

    async def accept(self, claim: Claim) -> Decision:
        """Look at the addresses as claims are looked at."""
        address(claim.source)
        address(claim.target)
        return _DECISIONS[(len(claim.source) + len(claim.target)) % len(_DECISIONS)]

    async def notice(self, urls: Collection[str], now: datetime) -> bool:
        """Know a blog whose address is of even length."""
        return bool(urls) and all(len(url) % 2 == 0 for url in urls)

    async def sources(self, target: str) -> list[str] | Refusal:
        """Tell of what was asked."""
        return [target] if address(target) else Refusal.TARGET_UNKNOWN


def _is_harmless(html: str) -> None:
    """Every element is one that may be shown, no attribute acts, and every address is of the web."""
    for element in BeautifulSoup(f"<body>{html}", "lxml").body.find_all(True):  # type: ignore[union-attr]
        assert element.name in markup._TAGS, element
        for name, value in element.attrs.items():
            assert not name.startswith(("on", "style")), element
            assert name not in ("href", "src") or str(value).startswith(("http://", "https://")), element


def xml_rpc(data: bytes) -> None:
    """Every body is answered with one value or one fault that another XML-RPC reader reads."""
    answer = _done(endpoint.respond(data, Desk(), PLANET, NOON))
    try:
        values, _ = xmlrpc.client.loads(answer)
        assert len(values) == 1
    except xmlrpc.client.Fault:
        pass
    try:
        calls.read_answer(data)
    except calls.Fault as fault:
        ElementTree.fromstring(calls.fault(fault.code, fault.reason))


def forms(data: bytes) -> None:
    """Every form is a claim or none, and what its sender reads is well-formed."""
    kind = _pick(_FORM_TYPES, data)
    for claim in (trackback.claim(data, kind, TARGET, NOON), webmention.claim(data, kind, NOON)):
        if claim is not None:
            address(claim.source)
            address(claim.target)
    for decision in _DECISIONS:
        ElementTree.fromstring(trackback.reply(decision).encode())


def feed(data: bytes) -> None:
    """Every body is a feed of entries that are safe to store and to show, or unreadable."""
    try:
        reading = feeds.read(data, _coding(data), _pick(_FEED_TYPES, data), f"{PLANET}feed", {}, MOST_BYTES)
    except (BodyRefused, FeedUnreadable):
        return
    pickle.dumps(reading)
    assert len(reading.entries) <= feeds.MOST_ENTRIES
    assert len(set(reading.guids)) == len(reading.guids)
    _is_plain(reading.title, *reading.guids, *reading.deleted)
    for entry in reading.entries:
        _is_plain(entry.guid, entry.title, entry.author, entry.lede, *entry.tags)
        assert len(entry.guid) <= feeds.LONGEST_GUID
        assert entry.url == web_url(entry.url)
        _is_harmless(entry.html)
        entry.html.encode()
        for date in (entry.published_at, entry.updated_at):
            assert date is None or date.tzinfo is not None


def page(data: bytes) -> None:
    """Every page shows a link or none, and what is told of it is plain text."""
    kind = _pick(_PAGE_TYPES, data)
    for targets in ((TARGET,), (f"{PLANET}posts/2-y/", TARGET)):
        try:
            found = evidence.examine(data, _coding(data), kind, "https://source.example/a/", targets, MOST_BYTES)
        except BodyRefused:
            return
        if found is not None:
            _is_plain(found.title, found.author, found.kind, *found.excerpt)
    evidence.vouches(data, "", kind, "https://source.example/a/", "planet.example", MOST_BYTES)


def web_address(data: bytes) -> None:
    """What an address is read as is read as itself."""
    text = data.decode("utf-8", "surrogateescape")
    found = address(text)
    if found is None:
        return
    assert address(found.url) == found
    assert found.url.isascii()
    assert len(text) <= LONGEST
    assert "@" not in urlsplit(found.url).netloc


TARGETS: dict[str, Callable[[bytes], None]] = {
    "xmlrpc": xml_rpc,
    "trackback": forms,
    "feeds": feed,
    "evidence": page,
    "urls": web_address,
}


def _done(answering: Coroutine[Any, Any, bytes]) -> bytes:
    """Run what waits for nothing."""
    try:
        answering.send(None)
    except StopIteration as over:
        return bytes(over.value)
    raise AssertionError("an answer waits for something")


def _pick(kinds: tuple[str, ...], data: bytes) -> str:
    return kinds[data[-1] % len(kinds)] if data else kinds[0]


def _coding(data: bytes) -> str:
    return _CODINGS[len(data) // 7 % len(_CODINGS)]


def _is_plain(*texts: str) -> None:
    for text in texts:
        assert without_controls(text) == text, text
        text.encode()

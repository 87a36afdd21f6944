"""Tell other sites that a page links to them: discover how, send, and say what they answered."""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from linkbacks import calls

from aggregator import discovery
from aggregator.content_coding import ACCEPTED
from aggregator.discovery import Endpoint, Outgoing
from aggregator.errors import BodyRefused, ChildStopped, NoVerdict, PlanetError
from aggregator.markup import plain
from aggregator.outbound import Answer, Engine, NoAnswer, Request
from jobs.children import Children, result

SECONDS = 10.0
MAX_BYTES = 2_000_000
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_ALREADY_REGISTERED = 48
_ERROR = re.compile(r"<error>\s*(\d+)\s*</error>")
_MESSAGE = re.compile(r"<message>(.{0,500}?)</message>", re.DOTALL)

T = TypeVar("T")


class PageUnreadable(PlanetError):
    """A page that is needed for sending can't be read."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one ping that we sent."""

    target: str
    is_taken: bool
    words: str
    protocol: str = ""
    endpoint: str = ""


class Sender:
    """Sends for one source page."""

    def __init__(self, engine: Engine, children: Children, source: str) -> None:
        self._engine = engine
        self._children = children
        self._source = source

    def links(self) -> Outgoing:
        """Return where the source links to on other hosts.

        Raises: PageUnreadable.
        """
        answer = self._fetch(self._source)
        content_type = answer.content_type
        found = self._read(discovery.outgoing, answer.body, answer.coding, content_type, answer.url, MAX_BYTES)
        if found is None:
            raise PageUnreadable(f"{self._source}: this is no web page")
        return found

    def send(self, target: str, title: str = "") -> Sent:
        """Send by the first protocol that the target takes: webmention, pingback, trackback."""
        try:
            answer = self._fetch(target)
            found = self._read(
                discovery.endpoints, answer.body, answer.coding, dict(answer.headers), answer.url, MAX_BYTES
            )
        except PageUnreadable as error:
            return Sent(target, False, str(error))
        sent = Sent(target, False, "it names no endpoint for webmention, pingback or trackback")
        for endpoint in found:
            sent = self._sent(endpoint, target, title)
            if sent.is_taken:
                break
        return sent

    def _sent(self, endpoint: Endpoint, target: str, title: str) -> Sent:
        make, read = _PROTOCOLS[endpoint.protocol]
        content, content_type = make(self._source, target, title)
        headers = (("Content-Type", content_type), ("Accept", "*/*"))
        outcome = self._engine.fetch(
            Request(endpoint.url, headers=headers, method="POST", content=content, seconds=SECONDS, max_bytes=MAX_BYTES)
        )
        is_taken, words = (False, outcome.reason) if isinstance(outcome, NoAnswer) else read(outcome)
        return Sent(target, is_taken, words, endpoint.protocol, endpoint.url)

    def _fetch(self, url: str) -> Answer:
        headers = (("Accept", "text/html, application/xhtml+xml;q=0.9, */*;q=0.5"), ("Accept-Encoding", ACCEPTED))
        outcome = self._engine.fetch(Request(url, headers=headers, seconds=SECONDS, max_bytes=MAX_BYTES))
        if isinstance(outcome, NoAnswer):
            raise PageUnreadable(f"{url}: {outcome.reason}")
        if outcome.status >= 400:
            raise PageUnreadable(f"{url}: its server answers with status {outcome.status}")
        return outcome

    def _read(self, function: Callable[..., T], *values: object) -> T:
        future: Future[T] = self._children.submit(function, *values)
        try:
            return result(future)
        except (BodyRefused, ChildStopped, NoVerdict) as error:
            raise PageUnreadable(str(error)) from error


def _webmention(source: str, target: str, _title: str) -> tuple[bytes, str]:
    return urlencode({"source": source, "target": target}).encode(), FORM


def _webmention_answer(answer: Answer) -> tuple[bool, str]:
    location = answer.headers.get("location", "")
    words = f"status {answer.status}{f', see {location}' if location else ''}"
    is_taken = 200 <= answer.status < 300
    return is_taken, words if is_taken else f"{words}: {_words_of(answer)}"


def _pingback(source: str, target: str, _title: str) -> tuple[bytes, str]:
    return xmlrpc.client.dumps((source, target), "pingback.ping", encoding="utf-8").encode(), "text/xml"


def _pingback_answer(answer: Answer) -> tuple[bool, str]:
    try:
        return True, plain(str(calls.read_answer(answer.body)), is_html=True, longest=300)
    except calls.Fault as fault:
        words = f"fault {fault.code}: {plain(fault.reason, is_html=True, longest=300)}"
        return fault.code == _ALREADY_REGISTERED, words


def _trackback(source: str, _target: str, title: str) -> tuple[bytes, str]:
    return urlencode({"url": source, "title": title}).encode(), FORM


def _trackback_answer(answer: Answer) -> tuple[bool, str]:
    text = answer.body[:100_000].decode("utf-8", "replace")
    error, message = _ERROR.search(text), _MESSAGE.search(text)
    if error and int(error[1]) == 0:
        return True, "error 0"
    return False, plain(message[1], is_html=True, longest=300) if message else _words_of(answer)


def _words_of(answer: Answer) -> str:
    words = plain(answer.body[:2_000].decode("utf-8", "replace"), is_html=True, longest=200)
    return words or f"status {answer.status}"


_Make = Callable[[str, str, str], tuple[bytes, str]]
_Read = Callable[[Answer], tuple[bool, str]]
_PROTOCOLS: dict[str, tuple[_Make, _Read]] = {
    "webmention": (_webmention, _webmention_answer),
    "pingback": (_pingback, _pingback_answer),
    "trackback": (_trackback, _trackback_answer),
}

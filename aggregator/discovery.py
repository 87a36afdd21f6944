"""Find how a page wants to be told of links to it: webmention, pingback, trackback. Pure.

As strict as the specifications: what merely looks like an endpoint is none.
Source: W3C Webmention 3.1.2; Pingback 1.0 section 2; TrackBack autodiscovery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Literal

from bs4 import BeautifulSoup, Tag

from aggregator import evidence
from aggregator.link_header import links
from aggregator.urls import canonical, host_of, web_url

MOST_LINKS = 100
# Case, quotes, order and space are the specification's; nothing is parsed leniently.
_PINGBACK = re.compile(r"<link rel=\"pingback\" href=\"([^\"]+)\" ?/?>")
_RDF = re.compile(r"<rdf:Description\b([^<>]{0,8000})/?>", re.IGNORECASE)
_RDF_ATTRIBUTE = re.compile(r"(?<![\w:])([\w:]++)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LONGEST_TO_SEARCH = 1_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a page wants to be told, and by which protocol."""

    protocol: Literal["webmention", "pingback", "trackback"]
    url: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A page that links to others: how it is called, and where it links to."""

    title: str
    links: tuple[str, ...]


def endpoints(body: bytes, coding: str, headers: Mapping[str, str], url: str, max_bytes: int) -> list[Endpoint]:
    """Return the endpoints that the page at `url` names, in the order in which to try them; one for each protocol.

    Raises: BodyRefused.
    """
    document = evidence.page(body, coding, headers.get("content-type", ""), max_bytes)
    html = document if isinstance(document, BeautifulSoup) else None
    text = evidence.text(body, coding, headers.get("content-type", ""), max_bytes) if html else ""
    found = [
        Endpoint("webmention", webmention(url, headers.get("link", ""), html)),
        Endpoint("pingback", pingback(headers.get("x-pingback", ""), text)),
        Endpoint("trackback", trackback(url, text)),
    ]
    return [endpoint for endpoint in found if endpoint.url]


def webmention(url: str, link_header: str, document: BeautifulSoup | None) -> str:
    """Return the webmention endpoint of the page at `url` (where redirects ended), or ""."""
    for target, rels in links(link_header):
        if "webmention" in rels:
            return web_url(target, url) if target.strip() else url
    for link in document.find_all(["link", "a"], href=True) if document else ():
        if "webmention" in _rels(link) and evidence.is_shown(link):
            href = str(link["href"]).strip()
            return web_url(href, _base(document, url)) if href else url
    return ""


def pingback(header: str, text: str) -> str:
    """Return the pingback server that a page names in its header, or else in its text; or ""."""
    if header:
        return web_url(header.partition(",")[0])
    match = _PINGBACK.search(text[:_LONGEST_TO_SEARCH])
    if not match:
        return ""
    url = match[1]
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        url = url.replace(entity, character)
    return web_url(url)


def trackback(url: str, text: str) -> str:
    """Return the trackback address that a page gives for itself, not for another post on it; or ""."""
    for match in _RDF.finditer(text[:_LONGEST_TO_SEARCH]):
        attributes = {name.lower(): unescape(one or two) for name, one, two in _RDF_ATTRIBUTE.findall(match[1])}
        if canonical(attributes.get("dc:identifier", "")) == canonical(url):
            return web_url(attributes.get("trackback:ping", ""))
    return ""


def outgoing(body: bytes, coding: str, content_type: str, url: str, max_bytes: int) -> Outgoing | None:
    """Return where a page's own text links to on other hosts, or None for what is no page.

    Raises: BodyRefused.
    """
    document = evidence.page(body, coding, content_type, max_bytes)
    if not isinstance(document, BeautifulSoup):
        return None
    own = document.select_one(".e-content, .entry-content, .h-entry, article, main") or document
    found: dict[str, str] = {}
    for link in own.find_all("a", href=True):
        address = web_url(str(link["href"]), _base(document, url))
        if address and host_of(address) != host_of(url) and evidence.is_shown(link) and len(found) < MOST_LINKS:
            found.setdefault(canonical(address), address)
    return Outgoing(evidence.title(document, url), tuple(found.values()))


def _rels(link: Tag) -> list[str]:
    return " ".join(str(each) for each in link.get_attribute_list("rel")).lower().split()


def _base(document: BeautifulSoup | None, url: str) -> str:
    element = document.find("base", href=True) if document else None
    return (web_url(str(element["href"]), url) if isinstance(element, Tag) else "") or url

"""Find who would tell of a feed's news: hubs and the feed's own name, in headers, feeds and pages; clouds. Pure.

What a header says comes before what a document says.
Source: W3C WebSub section 4 (discovery); RSS 2.0 `cloud`; JSON Feed 1.1 `hubs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import unescape
from typing import Any

from aggregator.link_header import links
from aggregator.model import Cloud, Offers
from aggregator.urls import web_url

MOST_HUBS = 5
_LONGEST_HEAD, _LONGEST_TAIL, _LONGEST_PAGE = 64_000, 16_000, 500_000
_MARK = re.compile(r"<(?:!--|!\[CDATA\[|(?:[\w.-]{1,40}:)?(?P<entry>item|entry)[\s>])")
_TAG = re.compile(r"<(?:[\w.-]{1,40}:)?(link|cloud)\s([^<>]{1,4000})>")
_ATTRIBUTE = re.compile(r"([\w:.-]{1,60})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")


def in_header(link: str, url: str) -> Offers:
    """Return what the Link header of the answer from `url` offers."""
    return _named(((target, rels) for target, rels in links(link)), url)


def in_feed(text: str, url: str) -> Offers:
    """Return what a feed from `url` offers, outside of its entries; nothing when this is no feed."""
    if text.startswith("{"):
        return _in_json(text, url)
    found = list(_tags(_outside_of_entries(text)))
    named = _named(
        ((each.get("href", ""), each.get("rel", "").lower().split()) for kind, each in found if kind == "link"), url
    )
    cloud = next((made for kind, each in found if kind == "cloud" and (made := _cloud(each))), None)
    return replace(named, cloud=cloud)


def in_page(text: str, url: str) -> Offers:
    """Return what the head of the web page at `url` offers."""
    from bs4 import BeautifulSoup  # large, and hardly ever needed

    page = BeautifulSoup(text[:_LONGEST_PAGE], "lxml")
    found = page.head.find_all("link", href=True, rel=True) if page.head else []
    return _named(
        ((str(each["href"]), [str(rel).lower() for rel in each.get_attribute_list("rel")]) for each in found), url
    )


def combined(header: Offers, document: Offers) -> Offers:
    """Return what is offered in all: hubs of the header before those of the document, and so with the topic."""
    return Offers(header.topic or document.topic, header.hubs or document.hubs, document.cloud)


def _named(targets: Iterable[tuple[str, list[str]]], url: str) -> Offers:
    topic, hubs = "", dict[str, None]()
    for target, rels in targets:
        address = web_url(target, url)
        if address and "hub" in rels:
            hubs[address] = None
        if address and "self" in rels:
            topic = topic or address
    return Offers(topic, tuple(hubs)[:MOST_HUBS])


def _in_json(text: str, url: str) -> Offers:
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return Offers()
    hubs = document.get("hubs") if isinstance(document, dict) else None
    listed: list[Any] = hubs if isinstance(hubs, list) else []
    addresses = [each["url"] for each in listed if isinstance(each, dict) and isinstance(each.get("url"), str)]
    own = document.get("feed_url") if isinstance(document, dict) else None
    targets = [*((address, ["hub"]) for address in addresses), (own if isinstance(own, str) else "", ["self"])]
    return _named(targets, url)


def _outside_of_entries(text: str) -> str:
    """The beginning of a feed up to its first entry, and its end after the last one, without comments and quotes."""
    head, entry = _unquoted(text[:_LONGEST_HEAD])
    last = text.rfind(f"{entry}>") if entry else -1
    tail, _ = _unquoted(text[max(last, len(text) - _LONGEST_TAIL) :]) if last > len(head) else ("", "")
    return f"{head}\n{tail}"


def _unquoted(text: str) -> tuple[str, str]:
    """A text up to its first entry, without comments and quotes; and what that entry is called."""
    parts, at = [], 0
    while found := _MARK.search(text, at):
        parts.append(text[at : found.start()])
        if found["entry"]:
            return "".join(parts), found["entry"]
        end = "-->" if found[0] == "<!--" else "]]>"
        stop = text.find(end, found.end())
        if stop < 0:
            return "".join(parts), ""
        at = stop + len(end)
    return "".join((*parts, text[at:])), ""


def _tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for match in _TAG.finditer(text):
        attributes = {name.lower(): unescape(one or two) for name, one, two in _ATTRIBUTE.findall(match[2])}
        yield match[1], attributes


def _cloud(attributes: dict[str, str]) -> Cloud | None:
    """A cloud that speaks a protocol of ours. Source: RSS 2.0 `cloud`; rsscloud walkthrough."""
    protocol, port = attributes.get("protocol", "").lower(), attributes.get("port", "80").strip()
    if protocol not in ("http-post", "https-post", "xml-rpc") or not (port.isascii() and port.isdigit()):
        return None
    scheme = "https" if protocol == "https-post" or port == "443" else "http"
    path = attributes.get("path", "/")
    where = attributes.get("domain", "")
    url = web_url(f"{scheme}://{where}:{port}{path if path.startswith('/') else f'/{path}'}") if where else ""
    if not url:
        return None
    if protocol != "xml-rpc":
        return Cloud(url, "http-post")
    procedure = attributes.get("registerprocedure", "")[:100]
    return Cloud(url, "xml-rpc", procedure) if procedure else None

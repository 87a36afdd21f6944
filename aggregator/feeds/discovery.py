"""Find the feeds that a web page names, and where they usually are when it names none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aggregator.urls import web_url

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_TYPES = {
    "application/atom+xml": 0,
    "application/rss+xml": 1,
    "application/feed+json": 2,
    "application/rdf+xml": 3,
    "application/json": 5,
    "application/xml": 6,
    "text/xml": 6,
}
# Beside the page first, then at the root of the site: what WordPress, Blogger, Hugo, Jekyll and the others write.
_USUAL = ("feed/", "atom.xml", "rss.xml", "index.xml", "feed.xml", "feeds/posts/default")
_COMMENTS = re.compile(r"\bcomments?\b|\bkommentare?\b|\bcommentaires?\b", re.IGNORECASE)
_PAGE = re.compile(r"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE)
_LONGEST_PAGE = 500_000
MOST_NAMED = 10


def is_page(text: str) -> bool:
    """Tell whether a text that is no feed is a web page."""
    return bool(_PAGE.search(text[:2_000]))


def feeds_named_in(text: str, url: str) -> tuple[str, ...]:
    """Return the addresses of the feeds that the page at `url` names, best first: its posts before its comments.

    Source: RSS Autodiscovery (rssboard.org); WHATWG HTML section 4.6.7.1 (alternate).
    """
    from bs4 import BeautifulSoup  # large, and hardly ever needed

    page = BeautifulSoup(text[:_LONGEST_PAGE], "lxml")
    base = _base(page, url)
    found: dict[str, tuple[bool, int]] = {}
    for link in page.find_all("link", href=True, rel=True):
        kind = str(link.get("type", "")).partition(";")[0].strip().lower()
        address = web_url(str(link["href"]), base)
        rels = {rel.lower() for rel in link.get_attribute_list("rel") if rel}
        if address and ("feed" in rels or ("alternate" in rels and kind in _TYPES)):
            about = f"{link.get('title', '')} {address}"
            found.setdefault(address, (bool(_COMMENTS.search(about)), _TYPES.get(kind, 4)))
    ranked = sorted(found, key=lambda address: found[address])
    return tuple(address for address in ranked if address != url)[:MOST_NAMED]


def usual_places(url: str) -> Iterator[str]:
    """Yield the addresses at which the feed of the site at `url` may be."""
    for place in _USUAL:
        yield web_url(place, url if url.endswith("/") else f"{url}/")


def _base(page: BeautifulSoup, url: str) -> str:
    element = page.find("base", href=True)
    return (web_url(str(element["href"]), url) if element else "") or url

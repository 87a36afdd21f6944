"""A post's sanitised HTML as a page shows it: pictures, embeds and headings as the operator wants them. Pure.

The sanitiser writes one canonical form (attributes in double quotes, everything escaped), so it can be read token by
token; what is put in here is escaped already.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from html import escape, unescape
from typing import Literal

from aggregator.urls import host_of
from aggregator.urls import is_blocked as is_among

_TOKEN = re.compile(r"<(/?)(a|img|h[1-6])\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
_HEADING = re.compile(r"<h([1-6])\b")
_LAST_LEVEL = 6
_EMBEDDED = re.compile(r'<a\b[^>]*\bdata-embed="[^"]*"[^>]*>.*?</a>', re.DOTALL)
_IMAGE = re.compile(r"<img\b([^>]*)>")
_HREF = re.compile(r' href="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Manner:
    """How posts are shown: their pictures, and from which hosts embedded things may be opened."""

    images: Literal["show", "link", "none"] = "show"
    embeds: tuple[str, ...] = ()


def shown(html: str, manner: Manner, play: str = "▶ {host}", picture: str = "Picture", first_heading: int = 2) -> str:
    """Return the HTML of a post as it is shown below a heading; `play` and `picture` are the words for links."""
    html = _EMBEDDED.sub(lambda match: _embed(match[0], manner.embeds, play), html)
    levels = [int(level) for level in _HEADING.findall(html)]
    shift = max(0, first_heading - min(levels)) if levels else 0
    parts, depth, last = [], 0, 0
    for token in _TOKEN.finditer(html):
        closing, name, attributes = token.groups()
        if name == "a":
            depth += -1 if closing else 1
            continue
        parts.append(html[last : token.start()])
        last = token.end()
        if name == "img":
            parts.append(_picture(token[0], attributes, manner.images, picture, is_linked=depth > 0))
        else:
            parts.append(f"<{closing}h{min(int(name[1]) + shift, _LAST_LEVEL)}{attributes}>")
    return "".join((*parts, html[last:]))


def for_feeds(html: str) -> str:
    """Return the HTML of a post for feeds: all of it but pictures of one pixel; embedded things are plain links."""
    html = _EMBEDDED.sub(lambda match: _link_to(match[0], "{host}", ""), html)
    return _IMAGE.sub(lambda match: "" if _is_tracker(match[1]) else match[0], html)


def _picture(tag: str, attributes: str, images: str, word: str, *, is_linked: bool) -> str:
    if images == "none" or _is_tracker(attributes):
        return ""
    if images == "show":
        return tag
    found = dict(_ATTRIBUTE.findall(attributes))
    words = found.get("alt", "").strip() or word
    return (
        words if is_linked or not found.get("src") else f'<a href="{found["src"]}" rel="nofollow noopener">{words}</a>'
    )


def _is_tracker(attributes: str) -> bool:
    """Tell whether a picture is there to count readers: one pixel, or none."""
    found = dict(_ATTRIBUTE.findall(attributes))
    sizes = [found[side].removesuffix("px") for side in ("width", "height") if side in found]
    return not found.get("src") or any(size in ("0", "1") for size in sizes)


def _embed(link: str, allowed: Collection[str], play: str) -> str:
    match = _HREF.search(link)
    is_allowed = bool(match) and is_among(unescape(match[1]), allowed)  # type: ignore[index]
    return _link_to(link, play, ' class="embed"') if is_allowed else ""


def _link_to(link: str, words: str, kind: str) -> str:
    match = _HREF.search(link)
    if not match:
        return ""
    host = escape(host_of(unescape(match[1])).removeprefix("www."))
    return f'<a{kind} href="{match[1]}" rel="nofollow noopener noreferrer">{words.replace("{host}", host)}</a>'

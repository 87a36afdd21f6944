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

_TOKEN = re.compile(r"<(/?)(a|img|h[1-6])\b([^<>]*)>")
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
_HEADING = re.compile(r"<h([1-6])\b")
_LAST_LEVEL = 6
_EMBEDDED = re.compile(r'(?:<p>)?<a\b[^<>]*\bdata-embed="([^"]*)"[^<>]*>[^<]*</a>(?:</p>)?')
_KINDS = ("frame", "audio", "video")
_BROWSERS_HINTS = re.compile(r' (?:loading|decoding|referrerpolicy)="[^"]*"')
_IMAGE = re.compile(r"<img\b([^<>]*)>")
_HREF = re.compile(r' href="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Manner:
    """How posts are shown: their pictures, and from which hosts embedded things may be opened."""

    images: Literal["show", "link", "none"] = "show"
    embeds: tuple[str, ...] = ()


def shown(html: str, manner: Manner, play: str = "▶ {host}", picture: str = "Picture", first_heading: int = 2) -> str:
    """Return the HTML of a post as it is shown below a heading; `play` and `picture` are the words for links."""
    html = _EMBEDDED.sub(lambda match: _embed(match, manner.embeds, play), html)
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
    """Return the HTML of a post for feeds: all of it but pictures of one pixel and what only browsers understand.

    Embedded things are links, from whatever host: a program that reads feeds loads nothing for them.
    """
    html = _EMBEDDED.sub(lambda match: _link_to(match, "{host}", ""), html)
    return _IMAGE.sub(lambda match: "" if _is_tracker(match[1]) else _BROWSERS_HINTS.sub("", match[0]), html)


def _picture(tag: str, attributes: str, images: str, word: str, *, is_linked: bool) -> str:
    if images == "none" or _is_tracker(attributes):
        return ""
    found = dict(_ATTRIBUTE.findall(attributes))
    if images == "show":
        # Without any words, programs that read aloud spell the file's name; a link needs some.
        return tag if "alt" in found else f'<img alt="{word if is_linked else ""}"{attributes}>'
    words = found.get("alt", "").strip() or word
    return (
        words if is_linked or not found.get("src") else f'<a href="{found["src"]}" rel="nofollow noopener">{words}</a>'
    )


def _is_tracker(attributes: str) -> bool:
    """Tell whether a picture is there to count readers: one pixel, or none."""
    found = dict(_ATTRIBUTE.findall(attributes))
    sizes = [found[side].removesuffix("px") for side in ("width", "height") if side in found]
    return not found.get("src") or any(size in ("0", "1") for size in sizes)


def _embed(match: re.Match[str], allowed: Collection[str], play: str) -> str:
    is_ours = match[1] in ("audio", "video")  # a file, that a browser plays when it is asked to
    return _link_to(match, play, ' class="embed"') if is_ours or is_among(_address(match), allowed) else ""


def _link_to(match: re.Match[str], words: str, kind: str) -> str:
    """A link in place of what is embedded, named by its own title where it has one."""
    address = _address(match)
    if not address:
        return ""
    words = words.replace("{host}", escape(host_of(address).removeprefix("www.")))
    if match[1] not in _KINDS:
        words = f"{words}: {match[1]}"
    return f'<p><a{kind} href="{escape(address)}" rel="nofollow noopener noreferrer">{words}</a></p>'


def _address(match: re.Match[str]) -> str:
    href = _HREF.search(match[0])
    return unescape(href[1]) if href else ""

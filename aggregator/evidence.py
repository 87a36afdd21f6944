"""Decide from a source's page whether it links to a target, and how it presents itself. Pure.

`examine` is what a child process runs: a page may be made to hold a parser for minutes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from email.message import Message

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement

from aggregator.content_coding import decode
from aggregator.markup import plain, shortened, without_controls
from aggregator.model import Evidence
from aggregator.urls import canonical, web_url

# Elements whose text browsers don't show as a page's own words, whatever a parser makes of them.
_UNSEEN = ("noscript", "template", "textarea", "title", "iframe", "xmp", "noembed", "noframes", "plaintext", "select",
           "script", "style", "head", "object", "svg", "math")  # fmt: skip
_BLOCK = ("p", "li", "blockquote", "dd", "td", "figcaption", "article", "section", "div", "body")
_CONTEXT = 140
_MOST_LINKS = 5_000
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)


def examine(
    body: bytes, coding: str, content_type: str, url: str, targets: Collection[str], max_bytes: int
) -> Evidence | None:
    """Return what the page at `url` shows of a link to one of `targets`, or None when it shows none.

    The link must be a real one in the parsed document, equal to a target as canonical URLs.

    Raises: BodyRefused.
    Source: Pingback 1.0 section 3; research on hidden links (comments, scripts, templates, prefixes).
    """
    kind = content_type.partition(";")[0].strip().lower() or "text/html"
    if not (kind.startswith("text/") or kind == "application/xhtml+xml"):
        return None
    text = _decoded(decode(body, coding, max_bytes), content_type)
    wanted = {key for key in map(canonical, targets) if key}
    if not wanted:
        return None
    document = BeautifulSoup(text, "lxml")  # of an attribute given twice it keeps the first, as browsers do
    link = _link(document, url, wanted)
    if link is None:
        return None
    return Evidence(title=_title(document, url), excerpt=_excerpt(link))


def _decoded(body: bytes, content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    declared = message.get_param("charset")
    found = _META_CHARSET.search(body[:4_000])
    if body.startswith(b"\xef\xbb\xbf"):
        return body[3:].decode("utf-8", "replace")
    for name in (declared, found and found[1].decode("ascii"), "utf-8"):
        if isinstance(name, str) and not name.lower().startswith("utf-7"):
            try:
                return body.decode(name, "strict" if name == "utf-8" else "replace")
            except (LookupError, UnicodeDecodeError, ValueError):
                continue
    return body.decode("windows-1252", "replace")


def _link(document: BeautifulSoup, url: str, wanted: set[str]) -> Tag | None:
    base_element = document.find("base", href=True)
    base = web_url(str(base_element["href"]), url) if isinstance(base_element, Tag) else ""
    for link in document.find_all(["a", "area"], href=True, limit=_MOST_LINKS):
        if (
            canonical(web_url(str(link["href"]), base or url)) in wanted
            and _is_shown(link)
            and not link.has_attr("hidden")
        ):
            return link
    return None


def _is_shown(node: PageElement) -> bool:
    return not any(parent.name in _UNSEEN or parent.has_attr("hidden") for parent in node.parents)


def _title(document: BeautifulSoup, url: str) -> str:
    for candidate in (document.title, document.find("h1")):
        if candidate is not None and (title := plain(candidate.get_text(" "), is_html=False, longest=200)):
            return title
    return shortened(url, 200)


def _excerpt(link: Tag) -> tuple[str, str, str]:
    """The words around a link: before, linked, after, from the nearest block of text."""
    block = next((parent for parent in link.parents if parent.name in _BLOCK), link)
    before: list[str] = []
    after: list[str] = []
    side = before
    for node in block.descendants:
        if node is link:
            side = after
        elif type(node) is NavigableString and link not in node.parents and _is_shown(node):
            side.append(str(node))
    linked = plain(link.get_text(" "), is_html=False, longest=_CONTEXT)
    left, right = _one_line(before).lstrip(), _one_line(after).rstrip()
    if len(left) > _CONTEXT:
        left = left[-_CONTEXT:].partition(" ")[2]
    return left, linked, shortened(right, _CONTEXT).removesuffix("…")


def _one_line(texts: list[str]) -> str:
    return re.sub(r"\s+", " ", without_controls("".join(texts)))

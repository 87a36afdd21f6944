"""Decide from a source's page whether it links to a target, and how it presents itself. Pure.

`examine` is what a child process runs: a page may be made to hold a parser for minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.message import Message
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement

from aggregator.content_coding import beginning
from aggregator.markup import plain, shortened, without_controls
from aggregator.model import Evidence
from aggregator.urls import canonical, host_of, web_url

# Not "head": where <body> is left out, the parser leaves <article> and its kin in there.
# Elements whose text browsers don't show as a page's own words, whatever a parser makes of them.
_UNSEEN = ("noscript", "template", "textarea", "title", "iframe", "xmp", "noembed", "noframes", "plaintext", "select",
           "script", "style", "object", "svg", "math")  # fmt: skip
_BLOCK = ("p", "li", "blockquote", "dd", "td", "figcaption", "article", "section", "div", "body")
_ON_OWN_LINES = frozenset((*_BLOCK, "h1", "h2", "h3", "h4", "h5", "h6", "dt", "th", "tr", "pre", "ul", "ol", "dl",
                           "header", "footer", "main", "nav", "aside", "figure", "address", "html"))  # fmt: skip
_CONTEXT = 140
# Stands in an excerpt where text was left out.
_CUT = "[…]"
_MOST_LINKS = 5_000
_MOST_OF_A_POST = 200
_DEEPEST = 5
_ENTRY_CLASSES = ["h-entry", "hentry"]
_NAME_CLASSES = ["p-name", "entry-title"]
_CONTENT_CLASSES = ["e-content", "entry-content"]
_EMBEDDED = {"img": "src", "video": "src", "audio": "src", "source": "src", "data": "value", "link": "href"}
Link = tuple[str, tuple[str, str, str]]  # an address, and the words before it, in it and after it
_KINDS = {"in-reply-to": "reply", "like-of": "like", "repost-of": "repost", "bookmark-of": "bookmark"}
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)


def examine(
    body: bytes, coding: str, content_type: str, url: str, targets: Collection[str], max_bytes: int
) -> Evidence | None:
    """Return what the page at `url` shows of a link to one of `targets`, or None when it shows none.

    The link must be a real one in the parsed document, equal to a target as canonical URLs.

    Raises: BodyRefused.
    Source: Pingback 1.0 section 3; research on hidden links (comments, scripts, templates, prefixes).
    """
    wanted = {key for key in map(canonical, targets) if key}
    document = page(body, coding, content_type, max_bytes)
    if document is None or not wanted:
        return None
    if isinstance(document, str):
        return _in_text(document, content_type, url, wanted)
    if _says_gone(document):
        return None
    link = _link(document, url, lambda found: canonical(found) in wanted) or _embedded(document, url, wanted)
    if link is None:
        return None
    named, excerpt, is_in_text = title(document, url), _excerpt(link), _is_in_text(link)
    said = _microformats(document, url, wanted)  # last: the parser changes the document
    if said.kind and said.content and not is_in_text:
        excerpt = (shortened(said.content, 2 * _CONTEXT), "", "")
    return Evidence(said.name or named, excerpt, said.kind, said.author)


def vouches(body: bytes, coding: str, content_type: str, url: str, host: str, max_bytes: int) -> bool:
    """Tell whether the page at `url` links to any page of `host`.

    Raises: BodyRefused.
    Source: indieweb.org/Vouch.
    """
    document = page(body, coding, content_type, max_bytes)
    if not isinstance(document, BeautifulSoup):
        return False
    return _link(document, url, lambda found: host_of(found) == host) is not None


def links(html: str, base: str) -> list[Link]:
    """Return where a post's HTML links to, each address once, with the words around it.

    The HTML has been sanitised, so that every link in it is one that readers see.
    """
    document = BeautifulSoup(html, "lxml")
    found: dict[str, tuple[str, tuple[str, str, str]]] = {}
    for link in document.find_all("a", href=True, limit=_MOST_LINKS):
        address = web_url(str(link["href"]), base)
        if address and len(found) < _MOST_OF_A_POST:
            found.setdefault(canonical(address), (address, _excerpt(link)))
    return list(found.values())


def page(body: bytes, coding: str, content_type: str, max_bytes: int) -> BeautifulSoup | str | None:
    """Read a body as a document, as text where it is plain text or JSON, or not at all.

    Raises: BodyRefused.
    """
    kind = content_type.partition(";")[0].strip().lower() or "text/html"
    if not (kind.startswith("text/") or kind == "application/xhtml+xml" or _is_json(kind)):
        return None
    words = text(body, coding, content_type, max_bytes)
    if kind == "text/plain" or _is_json(kind):
        return words
    return BeautifulSoup(words, "lxml")  # of an attribute given twice it keeps the first, as browsers do


def text(body: bytes, coding: str, content_type: str, max_bytes: int) -> str:
    """Return a body as text, decoded as it says, or else as it can be.

    Raises: BodyRefused.
    """
    return _decoded(beginning(body, coding, max_bytes), content_type)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _in_text(text: str, content_type: str, url: str, wanted: Collection[str]) -> Evidence | None:
    """What is no HTML has no links: then the address itself must be there, whole (W3C Webmention, 3.2.2)."""
    if "json" in content_type.partition(";")[0].lower():
        try:
            words = _json_texts(json.loads(text))
        except (ValueError, RecursionError):
            return None
    else:
        words = text.split()
    if not any(canonical(word) in wanted for word in words if word.startswith(("http://", "https://"))):
        return None
    return Evidence(title=shortened(url, 200), excerpt=("", "", ""))


def _json_texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for child in children for text in _json_texts(child)]


def _says_gone(document: BeautifulSoup) -> bool:
    """A page that can't answer 410 may say so in its head (indieweb.org/deleted)."""
    for meta in document.find_all("meta", attrs={"http-equiv": True}, limit=50):
        if str(meta["http-equiv"]).lower() == "status" and str(meta.get("content", "")).strip().startswith("410"):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Said:
    """What a page says in microformats: how it calls its link, who wrote it, its own name and words; or ""."""

    kind: str = ""
    author: str = ""
    name: str = ""
    content: str = ""


def _microformats(document: BeautifulSoup, url: str, wanted: Collection[str]) -> _Said:
    """What the page's own entry says; empty texts where it doesn't."""
    nothing = _Said(author=_meta_author(document))
    if document.find(class_=_ENTRY_CLASSES) is None:
        return nothing
    is_named = document.find(class_=_NAME_CLASSES) is not None  # else the parser takes any words as a name
    import mf2py  # large, and only children need it

    try:
        items = mf2py.Parser(doc=document, url=url).to_dict()["items"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # whatever strangers' classes do to it
        return nothing
    entries = _entries(items)
    for entry in entries:
        for name, kind in _KINDS.items():
            if any(canonical(address) in wanted for address in _addresses(entry.get(name, []))):
                return _said(entry, kind, nothing.author, is_named=is_named)
    return _said(entries[0], "", nothing.author, is_named=is_named) if len(entries) == 1 else nothing


def _said(entry: dict[str, Any], kind: str, author: str, *, is_named: bool) -> _Said:
    content, name = _words(entry.get("content", []), 2_000), _words(entry.get("name", []), 200) if is_named else ""
    is_copy = content.startswith(name.removesuffix("…"))
    return _Said(kind, _author(entry) or author, "" if is_copy else name, content)


def _words(values: list[Any], longest: int) -> str:
    value = values[0] if values else ""
    text = value.get("value", "") if isinstance(value, dict) else value
    return plain(text, is_html=False, longest=longest) if isinstance(text, str) else ""


def _entries(items: list[Any], depth: int = 0) -> list[dict[str, Any]]:
    """The properties of all h-entries, those inside feeds as well."""
    found = []
    for item in items:
        if "h-entry" in item.get("type", []):
            found.append(item.get("properties", {}))
        elif depth < _DEEPEST:
            found += _entries(item.get("children", []), depth + 1)
    return found


def _addresses(values: list[Any]) -> list[str]:
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            found += [each for each in value.get("properties", {}).get("url", []) if isinstance(each, str)]
            found += [each for each in (value.get("value"),) if isinstance(each, str)]
    return found


def _author(entry: dict[str, Any]) -> str:
    for value in entry.get("author", []):
        name = value if isinstance(value, str) else (value.get("properties", {}).get("name") or [""])[0]
        if isinstance(name, str) and (found := plain(name, is_html=False, longest=100)):
            return "" if found.startswith(("http://", "https://")) else found
    return ""


def _meta_author(document: BeautifulSoup) -> str:
    meta = document.find("meta", attrs={"name": "author", "content": True})
    return plain(str(meta["content"]), is_html=False, longest=100) if isinstance(meta, Tag) else ""


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


def _base(document: BeautifulSoup, url: str) -> str:
    element = document.find("base", href=True)
    return (web_url(str(element["href"]), url) if isinstance(element, Tag) else "") or url


def _link(document: BeautifulSoup, url: str, is_wanted: Callable[[str], bool]) -> Tag | None:
    base = _base(document, url)
    for link in document.find_all(["a", "area"], href=True, limit=_MOST_LINKS):
        if is_wanted(web_url(str(link["href"]), base)) and is_shown(link) and not link.has_attr("hidden"):
            return link
    return None


def _embedded(document: BeautifulSoup, url: str, wanted: Collection[str]) -> Tag | None:
    """A picture, sound or film that is a target, or an entry's property that readers don't see.

    Source: W3C Webmention, 3.2.2; microformats.org/wiki/h-entry.
    """
    base = _base(document, url)
    for element in document.find_all([*_EMBEDDED], limit=_MOST_LINKS):
        address = element.get(_EMBEDDED[element.name])
        if not address or canonical(web_url(str(address), base)) not in wanted:
            continue
        is_property = element.name not in ("data", "link") or _is_property(element)
        if is_property and is_shown(element) and not element.has_attr("hidden"):
            return element
    return None


def _is_property(element: Tag) -> bool:
    own = element.get_attribute_list("class")
    return any(str(name).startswith("u-") for name in own) and element.find_parent(class_=_ENTRY_CLASSES) is not None


def _is_in_text(link: Tag) -> bool:
    return link.find_parent(class_=_CONTENT_CLASSES) is not None


def is_shown(node: PageElement) -> bool:
    """Tell whether an element is one that readers see, as far as elements tell."""
    return not any(parent.name in _UNSEEN or parent.has_attr("hidden") for parent in node.parents)


def title(document: BeautifulSoup, url: str) -> str:
    """Return how a page is called: by its title, its first heading, or its address."""
    for candidate in (document.title, document.find("h1")):
        if candidate is not None and (found := plain(candidate.get_text(" "), is_html=False, longest=200)):
            return found
    return shortened(url, 200)


def _excerpt(link: Tag) -> tuple[str, str, str]:
    """The words around a link: before, linked, after, from the nearest block of text."""
    block = next((parent for parent in link.parents if parent.name in _BLOCK), link)
    before: list[str] = []
    after: list[str] = []
    side, last = before, block
    for node in block.descendants:
        if node is link:
            last, edge = _edge(node, last)
            side.append(edge)
            side = after
        elif type(node) is NavigableString and is_shown(node) and not _is_in(node, link):
            last, edge = _edge(node, last)
            side += [edge, str(node)]
        elif isinstance(node, Tag) and node.name == "br":
            side.append(" ")
    linked = plain(link.get_text(" "), is_html=False, longest=_CONTEXT)
    left, right = _one_line(before).lstrip(), _one_line(after).rstrip()
    if len(left) > _CONTEXT:
        left = f"{_CUT} {left[-_CONTEXT:].partition(' ')[2]}"
    if len(right) > _CONTEXT:
        right = f"{shortened(right, _CONTEXT).removesuffix('…')} {_CUT}"
    if not linked:
        return f"{left.rstrip()} {right.lstrip()}".strip(), "", ""
    return left, linked, right


def _edge(node: PageElement, last: Tag) -> tuple[Tag, str]:
    """The block in which a node is, and what separates it from the text before: browsers begin a line there."""
    block = next((parent for parent in node.parents if parent.name in _ON_OWN_LINES), last)
    return block, "" if block is last else " "


def _is_in(node: PageElement, link: Tag) -> bool:
    return any(parent is link for parent in node.parents)


def _one_line(texts: list[str]) -> str:
    return re.sub(r"\s+", " ", without_controls("".join(texts)))

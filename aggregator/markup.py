"""Make strangers' HTML safe to show, and plain text of it. Pure."""

from __future__ import annotations

import html as entities
import re
import unicodedata
from typing import Literal

import nh3

LONGEST_HTML = 400_000
LONGEST_TEXT = 500

_TAGS = {
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "u",
    "ul",
    "var",
    "wbr",
}
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "data-embed"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start", "reversed"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
_GONE_WITH_CONTENT = {"script", "style", "noscript", "template", "textarea", "title", "iframe", "object", "select"}
_SET = {"img": {"loading": "lazy", "referrerpolicy": "no-referrer", "decoding": "async"}}
# A frame becomes a link that is marked, lest a page loads anything that nobody asked for; the bounds keep it linear.
_FRAME = re.compile(r"<iframe\b([^<>]{0,2000})>(?:[^<]{0,500}</iframe\s*>)?", re.IGNORECASE)
# So do sound and film, whose address may be in a part of theirs.
_FILM = re.compile(
    r"<(video|audio)\b([^<>]{0,2000})>([^<]{0,500}(?:<(?!video\b|audio\b|/)[^<]{0,500}){0,20})</\1\s*>", re.IGNORECASE
)
_PICTURE = re.compile(r"<img\b([^<>]{0,4000})>", re.IGNORECASE)
_TO_BE_SAID_PLAINER = re.compile(r"<(?:iframe|video|audio|img)\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?<![a-zA-Z-])([a-zA-Z-]++)\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))""")
# Where programs that load pictures late keep their addresses.
_LATE = ("data-src", "data-lazy-src", "data-original", "data-orig-file")
_POINT = re.compile(r"(?:^|;)\s*(?:width|height)\s*:\s*[01](?:px)?\s*(?:;|$)|display\s*:\s*none", re.IGNORECASE)
_Relative = Literal["deny"] | tuple[Literal["rewrite_with_base"], str]
# An address that needs a base, or that may: anything but http:// and https:// at its beginning.
_RELATIVE = (re.compile(rb"""href\s*=\s*(?!["']?https?://)"""), re.compile(rb"""src\s*=\s*(?!["']?https?://)"""))
# Tags as the sanitiser writes them: attributes in double quotes, which may hold a ">".
_INNER = r'[^">]*(?:"[^"]*"[^">]*)*>'
_BLOCKS = "p|div|li|br|h[1-6]|tr|td|th|dt|dd|blockquote|pre|figure|hr"
_BLOCK_TAGS = re.compile(rf"</?(?:{_BLOCKS})\b{_INNER}(?:\s*</?(?:{_BLOCKS})\b{_INNER})*")
_TAG = re.compile(rf"</?[a-z]{_INNER}")
_BLOCK_EDGE = re.compile(rf"<(?=/?(?:{_BLOCKS})\b)", re.IGNORECASE)
_MARKUP = re.compile(r"<[a-zA-Z/!?]|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]\w*);")
# C0 and C1 controls, zero-width spaces, bidirectional overrides and isolates: they can turn the text around them.
# The marks of direction (U+200E and 200F) can't, and belong to Hebrew and Arabic.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_USUAL = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_SHORT = 200


def clean(html: str, base: str) -> str:
    """Return `html` with only harmless elements, every link and image absolute against `base`.

    Scripts, styles, forms, ids, classes and event handlers are gone; `srcset` too, because the sanitiser neither
    checks nor resolves it. A frame is a link with `data-embed`.
    """
    text = without_controls(html[:LONGEST_HTML])
    if _TO_BE_SAID_PLAINER.search(text):
        text = _plainer(text)
    lowered = text.encode("utf-8", "replace").lower()  # bytes are searched faster
    if not base or not any(address.search(lowered) for address in _RELATIVE):
        return _WITHOUT_BASE.clean(text)
    try:
        return _cleaner(("rewrite_with_base", base)).clean(text)
    except ValueError:  # a base that the sanitiser's own reader of addresses refuses, such as http://999.1.1.1/
        return _WITHOUT_BASE.clean(text)


def _plainer(html: str) -> str:
    """Say in simple elements what would be lost otherwise: frames, films and pictures that a script was to load."""
    html = _FRAME.sub(lambda match: _as_link(_attributes(match[1]), "frame"), html)
    html = _FILM.sub(lambda match: _as_link(_attributes(match[3]) | _attributes(match[2]), match[1].lower()), html)
    return _PICTURE.sub(_as_picture, html)


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): entities.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(text)}


def _as_link(attributes: dict[str, str], kind: str) -> str:
    address, name = attributes.get("src", ""), attributes.get("title", "")[:200]
    if not address:
        return ""
    return f'<p><a data-embed="{entities.escape(name or kind)}" href="{entities.escape(address)}"></a></p>'


def _as_picture(match: re.Match[str]) -> str:
    """A picture with the address that it is to have in the end; one that is there to be unseen says so by its size."""
    if "data-" not in match[1] and "style" not in match[1]:
        return match[0]
    attributes = _attributes(match[1])
    late = next((attributes[name] for name in _LATE if attributes.get(name)), "")
    if late and attributes.get("src", "data:").startswith("data:"):
        attributes["src"] = late
    if _POINT.search(attributes.get("style", "")):
        attributes["width"] = "1"
    kept = (name for name in ("src", "alt", "title", "width", "height") if name in attributes)
    return f"<img{''.join(f' {name}={chr(34)}{entities.escape(attributes[name])}{chr(34)}' for name in kept)}>"


def _cleaner(relative: _Relative) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_GONE_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        set_tag_attribute_values=_SET,
        url_schemes={"http", "https"},
        url_relative=relative,
        link_rel="noopener nofollow",
    )


# Making a sanitiser takes longer than cleaning a post with it.
_WITHOUT_BASE = _cleaner("deny")
_STRIPPER = nh3.Cleaner(tags=set(), clean_content_tags=_GONE_WITH_CONTENT)


def plain(text: str, *, is_html: bool, longest: int = LONGEST_TEXT) -> str:
    """Return one line of plain text, without markup, control characters and tricks of direction."""
    text = without_controls(text)
    if is_html and _MARKUP.search(text):
        text = entities.unescape(_STRIPPER.clean(_BLOCK_EDGE.sub(" <", text[:LONGEST_HTML])))
    return shortened(_one_line(text), longest)


def text_within(html: str) -> str:
    """Return the text of HTML that `clean` has made, as one line: what `plain` returns, without a second parser."""
    return _one_line(entities.unescape(_TAG.sub("", _BLOCK_TAGS.sub(" ", html))))


def _one_line(text: str) -> str:
    # What is printable holds no control character, and of all spaces the plain one only.
    is_plain = text.isprintable()
    text = text.strip() if is_plain else without_controls(text)
    if not is_plain or "  " in text:
        text = " ".join(text.split())
    return unicodedata.normalize("NFC", text)


def shortened(text: str, longest: int) -> str:
    """Return `text`, cut at a word with an ellipsis when it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    kept = text[:longest]
    return f"{kept.rpartition(' ')[0] or kept}…"


def without_controls(text: str) -> str:
    """Return `text` without characters that no page, feed or log may hold."""
    # None of them is printable, and few texts hold any: to look at what isn't usual is enough.
    if len(text) < _SHORT and text.isprintable():
        return text
    unusual = text.encode("utf-8", "surrogatepass").translate(None, _USUAL)
    if not unusual or unusual.decode("utf-8", "surrogatepass").replace("\xa0", "").isprintable():
        return text
    return _LONE_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))

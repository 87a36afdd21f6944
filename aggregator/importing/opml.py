"""Read OPML as it is in the wild: bare ampersands, quotes and tags inside of quotes, attributes in any case. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from aggregator.errors import NothingToImport
from aggregator.importing.found import Finding, Imported, Listed, as_filter

# Bare, or of a name that XML doesn't know: kept as written, for names are unescaped once more.
_BARE = re.compile(r"&(?!(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)")
# An outline ends where another element begins behind it: texts may hold `">` of links.
_OUTLINE = re.compile(
    r"""<outline\b(.*?)"\s*(/?)>(?=\s*(?:<(?:/?outline|/body|/opml|!--)|$))""", re.DOTALL | re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    r"""\s(text|title|type|xmlurl|htmlurl|url|description|category|language|version|created)\s*=\s*\"""",
    re.IGNORECASE,
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_KNOWN = {
    "text", "title", "type", "xmlurl", "htmlurl", "url", "category", "description", "version", "language", "created",
    "iscomment", "isbreakpoint", "disabled", "keeplistrules", "blocklistrules", "keepfilterentryrules",
    "blockfilterentryrules",
}  # fmt: skip
_PLACES = {"entrytitle": "title: ", "entrycontent": "content: ", "entrytag": "category: "}


def read(text: str) -> Imported:
    """Read the feeds of an OPML document, with the groups that they are in as tags.

    Raises: NothingToImport when nothing can be read at all.
    """
    root = _tree(_BARE.sub("&amp;", _ILLEGAL.sub("", text)))
    if root is None:
        raise NothingToImport("this begins like OPML, but nothing of it can be read")
    finding = Finding()
    for outline, groups in _outlines(root, ()):
        _add(finding, outline, groups)
    head = {_name(element): element.text or "" for element in root.iterfind(".//head/*")}
    contact = head.get("owneremail") or head.get("ownername") or ""
    return finding.result("OPML", title=head.get("title", ""), contact=contact.strip())


def _tree(text: str) -> etree._Element | None:
    try:
        return etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        lenient = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        return etree.fromstring(_OUTLINE.sub(_quoted, text).encode(), lenient)


def _quoted(outline: re.Match[str]) -> str:
    """An outline whose values hold quotes and tags, with these escaped."""
    _, *parts = _ATTRIBUTE.split(f'{outline[1]}"')
    values = (value.rstrip().removesuffix('"') for value in parts[1::2])
    escaped = (value.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;") for value in values)
    attributes = (f' {name}="{value}"' for name, value in zip(parts[::2], escaped, strict=True))
    return f"<outline{''.join(attributes)}{outline[2]}>"


def _outlines(element: etree._Element, groups: tuple[str, ...]) -> Iterator[tuple[Mapping[str, str], tuple[str, ...]]]:
    for child in element:
        if not isinstance(child.tag, str):  # a comment
            continue
        attributes = {name.rpartition("}")[2].lower(): value for name, value in child.attrib.items()}
        if _name(child) == "outline" and _url(attributes):
            yield attributes, groups
        inside = (*groups, _title(attributes)) if _name(child) == "outline" and not _url(attributes) else groups
        yield from _outlines(child, inside)


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _url(attributes: Mapping[str, str]) -> str:
    is_feed = attributes.get("type", "").lower() in ("rss", "atom")
    return attributes.get("xmlurl", "").strip() or (attributes.get("url", "").strip() if is_feed else "")


def _title(attributes: Mapping[str, str]) -> str:
    return attributes.get("title", "").strip() or attributes.get("text", "").strip()


def _add(finding: Finding, attributes: Mapping[str, str], groups: tuple[str, ...]) -> None:
    kind = attributes.get("type", "").lower()
    if "xpath" in kind or kind in ("json+dotnotation", "json+dotpath", "include"):
        finding.note(f"{_url(attributes)} is no feed there, but a page that is taken apart ({kind})")
        return
    for name in attributes:
        if name not in _KNOWN:
            finding.leave(name)
    categories = [part.strip(" /") for part in attributes.get("category", "").split(",")]
    finding.add(
        Listed(
            url=_url(attributes),
            name=_text(attributes),
            site=attributes.get("htmlurl", ""),
            tags=(*groups, *categories),
            include=_rules(finding, attributes, "keeplistrules", "keepfilterentryrules"),
            exclude=_rules(finding, attributes, "blocklistrules", "blockfilterentryrules"),
            enabled=attributes.get("disabled", "").lower() not in ("1", "true"),
        )
    )


def _text(attributes: Mapping[str, str]) -> str:
    """How the blog is named: planets write the person into `text`, and what the feed says into `title`."""
    text, title = attributes.get("text", "").strip(), attributes.get("title", "").strip()
    return title if not text or text.lower() == "not found" else text


def _rules(finding: Finding, attributes: Mapping[str, str], pattern: str, rules: str) -> tuple[str, ...]:
    """Miniflux's two ways of filtering: one pattern for everything, or a line for each place."""
    found = []
    for line in [attributes.get(pattern, ""), *attributes.get(rules, "").splitlines()]:
        place, equals, wanted = line.partition("=")
        is_placed = bool(equals) and place.strip().lower() in _PLACES
        written = f"{_PLACES[place.strip().lower()]}/{wanted.strip()}/" if is_placed else f"/{line.strip()}/"
        if line.strip() and line is not attributes.get(pattern) and not is_placed:
            finding.note(f"the rule {line.strip()}: there are filters for title, content and category only")
        elif line.strip() and (kept := as_filter(written)):
            found.append(kept)
        elif line.strip():
            finding.note(f"the rule {line.strip()}: its pattern can't be read")
    return tuple(found)

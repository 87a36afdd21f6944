"""Read the configurations of Planet 2.0, Venus and Pluto. Pure.

Planet and Venus have the feed's address in the brackets, Pluto has a name there and the address below. Options may
come before any section, a section may come twice, and indentation means little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin

from aggregator.importing.found import Finding, Imported, Listed, address, as_filter

_SECTION = re.compile(r"\s*\[(?P<name>.*)\]\s*(?:[#;].*)?")
_OPTION = re.compile(r"\s*(?P<name>[A-Za-z_][\w .-]{0,60}?)\s*(?:=|:(?=\s|$))\s*(?P<value>.*)")
_COMMENT = re.compile(r"\s*(?:[#;].*)?")
_CATEGORY = re.compile(r"//atom:category\[@term=(['\"])(.+?)\1\]")
_TITLE = re.compile(r"(?://)?atom:title\[contains\(\.,\s*(['\"])(.+?)\1\)\]")
_FACES = re.compile(r"^\s*(\S*/)#\{face\}", re.MULTILINE)
_MEANT = {"lin": "link", "exlcudes": "excludes", "include": "includes", "name": "title"}
# What is about looks, caches and other people's services; nothing that an operator would miss here.
_IDLE = frozenset(("facewidth", "faceheight", "slug", "update_method"))
_READING_LISTS = ("opml", "foaf", "csv", "config", "ini")


@dataclass
class Section:
    """One section, with its options in order; names in lower case."""

    name: str
    options: dict[str, str] = field(default_factory=dict)


def read(text: str) -> Imported:
    """Read the feeds of such a configuration, and what it says of the planet."""
    finding = Finding()
    planet: dict[str, str] = {}
    defaults: dict[str, str] = {}
    found = list(sections(text, finding))
    for section in found:
        if section.name.lower() in ("", "planet"):
            planet |= section.options
        elif section.name == "DEFAULT":
            defaults |= section.options
        else:
            for_all = {name: planet[name] for name in ("filter", "exclude") if planet.get(name)}
            _section(finding, section, {**for_all, **defaults}, _faces(planet))
    if planet.get("filters"):
        finding.note(f"filters = {planet['filters']}, which are for all feeds: here each feed has its own")
    is_pluto = bool(found[0].options) or any("feed" in section.options for section in found)
    kind = "Pluto planet.ini" if is_pluto else "Planet or Venus config.ini"
    title, link = planet.get("title", ""), planet.get("link") or planet.get("url", "")
    contact = planet.get("owner_email") or planet.get("email") or planet.get("owner_name") or ""
    return finding.result(kind, title=title, url=link, contact=contact)


def _section(finding: Finding, section: Section, defaults: Mapping[str, str], faces: str) -> None:
    options = section.options
    if "feed" in options or "url" in options:
        _pluto(finding, section.name, options)
    elif address(section.name) or "content_type" in options:
        _venus(finding, section.name, {**defaults, **options}, faces)
    elif "link" in options and "title" in options:
        finding.note(f"[{section.name}] names no feed; planet add {options['link']} looks for one")
    else:
        finding.note(f"the section [{section.name}], which is no feed")


def _faces(planet: Mapping[str, str]) -> str:
    """Where the old planet shows its pictures of people: the folder that it copies them to."""
    folder = _FACES.search(planet.get("bill_of_materials", ""))
    return f"{planet.get('link', '').rstrip('/')}/{folder[1] if folder else 'images/'}"


def sections(text: str, finding: Finding) -> Iterator[Section]:
    """Yield the sections in order, first the options before any of them. Inclusions of other files are noted."""
    section, last = Section(""), ""
    for line in text.splitlines():
        if _COMMENT.fullmatch(line):
            continue
        if line.lstrip().startswith("@include"):
            finding.note(f"{line.strip()}: import that file, too")
        elif match := _SECTION.fullmatch(line):
            yield section
            section, last = Section(match["name"].strip()), ""
        elif line[:1].isspace() and last and not _is_option(line):
            section.options[last] = f"{section.options[last]}\n{line.strip()}".strip()
        elif match := _OPTION.fullmatch(line):
            last = match["name"].strip().lower()
            last = _MEANT.get(last, last)
            section.options[last] = _without_remark(match["value"])
    yield section


def _is_option(line: str) -> bool:
    """Tell whether an indented line is an option of its own, as Pluto's are, and no continuation."""
    match = _OPTION.fullmatch(line)
    return bool(match) and "=" in line and "://" not in line.partition("=")[0]


def _without_remark(value: str) -> str:
    """A value without what follows behind a space and a double hash, or a semicolon."""
    return re.split(r"\s+(?:##|;)", value, maxsplit=1)[0].strip()


def _pluto(finding: Finding, section: str, options: Mapping[str, str]) -> None:
    known = {"title", "link", "feed", "url", "includes", "excludes", "avatar", "author", "tags", "author_name"}
    for name in options.keys() - known - _IDLE:
        finding.leave(name)
    finding.add(
        Listed(
            url=options.get("feed") or options.get("url", ""),
            # A section may have the blog's name, or a short one for programs.
            name=options.get("title") or (section if re.search(r"[A-Z\s]", section) else ""),
            site=options.get("link", ""),
            author=options.get("author", options.get("author_name", "")),
            face=options.get("avatar", ""),
            tags=tuple(re.split(r"\s*[,|]\s*", options.get("tags", ""))),
            include=_words(options.get("includes", "")),
            exclude=_words(options.get("excludes", "")),
        )
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(as_filter, filter(None, re.split(r"\s*[|/,]\s*", text)))))


def _venus(finding: Finding, url: str, options: Mapping[str, str], faces: str) -> None:
    kind = options.get("content_type", "").lower()
    if kind in _READING_LISTS:
        finding.note(f"[{url}] is a reading list ({kind}): fetch it, and import the file")
        return
    known = {"title", "face", "link", "filter", "exclude", "filters", "tags", "author", "nick"}
    for name in options.keys() - known - _IDLE:
        finding.leave(name)
    include, exclude = _sifted(finding, url, options.get("filters", ""))
    for name, found in (("filter", include), ("exclude", exclude)):
        if wanted := options.get(name, ""):
            if written := as_filter(f"/{wanted}/"):
                found.append(written)
            else:
                finding.note(f"{name} = {wanted} of {url}: the pattern can't be read")
    finding.add(
        Listed(
            url=url,
            name=options.get("title", ""),
            site=options.get("link", ""),
            author=options.get("author", ""),
            face=urljoin(faces, options["face"]) if options.get("face") else "",
            tags=tuple(re.split(r"\s*[,|]\s*", options.get("tags", ""))),
            include=tuple(include),
            exclude=tuple(exclude),
        )
    )


def _sifted(finding: Finding, url: str, filters: str) -> tuple[list[str], list[str]]:
    """What Venus' sifters want and don't want, as far as it can be said here."""
    include: list[str] = []
    exclude: list[str] = []
    for one in filters.split():
        name, _, query = one.partition("?")
        wanted = unquote(query.replace("+", " "))
        found = exclude if wanted.startswith("exclude=") else include
        wanted = wanted.removeprefix("exclude=").removeprefix("require=")
        written = ""
        if name.startswith("regexp_sifter"):
            written = as_filter(f"/{wanted}/")
        elif name.startswith("xpath_sifter"):
            written = _xpath(wanted)
        if written:
            found.append(written)
        else:
            finding.note(f"the filter {one} of {url}")
    return include, exclude


def _xpath(wanted: str) -> str:
    if match := _CATEGORY.fullmatch(wanted):
        return f"category: {match[2]}"
    if match := _TITLE.fullmatch(wanted):
        return f"title: {match[2]}"
    return ""

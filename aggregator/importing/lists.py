"""Read plain lists of addresses, newsboat's among them, CSV, and rawdog's configuration. Pure."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterator

from aggregator.importing.found import Finding, Imported, Listed

_RAWDOG_FEED = re.compile(r"feed\s+(?P<every>\d+[smhdw]?)\s+(?P<url>\S+)\s*(?P<arguments>.*)")
_ARGUMENT = re.compile(r"(?P<name>\w+)(?:\s*=\s*|\s+)(?P<value>.*)")
_ADDRESS = re.compile(r"""(?:feed:)?https?://[^\s"'<>]+""")
# What stands before an address in YAML, JSON and the like, and names nobody.
_KEY = re.compile(r"""\S*[:=]\s*["'<]?""")


def is_rawdog(text: str) -> bool:
    """Tell whether this is a configuration of rawdog."""
    return any(_RAWDOG_FEED.fullmatch(line.strip()) for line in text.splitlines())


def read_rawdog(text: str) -> Imported:
    """Read rawdog's feeds: `feed 1h http://… define_name=…`, or an argument on each of the indented lines below."""
    finding = Finding()
    for line, below in _statements(text):
        if line.startswith("include "):
            finding.note(f"{line}: import that file, too")
        elif match := _RAWDOG_FEED.fullmatch(line):
            finding.add(_rawdog(finding, match["url"], [*_split(match["arguments"]), *below]))
    return finding.result("rawdog config")


def _statements(text: str) -> Iterator[tuple[str, list[str]]]:
    line, below = "", list[str]()
    for each in text.splitlines():
        if not each.strip() or each.lstrip().startswith("#"):
            continue
        if each[:1].isspace():
            below.append(each.strip())
        else:
            yield line, below
            line, below = each.strip(), []
    yield line, below


def _rawdog(finding: Finding, url: str, arguments: list[str]) -> Listed:
    options: dict[str, str] = {}
    for argument in arguments:
        if match := _ARGUMENT.fullmatch(argument):
            options[match["name"].removeprefix("define_")] = match["value"].strip("\"'")
    for name in options.keys() - {"name", "title", "link", "face", "tags", "group", "facewidth", "faceheight"}:
        finding.leave(name)
    return Listed(
        url=url,
        name=options.get("name") or options.get("title", ""),
        site=options.get("link", ""),
        face=options.get("face", ""),
        tags=tuple((options.get("tags") or options.get("group", "")).split(",")),
    )


def read_csv(text: str) -> Imported:
    """Read a table with a heading: url (or feed), name (or title), and what else is known here."""
    finding = Finding()
    for row in csv.DictReader(io.StringIO(text.replace("\0", ""))):
        fields = {(name or "").strip().lower(): (value or "").strip() for name, value in row.items() if name}
        known = ("url", "feed", "xmlurl", "name", "title", "site", "link", "author", "tags", "category", "face")
        for name, value in fields.items():
            if value and name not in known:
                finding.leave(name)
        finding.add(
            Listed(
                url=fields.get("url") or fields.get("feed") or fields.get("xmlurl") or "",
                name=fields.get("name") or fields.get("title") or "",
                site=fields.get("site") or fields.get("link") or "",
                author=fields.get("author", ""),
                face=fields.get("face", ""),
                tags=tuple((fields.get("tags") or fields.get("category") or "").split(",")),
            )
        )
    return finding.result("CSV")


def read_list(text: str) -> Imported:
    """Read one address in each line; beside it may stand a name, or tags and "~a name" in quotes as in newsboat."""
    finding = Finding()
    for line in text.splitlines():
        line = line.strip(" \t-*•")
        if not line or line.startswith(("#", "//")):
            continue
        if match := _ADDRESS.search(line):
            finding.add(_listed(line, match))
        else:
            finding.note(f"the line “{line[:80]}”, which holds no web address")
    return finding.result("list of addresses")


def _listed(line: str, match: re.Match[str]) -> Listed:
    before, after = line[: match.start()], line[match.end() :].strip(" \t,;")
    words = _split(after) if after.startswith('"') and len(after) > 1 else []
    name = next((word[1:] for word in words if word.startswith("~")), "")
    if not words:
        name = "" if _KEY.fullmatch(before) else (before.strip(" :|,[](<\"'") or after.strip(" :|,<>()\"'"))
    tags = tuple(word for word in words if not word.startswith(("~", "!")))
    return Listed(url=match[0].rstrip(",;)]"), name=name, tags=tags)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that doesn't end
        return text.split()

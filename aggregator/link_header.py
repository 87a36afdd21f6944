"""Read the Link header of HTTP. Pure. Source: RFC 8288 section 3."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:\"[^\"]*\"|[^\s\",;]+))?)*)")
_PARAMETER = re.compile(r";\s*([\w!#$&+.^`|~*-]+)\s*(?:=\s*(?:\"([^\"]*)\"|([^\s\",;]+)))?")
_LONGEST = 8_000


def links(header: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the targets of a Link header as written, each with its relations in lower case."""
    for match in _LINK.finditer(header[:_LONGEST]):
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match[2])}
        yield match[1], parameters.get("rel", "").lower().split()

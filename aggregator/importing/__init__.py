"""Read what other planets and readers have: OPML, Planet, Venus, Pluto, rawdog, lists. Pure: bytes in, feeds out."""

from __future__ import annotations

import io
import re
import zipfile

from aggregator.errors import NothingToImport
from aggregator.feeds.encoding import text_of
from aggregator.importing import ini, lists, opml
from aggregator.importing.found import Imported, Listed

__all__ = ["Imported", "Listed", "read"]

MOST_BYTES = 50_000_000
_TABLE = re.compile(r'\s*"?(?:url|feed|xmlurl|name|title)"?\s*,', re.IGNORECASE)
_SECTION = re.compile(r"^\s*\[[^\[\]\n]+\]\s*(?:[#;].*)?$", re.MULTILINE)


def read(data: bytes) -> Imported:
    """Read the feeds of a file, by content and not by name.

    Raises: NothingToImport, which says why.
    """
    text = text_of(_unpacked(data), "")
    found = _read(text)
    if not found.feeds and not found.notes:
        raise NothingToImport("no feed can be found in it")
    return found


def _read(text: str) -> Imported:
    if re.search(r"<opml|<outline", text, re.IGNORECASE):
        return opml.read(text)
    if "[[feeds]]" in text:
        raise NothingToImport("this is a feeds.toml already; name it with --config")
    if _TABLE.match(text):
        return lists.read_csv(text)
    if _SECTION.search(text):
        return ini.read(text)
    if lists.is_rawdog(text):
        return lists.read_rawdog(text)
    if re.search(r"https?://", text):
        return lists.read_list(text)
    raise NothingToImport(
        "no feed can be found in it; OPML, the configurations of Planet, Venus, Pluto and rawdog, CSV and plain"
        " lists of addresses are read"
    )


def _unpacked(data: bytes) -> bytes:
    """The OPML of an archive, as FreshRSS exports it; anything else as it is."""
    if not data.startswith(b"PK\x03\x04"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if re.search(r"opml|\.xml$", name, re.IGNORECASE)]
            if not names:
                raise NothingToImport("this archive holds no OPML")
            with archive.open(names[0]) as member:
                return member.read(MOST_BYTES)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise NothingToImport(f"this archive can't be read: {error}") from error

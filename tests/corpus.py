"""What is read from every feed of the shared corpus, as a table that a test pins.

`python -m tests.corpus` writes the table anew; the difference to the committed one is what a change does to feeds.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aggregator.errors import FeedUnreadable
from aggregator.feeds import newest, parse
from aggregator.markup import plain
from aggregator.model import ParsedEntry

FOLDER = Path(__file__).parents[2] / "shared" / "corpus"
TABLE = Path(__file__).with_name("corpus.tsv")
ADDRESS = "http://corpus.example/feed"
HEAD = """\
# What is read from each file: the number of entries, a digest of (id, link, title, date) of all of them, and where
# this differs from feedparser on purpose:
#   entries  JSON feeds, which feedparser doesn't read; versions of one entry; entries beyond 200
#   id       as written: feedparser resolves it against the feed's address as if it were a link
#   link     from behind FeedBurner; resolved against the blog's own address; none when it is no web address
#   title    of another encoding than the declared one
#   date     zones and spellings that feedparser doesn't know; none before 1990
# file	entries	digest	differs from feedparser in
"""


def files() -> list[Path]:
    """Every feed of the corpus."""
    found = [path for name in ("real-feeds", "json-feeds") for path in (FOLDER / name).rglob("*") if path.is_file()]
    return sorted(found)


def row(path: Path) -> str:
    """One line of the table, without what feedparser makes of the file."""
    try:
        entries = newest(parse(path.read_bytes(), "", ADDRESS).entries)
    except FeedUnreadable as error:
        return f"{path.relative_to(FOLDER)}\t-\t{error}"
    seen = [(entry.guid, entry.url, _title(entry), _date(entry)) for entry in entries]
    digest = hashlib.blake2b(repr(seen).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{path.relative_to(FOLDER)}\t{len(entries)}\t{digest}"


def pinned() -> dict[str, str]:
    """The committed table: file to line, without what feedparser makes of it."""
    lines = TABLE.read_text("utf-8").splitlines()
    kept = ["\t".join(line.split("\t")[:3]) for line in lines if not line.startswith("#")]
    return {line.partition("\t")[0]: line for line in kept}


def differences(path: Path) -> str:
    """The fields in which our reading of a file differs from feedparser's."""
    import feedparser

    body = path.read_bytes()
    headers = {"content-type": "application/xml", "content-location": ADDRESS}
    theirs = feedparser.parse(io.BytesIO(body), response_headers=headers).entries
    try:
        parsed = parse(body, "", ADDRESS).entries
    except FeedUnreadable:
        return "entries" if theirs else ""
    found = {field for ours, other in zip(parsed, theirs, strict=False) for field in _unlike(ours, other)}
    if len(newest(parsed)) != len(theirs):
        found.add("entries")
    return " ".join(sorted(found))


def _unlike(ours: ParsedEntry, other: Any) -> Iterator[str]:
    struct = other.get("published_parsed") or dict.get(other, "updated_parsed") or other.get("created_parsed")
    try:
        date = datetime.fromtimestamp(calendar.timegm(struct), UTC).isoformat() if struct else ""
    except (ValueError, OverflowError):
        date = ""
    pairs = {
        "id": (ours.guid, other.get("id", "")),
        "link": (ours.url, other.get("link", "")),
        "title": (_title(ours), plain(other.get("title", ""), is_html=True, longest=300)),
        "date": (_date(ours), date),
    }
    return (field for field, (left, right) in pairs.items() if left != right)


def _title(entry: ParsedEntry) -> str:
    return plain(entry.title, is_html=entry.title_is_html, longest=300)


def _date(entry: ParsedEntry) -> str:
    written = entry.published_at or entry.updated_at
    return written.isoformat() if written else ""


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    TABLE.write_text(HEAD + "".join(f"{row(path)}\t{differences(path)}\n" for path in files()), "utf-8")

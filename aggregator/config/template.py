"""The first feeds.toml, and the schema beside the data that editors read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import tomlkit

from aggregator.config.reference import SCHEMA_NAME

_FIRST = """\
#:schema data/{schema}
# The blogs of this planet. Editors that know TOML complete keys by the schema above; `planet check` names each mistake
# with its line. Edits take effect while the planet runs. All keys: docs/configuration.md.

[planet]
title = {title}
url = {url}   # the public address; it stands in links, feeds and pings
description = ""   # one or two sentences for the front page
language = {language}
timezone = {zone}
contact = {contact}   # how readers and bloggers reach you

[linkbacks]
members = "publish"   # links from the blogs below appear once they are found
strangers = "hold"    # those of others wait for you: planet mentions list

# [page]
# entries = 40          # posts on the front page
# content = "excerpt"   # permalinks and feeds carry the beginning only; "full" is usual

# [notify]
# mail = "you@example.org"   # told when a feed breaks, moves or is quarantined, or linkbacks wait
# [smtp]
# host = "localhost"
# port = 25
# tls = false

# The blogs. `planet add URL` writes them here, `planet import FILE` those of another planet or reader.
"""


def first(title: str, url: str, language: str, zone: str, contact: str = "") -> str:
    """Return the text of a first feeds.toml, which has no feeds yet."""
    texts = {"title": title, "url": url, "language": language, "zone": zone, "contact": contact}
    return _FIRST.format(schema=SCHEMA_NAME, **{name: tomlkit.item(text).as_string() for name, text in texts.items()})


def schema() -> str:
    """Return the JSON Schema of feeds.toml as it ships."""
    return files("aggregator.config").joinpath(SCHEMA_NAME).read_text("utf-8")


def place_schema(folder: Path) -> None:
    """Write the schema into the data folder, where the first line of feeds.toml says that it is."""
    path, text = folder / SCHEMA_NAME, schema()
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")

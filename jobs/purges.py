"""Say which addresses have changed, for caches in front of the planet: a list for each publish.

They are written where a folder waits for them: names of pages that were removed for good must not lie where nobody
takes them. Whoever has purged what a list names removes it; a thousand lists later it goes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aggregator.site import folder

FOLDER = "purge"
MOST_LISTS = 1_000


def write(data: Path, number: int, planet_url: str, names: Iterable[str]) -> None:
    """Write the list of a publish, if anybody wants it: whole addresses, one a line. Raises: StoreFailed."""
    urls = [f"{planet_url}{name.removesuffix('index.html')}" for name in names]
    if not urls or not (data / FOLDER).is_dir():
        return
    folder.write(data / FOLDER, {_name(number): "".join(f"{url}\n" for url in urls).encode()})
    (data / FOLDER / _name(number - MOST_LISTS)).unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"{number:012}.txt"

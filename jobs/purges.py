"""Say which addresses have changed, for caches in front of the planet: a list for each publish.

A list is written before its publish is noted, and gets the name by which it is looked for afterwards: so it is not
read too soon, and after a crash in between it is still said.

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
    """Write the list of a publish that is about to be noted, if anybody wants it: whole addresses, one a line.

    Raises: StoreFailed.
    """
    urls = [f"{planet_url}{name.removesuffix('index.html')}" for name in names]
    if urls and (data / FOLDER).is_dir():
        folder.write(data / FOLDER, {f".{number}.unseen": "".join(f"{url}\n" for url in urls).encode()})


def tell(data: Path, latest: int) -> None:
    """Let the lists be seen of all publishes that are noted, up to the latest one."""
    for unseen in sorted((data / FOLDER).glob(".[0-9]*.unseen")):
        number = int(unseen.stem[1:])
        if number <= latest:
            unseen.rename(unseen.with_name(_name(number)))
            (data / FOLDER / _name(number - MOST_LISTS)).unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"{number:012}.txt"

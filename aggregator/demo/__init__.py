"""A small community of blogs on loopback, for trying the planet without the internet."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from aggregator.demo.blogs import DemoBlog, story
from aggregator.demo.server import Community


@contextmanager
def community(planet_url: str, clock: Callable[[], datetime]) -> Iterator[Path]:
    """Serve the blogs and yield the path of a feeds.toml that subscribes to them; all of it is gone at the end."""
    told = story(clock())
    blogs = Community(told, f"{planet_url}xmlrpc", clock)
    blogs.start()
    try:
        with tempfile.TemporaryDirectory(prefix="planet-demo-") as folder:
            path = Path(folder) / "feeds.toml"
            path.write_text(_config(planet_url, blogs.base, told.blogs), "utf-8")
            yield path
    finally:
        blogs.close()


def _config(planet_url: str, base: str, blogs: tuple[DemoBlog, ...]) -> str:
    tables = "".join(
        f'\n[[feeds]]\nurl = "{base}{blog.slug}/feed"\nsite = "{base}{blog.slug}/"\nname = {json.dumps(blog.name)}\n'
        for blog in blogs
    )
    return (
        f'[planet]\ntitle = "Planet Demo"\nurl = "{planet_url}"\n'
        'description = "Seven invented blogs about healthcare IT. They answer each other while you watch."\n'
        '\n[[topics]]\nname = "Downtime"\nmatch = ["downtime"]\n'
        '\n[[topics]]\nname = "FHIR"\nmatch = ["FHIR", "HL7 v2"]\n'
        '\n[poll]\nevery = "2s"\nat_least = "1s"\n'
        '\n[network]\nallow_addresses = ["127.0.0.0/8"]\n'
        f"{tables}"
    )

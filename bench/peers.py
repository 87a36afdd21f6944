"""The readers of feeds that polls are compared with, and ourselves, each as it is used.

A resident one is a process that does one cycle at a time (`python -m bench.peers NAME ARGUMENTS`): what a cycle takes
is measured without the start of its process. A program is run anew for each poll.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from bench.farm import configured
from bench.machine import Usage, Worker, ended, environment, planet, program


class Resident:
    """A process that stays and polls when it is told to; `holds` is how many entries it has stored."""

    def __init__(self, name: str, folder: Path, urls: list[str], *more: str) -> None:
        folder.mkdir(parents=True)
        listed = folder / "urls"
        listed.write_text("\n".join(urls))
        self.holds = 0
        self._worker = Worker([sys.executable, "-m", "bench.peers", name, str(folder), str(listed), *more])

    def poll(self) -> Usage:
        """One cycle."""
        usage, self.holds = self._worker.round()
        return usage

    def warm_up(self) -> None:
        """A cycle that counts for nothing: after it, what the process works with is at hand."""
        self.poll()

    def close(self) -> None:
        """End it."""
        self._worker.close()


class Program:
    """A command that polls once; `environ` is what it needs to find its files."""

    def __init__(self, command: list[str], holds: Callable[[], int], **environ: str) -> None:
        self._command, self._environ, self._holds = command, environment(**environ), holds

    @property
    def holds(self) -> int:
        """How many entries it has stored."""
        return self._holds()

    def poll(self) -> Usage:
        """One run, from start to end."""
        return ended(self._command, self._environ)

    def warm_up(self) -> None:
        """Each run begins from nothing."""

    def close(self) -> None:
        """Nothing is left running."""


Peer = Resident | Program


def our_command(folder: Path, urls: list[str]) -> Peer:
    """`planet poll`."""
    config = configured(folder, urls)
    return Program(planet("poll", config, "--all", "--json"), lambda: _rows(folder / "data/planet.db", "entry"))


def our_cycle(folder: Path, urls: list[str], authority: str = "") -> Peer:
    """The sweep of a planet that is at work."""
    configured(folder, urls)
    return Resident("planet", folder / "resident", urls, authority)


def reader(folder: Path, urls: list[str]) -> Peer:
    """`reader` of PyPI, its update of all feeds with 16 threads."""
    return Resident("reader", folder, urls)


def plain(folder: Path, urls: list[str]) -> Peer:
    """What one would write with requests and feedparser: 16 threads, a table of entries."""
    return Resident("plain", folder, urls)


def bare(folder: Path, urls: list[str], authority: str = "") -> Peer:
    """Nothing but libcurl: conditional requests of all feeds, their answers thrown away."""
    return Resident("bare", folder, urls, authority)


def newsboat(folder: Path, urls: list[str]) -> Peer:
    """`newsboat -x reload`, of Debian."""
    folder.mkdir(parents=True)
    (folder / "urls").write_text("\n".join(urls))
    (folder / "config").write_text("reload-threads 8\n")
    options = ["-u", f"{folder}/urls", "-c", f"{folder}/cache.db", "-C", f"{folder}/config", "-x", "reload"]
    return Program([program("newsboat"), *options], lambda: _rows(folder / "cache.db", "rss_item"), HOME=str(folder))


def sfeed(folder: Path, urls: list[str]) -> Peer:
    """`sfeed_update`, of Debian, as it ships: curl and a reader for each feed, 16 at once."""
    folder.mkdir(parents=True)
    feeds = "\n".join(f"feed 'f{number}' '{url}'" for number, url in enumerate(urls))
    (folder / "sfeedrc").write_text(f"sfeedpath='{folder}/feeds'\nmaxjobs=16\nfeeds() {{\n{feeds}\n}}\n")
    command = [str(Path(program("sfeed")).with_name("sfeed_update")), f"{folder}/sfeedrc"]
    return Program(command, lambda: sum(len(path.read_bytes().splitlines()) for path in (folder / "feeds").iterdir()))


def _rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as opened:
        return int(opened.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def versions() -> dict[str, str]:
    """Which versions are compared."""
    import feedparser
    import pycurl

    said = {"feedparser": feedparser.__version__, "libcurl": pycurl.version.split()[0]}
    with suppress(ImportError):
        from importlib.metadata import version

        said["reader"] = version("reader")
    for name in ("newsboat", "sfeed"):
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False
        )
        said[name] = told.stdout or "?"
    return said


# -- what runs in the processes ------------------------------------------------------------------------


def _our_cycles(folder: Path, urls: list[str], authority: str, data: str = "") -> Iterator[Any]:
    from aggregator import clock, config, store
    from jobs import equipment
    from jobs.children import Children
    from jobs.link import Linking
    from jobs.poll import Sweep
    from jobs.readers import read_feed

    here = config.load(configured(Path(data) if data else folder / "planet", urls))
    database = store.open_store(here.data)
    equipment.subscribe(database, here, clock.now())
    children, engine = Children(here.workers.processes), equipment.engine_for(here, authority)
    for begun in [children.submit(read_feed, b"<rss version='2.0'/>", "", "", "", {}, 1_000) for _ in range(20)]:
        begun.result()  # the others have loaded their parsers by now, too
    yield "ready"
    while True:
        store.feeds.make_due(database, clock.now())
        summary = Sweep(database, engine, children, equipment.terms_for(here), clock.now).run()
        Linking(database, children, equipment.policy_for(here), clock.now).run()
        assert not summary.failed, summary
        yield database.execute("SELECT count(*) FROM entry").fetchone()[0]


def _reader_cycles(folder: Path, urls: list[str], _: str) -> Iterator[Any]:
    from reader import make_reader

    made = make_reader(str(folder / "reader.db"))
    for url in urls:
        made.add_feed(url)
    yield "ready"
    while True:
        made.update_feeds(scheduled=False, workers=16)
        yield made.get_entry_counts().total


def _plain_cycles(folder: Path, urls: list[str], _: str) -> Iterator[Any]:
    import io
    import sqlite3
    from concurrent.futures import ThreadPoolExecutor

    import feedparser
    import requests

    database = sqlite3.connect(folder / "plain.db", check_same_thread=False)
    database.execute("CREATE TABLE entry (feed, id, title, link, html, UNIQUE (feed, id))")
    validators: dict[str, dict[str, str]] = {}
    session = requests.Session()

    def fetch(url: str) -> tuple[str, Any]:
        answer = session.get(url, headers=validators.get(url, {}), timeout=20)
        if answer.status_code == 304:
            return url, None
        tags = {"If-None-Match": answer.headers.get("etag"), "If-Modified-Since": answer.headers.get("last-modified")}
        validators[url] = {name: value for name, value in tags.items() if value}
        return url, feedparser.parse(io.BytesIO(answer.content))

    with ThreadPoolExecutor(16) as pool:
        yield "ready"
        while True:
            for url, found in pool.map(fetch, urls):
                rows = [
                    (url, e.get("id") or e.get("link"), e.get("title"), e.get("link"), e.get("summary"))
                    for e in (found.entries if found else ())
                ]
                database.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", rows)
                database.commit()
            yield database.execute("SELECT count(*) FROM entry").fetchone()[0]


def _bare_cycles(_: Path, urls: list[str], authority: str) -> Iterator[Any]:
    import certifi
    import pycurl

    multi: Any = pycurl.CurlMulti()
    idle, tags, taken = [pycurl.Curl() for _ in range(128)], dict.fromkeys(urls, ""), [0]
    for handle in idle:
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.NOPROXY, "*")
        handle.setopt(pycurl.CAINFO, authority or certifi.where())
        handle.setopt(pycurl.WRITEFUNCTION, lambda chunk: None)

    def keep_tag(url: str) -> Callable[[bytes], None]:
        def read(line: bytes) -> None:
            if line[:5].lower() == b"etag:":
                tags[url] = line[5:].strip().decode()

        return read

    yield "ready"
    while True:
        waiting, running = list(urls), 0
        while waiting or running:
            while waiting and idle:
                handle, url = idle.pop(), waiting.pop()
                handle.setopt(pycurl.URL, url)
                handle.setopt(pycurl.HEADERFUNCTION, keep_tag(url))
                handle.setopt(pycurl.HTTPHEADER, [f"If-None-Match: {tags[url]}", "Accept-Encoding: gzip"])
                multi.add_handle(handle)
                running += 1
            multi.perform()
            _, done, failed = multi.info_read()
            for handle in [*done, *(found[0] for found in failed)]:
                taken[0] += handle.getinfo(pycurl.RESPONSE_CODE) == 304
                multi.remove_handle(handle)
                idle.append(handle)
                running -= 1
            if not done and not failed:
                multi.select(0.1)
        yield taken[0]


def _work(cycles: Iterator[Any]) -> None:
    print(next(cycles), flush=True)
    for _ in sys.stdin:
        print(json.dumps(next(cycles)), flush=True)


if __name__ == "__main__":
    name, folder, listed, *more = sys.argv[1:]
    every: dict[str, Callable[..., Iterator[Any]]] = {
        "planet": _our_cycles,
        "reader": _reader_cycles,
        "plain": _plain_cycles,
        "bare": _bare_cycles,
    }
    _work(every[name](Path(folder), Path(listed).read_text().split(), *(more or [""])))

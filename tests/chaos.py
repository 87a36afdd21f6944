"""`python -m tests.chaos [KILLS]`: kill -9 of either half at random moments under load, then count what is left.

Every ping that was answered with a yes is stored, once; no page is half; no post is there twice; the store passes
SQLite's own check; and the site equals one that is rebuilt from a backup made while the planet ran.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import unified_diff
from pathlib import Path

import requests

from aggregator import clock
from tests.builders import planet
from tests.crowd import Crowd, crowd, half_files
from tests.farm import eventually, quiet_port
from tests.test_processes import ME
from tests.world import files_of

MORE = '[poll]\nevery = "1s"\nat_least = "1s"\n[page]\nentries = 20\nper_feed_per_day = 100\n[linkbacks]\nstrangers = "publish"\n'


@dataclass
class Halves:
    """Both halves, each started again as soon as it was killed."""

    config: Path
    port: int
    log: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)

    def start(self, name: str) -> None:
        self.starts[name] += 1
        options = ["--port", str(self.port)] if name == "serve" else []
        with self.log.open("ab") as log:
            command = [*ME, name, "--config", str(self.config), *options]
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        process = self.processes[name]
        assert process.poll() is None, f"{name} ended by itself: see {self.log}"
        process.kill()
        process.wait()
        self.start(name)

    def is_up(self, name: str) -> bool:
        """Tell whether a half has begun its work since it was started; readers come with the jobs half."""
        if name == "serve":
            with closing(socket.socket()) as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        return self.log.read_text("utf-8").count("at work on") >= self.starts["work"]

    def readers(self) -> list[int]:
        """The child processes of the jobs half."""
        found: list[int] = []
        with suppress(OSError):
            for task in Path(f"/proc/{self.processes['work'].pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def close(self) -> None:
        """End whatever still runs, also when a check has failed."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(30)


@dataclass
class Outcome:
    """What chaos has left."""

    kills: dict[str, int]
    acknowledged: int
    pages_read: int
    lost: list[str]
    doubles: list[str]
    halves: list[str]
    integrity: str
    differing: list[str]
    tracebacks: int

    def faults(self) -> list[str]:
        said = [*self.lost, *self.doubles, *self.halves, *self.differing]
        return (
            said + ([] if self.integrity == "ok" else [self.integrity]) + ["a traceback in the log"] * self.tracebacks
        )


def chaos(folder: Path, kills: int, seed: int, pause: float = 1.0, longest_life: float = 0.8) -> Outcome:
    """Kill so often; return what is left. Deterministic in whom it kills, not in when."""
    port, chance = quiet_port(), random.Random(seed)
    with crowd(f"http://127.0.0.1:{port}/", seed) as people, ExitStack() as stack:
        feeds = [f"{blog.web.url}/feed" for blog in people.blogs]
        config = planet(folder, feeds, url=people.url, more=MORE).path
        halves = stack.enter_context(closing(Halves(config, port, folder / "log")))
        for name in ("work", "serve"):
            halves.start(name)
        eventually(lambda: answers(people.url), 60)
        people.start(senders=4, readers=2, pause=pause)
        counted = {"serve": 0, "work": 0, "reader": 0}
        torn: list[str] = []
        while counted["serve"] + counted["work"] < kills:
            victim = chance.choices(["serve", "work", "reader"], [4, 4, 2])[0]
            eventually(lambda half=victim: halves.is_up(half), 60)
            time.sleep(chance.uniform(0.02, longest_life))  # noqa: TID251
            if victim != "reader":
                halves.kill(victim)
            elif children := halves.readers():
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(children), signal.SIGKILL)
            counted[victim] += 1
            torn += half_files(folder / "data" / "public")
        eventually(lambda: answers(people.url), 60)
        people.stop()
        copy = _copy_of_now(config, folder, halves)
        return _outcome(folder, copy, people, counted, torn, halves)


def _outcome(
    folder: Path, copy: Path, people: Crowd, counted: dict[str, int], torn: list[str], halves: Halves
) -> Outcome:
    with closing(sqlite3.connect(folder / "data/planet.db")) as database:
        stored = {(source, target) for source, target in database.execute("SELECT source, target FROM linkback")}
        sources = [row[0] for row in database.execute("SELECT source FROM linkback WHERE protocols NOT LIKE '%feed%'")]
        entries = [row[0] for row in database.execute("SELECT url FROM entry")]
        integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
        broken = database.execute("PRAGMA foreign_key_check").fetchall()
        # Whose reader was killed is taken for a feed that can't be read: it comes again in an hour.
        late = [
            row[0]
            for row in database.execute("SELECT url FROM feed WHERE problem LIKE '%the process that read it died%'")
        ]
    in_time = [blog for blog in people.blogs if f"{blog.web.url}/feed" not in late]
    published = {f"{blog.web.url}{path}" for blog in in_time for path in [*blog.posts][-15:]}
    return Outcome(
        kills=counted,
        acknowledged=len(people.acknowledged),
        pages_read=people.answers,
        lost=[f"lost: {source}" for source, target in people.acknowledged if (source, target) not in stored]
        + [f"never stored: {url}" for url in published - set(entries)],
        doubles=[f"twice: {each}" for each in (*_twice(sources), *_twice(entries))],
        halves=[f"half: {each}" for each in (*torn, *people.halves, *half_files(folder / "data" / "public"))],
        integrity=integrity if not broken else f"foreign keys: {broken[:3]}",
        differing=_differing(folder, copy),
        tracebacks=_tracebacks(halves.log.read_text("utf-8")),
    )


def _tracebacks(log: str) -> int:
    """How many there are, but for those of readers whose parent was killed while it was starting them."""
    return log.count("Traceback") - log.count("in spawn_main")


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1} if len(names) != len(set(names)) else set()


def answers(url: str) -> bool:
    """Tell whether a planet shows the posts of the crowd."""
    with suppress(requests.RequestException):
        return "Post /" in requests.get(url, timeout=5).text
    return False


def _settle(path: Path) -> None:
    """Wait until nothing waits, as long as it becomes less."""
    left = _waiting(path)
    while left:
        try:
            eventually(
                lambda before=left: _waiting(path) < before, 700
            )  # a verification that was killed waits two minutes
        except AssertionError as error:
            raise AssertionError(f"{left} pings and pages wait for ever") from error
        left = _waiting(path)


def _waiting(path: Path) -> int:
    """How many pings and pages wait; a ping whose verification was killed three times is tried again in an hour."""
    soon = (clock.now() + timedelta(minutes=10)).isoformat()
    with closing(sqlite3.connect(path, timeout=10)) as database:
        pings = "SELECT count(*) FROM linkback WHERE status = 'pending' AND next_try_at < ?"
        return int(database.execute(f"SELECT ({pings}) + (SELECT count(*) FROM stale)", [soon]).fetchone()[0])


def _copy_of_now(config: Path, folder: Path, halves: Halves) -> Path:
    """A second planet, from a backup of the first one while that runs; the first is ended as the backup has it.

    A poll that comes due may bring something between backup and end: then two states would be compared, and it is
    done again.
    """
    for number in range(10):
        _settle(folder / "data/planet.db")
        copy = _copied(config, folder / f"copy{number}")
        halves.end()
        if _state(folder) == _state(copy):
            return copy
        for name in ("work", "serve"):
            halves.start(name)
    raise AssertionError("the planet never rests")


def _state(folder: Path) -> list[object]:
    """Posts and linkbacks as they are stored."""
    with closing(sqlite3.connect(folder / "data/planet.db")) as database:
        posts = database.execute("SELECT id, content_hash, hidden, shown_at FROM entry ORDER BY id").fetchall()
        linkbacks = database.execute("SELECT source, target, status FROM linkback ORDER BY source, target").fetchall()
    return [posts, linkbacks]


def _copied(config: Path, copy: Path) -> Path:
    """A planet from a backup of another one while that runs."""
    copy.mkdir()
    backup = copy / "planet.backup"
    _run("backup", str(backup), "--config", str(config))
    _run("restore", str(backup), "--config", str(copy / "feeds.toml"))
    return copy


def _differing(folder: Path, copy: Path) -> list[str]:
    """Both brought up to date at one time; what tells of times of polls is no part of the comparison."""
    for config in (folder / "feeds.toml", copy / "feeds.toml"):
        _run("build", "--config", str(config))
    ours, theirs = (files_of(each / "data/public") for each in (folder, copy))
    told = {name for name in ours if name.startswith(("status/", "blogs/"))}
    names = {name for name in ours if ours.get(name) != theirs.get(name)} | set(theirs) - set(ours)
    return [
        f"differs: {name}: {_lines(ours.get(name, b''), theirs.get(name, b''))}"
        for name in sorted(names - told)
        if not Path(name).name.startswith(".")
    ]


def _lines(ours: bytes, theirs: bytes) -> str:
    """The first lines in which two files differ."""
    lines = unified_diff(*(each.decode("utf-8", "replace").splitlines() for each in (ours, theirs)), lineterm="", n=0)
    return " ".join(lines)[:500]


def _run(*words: str) -> None:
    done = subprocess.run([*ME, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="planet-chaos-", ignore_cleanup_errors=True) as name:
        began = time.monotonic()  # noqa: TID251
        outcome = chaos(Path(name), kills, seed)
        took = time.monotonic() - began  # noqa: TID251
        print(
            f"killed {outcome.kills} in {took:.0f} s; {outcome.acknowledged} pings acknowledged, {outcome.pages_read} pages read"
        )
        for fault in outcome.faults()[:40]:
            print(fault)
        if outcome.faults():
            kept = Path(tempfile.gettempdir()) / f"chaos-{os.getpid()}.log"
            kept.write_bytes((Path(name) / "log").read_bytes())
            sys.exit(f"{len(outcome.faults())} faults; the log is {kept}")
        print("nothing lost, nothing half, nothing twice; the store is sound; a restored backup makes the same site")


if __name__ == "__main__":
    main()

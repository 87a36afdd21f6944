"""What a planet does when its machine fails it: what is said, what is refused, and that it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import requests
from sqlite_utils import Database

from aggregator import store
from aggregator.config import ConfigFile
from aggregator.errors import BackupUnusable, StoreFailed, StoreReadOnly
from aggregator.outbound import Answer, Engine, Guard, NoAnswer, Request
from aggregator.serve import _WebHalf
from jobs.children import Children
from jobs.scheduler import _Hands
from tests.builders import NOON, planet, rss
from tests.farm import Farm, Reply, Seen, eventually, quiet_port
from tests.isolated import isolated
from tests.test_processes import ME, Running, members_of
from tests.world import World, feed_at

# Runs a planet on a disk of its own, does to the disk what it is told by a file, and keeps what is left on it.
ON_A_DISK = """
sh -c "$MOUNT" || exit 3
"$@" & planet=$!
trap 'kill $planet; wait $planet; cp "$DATA"/planet.db* "$TOLD"; exit 0' TERM
while kill -0 $planet 2>/dev/null; do
  [ -e "$TOLD/do" ] && { sh "$TOLD/do" 2>"$TOLD/failed" && rm "$TOLD/failed"; mv "$TOLD/do" "$TOLD/done"; }
  sleep 0.05
done
"""


class OnADisk:
    """A whole planet on a disk that only it sees."""

    def __init__(self, folder: Path, web: Farm, mount: str) -> None:
        self.told, self.data, self.web, self.port = folder / "told", folder / "data", web, quiet_port()
        self.told.mkdir()
        self.data.mkdir()
        self.url, self.post = f"http://127.0.0.1:{self.port}/", f"{web.url}/1"
        web.routes["/feed"] = Reply(rss([(self.post, "Question", "x")]))
        more = '[poll]\nevery = "1s"\nat_least = "1s"\n'
        self.config = planet(folder, [f"{web.url}/feed"], url=self.url, more=more).path
        self.log = folder / "log"
        planet_run = [*ME, "run", "--config", str(self.config), "--port", str(self.port)]
        told = {"DATA": str(self.data), "TOLD": str(self.told), "MOUNT": mount}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*isolated("mount"), "sh", "-c", ON_A_DISK, "sh", *planet_run],
                stdout=log,
                stderr=log,
                env={**os.environ, **told},
            )

    def tell(self, command: str) -> None:
        """Have something done to the disk; skip where nobody can."""
        (self.told / "done").unlink(missing_ok=True)
        (self.told / "next").write_text(command, "utf-8")
        (self.told / "next").rename(self.told / "do")
        eventually((self.told / "done").exists)
        if (self.told / "failed").exists():
            pytest.skip(f"this machine doesn't let us: {command}: {(self.told / 'failed').read_text('utf-8')}")

    def has(self, words: str) -> Callable[[], bool]:
        def look() -> bool:
            with suppress(requests.RequestException):
                return words in requests.get(self.url, timeout=5).text
            return False

        return look

    def ping(self, number: int, more: str = "") -> str:
        body = xmlrpc.client.dumps((f"http://127.0.0.9/{number}/{more}", self.post), "pingback.ping")
        answer = requests.post(f"{self.url}xmlrpc", data=body.encode(), timeout=10)
        assert answer.status_code == 200
        return str(xmlrpc.client.loads(answer.content)[0][0])

    def takes(self, number: int) -> bool:
        with suppress(xmlrpc.client.Fault):
            return bool(self.ping(number))
        return False

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def stored(self) -> set[str]:
        """The numbers of the pings that are in the database, which is sound."""
        with closing(sqlite3.connect(self.told / "planet.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return {row[0].split("/")[3] for row in database.execute("SELECT source FROM linkback")}


@pytest.fixture
def on_a_disk(tmp_path: Path, web: Farm) -> Iterator[Callable[[str], OnADisk]]:
    made: list[OnADisk] = []

    def make(mount: str) -> OnADisk:
        made.append(OnADisk(tmp_path, web, mount))
        return made[0]

    yield make
    for each in made:
        each.end()


def test_on_a_full_disk_pages_stay_and_nothing_is_acknowledged_that_is_not_stored(
    on_a_disk: Callable[[str], OnADisk], web: Farm
) -> None:
    small = on_a_disk('mount -t tmpfs -o size=8m tmpfs "$DATA"')
    eventually(small.has("Question"), 60)
    acknowledged, fault = [], 0

    small.tell('dd if=/dev/zero of="$DATA/filler" bs=16k || true')
    for number in range(3_000):
        try:
            small.ping(number, "x" * 1_500)
            acknowledged.append(number)
        except xmlrpc.client.Fault as error:
            fault = error.faultCode
            break
    assert fault == -32400
    assert small.has("Question")()
    health = requests.get(f"{small.url}healthz", timeout=10)
    assert health.status_code == 503
    assert "MB are left on the disk" in health.text

    small.tell('rm "$DATA/filler"')
    eventually(lambda: small.takes(5_000), 30)
    web.routes["/feed"] = Reply(rss([(small.post, "Question", "x"), (f"{web.url}/2", "Afterwards", "y")]))
    eventually(small.has("Afterwards"), 60)
    small.end()
    assert {str(number) for number in (*acknowledged, 5_000)} <= small.stored()
    assert "Traceback" not in small.log.read_text("utf-8")
    assert "the disk is full; nothing was stored" in small.log.read_text("utf-8")


# How a folder becomes read-only, and how it is writable again: by its mount, or, which also forbids to write to what
# is open and in memory, file by file.
FORBIDDEN = {
    "mount": (
        'mount -t tmpfs tmpfs "$DATA"',
        'mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro "$DATA"',
        'umount -l "$DATA"',
    ),
    "immutable": ("true", 'chattr -R +i "$DATA"', 'chattr -R -i "$DATA"'),
}


@pytest.mark.parametrize("way", FORBIDDEN)
def test_a_folder_that_becomes_read_only_keeps_its_pages_and_goes_on_by_itself(
    on_a_disk: Callable[[str], OnADisk], web: Farm, way: str
) -> None:
    mount, forbid, allow = FORBIDDEN[way]
    here = on_a_disk(mount)
    eventually(here.has("Question"), 60)
    here.ping(1)
    acknowledged = [1]

    here.tell(forbid)
    try:
        web.routes["/feed"] = Reply(rss([(here.post, "Question", "x"), (f"{web.url}/2", "Afterwards", "y")]))
        for number in range(2, 5):  # who has the database open may still be able to write
            with suppress(xmlrpc.client.Fault, requests.RequestException):
                here.ping(number)
                acknowledged.append(number)
        for half in members_of(here.config):
            if half != here.process.pid and is_half(half):
                with suppress(ProcessLookupError):
                    os.kill(half, signal.SIGKILL)
        eventually(here.has("Question"), 60)
        with pytest.raises(xmlrpc.client.Fault) as refused:
            here.ping(5)
        webmention = requests.post(
            f"{here.url}webmention", data={"source": "http://127.0.0.9/6/", "target": here.post}, timeout=10
        )
        health = requests.get(f"{here.url}healthz", timeout=10)
        eventually(lambda: "run: /" in here.log.read_text("utf-8"))
    finally:
        here.tell(allow)

    eventually(here.has("Afterwards"), 60)
    eventually(lambda: here.takes(7), 30)
    here.end()
    assert refused.value.faultCode == -32400
    assert webmention.status_code == 503
    assert health.status_code == 503
    assert "it can't be written; check the owner and the rights" in health.text
    assert {str(number) for number in (*acknowledged, 7)} <= here.stored()
    log = here.log.read_text("utf-8")
    said = [line.split(maxsplit=1)[1] for line in log.splitlines() if "can't be written" in line]
    assert "Traceback" not in log
    assert 0 < len(said) == len(set(said)) <= 8


def is_half(pid: int) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"aggregator" in words and bool({b"serve", b"work"} & set(words))
    return False


def test_a_read_only_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    config = planet(tmp_path, ["http://127.0.0.1:9/feed"]).path
    (tmp_path / "data").mkdir()
    script = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'

    for words in (["run", "--port", str(quiet_port())], ["work"], ["poll"]):
        command = [*isolated("mount"), "sh", "-c", script, str(tmp_path / "data"), *ME, *words, "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        assert "check" in done.stderr
        assert "rights" in done.stderr


def damage(path: Path) -> None:
    """Overwrite the pages of a database, but for the first, which says that it is one."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = database.execute("PRAGMA page_size").fetchone()[0]
    body = bytearray(path.read_bytes())
    body[size:] = b"\xff" * (len(body) - size)
    path.write_bytes(body)


def test_a_damaged_database_is_named_with_what_to_do_and_pages_stay(tmp_path: Path, web: Farm) -> None:
    here = Running(tmp_path, web)
    try:
        eventually(here.has("Question"))
        here.process.send_signal(signal.SIGTERM)
        here.process.wait(15)
        damage(tmp_path / "data" / "planet.db")

        done = subprocess.run([*ME, "status", "--config", str(here.config)], capture_output=True, text=True, timeout=60)

        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        assert "is damaged; stop the planet and bring the last backup back" in done.stderr
    finally:
        here.end()


def test_damage_under_a_running_planet_acknowledges_nothing(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.database.close()
    damage(here.planet.data / "planet.db")

    with pytest.raises(StoreFailed, match="is damaged"):
        store.open_store(here.planet.data)


def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "planet.db").write_bytes(b"Dear diary, " * 1_000)

    with pytest.raises(StoreFailed, match=r"planet\.db.* is no database of a planet; put it somewhere else"):
        store.open_store(tmp_path)


def test_an_index_that_lies_is_told_by_the_check_of_a_backup(
    world: Callable[..., World], web: Farm, tmp_path: Path
) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database = here.planet.data / "planet.db"
    copy = tmp_path / "copy.db"
    body = bytearray(database.read_bytes())
    body[8_192:12_288] = b"\0" * 4_096
    copy.write_bytes(body)

    with pytest.raises(BackupUnusable):
        store.backup.configuration_in(copy)


# -- out of file descriptors -------------------------------------------------------------------------


def test_an_engine_without_file_descriptors_says_so_and_works_again(web: Farm) -> None:
    web.routes["/"] = Reply(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Engine(Guard.of(["127.0.0.0/8"], []), "planet-test") as engine, ExitStack() as taken:
        assert isinstance(engine.fetch(Request(f"{web.url}/", headers=(("Connection", "close"),))), Answer)
        with contextlib.closing(socket.socket()) as probe:
            most = probe.fileno() + 12
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        try:
            with suppress(OSError):
                while True:
                    taken.enter_context(closing(socket.socket()))
            outcome = engine.fetch(Request("http://127.0.0.2:9/", seconds=5))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        taken.close()

        assert isinstance(outcome, NoAnswer)
        assert outcome.kind in ("unreachable", "broken")
        assert isinstance(engine.fetch(Request(f"{web.url}/")), Answer)


def idle(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """So many connections that say nothing, or half of a request."""
    made = []
    for number in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        if number % 2:
            connection.sendall(b"POST /xmlrpc HTTP/1.1\r\nHost: x\r\nContent-Le")
        made.append(connection)
    return made


def test_a_web_half_with_few_file_descriptors_serves_everybody(tmp_path: Path, web: Farm) -> None:
    config = planet(tmp_path, [f"{web.url}/feed"]).path
    port = quiet_port()
    with (tmp_path / "log").open("wb") as log, ExitStack() as stack:
        command = [
            "sh",
            "-c",
            'ulimit -n 240; exec "$@"',
            "sh",
            *ME,
            "serve",
            "--config",
            str(config),
            "--port",
            str(port),
        ]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            eventually(lambda: _status(port) in (200, 503))
            idle(stack, port, 150)

            assert [_status(port) for _ in range(5)] == [503] * 5  # there are no pages yet, and it says so
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def _status(port: int) -> int:
    with suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code
    return 0


def test_ten_thousand_idle_connections_keep_nobody_out(tmp_path: Path, web: Farm) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10_500:
        pytest.skip(f"a process may have {hard} files here, and the test needs 10,500")
    here = Running(tmp_path, web)
    try:
        eventually(here.has("Question"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (10_500, hard))
        before = _memory(here)
        with ExitStack() as stack:
            idle(stack, here.port, 10_000)
            for number in range(5):
                assert here.get().status_code == 200
                assert here.ping(f"http://127.0.0.9/{number}").startswith("Thank you")
            grown = _memory(here) - before
        assert grown < 100_000_000
        assert here.get().status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        here.end()
    assert "Traceback" not in here.logged()


def _memory(here: Running) -> int:
    half = here.half("serve")
    lines = Path(f"/proc/{half}/smaps_rollup").read_text("utf-8").splitlines()
    return 1_024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def test_feeds_are_not_asked_again_while_their_polls_cannot_be_recorded(
    database: Database, tmp_path: Path, children: Children, web: Farm
) -> None:
    configured = ConfigFile(planet(tmp_path, [feed_at(web, ("/1", "One", "x"))]).path)
    hands = _Hands(configured, children, lambda: NOON, threading.Event())
    with ExitStack() as stack:
        sweep = hands.poll(database, configured.current, stack)
        database.execute("PRAGMA query_only = ON")
        for _ in range(5):
            with pytest.raises(StoreReadOnly):
                sweep()
        asked = len(web.seen)
        database.execute("PRAGMA query_only = OFF")
        sweep()

    assert asked == 1
    assert len(web.seen) == 2
    assert [post.title for post in store.entries.river(database, 10, 10)] == ["One"]


@pytest.mark.parametrize("trouble", ["damage", "too little room", "no reader"])
def test_a_feed_whose_poll_cannot_be_recorded_is_left_alone_for_five_minutes(
    database: Database, tmp_path: Path, children: Children, web: Farm, trouble: str
) -> None:
    configured = ConfigFile(planet(tmp_path, [feed_at(web, ("/1", "One", "x"))]).path)
    readers = _NoReaders() if trouble == "no reader" else children
    now = [NOON]
    hands = _Hands(configured, readers, lambda: now[0], threading.Event())  # type: ignore[arg-type]
    with ExitStack() as stack:
        sweep = hands.poll(database, configured.current, stack)
        if trouble == "damage":
            database.execute("CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'malformed'); END")
        elif trouble == "too little room":  # but enough for the proof that there is some
            [pages] = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages + 125}")
            posts = [(f"{web.url}/{n}", f"Post {n}", f"word{n} " * 700) for n in range(200)]
            web.routes["/feed"] = Reply(rss(posts))
        asked = []
        for minutes in (0, 0, 4, 6):
            now[0] = NOON + timedelta(minutes=minutes)
            with suppress(StoreFailed, sqlite3.Error):
                sweep()
            asked.append(len(web.seen))

    assert asked == [1, 1, 1, 2]


def test_a_feed_that_is_being_polled_when_its_host_says_429_rests_with_the_others(
    database: Database, tmp_path: Path, children: Children, web: Farm
) -> None:
    both = threading.Barrier(2)

    def good(_seen: Seen) -> Reply:
        both.wait(10)
        until = "SELECT 1 FROM feed WHERE stay_away_until IS NOT NULL"
        with closing(sqlite3.connect(tmp_path / "data/planet.db")) as other:
            assert eventually(lambda: other.execute(until).fetchone())
        return Reply(rss([(f"{web.url}/1", "One", "x")]))

    def too_many(_seen: Seen) -> Reply:
        both.wait(10)
        return Reply(status=429, headers={"Retry-After": "7200"})

    web.routes |= {"/good": good, "/busy": too_many}
    configured = ConfigFile(planet(tmp_path, [f"{web.url}/good", f"{web.url}/busy"]).path)
    seconds = count()  # so much that each poll is stored as soon as it is done
    hands = _Hands(configured, children, lambda: NOON + timedelta(seconds=next(seconds)), threading.Event())
    with ExitStack() as stack:
        hands.poll(database, configured.current, stack)()

    rows = database.execute("SELECT failures, next_poll_at FROM feed ORDER BY url DESC").fetchall()
    assert [failures for failures, _ in rows] == [0, 1]
    assert all(at >= (NOON + timedelta(hours=2)).isoformat() for _, at in rows)


@pytest.mark.parametrize("rests", [(7200, 60), (60, 7200)])
def test_of_two_rests_of_a_host_the_longer_one_counts(
    world: Callable[..., World], web: Farm, rests: tuple[int, int]
) -> None:
    both, is_first_done = threading.Barrier(2), threading.Event()

    def answering(is_first: bool, seconds: int) -> Callable[[Seen], Reply]:
        def answer(_seen: Seen) -> Reply:
            both.wait(10)
            assert is_first or is_first_done.wait(10)
            is_first_done.set()
            return Reply(status=429, headers={"Retry-After": str(seconds)})

        return answer

    web.routes |= {"/first": answering(True, rests[0]), "/then": answering(False, rests[1])}
    here = world(f"{web.url}/first", f"{web.url}/then", *(f"{web.url}/{number}" for number in range(3)))

    here.poll()

    others = here.database.execute("SELECT min(next_poll_at) FROM feed WHERE failures = 0").fetchone()
    assert others[0] >= (NOON + timedelta(hours=2)).isoformat()


class _NoReaders:
    def submit_together(self, _function: object, tasks: Sequence[object]) -> list[Future[object]]:
        futures: list[Future[object]] = [Future() for _ in tasks]
        for future in futures:
            future.cancel()
            future.set_running_or_notify_cancel()
        return futures

    def again(self, _future: Future[object]) -> None:
        return None


def test_an_edit_that_comes_while_nothing_can_be_stored_is_in_effect_afterwards(tmp_path: Path) -> None:
    async def edited() -> list[object]:
        configured = planet(tmp_path, ["http://a.test/feed"])
        half = _WebHalf(ConfigFile(configured.path), lambda: NOON)
        half._stop.set()
        half._thread.join()
        assert half._database is not None
        half._database.execute("PRAGMA query_only = ON")
        planet(tmp_path, ["http://a.test/feed"], more="[linkbacks]\naccept = []\n")
        with suppress(StoreFailed):
            half._look()
        half._database.execute("PRAGMA query_only = OFF")
        half._look()
        await asyncio.sleep(0)
        half.close()
        return list(half._pages.endpoints_of("posts/1-x/index.html"))

    assert asyncio.run(edited()) == []


# -- feeds -------------------------------------------------------------------------------------------


def test_a_reader_that_dies_costs_one_feed_an_hour_and_nobody_else_anything(tmp_path: Path, web: Farm) -> None:
    here = Running(tmp_path, web, more='[poll]\nevery = "1s"\nat_least = "1s"\n')
    try:
        eventually(here.has("Question"))
        work = here.half("work")
        children = [pid for pid in members_of(here.config) if pid not in (work, here.half("serve"), here.process.pid)]
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        web.routes["/feed"] = Reply(rss([(here.post_url, "Question", "x"), (f"{web.url}/2", "Second", "y")]))

        eventually(here.has("Second"), 40)
        assert here.half("work") == work
    finally:
        here.end()


def test_the_planet_starts_and_serves_while_every_feed_hangs_or_fails(tmp_path: Path, web: Farm) -> None:
    def hang(_connection: object, over: threading.Event) -> None:
        over.wait(60)

    web.raw["/silent"] = hang
    feeds = "".join(f'[[feeds]]\nurl = "{web.url}/{name}"\n' for name in ("none", "silent", "other"))
    here = Running(tmp_path, web, more=f'[poll]\ntimeout = "2s"\n{feeds}')
    try:
        eventually(here.has("Question"))
        assert here.ping("http://127.0.0.9/x").startswith("Thank you")
        assert here.get("healthz").status_code in (200, 503)
    finally:
        assert here.end() == 0

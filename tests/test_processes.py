"""The planet as its operator runs it: real processes, real signals, a real port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.builders import planet, rss
from tests.farm import Farm, Reply, eventually, farm, quiet_port

ME = [sys.executable, "-m", "aggregator"]


def members_of(config: Path) -> list[int]:
    """Every process of a planet, told by its configuration on the command line, and their children."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and str(config).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    for pid in list(found):
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return sorted(set(found))


class Running:
    """A planet in processes of its own."""

    def __init__(self, folder: Path, web: Farm, command: str = "run", more: str = "", title: str = "Question") -> None:
        self.port = quiet_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.web = web
        self.folder = folder
        self.post_url = f"{web.url}/1"
        web.routes["/feed"] = Reply(rss([(self.post_url, title, "<p>x</p>")]))
        web.html("/1", "<title>Question</title>", **{"X-Pingback": f"{self.url}xmlrpc"})
        self.member = Farm("127.0.0.22")  # who answers: a blog's links to its own posts are nobody's thoughts
        self.member.routes["/feed"] = Reply(rss([]))
        self.config = planet(folder, [f"{self.member.url}/feed", f"{web.url}/feed"], url=self.url, more=more).path
        self.log = (folder / "log").open("ab")
        self.process = self.start(command)

    def start(self, command: str) -> subprocess.Popen[bytes]:
        words = command.split()
        options = ["--config", str(self.config)] + ([] if words[0] == "work" else ["--port", str(self.port)])
        return subprocess.Popen([*ME, *words, *options], stderr=self.log, stdout=self.log)

    def get(self, path: str = "", **headers: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=5)

    def has(self, text: str, path: str = "") -> Callable[[], bool]:
        def look() -> bool:
            with suppress(requests.RequestException):
                return text in self.get(path).text
            return False

        return look

    def ping(self, source: str, target: str = "") -> str:
        body = xmlrpc.client.dumps((source, target or self.post_url), "pingback.ping")
        answer = requests.post(f"{self.url}xmlrpc", data=body.encode(), timeout=10)
        return str(xmlrpc.client.loads(answer.content)[0][0])

    def members(self) -> list[int]:
        return members_of(self.config)

    def half(self, name: str) -> int | None:
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if entry.name.isdigit() and name.encode() in words and str(self.config).encode() in words:
                    return int(entry.name)
        return None

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.log.close()
            self.member.close()

    def logged(self) -> str:
        return (self.folder / "log").read_text("utf-8")


@pytest.fixture
def running(tmp_path: Path, web: Farm) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(command: str = "run", more: str = "", title: str = "Question") -> Running:
        made.append(Running(tmp_path, web, command, more, title))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_a_planet_runs_from_feed_and_ping_to_page_and_ends_cleanly(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))
    page = re.search(r'href="/(posts/[^"#]+)"', here.get().text)
    assert page is not None
    source = here.member.html("/answer", f'<title>The answer</title><p>See <a href="{here.post_url}">this</a>.</p>')

    answer = here.ping(source)
    eventually(here.has("The answer", page[1]))

    status = re.search(r"http\S+/mentions/\S+", answer)
    assert status is not None
    assert "is published" in requests.get(status[0], timeout=5).text
    assert requests.get(status[0], headers={"Accept": "application/json"}, timeout=5).json()["status"] == "published"
    with pytest.raises(xmlrpc.client.Fault) as again:
        here.ping(source)
    assert again.value.faultCode == 48
    processes = here.members()
    assert here.end() == 0
    eventually(lambda: not [pid for pid in processes if _lives(pid)])
    assert "Traceback" not in here.logged()


def test_the_seed_over_the_wire(running: Callable[..., Running], web: Farm) -> None:
    """Two member blogs and a stranger answer a post, find the endpoint on its page, and send pingback.ping."""
    title = "HIMMS interested in bloggers, blogging, and social networking"
    with farm("127.0.0.2") as ambulatory, farm("127.0.0.3") as future, farm("127.0.0.4") as stranger:
        ambulatory.routes["/feed"] = future.routes["/feed"] = Reply(rss([]))
        here = running(
            more=f'[[feeds]]\nurl = "{ambulatory.url}/feed"\nname = "ambulatorycomputing.com"\n'
            f'[[feeds]]\nurl = "{future.url}/feed"\nname = "FutureHIT"\n',
            title=title,
        )
        eventually(here.has(title))
        path = re.search(r'href="/(posts/[^"#]+)"', here.get().text)
        assert path is not None
        target = f"{here.url}{path[1]}"
        endpoint = requests.head(target, timeout=5).headers["X-Pingback"]

        def send(source: str) -> None:
            body = xmlrpc.client.dumps((source, target), "pingback.ping").encode()
            xmlrpc.client.loads(requests.post(endpoint, data=body, timeout=5).content)

        link = f'<p>Someone was <a href="{target}">interviewed about blogging</a>, at last.</p>'
        send(
            ambulatory.html(
                "/point", f"<title>ambulatorycomputing.com » Blog Archives » The point of Blogging</title>{link}"
            )
        )
        eventually(here.has("The point of Blogging", path[1]))
        send(stranger.html("/x", f"<title>A stranger</title>{link}"))
        send(future.html("/speculations/", f"<title>FutureHIT - Speculations on the Future of Health IT</title>{link}"))
        eventually(here.has("Speculations on the Future of Health IT", path[1]))
        eventually(lambda: sorted(_statuses(here)) == ["held", "published", "published"])
        html = here.get(path[1]).text

    assert f"2 thoughts on “{title}”" in html
    assert "A stranger" not in html
    assert re.findall(r'id="thought-(\d)".*?<b>(.*?)</b>.*?<mark>(.*?)</mark>', html) == [
        ("1", "ambulatorycomputing.com", "interviewed about blogging"),
        ("2", "FutureHIT", "interviewed about blogging"),
    ]


def test_http_headers_of_pages(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    path = re.search(r'href="/(posts/[^"#]+)"', here.get().text)
    assert path is not None

    full = here.get(path[1], **{"Accept-Encoding": "identity"})
    squeezed = here.get(path[1], **{"Accept-Encoding": "identity;q=0.5, GZIP"})
    head = requests.head(f"{here.url}{path[1]}", headers={"Accept-Encoding": "identity"}, timeout=5)
    known = here.get(path[1], **{"If-None-Match": f'W/"x", {squeezed.headers["ETag"]}'})

    assert full.headers["X-Pingback"] == head.headers["X-Pingback"] == f"{here.url}xmlrpc"
    assert full.headers["Content-Length"] == head.headers["Content-Length"] == str(len(full.content))
    assert head.content == b""
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert squeezed.headers["ETag"] != full.headers["ETag"]
    assert squeezed.text == full.text
    assert (known.status_code, known.content) == (304, b"")
    assert "default-src 'none'" in full.headers["Content-Security-Policy"]
    assert "X-Pingback" not in here.get().headers
    assert here.get("none").status_code == 404
    assert here.get(path[1].rstrip("/")).url == f"{here.url}{path[1]}"
    assert requests.post(here.url, timeout=5).status_code == 405
    for escape in (
        "..%2fplanet.db",
        "../planet.db",
        "%2e%2e/planet.db",
        "static/../../planet.db",
        "//etc/passwd",
        "%00",
    ):
        assert here.get(escape).status_code == 404
    endpoint = here.get("xmlrpc")
    assert (endpoint.status_code, endpoint.headers["Allow"]) == (405, "POST")


def test_a_half_that_is_killed_comes_back(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))

    for name in ("serve", "work"):
        first = here.half(name)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda name=name, first=first: here.half(name) not in (None, first))
    eventually(here.has("Question"))
    source = here.member.html("/answer", f'<title>Afterwards</title><a href="{here.post_url}">x</a>')
    here.ping(source)

    eventually(here.has("Afterwards", ""))


def test_nothing_is_left_when_the_supervisor_is_killed(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    processes = here.members()
    assert len(processes) >= 4  # supervisor, two halves, a reader

    here.process.kill()
    here.process.wait()

    eventually(lambda: not [pid for pid in processes if _lives(pid)])
    with pytest.raises(requests.ConnectionError):
        here.get()


def test_readers_end_with_the_jobs_half(running: Callable[..., Running]) -> None:
    here = running("work")
    eventually(
        lambda: (
            (here.folder / "data/public/index.html").exists()
            and "Question" in (here.folder / "data/public/index.html").read_text()
        )
    )
    processes = here.members()

    here.process.kill()
    here.process.wait()

    eventually(lambda: not [pid for pid in processes if _lives(pid)])


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_acknowledged_pings_survive_kill_9(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    over, acknowledged = threading.Event(), []

    def send(worker: int) -> None:
        number = 0
        while not over.wait(0.002):
            number += 1
            source = f"http://127.0.0.9/{worker}/{number}"
            with suppress(requests.RequestException, xmlrpc.client.Error):
                here.ping(source)
                acknowledged.append(source)

    with ThreadPoolExecutor(8) as pool:
        senders = [pool.submit(send, worker) for worker in range(8)]
        try:
            for _ in range(3):
                so_far = len(acknowledged)
                eventually(lambda so_far=so_far: len(acknowledged) > so_far + 20, 60)
                victim = eventually(lambda: here.half("serve"))
                os.kill(int(str(victim)), signal.SIGKILL)
                eventually(lambda victim=victim: here.half("serve") not in (None, victim), 60)
        finally:
            over.set()
        for sender in senders:
            sender.result()

    here.end()
    with sqlite3.connect(here.folder / "data/planet.db") as database:
        stored = {row[0] for row in database.execute("SELECT source FROM linkback")}
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    database.close()
    assert len(acknowledged) > 60
    assert set(acknowledged) <= stored


def test_a_kill_9_between_answer_and_verification_loses_nothing(running: Callable[..., Running]) -> None:
    here = running("serve")  # nobody verifies yet
    eventually(here.has(""))
    subprocess.run([*ME, "poll", "--config", str(here.config)], check=True, capture_output=True)
    source = here.member.html("/answer", f'<title>Kept</title><a href="{here.post_url}">x</a>')

    answer = here.ping(source)
    here.process.kill()
    here.process.wait()
    here.process = here.start("run")

    assert answer.startswith("Thank you.")
    eventually(here.has("Kept"), seconds=40)


def _rows(here: Running) -> int:
    database = sqlite3.connect(here.folder / "data/planet.db")
    try:
        return int(database.execute("SELECT count(*) FROM linkback").fetchone()[0])
    finally:
        database.close()


def test_identical_pings_at_once_are_one_row_and_one_fetch(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))
    source = here.member.html("/answer", f'<title>Once</title><a href="{here.post_url}">x</a>')

    def send(_number: int) -> int:
        try:
            here.ping(source)
        except xmlrpc.client.Fault as fault:
            return fault.faultCode
        return 200

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(send, range(100)))
    eventually(here.has("Once"))

    assert answers == [48] * 99 + [200]
    assert _rows(here) == 1
    assert len([seen for seen in here.member.seen if seen.path == "/answer"]) == 1


def test_a_ping_that_is_not_verified_looks_pending_for_a_while(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))
    web.html("/nolink", "<title>No link</title>")

    answer = here.ping(f"{web.url}/nolink")
    eventually(lambda: _statuses(here) == ["rejected"])
    status = re.search(r"http\S+/mentions/\S+", answer)

    assert status is not None
    assert "is being verified" in requests.get(status[0], timeout=5).text
    assert requests.get(status[0], headers={"Accept": "application/json"}, timeout=5).json()["status"] == "pending"
    assert here.get("mentions/unknown").status_code == 404


def _statuses(here: Running) -> list[str]:
    database = sqlite3.connect(here.folder / "data/planet.db")
    try:
        return [row[0] for row in database.execute("SELECT status FROM linkback")]
    finally:
        database.close()


def test_a_planet_with_hanging_feeds_and_a_locked_store_ends_in_time(
    running: Callable[..., Running], web: Farm
) -> None:
    def silent(_connection: object, over: threading.Event) -> None:
        over.wait(60)

    web.raw["/silent"] = silent
    here = running(more=f'[[feeds]]\nurl = "{web.url}/silent"\n')
    eventually(here.has("Question"))
    eventually(lambda: "/silent" in {seen.path for seen in web.seen})

    assert here.end() == 0

    assert "work: stopped" in here.logged()
    assert "serve: stopped" in here.logged()


def test_a_locked_store_is_a_fault_and_nothing_is_acknowledged(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    lock = sqlite3.connect(here.folder / "data/planet.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    with pytest.raises(xmlrpc.client.Fault) as fault:
        here.ping("http://127.0.0.9/x")
    assert here.get().status_code == 200
    lock.execute("ROLLBACK")
    lock.close()

    assert fault.value.faultCode == -32400
    assert _rows(here) == 0
    here.ping("http://127.0.0.9/x")
    assert _rows(here) == 1


def test_hostile_bodies_are_faults_and_quick(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))

    for body in (b"", b"x" * 200_000, b"<!DOCTYPE a>", b"<a>" * 10_000, b"\xff\xfe" * 100, b"<methodCall/>"):
        answer = requests.post(f"{here.url}xmlrpc", data=body, timeout=5)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        with pytest.raises(xmlrpc.client.Fault):
            xmlrpc.client.loads(answer.content)


def test_an_edit_of_the_configuration_takes_effect(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))
    web.routes["/other"] = Reply(rss([(f"{web.url}/2", "Second blog", "x")]))
    text = here.config.read_text()

    here.config.write_text(text.replace("Planet Test", "Planet Renamed") + f'\n[[feeds]]\nurl = "{web.url}/other"\n')
    eventually(here.has("Second blog"))
    eventually(here.has("Planet Renamed"))
    here.config.write_text("broken")
    eventually(lambda: "can't be used as it is now; the last good configuration goes on" in here.logged())

    assert here.has("Second blog")()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ME, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_broken_configuration_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[planet]\ntitel = "x"\n[[feeds]]\n')

    for command in ("run", "serve", "work", "poll", "build", "check", "status"):
        result = run(tmp_path, command)
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 4
        assert "feeds.toml:2:1: planet.titel: there is no such key; did you mean 'title'?" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    planet(tmp_path, ["http://127.0.0.1:9/feed"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        for command in ("run", "serve"):
            assert f"can't listen on 127.0.0.1:{port} (Address already in use)" in refused(
                run(tmp_path, command, "--port", port)
            ).replace("planet: ", "")


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    planet(tmp_path, ["http://127.0.0.1:9/feed"])
    (tmp_path / "data").write_text("a file")

    for command in ("run", "serve", "work", "poll"):
        arguments = ["--port", str(quiet_port())] if command in ("run", "serve") else []
        assert "data" in refused(run(tmp_path, command, *arguments))


def test_a_second_planet_on_the_same_folder_is_one_line(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))

    for command in ("run", "serve", "work"):
        arguments = ["--port", str(quiet_port())] if command in ("run", "serve") else []
        assert "another planet is at work" in refused(run(here.folder, command, *arguments))


def test_poll_beside_a_working_planet_marks_feeds_due(running: Callable[..., Running], web: Farm) -> None:
    here = running()
    eventually(here.has("Question"))

    assert "another planet is at work" in refused(run(here.folder, "build"))
    result = run(here.folder, "poll")

    assert result.returncode == 0
    assert "marked due" in result.stdout
    eventually(lambda: len([seen for seen in web.seen if seen.path == "/feed"]) >= 2)


def test_poll_status_build_and_check_alone(tmp_path: Path, web: Farm) -> None:
    web.routes["/feed"] = Reply(rss([(f"{web.url}/1", "Question", "x")]))
    planet(tmp_path, [f"{web.url}/feed", f"{web.url}/none"])

    polled = json.loads(run(tmp_path, "poll", "--json").stdout)
    again = json.loads(run(tmp_path, "poll", "--json").stdout)
    everything = json.loads(run(tmp_path, "poll", "--all", "--json").stdout)
    status = json.loads(run(tmp_path, "status", "--json").stdout)
    built = run(tmp_path, "build", "--out", "site")

    assert {name: polled[name] for name in ("feeds", "fetched", "unchanged", "failed", "new_entries", "updated_entries")} == {
        "feeds": 2, "fetched": 1, "unchanged": 0, "failed": 1, "new_entries": 1, "updated_entries": 0,
    }  # fmt: skip
    assert polled["seconds"] > 0
    assert again["feeds"] == 0
    assert (everything["unchanged"], everything["failed"]) == (1, 1)
    assert {feed["health"] for feed in status["feeds"]} == {"healthy", "failing"}
    assert set(status["feeds"][0]) >= {
        "url",
        "name",
        "health",
        "problem",
        "last_poll",
        "next_poll",
        "status",
        "entries",
    }
    assert status["mentions"]["pending"] == 0
    assert built.returncode == 0
    assert "Question" in (tmp_path / "site/index.html").read_text()
    assert run(tmp_path, "status").returncode == run(tmp_path, "check").returncode == 0


def test_every_command_explains_itself(tmp_path: Path) -> None:
    listed = run(tmp_path, "--help")
    commands = re.findall(r"^  ([a-z]+)  ", listed.stdout.partition("Commands:")[2], re.MULTILINE)

    assert {"run", "serve", "work", "poll", "build", "check", "status", "demo"} <= set(commands)
    for command in commands:
        assert "Usage:" in run(tmp_path, command, "--help").stdout
    assert run(tmp_path, "nonsense").returncode == 2


def test_the_demo_shows_posts_and_pingbacks_and_goes_on(tmp_path: Path) -> None:
    port = quiet_port()
    process = subprocess.Popen(
        [*ME, "demo", "--port", str(port), "--seconds", "150"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )

    def page() -> str:
        with suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{port}/", timeout=5).text
        return ""

    try:
        eventually(lambda: page().count("<article") >= 12 and len(re.findall(r">\d+ thoughts?</a>", page())) >= 6, 60)
        first = page().count("<article")
        eventually(lambda: page().count("<article") > first, 60)
        blogs = requests.get(f"http://127.0.0.1:{port}/opml.xml", timeout=5).text.count("<outline")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert blogs >= 6

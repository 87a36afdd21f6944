"""Figures of the intake of pings: `python -m bench.pings [SECONDS]`. Durable, one row for each ping; wrk asks.

Four servers take the same `pingback.ping` calls over 64 connections, each from another blog: the standard library's
XML-RPC server with SQLite (synchronous=FULL) and one commit for each ping, the same with a thread for each request,
the same behind waitress and Flask, and `planet serve`. They take turns, each time with an empty store, and are compared
turn by turn; the median counts: other load on the machine falls on all of them. At last the whole planet takes pings
while 1,000 verifications wait for a silent host.
"""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from statistics import median
from typing import NamedTuple
from xmlrpc.client import ServerProxy, dumps, loads
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from bench.machine import free_port, planet, program, running
from bench.report import Figure, Report

CONNECTIONS = 64
WAITING = 1_000
SOURCE = "http://blogNUMBER.example/2026/11/an-answer/"
TURNS = 5
PEERS = {
    "single": "standard library",
    "threaded": "standard library, threads",
    "flask": "waitress+Flask",
}
TARGET = "http://127.0.0.1:{port}/1"
# Every source is another one; the answers are counted by what they are.
SCRIPT = """
local thread_number = 0
function setup(thread) thread:set("id", thread_number); thread_number = thread_number + 1 end
function init() count = 0; taken = 0; faults = 0 end
function request()
  count = count + 1
  local body = string.gsub([[CALL]], "NUMBER", id .. "x" .. count)
  return wrk.format("POST", "/xmlrpc", {["Content-Type"] = "text/xml"}, body)
end
function response(status, headers, body)
  if string.find(body, "<fault>", 1, true) then faults = faults + 1 else taken = taken + 1 end
end
"""


class _Taken(NamedTuple):
    """What one server did: pings per second, and milliseconds."""

    rate: float
    p50: float
    p99: float


def measure(report: Report, seconds: int = 10) -> None:
    """Let all take pings, in turns, and add what came out to the report."""
    wrk, each = program("wrk"), max(1, round(seconds / TURNS))
    report.note(f"{CONNECTIONS} connections, {TURNS} turns of {each} s")
    print(f"{'':34}{'pings/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'stored':>9}")
    with _blog() as port:
        taken: dict[str, list[_Taken]] = {name: [] for name in (*PEERS, "planet")}
        for _ in range(TURNS):
            for name in PEERS:
                taken[name].append(_measure_peer(wrk, name, port, each))
            taken["planet"].append(_measure_planet(wrk, "serve", port, each))
        for name, must, aim in (("single", 8, 12), ("threaded", 8, None), ("flask", 8, None)):
            report.add(Figure(f"durable pings: {PEERS[name]}", _times(taken["planet"], taken[name]), must, aim))
        report.add(Figure("durable pings, p99 ms", median(one.p99 for one in taken["planet"]), 100, less=True))
        waiting = _measure_planet(wrk, "run", port, each)
        report.add(Figure(f"... while {WAITING:,} verifications wait, p99 ms", waiting.p99, 100, less=True))


def _times(ours: list[_Taken], theirs: list[_Taken]) -> float:
    return median(mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True))


def _measure_peer(wrk: str, kind: str, port: int, seconds: int) -> _Taken:
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name, _peer(Path(name), kind) as url:
        return _measure(PEERS[kind], wrk, url, port, seconds, Path(name) / f"{kind}.db")


def _measure_planet(wrk: str, command: str, port: int, seconds: int) -> _Taken:
    """The web half alone; or the whole planet, after pings whose verification nobody answers."""
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        config = _configure(Path(name), port)
        subprocess.run([*planet("poll", config), "--json"], check=True, capture_output=True)
        with _silence() as silent, _running(command, config) as url:
            for number in range(WAITING if command == "run" else 0):
                ping = ServerProxy(f"{url}xmlrpc").pingback.ping
                ping(f"http://127.0.0.1:{silent}/{number}", TARGET.format(port=port))
            name_of = {"serve": "planet serve", "run": f"planet run, {WAITING:,} verifications wait"}
            return _measure(name_of[command], wrk, url, port, seconds, Path(name) / "data/planet.db")


def _measure(name: str, wrk: str, url: str, port: int, seconds: int, database: Path) -> _Taken:
    script = database.parent / "ping.lua"
    call = dumps((SOURCE, TARGET.format(port=port)), "pingback.ping")
    script.write_text(SCRIPT.replace("CALL", call))
    before = _rows(database)
    options = ["-t", "2", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency", "--timeout", "10s"]
    told = subprocess.run([wrk, *options, "-s", str(script), url], check=True, capture_output=True, text=True).stdout
    stored = _rows(database) - before
    asked, took = re.search(r"(\d+) requests in ([\d.]+)s", told).groups()  # type: ignore[union-attr]
    if stored < int(asked):
        sys.exit(f"bench: {name}: {asked} pings were answered, and {stored} are stored\n{told}")
    one = _Taken(int(asked) / float(took), _latency(told, "50%"), _latency(told, "99%"))
    print(f"{name:34}{one.rate:>9.0f}{one.p50:>9.1f}{one.p99:>9.1f}{stored:>9}", flush=True)
    return one


def _latency(told: str, share: str) -> float:
    value, unit = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1, "s": 1_000}[unit]


def _rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as opened:
        return int(opened.execute("SELECT count(*) FROM linkback").fetchone()[0])


# -- the peers ---------------------------------------------------------------------------------------


class _Quiet(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/xmlrpc",)


class _Threaded(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


def peer(kind: str, database: str, port: str) -> None:
    """Serve as one would with the standard library alone; runs in a process of its own."""
    lock = threading.Lock()
    opened = sqlite3.connect(database, check_same_thread=False)

    def ping(source: str, target: str) -> str:
        with lock:
            known = opened.execute(
                "SELECT 1 FROM linkback WHERE (source, target) = (?, ?)", [source, target]
            ).fetchone()
            if not known:
                opened.execute("INSERT INTO linkback VALUES (?, ?)", [source, target])
                opened.commit()
        return "Thank you."

    if kind == "flask":
        _serve_flask(ping, int(port))
        return
    server_class = {"single": SimpleXMLRPCServer, "threaded": _Threaded}[kind]
    server_class.request_queue_size = 256
    with server_class(("127.0.0.1", int(port)), _Quiet, logRequests=False) as server:
        server.register_function(lambda *said: ping(*map(str, said)), "pingback.ping")
        server.serve_forever()


def _serve_flask(ping: Callable[[str, str], str], port: int) -> None:
    import waitress
    from flask import Flask, Response, request

    flask = Flask("bench")

    @flask.post("/xmlrpc")
    def call() -> Response:
        arguments, _ = loads(request.get_data())
        return Response(dumps((ping(*map(str, arguments)),), methodresponse=True), content_type="text/xml")

    waitress.serve(flask, host="127.0.0.1", port=port, threads=8, _quiet=True)


@contextmanager
def _peer(folder: Path, kind: str) -> Iterator[str]:
    database, port = folder / f"{kind}.db", free_port()
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE linkback (source TEXT, target TEXT, UNIQUE (source, target))")
    # A connection of the standard library's sqlite3 is synchronous=FULL from the start.
    with running([sys.executable, "-m", "bench.pings", "peer", kind, str(database), str(port)], port):
        yield f"http://127.0.0.1:{port}/"


# -- the planet --------------------------------------------------------------------------------------


@contextmanager
def _running(command: str, config: Path) -> Iterator[str]:
    port = free_port()
    with running(planet(command, config, "--port", str(port)), port):
        yield f"http://127.0.0.1:{port}/"


def _configure(folder: Path, port: int) -> Path:
    config = folder / "feeds.toml"
    config.write_text(
        '[planet]\ntitle = "Bench"\nurl = "http://127.0.0.1/"\n[network]\nallow_addresses = ["127.0.0.0/8"]\n'
        f'[[feeds]]\nurl = "http://127.0.0.1:{port}/feed"\n'
    )
    return config


@contextmanager
def _blog() -> Iterator[int]:
    """A blog with one post, the target of all pings."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = TARGET.format(port=server.server_port)
            item = f"<item><title>One</title><link>{url}</link><guid>1</guid></item>"
            body = f"<rss version='2.0'><channel><title>Blog</title>{item}</channel></rss>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _silence() -> Iterator[int]:
    """A port of this machine that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1_024)
        yield int(listening.getsockname()[1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(*sys.argv[2:])
    else:
        told = Report("pings")
        measure(told, int(sys.argv[1]) if len(sys.argv) > 1 else 10)
        told.finish()

"""Figures of the intake of pings: `python -m bench.pings [SECONDS]`. Durable, one row for each ping; wrk asks.

Three servers take the same `pingback.ping` calls over 64 connections, each from another blog: the standard library's
XML-RPC server with SQLite (synchronous=FULL) and one commit for each ping, the same with a thread for each request,
and `planet serve`. They take turns, each time with an empty store, and are compared turn by turn; the median counts:
other load on the machine falls on all of them. At last the whole planet takes pings while 1,000 verifications wait for
a silent host.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from statistics import median
from xmlrpc.client import ServerProxy, dumps
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

CONNECTIONS = 64
WAITING = 1_000
SOURCE = "http://blogNUMBER.example/2026/11/an-answer/"
TURNS = 5
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


def main() -> None:
    seconds = max(1, round(int(sys.argv[1] if len(sys.argv) > 1 else 10) / TURNS))
    wrk = shutil.which("wrk")
    if not wrk:
        sys.exit("bench: wrk is needed (apt-get install wrk)")
    print(f"{CONNECTIONS} connections, {TURNS} turns of {seconds} s; {os.cpu_count()} cores,", end=" ")
    print(f"Python {sys.version.split()[0]}\n{'':34}{'pings/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'stored':>9}")
    with _blog() as port:
        single, threaded, planet = [], [], []
        for _ in range(TURNS):
            single.append(_measure_peer(wrk, "single", port, seconds))
            threaded.append(_measure_peer(wrk, "threaded", port, seconds))
            planet.append(_measure_planet(wrk, "serve", port, seconds))
        print(f"planet: {_times(planet, single)} the standard library,")
        print(f"        {_times(planet, threaded)} its threads")
        _measure_planet(wrk, "run", port, seconds)


def _times(ours: list[float], theirs: list[float]) -> str:
    by_turns = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return f"{median(by_turns):.1f} times ({', '.join(f'{ratio:.1f}' for ratio in by_turns)})"


def _measure_peer(wrk: str, kind: str, port: int, seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name, _peer(Path(name), kind) as url:
        return _measure(f"standard library, {kind}", wrk, url, port, seconds, Path(name) / f"{kind}.db")


def _measure_planet(wrk: str, command: str, port: int, seconds: int) -> float:
    """The web half alone; or the whole planet, after pings whose verification nobody answers."""
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        config = _configure(Path(name), port)
        subprocess.run([*_planet("poll", config), "--json"], check=True, capture_output=True)
        with _silence() as silent, _running(command, config) as url:
            for number in range(WAITING if command == "run" else 0):
                ping = ServerProxy(f"{url}xmlrpc").pingback.ping
                ping(f"http://127.0.0.1:{silent}/{number}", TARGET.format(port=port))
            name_of = {"serve": "planet serve", "run": f"planet run, {WAITING:,} verifications wait"}
            return _measure(name_of[command], wrk, url, port, seconds, Path(name) / "data/planet.db")


def _measure(name: str, wrk: str, url: str, port: int, seconds: int, database: Path) -> float:
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
    rate = int(asked) / float(took)
    print(f"{name:34}{rate:>9.0f}{_latency(told, '50%'):>9.1f}{_latency(told, '99%'):>9.1f}{stored:>9}", flush=True)
    return rate


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

    server_class = {"single": SimpleXMLRPCServer, "threaded": _Threaded}[kind]
    server_class.request_queue_size = 256
    with server_class(("127.0.0.1", int(port)), _Quiet, logRequests=False) as server:
        server.register_function(ping, "pingback.ping")
        server.serve_forever()


@contextmanager
def _peer(folder: Path, kind: str) -> Iterator[str]:
    database, port = folder / f"{kind}.db", _free_port()
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE linkback (source TEXT, target TEXT, UNIQUE (source, target))")
    # A connection of the standard library's sqlite3 is synchronous=FULL from the start.
    with _process([sys.executable, "-m", "bench.pings", "peer", kind, str(database), str(port)], port):
        yield f"http://127.0.0.1:{port}/"


# -- the planet --------------------------------------------------------------------------------------


def _planet(command: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "aggregator", command, "--config", str(config)]


@contextmanager
def _running(command: str, config: Path) -> Iterator[str]:
    port = _free_port()
    with _process([*_planet(command, config), "--port", str(port)], port):
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
            port = self.server.server_address[1]
            url = TARGET.format(port=port)
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


@contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit("bench: a server doesn't answer")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(*sys.argv[2:])
    else:
        main()

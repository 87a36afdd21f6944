"""Figures of a sweep: `python -m bench.poll [FEEDS]`. Feeds of about 100 KB, served by nginx on loopback.

Every feed has an address of its own (127.x.y.z), so that politeness to hosts stays on; ETag and gzip are on.
Prints feeds per second, CPU milliseconds per feed and the peak memory (PSS) of all processes, cold and with 304s.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

WORDS = ("record", "ward", "chart", "order", "result", "consent", "bed", "alarm", "queue", "message", "nurse", "drill")


def main() -> None:
    feeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        sys.exit("bench: nginx is needed (apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        port = _free_port()
        size = _write_feeds(folder / "feeds", feeds)
        _write_config(folder, feeds, port)
        server = subprocess.Popen([nginx, "-c", str(_write_nginx(folder, feeds, port)), "-p", str(folder)])
        try:
            _wait_for(port)
            machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
            print(f"{feeds} feeds, {size / feeds / 1000:.0f} KB each; {machine}")
            print(f"{'':8}{'feeds/s':>9}{'CPU ms/feed':>13}{'peak PSS MB':>13}{'seconds':>9}")
            for phase in ("cold", "warm"):
                _measure(folder, phase, feeds)
        finally:
            server.terminate()
            server.wait()


def _measure(folder: Path, phase: str, feeds: int) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, over = [0], threading.Event()
    process = subprocess.Popen(
        [sys.executable, "-m", "aggregator", "poll", "--all", "--json", "--config", str(folder / "feeds.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, over))
    watcher.start()
    output, _ = process.communicate()
    over.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    summary = json.loads(output)
    expected = {"cold": "fetched", "warm": "unchanged"}[phase]
    if summary[expected] != feeds:
        sys.exit(f"bench: {phase}: {summary}")
    row = (
        f"{feeds / summary['seconds']:>9.0f}{1000 * cpu / feeds:>13.2f}{peak[0] / 1e6:>13.0f}{summary['seconds']:>9.2f}"
    )
    print(f"{phase:8}{row}", flush=True)


def _watch(root: int, peak: list[int], over: threading.Event) -> None:
    while not over.wait(0.05):
        peak[0] = max(peak[0], sum(map(_pss, _family(root))))


def _family(root: int) -> list[int]:
    found = [root]
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _pss(pid: int) -> int:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1000 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0


def _write_feeds(folder: Path, feeds: int) -> int:
    chance, size = random.Random(1), 0
    folder.mkdir()
    for number in range(feeds):
        body = (_atom if number % 3 else _rss)(number, chance).encode()
        (folder / f"{number}.xml").write_bytes(body)
        (folder / f"{number}.xml.gz").write_bytes(gzip.compress(body, 6))
        size += len(body)
    return size


def _text(chance: random.Random) -> str:
    return "".join(f"&lt;p&gt;{' '.join(chance.choices(WORDS, k=80))}&lt;/p&gt;" for _ in range(12))


def _rss(number: int, chance: random.Random) -> str:
    items = "".join(
        f"<item><title>Post {n}</title><link>http://b{number}.test/{n}</link><guid>http://b{number}.test/{n}</guid>"
        f"<pubDate>Sun, {n + 1:02} Nov 2026 10:00:00 GMT</pubDate><description>{_text(chance)}</description></item>"
        for n in range(15)
    )
    return f"<rss version='2.0'><channel><title>Blog {number}</title><link>http://b{number}.test/</link>{items}</channel></rss>"


def _atom(number: int, chance: random.Random) -> str:
    entries = "".join(
        f"<entry><title>Post {n}</title><id>http://b{number}.test/{n}</id><link href='http://b{number}.test/{n}'/>"
        f"<updated>2026-11-{n + 1:02}T10:00:00Z</updated><content type='html'>{_text(chance)}</content></entry>"
        for n in range(15)
    )
    head = f"<title>Blog {number}</title><id>http://b{number}.test/</id>"
    return f"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>{head}{entries}</feed>"


def _write_config(folder: Path, feeds: int, port: int) -> None:
    tables = "".join(f'[[feeds]]\nurl = "http://{_address(n)}:{port}/{n}.xml"\n' for n in range(feeds))
    (folder / "feeds.toml").write_text(
        '[planet]\ntitle = "Bench"\nurl = "http://127.0.0.1/"\n[network]\nallow_addresses = ["127.0.0.0/8"]\n' + tables
    )


def _write_nginx(folder: Path, feeds: int, port: int) -> Path:
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; types {{ application/xml xml; }} server {{ listen 127.0.0.1:{port};\n"
        + "".join(f"listen {_address(n)}:{port};\n" for n in range(feeds))
        + f"root {folder}/feeds; gzip_static on; etag on; }} }}\n"
    )
    return path


def _address(number: int) -> str:
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit("bench: nginx doesn't answer")


if __name__ == "__main__":
    main()

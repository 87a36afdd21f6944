"""Figures of serving: `python -m bench.pages`. One front page, as it is, packed, and as 304; wrk asks.

What counts is the CPU of the server for each answer, which other load on the machine falsifies least. The same bytes
are served by nginx from the planet's own folder, by uvicorn with Starlette, and by waitress with Flask.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median

from aggregator import config, store
from bench import site
from bench.farm import configured
from bench.machine import cpu_of, free_port, planet, program, running
from bench.report import Figure, Report
from jobs import equipment, rendering

SECONDS, TURNS = 2, 3
CONNECTIONS = 64
LOADS = ("identity", "gzip", "304")
# The same, by clients of which no two send the same bytes: of ours none is answered from memory.
UNLIKE = "gzip, unlike"
_UNLIKE = "n = 0\nrequest = function() n = n + 1; wrk.headers['X-Number'] = n; return wrk.format() end\n"
_ETAG = re.compile(r"(?i)^etag:\s*(\S+)", re.MULTILINE)


def measure(report: Report, turns: int = TURNS) -> None:
    """Serve a front page in all ways, in turns, and add what came out to the report."""
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        page = _published(folder)
        report.note(f"a page of {page.stat().st_size:,} bytes, {CONNECTIONS} connections, {turns} turns of {SECONDS} s")
        taken: dict[str, dict[str, list[float]]] = {}
        for _ in range(turns):
            for server, serving in SERVERS.items():
                with serving(folder, page) as (port, pid):
                    for load in (*LOADS, UNLIKE):
                        taken.setdefault(server, {}).setdefault(load, []).append(_ask(folder, port, pid, load))
        cpu = {server: {load: median(each) for load, each in of.items()} for server, of in taken.items()}
        rows = [(server, [f"{each:.1f}" for each in of.values()]) for server, of in cpu.items()]
        report.table("Pages, server CPU µs an answer", (*LOADS, UNLIKE), rows)
        for load, must in zip(LOADS, (2.2, 2.3, 2.6), strict=True):
            ratio = cpu["planet serve"][load] / cpu["nginx"][load]
            report.add(Figure(f"page, {load}, in nginxes", ratio, must, 1.6, less=True))
            report.add(
                Figure(f"page, {load}: waitress+Flask", cpu["waitress+Flask"][load] / cpu["planet serve"][load], 7)
            )


def _published(folder: Path) -> Path:
    """A planet whose front page is of about 150 KB."""
    urls = [f"https://b{number}.example/feed" for number in range(60)]
    here = config.load(configured(folder, urls, "[page]\nentries = 120\nper_feed_per_day = 90\n"))
    database = store.open_store(here.data)
    equipment.subscribe(database, here, site.NOW)
    feeds = [blog.id for blog in store.feeds.blogs(database)]
    for number in range(120):
        entry = site._entry(str(number), site.NOW - timedelta(hours=number))
        site._store(database, feeds[number % 60], [entry])
    rendering.publisher_for(database, here, lambda: site.NOW).publish()
    database.close()
    return here.public / "index.html"


def _ask(folder: Path, port: int, pid: int, load: str) -> float:
    """Return the microseconds of CPU that the server takes for each answer."""
    url = f"http://127.0.0.1:{port}/"
    headers = ["-H", "Accept-Encoding: gzip"] if load != "identity" else []
    if load == "304":
        asked = ["curl", "-s", "-o", "/dev/null", "-D", "-", *headers, url]
        head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        found = _ETAG.search(head)
        headers += ["-H", f"If-None-Match: {found[1] if found else sys.exit(f'bench: no ETag: {head}')}"]
    if load == UNLIKE:
        script = folder / "unlike.lua"
        script.write_text(_UNLIKE)
        headers += ["-s", str(script)]
    wrk = [program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *headers, url]
    before = cpu_of(pid)
    told = subprocess.run(wrk, capture_output=True, text=True, check=True).stdout
    took = cpu_of(pid) - before
    count = re.search(r"(\d+) requests in", told)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    if count is None or wrong:
        sys.exit(f"bench: {url} ({load}): {told}")
    return took / int(count[1]) * 1e6


# -- the servers ---------------------------------------------------------------------------------------


@contextmanager
def _planet_serve(folder: Path, _: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    with running(planet("serve", folder / "feeds.toml", "--port", str(port)), port) as pid:
        yield port, pid


@contextmanager
def _nginx(folder: Path, page: Path) -> Iterator[tuple[int, int]]:
    port, conf = free_port(), folder / "nginx.conf"
    packed = page.with_name("index.html.gz")
    packed.write_bytes(gzip.compress(page.read_bytes(), 6))
    conf.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 1024; }} http {{ access_log off; sendfile on; keepalive_requests 10000000;\n"
        f"types {{ text/html html; }} open_file_cache max=100;\n"
        f"server {{ listen 127.0.0.1:{port}; root {page.parent}; gzip_static on; etag on; }} }}\n"
    )
    with running([program("nginx"), "-c", str(conf), "-p", str(folder)], port) as pid:
        yield port, pid


@contextmanager
def _python(kind: str, page: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    with running([sys.executable, "-m", "bench.pages", kind, str(page), str(port)], port) as pid:
        yield port, pid


_Serving = Callable[[Path, Path], AbstractContextManager[tuple[int, int]]]
SERVERS: dict[str, _Serving] = {
    "planet serve": _planet_serve,
    "nginx": _nginx,
    "uvicorn+Starlette": lambda _, page: _python("starlette", page),
    "waitress+Flask": lambda _, page: _python("flask", page),
}


def _serve(kind: str, page: str, port: str) -> None:
    body = Path(page).read_bytes()
    packed, tag = gzip.compress(body, 6), '"1"'

    def answer(accepted: str, known: str) -> tuple[int, bytes, dict[str, str]]:
        headers = {"ETag": tag, "Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Encoding"}
        if known == tag:
            return 304, b"", headers
        return (200, packed, {**headers, "Content-Encoding": "gzip"}) if "gzip" in accepted else (200, body, headers)

    if kind == "flask":
        import waitress
        from flask import Flask, Response, request

        flask = Flask("bench")

        @flask.get("/")
        def front() -> Response:
            status, content, headers = answer(
                request.headers.get("Accept-Encoding", ""), request.headers.get("If-None-Match", "")
            )
            return Response(content, status, headers)

        waitress.serve(flask, host="127.0.0.1", port=int(port), threads=8, _quiet=True)
        return
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response as Plain
    from starlette.routing import Route

    async def page_of(asked: Request) -> Plain:
        status, content, headers = answer(
            asked.headers.get("accept-encoding", ""), asked.headers.get("if-none-match", "")
        )
        return Plain(content, status, headers)

    starlette = Starlette(routes=[Route("/", page_of)])
    uvicorn.run(starlette, host="127.0.0.1", port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _serve(*sys.argv[1:])
    else:
        told = Report("pages")
        measure(told)
        told.finish()

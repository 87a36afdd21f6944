"""How long a planet takes to be there: `python -m bench.start`; and what it takes when it is."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from statistics import median

from bench.farm import configured, serving
from bench.machine import ended, environment, free_port, memory, planet
from bench.report import Figure, Report

TURNS = 5
FEEDS = 1_000


def measure(report: Report, feeds: int = FEEDS) -> None:
    """Start it, and let it poll a farm."""
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        (Path(name) / "farm").mkdir()
        with serving(Path(name) / "farm", feeds) as farm:
            config = configured(Path(name), farm.urls())
            command = planet("poll", config)[:3]
            ended([*command, "--help"])  # compiles
            helped = median(ended([*command, "--help"]).cpu for _ in range(TURNS))
            report.add(Figure("planet --help, ms of CPU", 1000 * helped, 150, less=True))
            report.add(Figure("planet run serves after, s", median(_start(config) for _ in range(3)), 1.5, less=True))
            report.add(Figure(f"PSS MB at most, {feeds} feeds, 60 s", _memory(config), 250, 180, less=True))


def _start(config: Path) -> float:
    import subprocess

    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen(
        planet("run", config, "--port", str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        while time.monotonic() - began < 60:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
                answer.read()
                return time.monotonic() - began
            time.sleep(0.01)
        return float("inf")
    finally:
        process.terminate()
        process.wait()


def _memory(config: Path) -> float:
    from bench.machine import running

    port, peak = free_port(), 0.0
    with running(planet("run", config, "--port", str(port)), port) as pid:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            peak = max(peak, memory(pid))
            time.sleep(0.5)
    return peak


if __name__ == "__main__":
    told = Report("start")
    measure(told)
    told.finish()

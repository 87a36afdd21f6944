"""What the benches share: processes that are measured and always ended, and the facts of the machine."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Grown = TypeVar("Grown")
# Where Debian has what a bench needs.
_PACKAGES = {"nginx": "nginx-light", "newsboat": "newsboat", "sfeed": "sfeed", "wrk": "wrk"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children took: seconds of CPU and of the clock, and their peak memory (PSS) in MB."""

    cpu: float
    wall: float
    peak: float = 0.0
    output: str = ""


def program(name: str) -> str:
    """Return the path of a program, installed by apt where that is allowed.

    Ends the bench with a hint when it can't be had.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", _PACKAGES[name]], check=False, stdout=subprocess.DEVNULL)
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found or sys.exit(f"bench: {name} is needed: apt-get install {_PACKAGES[name]}")


def environment(**more: str) -> dict[str, str]:
    """The environment of what is measured: compiled modules are kept, as in every installation."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "planet-bench-pyc"), **more}


def planet(command: str, config: Path, *more: str) -> list[str]:
    """The command line of a planet's command."""
    return [sys.executable, "-m", "aggregator", command, "--config", str(config), *more]


def ended(command: Sequence[str], environ: Mapping[str, str] | None = None, timeout: float = 300) -> Usage:
    """Run a command to its end and measure it with all its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak, over = [0.0], threading.Event()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ or environment(), text=True
    )
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, over))
    watcher.start()
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
        over.set()
        watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Usage(cpu, time.monotonic() - began, peak[0], output)


def _watch(root: int, peak: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        peak[0] = max(peak[0], memory(root))


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    found = [root]
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def memory(root: int) -> float:
    """The memory (PSS) of a process and its descendants, in MB."""
    return sum(map(_pss, family(root))) / 1e3


def _pss(pid: int) -> int:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0


def cpu_of(root: int) -> float:
    """The seconds of CPU that a process and its descendants have taken so far."""
    total = 0.0
    for pid in family(root):
        with suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)  # the clock of a process (clock_getcpuclockid)
    return total


@contextmanager
def running(command: Sequence[str], port: int, host: str = "127.0.0.1", **environ: str) -> Iterator[int]:
    """Run a server until the block ends; give its process id."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(**environ)
    )
    try:
        wait_for(port, host)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Worker:
    """A process that does one round of its work for each line that it is given, and answers with a line of JSON."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":  # its start is not part of any round
            self._ended()

    def round(self) -> tuple[Usage, Any]:
        """Let it work once; return what that took, and what it says of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before, began = cpu_of(self.pid), time.monotonic()
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._ended()
        return Usage(cpu_of(self.pid) - before, time.monotonic() - began, memory(self.pid)), json.loads(line)

    def _ended(self) -> NoReturn:
        assert self._process.stderr is not None
        sys.exit(f"bench: {' '.join(self._command)} has ended\n{self._process.stderr.read()[-2_000:]}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def apart(grow: Callable[[int], Grown], sizes: Sequence[int]) -> list[Grown]:
    """Measure each size in a process of its own, lest one keeps what another took."""
    found = []
    for size in sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
            found.append(one.submit(grow, size).result())
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, host: str = "127.0.0.1") -> None:
    """Return when a port answers."""
    for _ in range(400):
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.025)
    sys.exit("bench: a server doesn't answer")


def facts() -> dict[str, str]:
    """What the figures were measured on."""
    model = ""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return {
        "processor": f"{os.cpu_count()} cores, {model or platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": f"{os.getloadavg()[0]:.1f} before the run",
    }

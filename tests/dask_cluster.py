"""A Dask scheduler and workers on loopback, as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distributed import Client

from tests.farm import eventually, quiet_port

DASK = Path(sys.executable).with_name("dask")


class Machines:
    """A scheduler, and workers without nannies: a worker that is killed stays away."""

    def __init__(self, folder: Path, workers: int, threads: int, *options: str, may_have_children: bool = True) -> None:
        self.port = quiet_port()
        self.scheme = "tls" if options else "tcp"
        self.address = f"{self.scheme}://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options
        self._environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": str(not may_have_children)}
        common = ["--host", "127.0.0.1", "--no-dashboard"]
        self.scheduler = self._start("scheduler", *common, "--port", str(self.port))
        nanny = ["--no-nanny"] if may_have_children else []
        self.workers = [
            self._start("worker", self.address, *common, *nanny, "--nthreads", str(threads), "--memory-limit", "0")
            for _ in range(workers)
        ]
        eventually(lambda: self._are_there(workers), 40)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [str(DASK), *words, *self._options]
        with (self._folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, env=self._environment)

    def _are_there(self, workers: int) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return self._registered() >= workers
        return False

    def _registered(self) -> int:
        if self._options:
            return (self._folder / "scheduler.log").read_text().count("Register worker")
        with suppress(OSError), Client(self.address, timeout=5, set_as_default=False) as client:
            return len(client.nthreads())
        return 0

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def machines(folder: Path, workers: int = 2, threads: int = 2, *options: str, **more: bool) -> Iterator[Machines]:
    folder.mkdir(parents=True, exist_ok=True)
    made = Machines(folder, workers, threads, *options, **more)
    try:
        yield made
    finally:
        made.end()

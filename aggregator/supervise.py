"""Keep the two halves of a planet running, and end them together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger("planet.run")

PARENT = "PLANET_PARENT"
GRACE_SECONDS = 8.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A half that has lived this long starts again without delay when it dies.
HEALTHY_SECONDS = 30.0
_TICK = 0.1


@dataclass
class Half:
    """One of the two processes."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE

    def start(self, now: float) -> None:
        """Start it; it ends with us, even when we are killed."""
        command = [sys.executable, "-m", "aggregator", *self.arguments]
        self.process = subprocess.Popen(command, env={**os.environ, PARENT: str(os.getpid())})  # noqa: S603
        self.started_at = now

    def tend(self, now: float) -> None:
        """Start it again when it has ended, with growing pauses while it keeps ending."""
        if self.process is None:
            if now >= self.start_at:
                self.start(now)
            return
        code = self.process.poll()
        if code is None:
            return
        if now - self.started_at > HEALTHY_SECONDS:
            self.pause = FIRST_PAUSE
        log.error("the %s half ended (%s); it starts again in %g s", self.name, _in_words(code), self.pause)
        self.process, self.start_at = None, now + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)


def supervise(halves: Sequence[Half], stop: threading.Event, seconds: Callable[[], float]) -> None:
    """Run the halves until `stop` is set; then end them, by force if they take too long."""
    while not stop.wait(_TICK):
        for half in halves:
            half.tend(seconds())
    running = [half.process for half in halves if half.process is not None]
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    ends_at = seconds() + GRACE_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, ends_at - seconds()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _in_words(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

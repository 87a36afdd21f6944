"""Signals end a planet, whenever they come."""

from __future__ import annotations

import subprocess
import sys

IN_THE_MIDST_OF_WAITING = """
import signal
from aggregator.cli.options import stop_on_signal
stop = stop_on_signal()
with stop._cond:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
print(stop.wait(10))
"""


def test_a_second_signal_does_not_keep_a_planet_from_ending() -> None:
    run = [sys.executable, "-c", IN_THE_MIDST_OF_WAITING]
    assert subprocess.run(run, capture_output=True, timeout=20, check=True).stdout == b"True\n"

"""The house: every room is on the plan, and connections are opened at one door."""

from __future__ import annotations

import configparser
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Run in a process of its own, because an audit hook can't be taken away again.
WATCHED = """
import sys, traceback
from pathlib import Path

def watch(event, arguments):
    if event == "socket.connect":
        frames = [Path(frame.filename) for frame in traceback.extract_stack()]
        print("CONNECT", arguments[1], [f.name for f in frames if "aggregator" in f.parts or "jobs" in f.parts])

sys.addaudithook(watch)
sys.argv = ["planet", "poll", "--json"]
from aggregator.cli import main
main(standalone_mode=False)
"""


def test_every_module_is_on_the_plan() -> None:
    plan = configparser.ConfigParser()
    plan.read(ROOT / ".importlinter")
    listed = set(plan["importlinter:contract:layers"]["layers"].replace("|", " ").split())

    modules = {
        f"aggregator.{path.stem}"
        for path in (ROOT / "aggregator").iterdir()
        if path.name not in ("__init__.py", "__pycache__", "py.typed") and (path.is_dir() or path.suffix == ".py")
    }

    assert modules == {name for name in listed if name.startswith("aggregator.")}


def test_the_folder_xmlrpc_is_no_package() -> None:
    assert not (ROOT / "xmlrpc" / "__init__.py").exists()


def test_a_poll_connects_through_libcurl_only(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text(
        '[planet]\ntitle = "T"\nurl = "http://p.test/"\n[network]\nallow_addresses = ["127.0.0.0/8"]\n'
        '[[feeds]]\nurl = "http://127.0.0.1:9/feed"\n'
    )

    result = subprocess.run(
        [sys.executable, "-c", WATCHED], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    assert '"failed": 1' in result.stdout
    assert "CONNECT" not in result.stdout


def test_a_connection_beside_the_door_is_noted_in_every_process(tmp_path: Path) -> None:
    """What the whole suite runs under (see tests/conftest.py) does see, and names who did it."""
    clock = ROOT / "aggregator" / "clock.py"
    program = (
        "import socket\n"
        f"exec(compile(\"try: socket.create_connection(('127.0.0.1', 9), 1)\\nexcept OSError: pass\", {str(clock)!r}, 'exec'))"
    )
    notes = tmp_path / "notes"

    environment = {**os.environ, "PLANET_WATCH": str(notes), "PYTHONPATH": str(ROOT / "tests" / "watch")}
    subprocess.run([sys.executable, "-c", program], env=environment, timeout=60, check=True)

    assert "socket.connect ('127.0.0.1', 9) by /aggregator/clock.py" in notes.read_text("utf-8")


@pytest.mark.parametrize("name", ["bench.soak", "bench.growth", "tests.chaos"])
def test_what_runs_for_long_still_finds_what_it_needs(name: str) -> None:
    assert importlib.import_module(name)

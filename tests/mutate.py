"""`python -m tests.mutate [MODULE|all] [MINUTES]`: do the tests notice when a pure module is changed in a small way?

cosmic-ray makes the changes; each is tried by itself, in a copy of the tree; a change that no test notices is a survivor. In so
many minutes as many changes of each module are tried as there is time for, picked at random but always the same.
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

# Loaded before the tests are, lest every change has to wait for them.
import bs4  # noqa: F401
import click.testing  # noqa: F401
import hypothesis
import lxml.etree  # noqa: F401
import pebble  # noqa: F401
import pycurl  # noqa: F401
import pydantic  # noqa: F401
import pytest
import requests  # noqa: F401
import sqlite_utils  # noqa: F401
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
# A module, and the tests whose business it is.
MODULES = {
    "cadence": ("aggregator/cadence.py", "test_cadence"),
    "sameness": ("aggregator/sameness.py", "test_sameness test_properties"),
    "urls": ("aggregator/urls.py", "test_urls test_properties test_fuzz"),
    "guard": ("aggregator/outbound/guard.py", "test_outbound test_properties"),
    "markup": ("aggregator/markup.py", "test_markup test_prose test_fuzz"),
    "standing": ("aggregator/standing.py", "test_standing test_reverify"),
    "budget": ("aggregator/budget.py", "test_standing test_intake"),
    "freshness": ("aggregator/freshness.py", "test_freshness"),
    "content_coding": ("aggregator/content_coding.py", "test_content_coding"),
    "whereabouts": ("aggregator/whereabouts.py", "test_whereabouts"),
}
LONGEST = 40.0
FOLDERS = ("aggregator", "jobs", "xmlrpc", "tests", "fuzz", "pyproject.toml")


def main() -> None:
    name, minutes = [*sys.argv[1:], *("all", "10")[len(sys.argv) - 1 :]][:2]
    names = list(MODULES) if name == "all" else [name]
    survived, tried = 0, 0
    with tempfile.TemporaryDirectory(prefix="planet-mutate-", ignore_cleanup_errors=True) as copy:
        for each in FOLDERS:
            (shutil.copytree if (ROOT / each).is_dir() else shutil.copy)(ROOT / each, Path(copy) / each)
        for each in names:
            alive, seen, known = mutated(Path(copy), each, float(minutes) * 60 / len(names))
            print(f"{each:16}{seen - len(alive):4} of {seen:4} noticed ({known} possible)", flush=True)
            for change in alive:
                print(f"    {change}")
            survived, tried = survived + len(alive), tried + seen
    print(f"{'in all':16}{tried - survived:4} of {tried:4} noticed: {100 * (tried - survived) / max(1, tried):.0f} %")


def mutated(copy: Path, name: str, seconds: float) -> tuple[list[str], int, int]:
    """Try changes of one module; return the survivors, how many were tried, and how many there are."""
    path, tests = MODULES[name]
    original = (copy / path).read_text("utf-8")
    files = [str(copy / f"tests/{test}.py") for test in tests.split()]
    if not _passes(copy, files):
        sys.exit(f"{tests}: they fail before anything is changed")
    as_it_is = _meaning(original)
    changes = [change for change in _changes(original) if _meaning(change) != as_it_is]
    random.Random(1).shuffle(changes)
    alive, seen, ends_at = [], 0, time.monotonic() + seconds
    for change in changes:
        if time.monotonic() > ends_at:
            break
        (copy / path).write_text(change, "utf-8")
        seen += 1
        if _passes(copy, files):
            alive.append(f"{path} {_difference(original, change)}")
    (copy / path).write_text(original, "utf-8")
    return alive, seen, len(changes)


def _changes(source: str) -> list[str]:
    """Every change that cosmic-ray knows to make."""
    found = []
    for name in operator_names():
        made = get_operator(name)
        occurrence = 0
        while not made.arguments() and (change := mutate_code(source, made(), occurrence)) not in (None, source):
            found.append(change)
            occurrence += 1
    return list(dict.fromkeys(found))


def _meaning(source: str) -> str:
    """What a module does: annotations do nothing, since nobody evaluates them."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if isinstance(getattr(node, name, None), ast.AST):
                setattr(node, name, ast.Constant(None))
    return ast.dump(tree)


def _passes(copy: Path, files: list[str]) -> bool:
    """Run tests in a child that has all libraries already, and nothing of ours."""
    child = os.fork()
    if not child:
        _run_tests(copy, files)
    ends_at = time.monotonic() + LONGEST
    while time.monotonic() < ends_at:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(copy: Path, files: list[str]) -> NoReturn:
    os.chdir(copy)
    sys.path[:0] = [str(copy), str(copy / "xmlrpc")]
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    hypothesis.settings.register_profile("mutate", max_examples=40, derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutate")
    options = [
        "-q",
        "-x",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "--rootdir",
        str(copy),
        "-c",
        str(copy / "pyproject.toml"),
    ]
    os._exit(int(pytest.main([*options, *files])))


def _difference(original: str, change: str) -> str:
    before, after = original.splitlines(), change.splitlines()
    at = next((n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    return f"line {at + 1}: {before[at].strip()}  =>  {after[at].strip() if at < len(after) else ''}"[:220]


if __name__ == "__main__":
    main()

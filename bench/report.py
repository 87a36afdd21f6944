"""One table of what was measured, with its targets; kept in bench/results/ with the facts of the machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import facts
from bench.peers import versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure beside what it must be and what it should be: at least, or at most where `less` is better.

    `clock` is the same figure by wall time, where the one that counts is CPU time.
    """

    what: str
    value: float
    must: float
    aim: float | None = None
    less: bool = False
    clock: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is met, in a word."""

        def holds(target: float) -> bool:
            return self.value <= target if self.less else self.value >= target

        if self.aim is not None and holds(self.aim):
            return "aim met"
        return "met" if holds(self.must) else "NOT MET"


class Report:
    """What a run has found so far; everything is printed as it comes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._figures: list[Figure] = []
        self._tables: dict[str, Any] = {}
        self._facts = facts()
        self._versions = versions()
        for key, value in (self._facts | self._versions).items():
            print(f"{key:12}{value}")

    def note(self, words: str) -> None:
        """Say what is measured."""
        print(f"\n{words}", flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Print figures that have no target."""
        kept = [(name, list(values)) for name, values in rows]
        self._tables[title] = {"columns": list(columns), "rows": kept}
        print(f"\n{title:32}" + "".join(f"{column:>14}" for column in columns))
        for name, values in kept:
            print(f"{name:32}" + "".join(f"{value:>14}" for value in values), flush=True)

    def add(self, figure: Figure) -> None:
        """Keep a figure that has a target."""
        self._figures.append(figure)
        print(_line(figure), flush=True)

    def finish(self) -> None:
        """Print all figures with their targets once more, and keep everything as a file."""
        print(f"\n{'':44}{'measured':>10}{'by clock':>10}{'must':>10}{'aim':>10}")
        for figure in self._figures:
            print(_line(figure))
        now = datetime.now(UTC)
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{now:%Y-%m-%d-%H%M}-{self._name}.json"
        content = {
            "at": now.isoformat(timespec="seconds"),
            "machine": self._facts,
            "versions": self._versions,
            "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in self._figures],
            "tables": self._tables,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        print(f"\nkept as {path}")


def _line(figure: Figure) -> str:
    aim = "" if figure.aim is None else f"{figure.aim:g}"
    sign = "≤" if figure.less else "≥"
    clock = "" if figure.clock is None else f"{figure.clock:.2f}"
    return f"{figure.what:44}{figure.value:>10.2f}{clock:>10}{sign:>4}{figure.must:>6g}{aim:>10}  {figure.verdict}"

"""All figures and their targets in one table: `python -m bench [--quick]`; about an hour, or a quarter."""

from __future__ import annotations

import sys

from bench import pages, pings, poll, scale, start, store
from bench.report import Report


def main() -> None:
    """Measure everything, one after the other."""
    is_quick = "--quick" in sys.argv[1:]
    report = Report("quick" if is_quick else "all")
    poll.measure(report, feeds=200 if is_quick else 1_000, turns=1 if is_quick else 3)
    pings.measure(report, seconds=5 if is_quick else 15)
    pages.measure(report, turns=1 if is_quick else 3)
    start.measure(report, feeds=200 if is_quick else 1_000)
    store.measure(report, store.SIZES[:2] if is_quick else store.SIZES)
    scale.measure(report, scale.SIZES[:2] if is_quick else scale.SIZES)
    report.finish()


if __name__ == "__main__":
    main()

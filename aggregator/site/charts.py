"""The geometry of small charts; the templates draw them as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.overview import Count

__all__ = ["bars", "sparkline"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of posts (from the bottom) with one of thoughts above it, in units of the drawing."""

    x: float
    width: float
    y: float
    height: float
    upper_y: float
    upper_height: float


def bars(counts: Sequence[Count], width: float = 260, height: float = 60) -> list[Bar]:
    """Return a bar for each day; the tallest reaches the top, and days without anything show a hairline."""
    most = max((count.posts + count.thoughts for count in counts), default=0) or 1
    step = width / max(1, len(counts))
    found = []
    for number, count in enumerate(counts):
        lower = max(0.6, count.posts / most * height)
        upper = count.thoughts / most * height
        x, y = round(number * step, 2), round(height - lower, 2)
        found.append(Bar(x, round(step * 0.72, 2), y, round(lower, 2), round(y - upper, 2), round(upper, 2)))
    return found


def sparkline(values: Sequence[int], width: float = 260, height: float = 36) -> str:
    """Return the points of a line through some values, as an SVG polyline wants them."""
    most = max(values, default=0) or 1
    step = width / max(1, len(values) - 1)
    return " ".join(
        f"{round(number * step, 1)},{round(height - value / most * (height - 2) - 1, 1)}"
        for number, value in enumerate(values)
    )

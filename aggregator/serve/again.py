"""Answers that are the same for whoever sends the same bytes: a request that comes again need not be parsed again."""

from __future__ import annotations

from typing import NamedTuple

# Heads of browsers have a few hundred bytes; many kinds of them ask for one page.
MOST_KEPT = 2_000
LONGEST_REQUEST = 1_500


class Told(NamedTuple):
    """An answer as far as it is the same for everybody: its beginning, and its body."""

    head: bytes
    body: bytes


class Again(dict[bytes, Told]):
    """What whole requests, byte by byte, were answered with since the pages last changed. For one thread."""

    def keep(self, request: bytes, told: Told) -> None:
        """Remember an answer; the oldest one goes where there are too many."""
        if len(request) <= LONGEST_REQUEST:
            if len(self) >= MOST_KEPT:
                del self[next(iter(self))]
            self[request] = told

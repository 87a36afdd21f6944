"""The few requests that may bring more than a ping: where to, how much, and how many at once."""

from __future__ import annotations

from collections.abc import Callable

AT_ONCE = 4


class LargeBodies:
    """Lets a few long bodies in at once; each takes memory until its connection ends."""

    def __init__(self, longest: Callable[[], int], is_meant: Callable[[bytes], bool], at_once: int = AT_ONCE) -> None:
        self._longest = longest
        self._is_meant = is_meant
        self._room = at_once

    def longest_for(self, method: bytes, path: bytes) -> int:
        """Return how long the body of a request may be that is meant to be long, or 0."""
        return self._longest() if method == b"POST" and self._is_meant(path) else 0

    def enter(self) -> bool:
        """Take a place, if there is one."""
        if not self._room:
            return False
        self._room -= 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._room += 1

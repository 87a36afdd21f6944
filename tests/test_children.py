from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from aggregator.errors import ChildStopped, FeedUnreadable, NoVerdict
from jobs.children import Children, result
from tests.farm import eventually


def busy() -> None:
    while True:
        pass


def greedy() -> int:
    return len(bytearray(3_000_000_000))


def dying() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deep(levels: int = 0) -> int:
    return deep(levels + 1)


def refusing() -> None:
    raise FeedUnreadable("this is not a feed")


def faulty() -> None:
    raise ZeroDivisionError


def fine(number: int) -> int:
    return number + 1


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (busy, "seconds of CPU time"),
        (greedy, "too much memory"),
        (dying, "died"),
        (deep, "nested too deeply"),
        (faulty, "ZeroDivisionError"),
    ],
)
def test_a_child_that_is_stopped_is_a_verdict_about_its_input(children: Children, task: object, words: str) -> None:
    stopped = children.submit(task)  # type: ignore[arg-type]
    others = [children.submit(fine, number) for number in range(5)]

    with pytest.raises(ChildStopped, match=words):
        result(stopped)
    assert [result(other) for other in others] == [1, 2, 3, 4, 5]


def test_what_readers_raise_on_purpose_comes_through(children: Children) -> None:
    with pytest.raises(FeedUnreadable, match="not a feed"):
        result(children.submit(refusing))


def test_an_idle_reader_that_is_killed_is_replaced_and_no_input_is_to_blame() -> None:
    children = Children(1)
    reader = result(children.submit(os.getpid))
    os.kill(reader, signal.SIGKILL)

    def reads_again() -> bool:
        with suppress(NoVerdict):
            return result(children.submit(fine, 2)) == 3
        return False

    eventually(reads_again)
    children.close()

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress
from typing import Any

import pytest

from aggregator.discovery import trackback
from aggregator.errors import ChildStopped, FeedUnreadable, NoVerdict
from aggregator.feeds.voice import fingerprint
from aggregator.markup import clean
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


def counting(body: bytes) -> int:
    """Use the processor for longer than a small body may."""
    began = time.process_time()
    while time.process_time() - began < 4:
        pass
    return len(body)


def fine(number: int) -> int:
    return number + 1


def harmed(what: int | str) -> int:
    """Do what is asked: a number is harmless, a name is one of the functions above."""
    if isinstance(what, int):
        return fine(what)
    {"busy": busy, "greedy": greedy, "dying": dying, "deep": deep, "faulty": faulty, "refused": refusing}[what]()
    raise AssertionError(what)


def slow(seconds: float) -> float:
    """Use the processor for a time that is allowed once."""
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass
    return seconds


class Bulky:
    """What takes a while to be unpacked by who receives it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return slow, (0.6,)


def nearly_too_long() -> None:
    """Use the processor until little is left of what is allowed."""
    slow(resource.getrlimit(resource.RLIMIT_CPU)[0] - time.process_time() - 0.2)


def received(_: object) -> bool:
    return True


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


@pytest.mark.parametrize("harm", ["busy", "greedy", "dying", "deep", "faulty"])
def test_of_inputs_that_are_read_together_each_has_its_own_verdict(children: Children, harm: str) -> None:
    inputs = [(1,), (harm,), ("refused",), (4,)]

    futures = children.submit_together(harmed, inputs)
    one, harmful, refused, four = [children.again(future) or future for future in futures]

    assert (result(one), result(four)) == (2, 5)
    with pytest.raises(ChildStopped):
        result(harmful)
    with pytest.raises(FeedUnreadable, match="not a feed"):
        result(refused)


def test_inputs_that_are_read_together_have_their_time_each(children: Children) -> None:
    assert [result(each) for each in children.submit_together(slow, [(0.9,)] * 4)] == [0.9] * 4


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


def test_a_verdict_about_a_small_body_comes_within_three_seconds_of_the_processors_time(children: Children) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = Children(1)
    with pytest.raises(ChildStopped, match="CPU time"):
        result(own.submit(busy))
    own.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    started = 1.5  # a child imports what it reads with
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3 + started


def test_a_text_of_many_strange_letters_is_read_in_a_small_bodys_time(children: Children) -> None:
    letters = "".join(map(chr, range(0xF0000, 0xFFFFE)))
    text = f"{'word ' * 30}{letters * 5}"

    assert result(children.submit(fingerprint, text)) == fingerprint("word " * 30)


@pytest.mark.parametrize("picture", [f"<img style {'a' * 3_900}>", f"<img data-{'a-' * 1_900}>"])
def test_pictures_of_long_attributes_are_made_safe_in_a_small_bodys_time(children: Children, picture: str) -> None:
    assert result(children.submit(clean, picture * 100, "http://blog.test/")).count("<img") == 100


def test_long_attributes_of_trackback_are_looked_through_in_a_small_bodys_time(children: Children) -> None:
    page = f"<rdf:Description {'a' * 7_900}>" * 20

    assert result(children.submit(trackback, "http://blog.test/", page)) == ""


def test_a_large_body_has_more_time(children: Children) -> None:
    own = Children(1)
    try:
        assert result(own.submit(counting, b"x" * 10_000_000)) == 10_000_000
    finally:
        own.close()


def test_what_one_task_has_used_does_not_count_when_the_next_is_received() -> None:
    children = Children(1)
    try:
        result(children.submit(nearly_too_long))
        assert result(children.submit(received, Bulky()))
    finally:
        children.close()

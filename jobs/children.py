"""Child processes that read hostile input, each task within a limit of CPU time, memory and time.

A child that is stopped by its limits, or dies, is a verdict about that one input; the others go on.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future, TimeoutError
from multiprocessing import get_context
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from aggregator.errors import ChildStopped, NoVerdict, PlanetError
from aggregator.processes import die_with

log = logging.getLogger("planet.work")

# Hostile bytes that take long are few; a large feed of somebody's life is many, and gets more.
CPU_SECONDS = 2
BYTES_A_SECOND = 2_000_000
WALL_SECONDS = 20
MEMORY_BYTES = 1_000_000_000
# A child is replaced after so many tasks, lest a slow leak of a parser adds up.
TASKS_EACH = 2_000
# Bodies that wait for a child are kept in memory; beyond this no new request is begun.
MOST_WAITING_BYTES = 50_000_000

P = ParamSpec("P")
T = TypeVar("T")


class _StoppedTogether(Exception):
    """A child was stopped while it had several inputs; this is one of them."""

    def __init__(self, function: Callable[..., Any], task: Sequence[Any]) -> None:
        super().__init__()
        self.function, self.task = function, task


class Children:
    """A pool of such processes; they start when the first task comes."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._lock = threading.Lock()
        self._pool = self._new_pool()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function of values to a value in a child."""
        task = [function, *args]
        with self._lock:  # the jobs share one pool
            try:
                future: Future[T] = self._pool.schedule(_limited, args=task, kwargs=kwargs, timeout=WALL_SECONDS)
            except RuntimeError:  # it broke down: all readers were killed, or no process was to be had
                log.error("the pool of readers broke down; a new one is started")
                self._pool = self._new_pool()
                future = self._pool.schedule(_limited, args=task, kwargs=kwargs, timeout=WALL_SECONDS)
        return future

    def submit_together(self, function: Callable[..., T], tasks: Sequence[Sequence[Any]]) -> list[Future[T]]:
        """Run a function of each of some inputs, one after the other in one child; each has a future of its own.

        To hand one task over takes as long as many a reading does. A child that is stopped on the way has said nothing
        about the others: `again` has each of them run by itself.
        """
        if len(tasks) == 1:
            return [self.submit(function, *tasks[0])]
        futures: list[Future[T]] = [Future() for _ in tasks]

        def settle(whole: Future[list[T | Exception]]) -> None:
            try:
                outcomes = whole.result()
            except (CancelledError, BrokenExecutor) as error:
                outcomes = [error] * len(tasks)
            except Exception:
                outcomes = [_StoppedTogether(function, task) for task in tasks]
            for outcome, future in zip(outcomes, futures, strict=True):
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

        self.submit(_one_by_one, function, tasks).add_done_callback(settle)
        return futures

    def again(self, future: Future[T]) -> Future[T] | None:
        """Run an input by itself whose child was stopped while it had several; None for a future that has its verdict.

        Waits until the future is done.
        """
        error = None if future.cancelled() else future.exception()
        return self.submit(error.function, *error.task) if isinstance(error, _StoppedTogether) else None

    def close(self) -> None:
        """End all children, whatever they are doing."""
        self._pool.stop()
        self._pool.join()

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._processes,
            max_tasks=TASKS_EACH,
            initializer=_begin,
            initargs=(os.getpid(),),
            context=get_context("spawn"),
        )


def result(future: Future[T]) -> T:
    """Return what a task returned, or raise what it raised.

    Raises: NoVerdict when there was no process to run it;
    ChildStopped when its process ran into a limit or died, or its reader failed; what readers raise on purpose.
    """
    try:
        return future.result()
    except TimeoutError:
        raise ChildStopped(f"reading it takes longer than {WALL_SECONDS} seconds") from None
    except ProcessExpired as error:
        if error.exitcode == -signal.SIGXCPU:
            raise ChildStopped("reading it takes too many seconds of CPU time for its size") from None
        raise ChildStopped("the process that read it died") from error
    except MemoryError:
        raise ChildStopped("reading it takes too much memory") from None
    except RecursionError:
        raise ChildStopped("it is nested too deeply") from None
    except PlanetError:
        raise
    except (CancelledError, BrokenExecutor) as error:
        raise NoVerdict("there is no process to read it") from error
    except Exception as error:  # a fault of a parser, which is this input's trouble and nobody else's
        log.exception("a reader failed on its input")
        raise ChildStopped(f"the planet's reader fails on it ({type(error).__name__}); please report this") from error


def _begin(parent: int) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _one_by_one(function: Callable[..., T], tasks: Sequence[Sequence[Any]]) -> list[T | Exception]:
    """What a function returns for each of some inputs, or what it raises."""
    outcomes: list[T | Exception] = []
    for task in tasks:
        try:
            outcomes.append(_limited(function, *task))
        except MemoryError:
            raise  # with which input it began can't be told
        except Exception as error:
            outcomes.append(error)
    return outcomes


def _limited(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    _allow(CPU_SECONDS + sum(len(arg) for arg in args if isinstance(arg, bytes | str)) // BYTES_A_SECOND)
    try:
        return function(*args, **kwargs)
    finally:
        # The next task has to be received first. A child that dies then, doing nothing, takes the whole pool along.
        _allow(CPU_SECONDS)


def _allow(seconds: int) -> None:
    """Let this process use the processor for so long from now on, less a part of a second.

    RLIMIT_CPU counts its whole life, in seconds.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, resource.RLIM_INFINITY))

"""What processes owe each other: to end with their parent, and not to work in one folder twice."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import sys
from pathlib import Path
from types import TracebackType

from aggregator.errors import AlreadyAtWork, StartRefused

MOST_FILES = 4_096


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel end this process by a signal when its parent is gone, even by kill -9 (Linux only)."""
    if sys.platform != "linux":
        return
    set_parent_death_signal = 1
    ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, number, 0, 0, 0)
    if os.getppid() != parent:  # it went before we asked
        os._exit(1)


def end_with_uv() -> None:
    """End when `uv run` that started us is killed: it is a wrapper, and nobody would look for us without it."""
    try:
        name = Path(f"/proc/{os.getppid()}/comm").read_text().strip()
    except OSError:
        return
    if name == "uv":
        die_with(os.getppid(), signal.SIGTERM)


def allow_files() -> int:
    """Let this process have as many files open as the system lets it, within reason; return how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def share_memory() -> None:
    """Let all threads take their memory from two heaps: each of its own would keep what it took once (glibc only)."""
    most_heaps = -8
    if (set_option := getattr(ctypes.CDLL(None), "mallopt", None)) is not None and sys.platform == "linux":
        set_option(most_heaps, 2)


def return_memory() -> None:
    """Give back what is free: without being told, glibc keeps what a sweep or a large publish took."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


class Lock:
    """The right to be the one half of a planet on a data folder; the kernel gives it back when we die."""

    def __init__(self, folder: Path, half: str) -> None:
        self._path = folder / f"{half}.lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Lock:
        """Take the lock. Raises: StartRefused."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError:
                # A lock may be held on what can only be read: whether the folder can be written is another question.
                descriptor = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise StartRefused(
                f"the data folder {self._path.parent} can't be written ({error.strerror}); check its owner and rights,"
                " or set [planet] data"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise AlreadyAtWork(
                f"another planet is at work in {self._path.parent}; stop it, or set [planet] data to another folder"
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

"""What commands share: --config and other options, errors in one line, the database."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aggregator.errors import ConfigBroken, PlanetError

if TYPE_CHECKING:
    from sqlite_utils import Database

    from aggregator.config import Planet

HOST, PORT = "127.0.0.1", 8000
F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Give a command --config, and turn our errors into one line each and exit code 1."""

    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path("feeds.toml"),
        show_default=True,
        help="The configuration.",
    )
    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with plain_errors():
            return command(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def port_options(command: F) -> F:
    """Give a command --host and --port."""
    command = click.option("--host", default=HOST, show_default=True, help="The address to listen on.")(command)
    port = click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True, help="The port.")
    return port(command)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what is wrong in one line, or one line for each mistake of a configuration."""
    try:
        yield
    except ConfigBroken as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    except PlanetError as error:
        click.echo(f"planet: {error}", err=True)
        sys.exit(1)


@contextmanager
def opened(planet: Planet) -> Iterator[Database]:
    """Open the planet's database for one command."""
    from aggregator import store

    database = store.open_store(planet.data)
    try:
        with store.named_errors():
            yield database
    finally:
        database.close()


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something takes its time."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def log_options(command: F) -> F:
    """Give a command --verbose and --log."""
    kind = click.option(
        "--log", "log_as", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to log."
    )
    verbose = click.option("-v", "--verbose", is_flag=True, help="Log unchanged feeds and refused pings, too.")
    return verbose(kind(command))


def stop_on_signal() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread of its own: the one that is interrupted may hold the lock that `set` takes.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    return stop


def is_at_work(planet: Planet) -> bool:
    """Tell whether a planet is at work on this data folder."""
    from aggregator.errors import AlreadyAtWork
    from aggregator.processes import Lock

    if not planet.data.exists():
        return False
    try:
        with Lock(planet.data, "work"):
            return False
    except AlreadyAtWork:
        return True

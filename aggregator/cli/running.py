"""`planet run`, `serve`, `work` and `demo`: what goes on until it is stopped."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.configuration import check_theme
from aggregator.cli.options import config_option, log_options, plain_errors, port_options, stop_on_signal

if TYPE_CHECKING:
    from aggregator.config import ConfigFile, Planet

_LOOK_EVERY = 1.0


@click.command()
@port_options
@log_options
@config_option
def run(config_path: Path, host: str, port: int, verbose: bool, log_as: str) -> None:
    """Poll the feeds and serve the page: both halves, supervised."""
    from aggregator.config import load

    planet = load(config_path)
    _run_halves(planet, host, port, verbose=verbose, log_as=log_as)


@click.command()
@port_options
@log_options
@config_option
def serve(config_path: Path, host: str, port: int, verbose: bool, log_as: str) -> None:
    """Serve the page and take pings: the web half alone."""
    from aggregator.processes import Lock
    from aggregator.serve import serve as serve_until_stopped

    config = _begin_half(config_path, verbose, log_as)
    with Lock(config.current.data, "serve"):
        serve_until_stopped(config, host, port, clock.now)


@click.command()
@log_options
@config_option
def work(config_path: Path, verbose: bool, log_as: str) -> None:
    """Poll, verify and publish: the jobs half alone."""
    from aggregator import store
    from aggregator.config import template
    from aggregator.processes import Lock
    from aggregator.supervise import PARENT
    from jobs.scheduler import work as work_until_stopped

    is_supervised = PARENT in os.environ
    config = _begin_half(config_path, verbose, log_as)
    data, stop = config.current.data, stop_on_signal()
    with Lock(data, "work"):
        if is_supervised:  # to be refused again and again would fill the log
            _wait_until_writable(data, stop)
        store.check_writable(data)
        store.open_store(data).close()
        template.place_schema(data)
        work_until_stopped(config, clock.now, stop)


@click.command()
@port_options
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
def demo(host: str, port: int, seconds: float | None) -> None:
    """Run a planet on a small community of blogs on this machine; needs no internet."""
    from aggregator.demo import community

    with plain_errors(), community(f"http://{host}:{port}/", clock.now) as config_path:
        from aggregator.config import load

        click.echo(f"A community of blogs is being born. Open http://{host}:{port}/ and stay a minute; Ctrl-C ends it.")
        _run_halves(load(config_path), host, port, seconds=seconds)


def _run_halves(
    planet: Planet, host: str, port: int, *, verbose: bool = False, log_as: str = "text", seconds: float | None = None
) -> None:
    from aggregator import logs, store
    from aggregator.ports import check_port
    from aggregator.processes import Lock, end_with_uv
    from aggregator.supervise import Half, supervise

    logs.begin(as_json=log_as == "json")
    # Whatever would stop a half at its start is found out here, once and in one line.
    check_port(host, port)
    check_theme(planet)
    with ExitStack() as stack:
        stack.enter_context(Lock(planet.data, "run"))
        for half in ("serve", "work"):
            with Lock(planet.data, half):
                pass
        store.open_store(planet.data).close()
        store.check_writable(planet.data)  # it may be open to be read only
        if told := _other_address(planet, port):
            logs.log.warning("%s", told)
        stop = stop_on_signal()
        end_with_uv()
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        config = ["--config", str(planet.path), "--log", log_as, *(["--verbose"] if verbose else [])]
        halves = [
            Half("serve", ["serve", *config, "--host", host, "--port", str(port)]),
            Half("work", ["work", *config]),
        ]
        supervise(halves, stop, clock.seconds)


def _wait_until_writable(data: Path, stop: threading.Event) -> None:
    from aggregator import logs, store
    from aggregator.errors import StoreReadOnly

    try:
        store.check_writable(data)
    except StoreReadOnly as error:
        logs.log.error("%s", error)
    while not stop.wait(_LOOK_EVERY):
        with suppress(StoreReadOnly):
            store.check_writable(data)
            break


def _other_address(planet: Planet, port: int) -> str:
    """Say that the planet's address in the configuration is not the one it is served at, where this is sure."""
    from urllib.parse import urlsplit

    url = planet.masthead.url
    named = urlsplit(url)
    if named.hostname not in ("127.0.0.1", "localhost") or (named.port or 80) == port:
        return ""
    return f"[planet] url says {url}, but it is served on port {port}; links, feeds and pings will name the former"


def _begin_half(config_path: Path, verbose: bool, log_as: str) -> ConfigFile:
    from aggregator import logs
    from aggregator.config import ConfigFile
    from aggregator.processes import die_with
    from aggregator.supervise import PARENT

    if parent := os.environ.pop(PARENT, ""):
        die_with(int(parent))
    logs.begin(verbose=verbose, as_json=log_as == "json")
    return ConfigFile(config_path)

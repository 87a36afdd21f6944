"""The `planet` command. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aggregator import __version__, clock
from aggregator.errors import ConfigBroken, PlanetError
from aggregator.logs import counted

if TYPE_CHECKING:
    from sqlite_utils import Database

    from aggregator.config import ConfigFile, Planet
    from aggregator.model import FeedHealth, PollSummary

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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="planet")
def main() -> None:
    """Gather a community's blogs on one page, and give them back their conversation."""


def verbose_option(command: F) -> F:
    """Give a command --verbose."""
    return click.option("-v", "--verbose", is_flag=True, help="Log unchanged feeds and refused pings, too.")(command)


@main.command()
@port_options
@verbose_option
@config_option
def run(config_path: Path, host: str, port: int, verbose: bool) -> None:
    """Poll the feeds and serve the page: both halves, supervised."""
    from aggregator.config import load

    planet = load(config_path)
    _run_halves(planet, host, port, verbose=verbose)


@main.command()
@port_options
@verbose_option
@config_option
def serve(config_path: Path, host: str, port: int, verbose: bool) -> None:
    """Serve the page and take pings: the web half alone."""
    from aggregator.processes import Lock
    from aggregator.serve import serve as serve_until_stopped

    config = _begin_half(config_path, verbose)
    with Lock(config.current.data, "serve"):
        serve_until_stopped(config, host, port, clock.now)


@main.command()
@verbose_option
@config_option
def work(config_path: Path, verbose: bool) -> None:
    """Poll, verify and publish: the jobs half alone."""
    from aggregator import store
    from aggregator.processes import Lock
    from jobs.scheduler import work as work_until_stopped

    config = _begin_half(config_path, verbose)
    with Lock(config.current.data, "work"):
        store.open_store(config.current.data).close()
        work_until_stopped(config, clock.now, _stop_on_signal())


@main.command()
@click.option("--all", "poll_all", is_flag=True, help="All enabled feeds, due or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def poll(config_path: Path, poll_all: bool, as_json: bool) -> None:
    """Sweep the feeds that are due, and store what is new; publish nothing."""
    from aggregator import logs, store
    from aggregator.config import load
    from aggregator.errors import AlreadyAtWork
    from aggregator.processes import Lock

    planet = load(config_path)
    logs.begin(quiet=as_json)
    with opened(planet) as database:
        try:
            with Lock(planet.data, "work"):
                store.feeds.subscribe(database, planet.subscriptions, clock.now())
                if poll_all:
                    store.feeds.make_due(database, clock.now())
                summary = _sweep(planet, database, show_progress=not as_json)
        except AlreadyAtWork:
            _mark_due_beside_worker(database, as_json)
            return
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    else:
        click.echo(
            f"{counted(summary.feeds, 'feed')} in {summary.seconds:.1f} s:"
            f" {summary.fetched} fetched, {summary.unchanged} unchanged, {summary.failed} failed;"
            f" {summary.new_entries} new and {summary.updated_entries} edited entries"
        )


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to; default: data/public.")
@config_option
def build(config_path: Path, out: Path | None) -> None:
    """Write the whole static site."""
    from aggregator import store
    from aggregator.config import load
    from aggregator.processes import Lock
    from jobs.equipment import renderer_for
    from jobs.publish import build as build_site

    planet = load(config_path)
    # A planet at work writes its folder itself; two writers would trip over each other.
    with opened(planet) as database, Lock(planet.data, "work") if out is None else nullcontext():
        store.feeds.subscribe(database, planet.subscriptions, clock.now())
        written = build_site(database, renderer_for(planet), out or planet.public)
    click.echo(f"{written} files written to {out or planet.public}")


@main.command()
@config_option
def check(config_path: Path) -> None:
    """Validate the configuration: every mistake with its place and a hint."""
    from aggregator.config import load

    planet = load(config_path)
    for key in planet.without_effect:
        click.echo(f"{config_path}: {key}: fine, but without effect in this version")
    enabled = sum(feed.enabled for feed in planet.subscriptions)
    click.echo(
        f"{config_path}: fine; {counted(enabled, 'feed')}, {len(planet.subscriptions) - enabled} more not enabled"
    )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def status(config_path: Path, as_json: bool) -> None:
    """Tell how every feed is doing, and how many linkbacks wait."""
    from aggregator import store
    from aggregator.config import load

    with opened(load(config_path)) as database:
        feeds, mentions = store.feeds.health(database), store.mentions.counts(database)
    if as_json:
        rows = [
            {**asdict(feed), "last_poll": _iso(feed.last_poll), "next_poll": _iso(feed.next_poll)} for feed in feeds
        ]
        click.echo(json.dumps({"feeds": rows, "mentions": mentions}))
    else:
        _print_status(feeds, mentions)


@main.command()
@port_options
@click.option("--seconds", type=float, help="End after so many seconds.")
def demo(host: str, port: int, seconds: float | None) -> None:
    """Run a planet on a small community of blogs on this machine; needs no internet."""
    from aggregator.demo import community

    with plain_errors(), community(f"http://{host}:{port}/", clock.now) as config_path:
        from aggregator.config import load

        click.echo(f"A community of blogs is being born. Open http://{host}:{port}/ and stay a minute; Ctrl-C ends it.")
        _run_halves(load(config_path), host, port, seconds=seconds)


def _run_halves(planet: Planet, host: str, port: int, *, verbose: bool = False, seconds: float | None = None) -> None:
    from aggregator import logs, store
    from aggregator.ports import check_port
    from aggregator.processes import Lock, end_with_uv
    from aggregator.supervise import Half, supervise

    logs.begin()
    # Whatever would stop a half at its start is found out here, once and in one line.
    check_port(host, port)
    with ExitStack() as stack:
        stack.enter_context(Lock(planet.data, "run"))
        for half in ("serve", "work"):
            with Lock(planet.data, half):
                pass
        store.open_store(planet.data).close()
        if told := _other_address(planet, port):
            logs.log.warning("%s", told)
        stop = _stop_on_signal()
        end_with_uv()
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        config = ["--config", str(planet.path), *(["--verbose"] if verbose else [])]
        halves = [
            Half("serve", ["serve", *config, "--host", host, "--port", str(port)]),
            Half("work", ["work", *config]),
        ]
        supervise(halves, stop, clock.seconds)


def _other_address(planet: Planet, port: int) -> str:
    """Say that the planet's address in the configuration is not the one it is served at, where this is sure."""
    from urllib.parse import urlsplit

    url = planet.masthead.url
    named = urlsplit(url)
    if named.hostname not in ("127.0.0.1", "localhost") or (named.port or 80) == port:
        return ""
    return f"[planet] url says {url}, but it is served on port {port}; links, feeds and pings will name the former"


def _begin_half(config_path: Path, verbose: bool) -> ConfigFile:
    from aggregator import logs
    from aggregator.config import ConfigFile
    from aggregator.processes import die_with
    from aggregator.supervise import PARENT

    if parent := os.environ.pop(PARENT, ""):
        die_with(int(parent))
    logs.begin(verbose=verbose)
    return ConfigFile(config_path)


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _sweep(planet: Planet, database: Database, *, show_progress: bool) -> PollSummary:
    from dataclasses import replace

    from rich.progress import Progress

    from aggregator import store
    from jobs import equipment
    from jobs.children import Children
    from jobs.poll import Sweep

    began = clock.seconds()
    children = Children(planet.workers.processes)
    sweep = Sweep(database, equipment.engine_for(planet), children, equipment.terms_for(planet), clock.now)
    try:
        with Progress(disable=not (show_progress and sys.stderr.isatty()), transient=True) as progress:
            bar = progress.add_task("Polling", total=store.feeds.count_due(database, clock.now()))
            summary = sweep.run(on_progress=lambda so_far: progress.update(bar, completed=so_far.feeds))
    finally:
        children.close()
    return replace(summary, seconds=round(clock.seconds() - began, 3))


def _mark_due_beside_worker(database: Database, as_json: bool) -> None:
    from aggregator import store
    from aggregator.model import PollSummary

    marked = store.feeds.make_due(database, clock.now())
    if as_json:
        click.echo(json.dumps({**asdict(PollSummary()), "marked_due": marked}))
    else:
        click.echo(f"A planet is at work here; {marked} feeds are marked due, and it polls them now.")


def _print_status(feeds: list[FeedHealth], mentions: dict[str, int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aggregator.logs import escaped

    console = Console()
    names = ("Feed", "Health", "Last poll", "Next poll", "Status", "Entries")
    table = Table(*names, box=None, header_style="bold")
    if not console.is_terminal:
        click.echo("\t".join((*names, "URL", "Why")))
    for feed in feeds:
        numbers = (str(feed.status or ""), str(feed.entries))
        cells = (feed.name, feed.health, _short(feed.last_poll), _short(feed.next_poll), *numbers)
        if console.is_terminal:
            table.add_row(*(Text(escaped(cell), overflow="ellipsis", no_wrap=True) for cell in cells))
        else:
            click.echo("\t".join(map(escaped, (*cells, feed.url, feed.problem))))
    if console.is_terminal:
        console.print(table)
        for feed in feeds:
            if feed.problem:
                click.echo(f"\n{escaped(feed.name)} <{escaped(feed.url)}>\n    {escaped(feed.problem)}")
        click.echo()
    click.echo("Linkbacks: " + ", ".join(f"{count} {status}" for status, count in mentions.items()))


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _short(instant: datetime | None) -> str:
    return instant.astimezone().strftime("%d %b %H:%M") if instant else "–"

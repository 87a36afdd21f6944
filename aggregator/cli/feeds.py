"""`planet poll` and `build`: the feeds, and the site made of them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.options import busy, config_option, opened
from aggregator.logs import counted

if TYPE_CHECKING:
    from sqlite_utils import Database

    from aggregator.config import Planet
    from aggregator.model import PollSummary
    from jobs.poll import Sweep


@click.command()
@click.option("--all", "poll_all", is_flag=True, help="All enabled feeds, due or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def poll(config_path: Path, poll_all: bool, as_json: bool) -> None:
    """Sweep the feeds that are due, and store what is new; publish nothing."""
    from aggregator import logs, store
    from aggregator.config import load
    from aggregator.errors import AlreadyAtWork
    from aggregator.processes import Lock
    from jobs import equipment

    planet = load(config_path)
    logs.begin(quiet=as_json)
    with opened(planet) as database:
        try:
            with Lock(planet.data, "work"):
                equipment.subscribe(database, planet, clock.now())
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


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="A folder of its own that gets a copy of it."
)
@config_option
def build(config_path: Path, out: Path | None) -> None:
    """Bring the static site in data/public up to date, and copy it to --out."""
    from aggregator.config import load
    from aggregator.errors import AlreadyAtWork
    from aggregator.processes import Lock
    from aggregator.site import folder
    from jobs import equipment, rendering

    planet = load(config_path)
    with opened(planet) as database:
        try:
            with Lock(planet.data, "work"), busy("Publishing"):
                equipment.subscribe(database, planet, clock.now())
                rendering.publisher_for(database, planet, clock.now).publish_all()
        except AlreadyAtWork:
            if out is None:
                raise
            # A planet at work writes its folder itself; what it has published is copied.
    count = folder.mirror(planet.public, out) if out else len(folder.names(planet.public))
    click.echo(f"{count} files are in {out or planet.public}")


def _sweep(planet: Planet, database: Database, *, show_progress: bool) -> PollSummary:
    from dataclasses import replace

    from aggregator import store
    from jobs import equipment
    from jobs.children import Children
    from jobs.link import Linking
    from jobs.poll import Sweep

    began = clock.seconds()
    children = Children(planet.workers.processes)
    engine = equipment.engine_for(planet)
    cluster = equipment.cluster_for(planet, engine, clock.now)
    sweep = Sweep(database, engine, children, equipment.terms_for(planet), clock.now, fetcher=cluster)
    try:
        if show_progress and sys.stderr.isatty():
            summary = _with_bar(sweep, store.feeds.count_due(database, clock.now()))
        else:
            summary = sweep.run()
        Linking(database, children, equipment.policy_for(planet), clock.now).run()
    finally:
        children.close()
        if cluster is not None:
            cluster.close()
    return replace(summary, seconds=round(clock.seconds() - began, 3))


def _with_bar(sweep: Sweep, total: int) -> PollSummary:
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        bar = progress.add_task("Polling", total=total)
        return sweep.run(on_progress=lambda so_far: progress.update(bar, completed=so_far.feeds))


def _mark_due_beside_worker(database: Database, as_json: bool) -> None:
    from aggregator import store
    from aggregator.model import PollSummary

    marked = store.feeds.make_due(database, clock.now())
    if as_json:
        click.echo(json.dumps({**asdict(PollSummary()), "marked_due": marked}))
    else:
        click.echo(f"A planet is at work here; it polls what is marked due now: {counted(marked, 'feed')}.")

"""`planet check`: validates feeds.toml, looks at its feeds, and proposes what to do about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.options import config_option, opened
from aggregator.logs import counted, escaped

if TYPE_CHECKING:
    from aggregator.config import Planet
    from aggregator.proposals import Proposal, Seen

LONG_DEAD = timedelta(days=14)
_WHAT_FIX_DOES = {
    "move": "--fix writes that",
    "remove": "--fix takes it out",
    "disable": "--fix disables it, planet remove takes it out",
}


def _without_effect(planet: Planet) -> list[str]:
    """The keys in use on which nothing acts here; said, lest an operator relies on them."""
    from importlib.util import find_spec

    return ["workers.dask"] if planet.workers.dask and find_spec("distributed") is None else []


@click.command()
@click.option("--online", is_flag=True, help="Look at every feed: dead, moved, twice there, or insecure.")
@click.option("--fix", is_flag=True, help="Write what is proposed into the file, and show the difference.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def check(config_path: Path, online: bool, fix: bool, as_json: bool) -> None:
    """Validate the configuration: every mistake with its place and a hint."""
    from aggregator.config import load

    planet = load(config_path)
    check_theme(planet)
    if not as_json:
        for key in _without_effect(planet):
            click.echo(f"{config_path}: {key}: without effect, because distributed is not installed: planet[dask]")
    proposals = _looked_at(planet) if online else _known(planet)
    written = fix and _fix(config_path, proposals)
    if as_json:
        found = {"proposals": [asdict(one) for one in proposals], "written": bool(written)}
        click.echo(json.dumps({"feeds": len(planet.subscriptions), "without_effect": _without_effect(planet), **found}))
        return
    for one in proposals:
        hint = f"; {_WHAT_FIX_DOES[one.action]}" if one.action and not fix else ""
        click.echo(escaped(f"{config_path}: {one.url} {one.words}{hint}"))
    if written:
        click.echo(written)
        planet, proposals = load(config_path), [one for one in proposals if not one.action]
    enabled = sum(feed.enabled for feed in planet.subscriptions)
    verdict = "fine" if not proposals else f"valid, {counted(len(proposals), 'proposal')}"
    click.echo(
        f"{config_path}: {verdict}; {counted(enabled, 'feed')}, {len(planet.subscriptions) - enabled} more not enabled"
    )


def check_theme(planet: Planet) -> None:
    """Read every template of the theme, if there is one. Raises: ThemeBroken."""
    if planet.theme:
        from jobs.rendering import renderer_for

        renderer_for(planet).templates.check()


def _known(planet: Planet) -> list[Proposal]:
    """What the polls have found out so far."""
    from aggregator import store
    from aggregator.proposals import of_moves
    from aggregator.urls import canonical

    if not (planet.data / store.FILE_NAME).exists():
        return []
    configured = {canonical(feed.url): feed.url for feed in planet.subscriptions}
    with opened(planet) as database:
        moves = [move for move in store.health.moves(database) if canonical(move.url) in configured]
    return list(of_moves([(move.url, move.address, move.why) for move in moves], configured))


def _looked_at(planet: Planet) -> list[Proposal]:
    """What one look at every enabled feed finds out."""
    from aggregator import store
    from aggregator.proposals import propose

    long_dead: list[str] = []
    if (planet.data / store.FILE_NAME).exists():
        with opened(planet) as database:
            long_dead = store.health.failing_since(database, clock.now() - LONG_DEAD)
    order = {feed.url: place for place, feed in enumerate(planet.subscriptions)}
    seen = sorted(_look(planet), key=lambda one: order[one.url])
    return sorted(propose(seen, long_dead=long_dead), key=lambda one: order[one.url])


def _look(planet: Planet) -> list[Seen]:
    from rich.progress import Progress

    from jobs import equipment
    from jobs.children import Children
    from jobs.probe import Probe, probe, seen

    urls = [feed.url for feed in planet.subscriptions if feed.enabled]
    children, terms = Children(planet.workers.processes), equipment.terms_for(planet)
    try:
        with (
            equipment.engine_for(planet) as engine,
            Progress(disable=not sys.stderr.isatty(), transient=True) as progress,
        ):

            def look(what: str, addresses: Sequence[str]) -> list[Probe]:
                found = probe(engine, children, terms, addresses, clock.now())
                return list(progress.track(found, total=len(addresses), description=what))

            probes = look("Looking at the feeds", urls)
            open_ones = [one.url for one in probes if one.reading and one.address.startswith("http:")]
            secure = look("Trying https", [url.replace("http://", "https://", 1) for url in open_ones])
    finally:
        children.close()
    return seen(probes, secure)


def _fix(path: Path, proposals: Sequence[Proposal]) -> str:
    """Write what is proposed, and return the difference; "" when there is nothing to write."""
    from aggregator.config import editing, parse, read

    before = after = read(path)
    moved = {one.url: one.address for one in proposals if one.action == "move"}
    if moved:
        after = editing.with_addresses(after, moved)
    for one in proposals:
        if one.action == "remove":
            after = editing.without_feed(after, one.url)
        elif one.action == "disable":
            after = editing.disabled(after, one.url)
    if after == before:
        return ""
    parse(after, path)
    editing.write(path, after)
    return "\n".join(map(escaped, editing.difference(path, before, after)))

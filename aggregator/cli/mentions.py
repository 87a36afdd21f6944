"""`planet mentions`: what the operator does about linkbacks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.options import config_option, opened
from aggregator.logs import counted

if TYPE_CHECKING:
    from sqlite_utils import Database

    from aggregator.model import ListedMention

_STATUSES = ("pending", "published", "held", "rejected", "retracted", "hidden")
_WHAT = "WHAT is the number of a linkback, the host of its source, or a prefix of its address (host/path)."


@click.group()
def mentions() -> None:
    """Moderate linkbacks: list, approve, hide, block and unblock."""


@mentions.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def list_mentions(config_path: Path, status: str | None, limit: int, as_json: bool) -> None:
    """List linkbacks, newest first, and whom you block and always allow."""
    from aggregator import store
    from aggregator.config import load
    from aggregator.model import Status

    planet = load(config_path)
    with opened(planet) as database:
        found = store.moderation.listed(database, Status(status) if status else None, limit)
        blocked, allowed = store.blocks.patterns(database), store.blocks.allowed(database)
    if as_json:
        rows = [{**asdict(each), "received_at": each.received_at.isoformat()} for each in found]
        blocked = sorted({*blocked, *planet.linkbacks.block})
        click.echo(json.dumps({"mentions": rows, "blocked": blocked, "allowed": allowed}))
        return
    _print(found)
    told = {"Blocked": blocked, "Blocked in feeds.toml": planet.linkbacks.block, "Allowed": allowed}
    for name, patterns in told.items():
        if patterns:
            click.echo(f"{name}: {', '.join(patterns)}")


@mentions.command(epilog=_WHAT)
@click.argument("what", nargs=-1, required=True)
@click.option("--always", is_flag=True, help="And publish whatever is found at these hosts from now on.")
@config_option
def approve(config_path: Path, what: tuple[str, ...], always: bool) -> None:
    """Publish linkbacks that are held or hidden; those still being verified, as soon as the link is found."""
    from aggregator import store
    from aggregator.config import load
    from aggregator.errors import PlanetError

    with opened(load(config_path)) as database:
        ids = _meant(database, what, may_be_new=always)
        hosts = {store.moderation.host_of(database, id) for id in ids}
        hosts |= {_pattern(database, each) for each in what if _is_host(each)}
        with store.transaction(database):
            count = store.moderation.approve(database, ids, clock.now())
            if not count and not always:
                raise PlanetError(_why_not(database, ids))
            for host in hosts if always else ():
                store.blocks.allow(database, host, clock.now())
    click.echo(f"{counted(count, 'linkback')} approved{_also(sorted(hosts)) if always else ''}")


@mentions.command(epilog=_WHAT)
@click.argument("what", nargs=-1, required=True)
@config_option
def hide(config_path: Path, what: tuple[str, ...]) -> None:
    """Show linkbacks no more, whatever becomes of their pages; what is approved later is shown again."""
    from aggregator import store
    from aggregator.config import load
    from aggregator.errors import PlanetError
    from aggregator.model import Status

    with opened(load(config_path)) as database:
        ids = _meant(database, what)
        stands = store.moderation.stands(database, ids)
        pending = sum(status is Status.PENDING for _, status, _ in stands)
        with store.transaction(database):
            count = store.moderation.hide(database, ids, clock.now())
            for host in (each.lower() for each in what):
                store.blocks.disallow(database, host)
        if not count:
            raise PlanetError(_why_not(database, ids))
    later = f"; {pending} still being verified: hidden as soon as the link is found" if pending else ""
    click.echo(f"{counted(count, 'linkback')} hidden{later}")


@mentions.command(epilog=_WHAT)
@click.argument("what", nargs=-1, required=True)
@config_option
def block(config_path: Path, what: tuple[str, ...]) -> None:
    """Refuse a source from now on, and forget what came from there."""
    from aggregator import store
    from aggregator.config import load

    with opened(load(config_path)) as database:
        patterns = [_pattern(database, each) for each in what]
        with store.transaction(database):
            count = sum(store.moderation.block(database, pattern, clock.now()) for pattern in patterns)
            for pattern in patterns:
                store.blocks.disallow(database, pattern)
    click.echo(f"{', '.join(patterns)} blocked; {counted(count, 'linkback')} removed")


@mentions.command()
@click.argument("what", nargs=-1, required=True)
@config_option
def unblock(config_path: Path, what: tuple[str, ...]) -> None:
    """Take linkbacks of a source again; those that were removed come back only when they are sent again."""
    from aggregator import store
    from aggregator.config import load
    from aggregator.errors import PlanetError

    planet = load(config_path)
    with opened(planet) as database:
        for each in what:
            pattern = _pattern(database, each)
            with store.transaction(database):
                was_blocked = store.blocks.remove(database, pattern)
            if pattern in planet.linkbacks.block or each in planet.linkbacks.block:
                raise PlanetError(f"{each} is blocked in {planet.path}: remove it from [linkbacks] block")
            if not was_blocked:
                raise PlanetError(f"{each} is not blocked; `planet mentions list` names what is")
            click.echo(f"{pattern} unblocked")


@mentions.command("feed")
@config_option
def held_feed(config_path: Path) -> None:
    """Print the secret address of an Atom feed of the linkbacks that wait for you."""
    from aggregator import store
    from aggregator.config import load

    planet = load(config_path)
    with opened(planet) as database, store.transaction(database):
        secret = store.pages.secret(database, "held feed")
    click.echo(f"{planet.masthead.url}held/{secret}/feed.atom")


def _is_host(what: str) -> bool:
    return not what.isdigit() and "/" not in what


def _why_not(database: Database, ids: list[int]) -> str:
    """Why nothing can be decided about linkbacks, in one line."""
    from aggregator import store

    id, status, problem = store.moderation.stands(database, ids)[0]
    others = f", nor can {len(ids) - 1} more" if len(ids) > 1 else ""
    why = f" because {problem}" if problem else ""
    return f"linkback {id} is {status}{why}: there is nothing to show or hide{others}; its sender may ping again"


def _meant(database: Database, what: tuple[str, ...], *, may_be_new: bool = False) -> list[int]:
    """The linkbacks that an operator means; of hosts that may be new there needn't be any."""
    from aggregator import store
    from aggregator.errors import PlanetError

    ids: dict[int, None] = {}
    for each in what:
        found = store.moderation.matching(database, each)
        if not found and not (may_be_new and _is_host(each)):
            raise PlanetError(f"there is no linkback {each}; `planet mentions list` names them")
        ids |= dict.fromkeys(found)
    return list(ids)


def _pattern(database: Database, what: str) -> str:
    """A host or a prefix in the form in which it is compared."""
    from aggregator import store
    from aggregator.errors import PlanetError
    from aggregator.urls import canonical, host_of

    if what.isdigit():
        pattern = store.moderation.host_of(database, int(what))
    elif "/" in what:
        pattern = canonical(what if "://" in what else f"https://{what}").removeprefix("//")
    else:
        pattern = host_of(f"https://{what}/")
    if not pattern:
        raise PlanetError(f"{what} is no linkback's number, no host and no address")
    return pattern


def _also(hosts: list[str]) -> str:
    return f"; links from {', '.join(hosts)} are published as soon as they are found"


def _print(found: list[ListedMention]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aggregator.logs import escaped

    console = Console()
    names = ("Id", "Status", "Received", "Kind", "Source", "Title", "Post", "Ways", "Why")
    table = Table("Id", "Status", "Received", "Ways", "Source", box=None, header_style="bold")
    if not console.is_terminal:
        click.echo("\t".join(names))
    for each in found:
        received = each.received_at.astimezone().strftime("%d %b %H:%M")
        first = (str(each.id), each.status.value, received)
        if console.is_terminal:
            words = Text(escaped(each.source), overflow="fold")
            told = (f"{each.title} → {each.post}", each.problem and f"because {each.problem}")
            words.append("".join(f"\n{escaped(line)}" for line in told if line), style="dim")
            table.add_row(*(Text(cell, no_wrap=True) for cell in first), Text("\n".join(each.ways)), words)
        else:
            rest = (each.kind, each.source, each.title, each.post, " ".join(each.ways), each.problem)
            click.echo("\t".join(map(escaped, (*first, *rest))))
    if console.is_terminal:
        console.print(table)

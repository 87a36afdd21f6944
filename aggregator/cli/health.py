"""`planet status`, `explain` and `release`: how the feeds are doing, and why a post is or isn't shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator import clock
from aggregator.cli.options import config_option, opened
from aggregator.errors import NothingKnown
from aggregator.logs import escaped

if TYPE_CHECKING:
    from rich.table import Table

    from aggregator.model import FeedHealth, Poll

_GLANCE = {"silent": "silent for 180 days", "moved": "fetched at another address"}
_COLOURS = {"healthy": "green", "failing": "red", "quarantined": "red", "retired": "yellow", "new": "cyan"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def status(config_path: Path, as_json: bool) -> None:
    """Tell how the planet and every feed are doing, and how many linkbacks wait."""
    from aggregator import store, vitals
    from aggregator.model import Pulse

    data, mistakes = _readable(config_path)
    now = clock.now()
    with closing(store.open_store(data)) as database, store.named_errors():
        feeds, mentions = store.health.health(database), store.mentions.counts(database)
        slow = store.health.slow(database, vitals.SLOW_MILLISECONDS)
        pulse, counts = store.pulse.last(database), store.health.counts(database)
    glance = vitals.at_a_glance(feeds, slow, now)
    # Without a pulse nothing has ever been at work here by itself: cron may be all that is wanted.
    found = vitals.Vitals(pulse or Pulse(now), counts, shutil.disk_usage(data).free, mistakes)
    ailments = vitals.ailments(found, now)
    if as_json:
        whole = {"ailments": ailments, "at_a_glance": glance, "mistakes": mistakes}
        click.echo(json.dumps({**whole, "feeds": [_plain(asdict(feed)) for feed in feeds], "mentions": mentions}))
        return
    _print_status(feeds, mentions)
    click.echo(
        "Feeds: " + (", ".join(f"{count} {_GLANCE.get(state, state)}" for state, count in glance.items()) or "none")
    )
    for ailment in ailments:
        click.secho(f"! {escaped(ailment)}", fg="red")


def _readable(config_path: Path) -> tuple[Path, list[str]]:
    """The data folder, and what is wrong with the configuration: its planet goes on with the last good one.

    Raises: ConfigBroken when no planet has been at work there.
    """
    from aggregator import store
    from aggregator.config import data_of, load
    from aggregator.errors import ConfigBroken

    try:
        return load(config_path).data, []
    except ConfigBroken as error:
        data = data_of(config_path)
        if not (data / store.FILE_NAME).exists():
            raise
        return data, error.problems


@click.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def explain(config_path: Path, url: str, as_json: bool) -> None:
    """Say why a post, a feed or a linkback is or isn't shown; URL may be any address."""
    from aggregator.cli.explanation import explained
    from aggregator.config import load

    planet = load(config_path)
    with opened(planet) as database:
        found = explained(database, planet, url, clock.now())
    if as_json:
        click.echo(json.dumps(_plain(asdict(found))))
        return
    for line in found.lines:
        click.echo(escaped(line))
    if found.polls:
        _print_polls(found.polls)


@click.command()
@click.argument("url")
@config_option
def release(config_path: Path, url: str) -> None:
    """Believe a feed again that is in quarantine or retired; it is polled at once."""
    from aggregator import store
    from aggregator.config import load

    with opened(load(config_path)) as database, store.transaction(database):
        if not store.voices.release(database, url, clock.now()):
            raise NothingKnown(f"no feed of the configuration has the address {url}; planet status lists them")
    click.echo(f"{url} is believed again, as it is now; it is polled at once.")


def _print_status(feeds: list[FeedHealth], mentions: dict[str, int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, now = Console(), clock.now()
    names = ("Feed", "Health", "Newest post", "News by", "Last poll", "Next poll", "Status", "Entries")
    table = Table(*names, box=None, header_style="bold")
    if not console.is_terminal:
        click.echo("\t".join((*names, "URL", "Why", "What to do", "No push")))
    for feed in feeds:
        newest, *times = (_from_now(instant, now) for instant in (feed.newest_post, feed.last_poll, feed.next_poll))
        cells = (feed.name, feed.health, newest, _news(feed), *times, str(feed.status or ""), str(feed.entries))
        if console.is_terminal:
            texts = [Text(escaped(cell), overflow="ellipsis", no_wrap=True) for cell in cells]
            texts[1].stylize(_COLOURS.get(feed.health, ""))
            table.add_row(*texts)
        else:
            click.echo("\t".join(map(escaped, (*cells, feed.url, feed.problem, feed.advice, feed.push_problem))))
    if console.is_terminal:
        console.print(table)
        for feed in feeds:
            if feed.problem or feed.advice:
                click.echo(f"\n{escaped(feed.name)} <{escaped(feed.url)}>")
                for text in filter(None, (feed.problem, feed.advice)):
                    click.echo(f"    {escaped(text)}")
        click.echo()
    click.echo("Linkbacks: " + ", ".join(f"{count} {status}" for status, count in mentions.items()))


def _print_polls(polls: Sequence[Poll]) -> None:
    from rich.console import Console

    console = Console()
    names = ("Polled", "Status", "Bytes", "ms", "Outcome", "New", "Edited", "Problem")
    rows = [
        (
            _short(poll.at),
            str(poll.status or "–"),
            f"{poll.bytes:,}",
            str(poll.milliseconds),
            poll.outcome,
            str(poll.new_entries or ""),
            str(poll.edited_entries or ""),
            escaped(poll.problem),
        )
        for poll in polls
    ]
    click.echo()
    if not console.is_terminal:
        for row in (names, *rows):
            click.echo("\t".join(row))
        return
    console.print(_table(names, rows))


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(*names, box=None, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plain(value: Any) -> Any:
    """A value as JSON has it: instants as texts."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _news(feed: FeedHealth) -> str:
    """How news of a feed arrives and how long after its publication: by a trusted push, else as it last came."""
    from aggregator.diagnosis import in_span

    way = "push" if feed.push == "trusted" else feed.arrives or "poll"
    return f"{way}, {in_span(feed.lag)}" if feed.lag is not None else way


def _from_now(instant: datetime | None, now: datetime) -> str:
    """How long ago or in how long, in the largest unit that fits; "–" for never."""
    if instant is None:
        return "–"
    seconds = round((instant - now).total_seconds())
    if abs(seconds) < 60:
        return "now"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
    return f"in {seconds // size} {unit}" if seconds > 0 else f"{-seconds // size} {unit} ago"


_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def _short(instant: datetime | None) -> str:
    return instant.astimezone().strftime("%d %b %H:%M") if instant else "–"

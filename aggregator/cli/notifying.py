"""`planet notify`: tells the operator what happened, or that telling works."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator import clock
from aggregator.cli.options import config_option, opened
from aggregator.errors import PlanetError
from aggregator.logs import counted


@click.command()
@click.option("--test", is_flag=True, help="Tell that telling works, and nothing else.")
@config_option
def notify(config_path: Path, test: bool) -> None:
    """Tell by mail or webhook what has not been told yet; a planet at work does that by itself.

    A feed that has not been read for three days, has moved, is in quarantine or gone for good; linkbacks that wait.
    """
    from aggregator.config import load
    from jobs import equipment
    from jobs.notify import TEST, channels
    from jobs.notify import notify as tell_what_is_new

    planet = load(config_path)
    with equipment.engine_for(planet) as engine:
        ways = channels(planet, engine)
        if not ways:
            raise PlanetError(f"{config_path} says nobody to tell; add [notify] with mail (and [smtp]) or webhook")
        if test:
            for channel, tell in ways.items():
                tell([TEST], clock.now())
                click.echo(f"{channel}: sent to {getattr(planet.notify, channel)}")
            return
        with opened(planet) as database:
            sent = tell_what_is_new(database, ways, clock.now())
    click.echo(f"{counted(sent, 'notice')} sent" if sent else "nothing new to tell")

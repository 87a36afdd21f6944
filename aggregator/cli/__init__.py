"""The `planet` command. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import click

from aggregator import __version__
from aggregator.cli import (
    configuration,
    feeds,
    health,
    keeping,
    mentions,
    notifying,
    purge,
    running,
    sending,
    subscribing,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="planet")
def main() -> None:
    """Gather a community's blogs on one page, and give them back their conversation."""


for command in (
    subscribing.init,
    subscribing.add,
    subscribing.remove,
    subscribing.import_feeds,
    subscribing.export,
    running.run,
    running.serve,
    running.work,
    feeds.poll,
    feeds.build,
    configuration.check,
    health.status,
    health.explain,
    health.release,
    notifying.notify,
    purge.purge,
    keeping.backup,
    keeping.restore,
    keeping.compact,
    mentions.mentions,
    sending.ping,
    running.demo,
):
    main.add_command(command)

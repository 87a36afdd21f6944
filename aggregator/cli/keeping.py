"""`planet backup`, `restore` and `compact`: the database as a whole."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import click

from aggregator.cli.options import busy, config_option, opened
from aggregator.errors import NothingKnown, PlanetError
from aggregator.logs import counted


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def backup(config_path: Path, file: Path) -> None:
    """Write a consistent copy of everything, feeds.toml included, while the planet runs; it replaces FILE."""
    from aggregator import store
    from aggregator.config import load, read

    planet = load(config_path)
    if not (planet.data / store.FILE_NAME).exists():
        raise NothingKnown(f"there is nothing to copy in {planet.data} yet")
    if not file.absolute().parent.is_dir():
        raise PlanetError(f"there is no folder {file.absolute().parent}; make it first")
    with opened(planet) as database, busy(f"Writing {file}"):
        size = store.backup.write(database, file, read(config_path))
    click.echo(f"{file}: {_megabytes(size)}; planet restore {file} brings it back")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
def restore(config_path: Path, file: Path) -> None:
    """Bring a backup back; the planet must be stopped. Without a feeds.toml, the one of the backup is written.

    What was purged since stays purged. The database as it was is kept beside the new one.
    """
    from aggregator import store
    from aggregator.config import editing, load
    from aggregator.processes import Lock

    configuration = store.backup.configuration_in(file)
    if not config_path.exists() and configuration:
        editing.write(config_path, configuration)
        click.echo(f"{config_path} is written, as it was")
    planet = load(config_path)
    with ExitStack() as stack:
        for half in ("run", "serve", "work"):
            stack.enter_context(Lock(planet.data, half))
        kept = _keep_beside(planet.data / store.FILE_NAME)
        with busy(f"Restoring {file}"):
            buried = store.backup.restore(file, planet.data)
            # The site is made anew: pages of what the backup doesn't hold would stay for ever.
            shutil.rmtree(planet.public, ignore_errors=True)
    click.echo(f"{planet.data / store.FILE_NAME} is as it was in {file}")
    if buried:
        click.echo(f"{counted(buried, 'entry', 'entries')} purged since then stayed purged")
    if kept:
        click.echo(f"what it replaced is {kept}; delete it when all is well")


@click.command()
@config_option
def compact(config_path: Path) -> None:
    """Give the room of what was deleted back to the disk; writers wait meanwhile, readers don't."""
    from aggregator import store
    from aggregator.config import load

    planet = load(config_path)
    with opened(planet) as database, busy("Compacting"):
        before = store.metrics.size(database)
        store.gone.erase(database)
        after = store.metrics.size(database)
    click.echo(f"{planet.data / store.FILE_NAME}: {_megabytes(before)} before, {_megabytes(after)} now")


def _keep_beside(path: Path) -> Path | None:
    """Keep a copy of a database that is about to be replaced."""
    from aggregator import store

    if not path.exists():
        return None
    kept = path.with_name(store.backup.REPLACED)
    database = store.open_store(path.parent)
    try:
        store.backup.write(database, kept, "")
    finally:
        database.close()
    return kept


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"

"""`planet purge`: removes a text everywhere, and sees to it that no feed brings it back."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.options import busy, config_option, opened
from aggregator.errors import AlreadyAtWork, NothingKnown
from aggregator.logs import counted

if TYPE_CHECKING:
    from sqlite_utils import Database

    from aggregator.config import Planet

PATIENCE_TICKS = 75


@click.command()
@click.argument("url")
@config_option
def purge(config_path: Path, url: str) -> None:
    """Remove a post, or the linkbacks from a page, for good: text, page and feeds; a tombstone keeps it out.

    URL is the post's own address, its page here, or the address of the page that links.
    """
    from aggregator import store
    from aggregator.config import load

    planet = load(config_path)
    with opened(planet) as database:
        ids, linkbacks = _bury(database, planet, url)
        elsewhere = _bury_in_replaced(planet, url)
        if not ids and not linkbacks and not elsewhere:
            raise NothingKnown(f"nothing is stored of {url}; planet explain tells what is known of an address")
        with busy("Taking it off the pages"):
            is_published = _publish(planet, database) or _wait_until_published(database)
            store.gone.erase(database)
    later = "" if is_published else "; the planet at work takes them off its pages as soon as it can"
    click.echo(f"{counted(len(ids), 'post')} and {counted(linkbacks, 'linkback')} are gone for good{later}.")
    if elsewhere:
        click.echo(f"They are gone from {planet.data / store.backup.REPLACED}, too.")
    click.echo("Copies that you have made elsewhere (planet backup, planet build) still hold them.")


def _bury(database: Database, planet: Planet, url: str) -> tuple[list[int], int]:
    """Delete the posts and linkbacks at an address, and keep them out; return the posts, and how many linkbacks.

    An address with a fragment is that of a comment, where there is one; the post under which it stands stays.
    """
    from aggregator import store
    from aggregator.cli.explanation import stored_at

    is_comment = "#" in url and store.mentions.is_source(database, url)
    ids = [] if is_comment else [facts.id for facts in stored_at(database, planet, url)]
    with store.transaction(database):
        for id in ids:
            store.gone.bury(database, id, clock.now())
        store.pushes.give_up(database, clock.now())  # nobody has read yet what they hold
        return ids, store.mentions.purge(database, url, clock.now())


def _bury_in_replaced(planet: Planet, url: str) -> bool:
    """Do the same in the database that a restore has replaced; tell whether it held anything."""
    from aggregator import store

    path = planet.data / store.backup.REPLACED
    if not path.exists():
        return False
    with store.backup.inside(path) as database:
        ids, linkbacks = _bury(database, planet, url)
        if ids or linkbacks:
            with store.transaction(database):
                store.pages.forget_posts(database, ids)
            store.gone.erase(database)
    return bool(ids or linkbacks)


def _wait_until_published(database: Database) -> bool:
    """Give the planet that is at work here some seconds to take all of it off its pages."""
    from aggregator import store

    tick = threading.Event()
    changes = [store.stale.change(database)]
    for _ in range(PATIENCE_TICKS):
        if store.stale.is_published_until(database, changes[-1]):
            if len(changes) == 2:
                return True
            changes.append(store.stale.change(database))  # the lists that show a post are noted when it is published
        tick.wait(0.2)
    return False


def _publish(planet: Planet, database: Database) -> bool:
    """Publish the removal, unless a planet is at work here that does."""
    from aggregator import store
    from aggregator.processes import Lock
    from jobs.rendering import publisher_for

    try:
        with Lock(planet.data, "work"):
            shutil.rmtree(planet.data / store.backup.STAGING, ignore_errors=True)  # of a restore that was killed
            publisher_for(database, planet, clock.now).publish()
    except AlreadyAtWork:
        return False
    return True

"""`planet ping`: tell other sites that a page links to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.options import config_option

if TYPE_CHECKING:
    from jobs.send import Sender


@click.command()
@click.argument("source")
@click.argument("target", required=False)
@config_option
def ping(config_path: Path, source: str, target: str | None) -> None:
    """Send a webmention, pingback or trackback for each link of SOURCE, or for TARGET alone, and print the answers."""
    from aggregator.config import load
    from aggregator.discovery import Outgoing
    from aggregator.errors import PlanetError
    from aggregator.urls import web_url
    from jobs import equipment
    from jobs.children import Children
    from jobs.send import Sender

    planet = load(config_path)
    for url in (source, target):
        if url is not None and not web_url(url):
            raise PlanetError(f"{url} is no web address")
    children = Children(1)
    try:
        with equipment.engine_for(planet) as engine:
            sender = Sender(engine, children, web_url(source))
            # With a target, the source need not be read: it may be gone, and that is the news.
            page = Outgoing("", (web_url(target),)) if target else sender.links()
            if not page.links:
                raise PlanetError(f"{source} links to no other site")
            taken = [_send(sender, each, page.title) for each in page.links]
    finally:
        children.close()
    if target and not any(taken):
        raise PlanetError(f"{target} did not take it")


def _send(sender: Sender, target: str, title: str) -> bool:
    from aggregator.logs import escaped

    sent = sender.send(target, title)
    way = f"{sent.protocol} to {sent.endpoint}: " if sent.protocol else ""
    click.echo(escaped(f"{'sent' if sent.is_taken else 'not sent'}: {target}: {way}{sent.words}"))
    return sent.is_taken

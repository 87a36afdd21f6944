"""`planet init`, `add`, `remove`, `import` and `export`: the feeds that a planet has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator import clock
from aggregator.cli.options import config_option, is_at_work
from aggregator.errors import NothingKnown, PlanetError
from aggregator.logs import counted, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.config import Planet
    from aggregator.importing import Imported, Listed
    from jobs.probe import Probe

_SHOWN_POSTS = 3


@click.command()
@click.option("--title", help="The name of the planet.")
@click.option("--url", default="http://127.0.0.1:8000/", show_default=True, help="Its public address.")
@config_option
def init(config_path: Path, title: str | None, url: str) -> None:
    """Write a first feeds.toml, with comments; what can be guessed is not asked for."""
    from aggregator.config import draft, editing, template

    if config_path.exists():
        raise PlanetError(f"{config_path} is there already; edit it, or name another file with --config")
    if title is None and sys.stdin.isatty():
        title = click.prompt("The name of the planet", default="Our planet")
    text = template.first(title or "Our planet", url, _language(), _zone())
    planet = draft(text, config_path)
    editing.write(config_path, text)
    template.place_schema(planet.data)
    click.echo(f"{config_path} is written. Now:")
    click.echo("    planet add https://a-blog.example/     a blog, by its home page or its feed")
    click.echo("    planet import FILE                     the blogs of another planet or reader")
    click.echo(f"    planet run                             then open {planet.masthead.url}")


@click.command()
@click.argument("url")
@config_option
def add(config_path: Path, url: str) -> None:
    """Look at a blog, say what was found, and write it into feeds.toml; URL is its home page or its feed."""
    from aggregator.config import draft, editing, read
    from aggregator.urls import web_url

    text = read(config_path)
    planet = draft(text, config_path)
    addresses = [web_url(url)] if "://" in url else [web_url(f"https://{url}"), web_url(f"http://{url}")]
    if not all(addresses):
        raise PlanetError(f"{url} is no web address; write one like https://a-blog.example/")
    _refuse_known(planet, addresses)
    found = _look_at(planet, addresses)
    if found.reading is None:
        raise PlanetError(f"{found.url}: {found.problem}")
    _refuse_known(planet, [found.address])
    listed = _listed(found)
    for line in _described(planet, found, listed):
        click.echo(escaped(line))
    after = editing.with_feeds(text, [listed])
    draft(after, config_path)
    editing.write(config_path, after)
    click.echo(f"\nwritten into {config_path}:")
    for line in after[len(text.rstrip()) :].strip().splitlines():
        click.echo(f"    {escaped(line)}")
    click.echo(_what_happens_next(planet))


@click.command()
@click.argument("url")
@config_option
def remove(config_path: Path, url: str) -> None:
    """Take a blog out of feeds.toml; its posts leave the page at once, and the store after 30 days."""
    from aggregator.config import draft, editing, read

    text = read(config_path)
    planet = draft(text, config_path)
    try:
        after = editing.without_feed(text, url if "://" in url else f"https://{url}")
    except KeyError:
        raise NothingKnown(f"no feed in {config_path} has the address {url}; planet status lists them") from None
    except IndexError:
        raise PlanetError(
            f"{config_path}: write each feed as a table under [[feeds]]; then it can be removed"
        ) from None
    draft(after, config_path)
    editing.write(config_path, after)
    for line in editing.difference(config_path, text, after):
        click.echo(escaped(line))
    if len(planet.subscriptions) == 1:
        click.echo("That was the last feed: a planet at work goes on with it until there is another.")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def import_feeds(config_path: Path, file: Path, as_json: bool) -> None:
    """Add the blogs of another planet or reader: OPML, Planet, Venus, Pluto, rawdog, CSV, or a plain list.

    Without a feeds.toml one is written, with the title and the address that FILE says.
    """
    from aggregator import importing
    from aggregator.config import draft, editing, read, template
    from aggregator.urls import canonical

    imported = importing.read(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    is_new = not config_path.exists()
    text = _first_text(imported) if is_new else read(config_path)
    planet = draft(text, config_path)
    known = {canonical(feed.url) for feed in planet.subscriptions}
    fresh = [feed for feed in imported.feeds if canonical(feed.url) not in known]
    if fresh:
        after = editing.with_feeds(text, fresh)
        draft(after, config_path)
        editing.write(config_path, after)
        if is_new:
            template.place_schema(planet.data)
    if as_json:
        counts = {"feeds": len(imported.feeds), "written": len(fresh), "twice": imported.twice}
        click.echo(json.dumps({"kind": imported.kind, **counts, "not_kept": imported.notes}))
        return
    _tell_imported(file, config_path, imported, fresh)
    if fresh:
        click.echo(_what_happens_next(planet))


@click.command()
@config_option
def export(config_path: Path) -> None:
    """Print the blogs as OPML 2.0, which every planet and reader takes."""
    from aggregator import opml
    from aggregator.config import load

    planet = load(config_path)
    click.echo(opml.written(planet.masthead, planet.subscriptions), nl=False)


def _refuse_known(planet: Planet, addresses: Sequence[str]) -> None:
    from aggregator.urls import canonical

    for feed in planet.subscriptions:
        if canonical(feed.url) in map(canonical, addresses):
            name = f", as {feed.name}" if feed.name else ""
            raise PlanetError(f"{feed.url} is in {planet.path} already{name}")


def _look_at(planet: Planet, urls: Sequence[str]) -> Probe:
    """Look at an address; of several spellings the first one that answers counts."""
    from jobs import equipment
    from jobs.children import Children
    from jobs.probe import probe

    children, terms = Children(1), equipment.terms_for(planet)
    try:
        with equipment.engine_for(planet) as engine:
            for url in urls:
                found = next(probe(engine, children, terms, [url], clock.now()))
                if found.answer is not None:
                    break
    finally:
        children.close()
    return found


def _listed(found: Probe) -> Listed:
    """The table for a feed that was found: its name as it says itself, its site when that is beyond doubt."""
    from aggregator.importing import Listed
    from aggregator.urls import host_of

    assert found.reading is not None
    home = found.reading.home
    is_its_own = host_of(home).removeprefix("www.") == host_of(found.address).removeprefix("www.")
    site = found.page or (home if is_its_own else "")
    return Listed(url=found.address, name=found.reading.title or host_of(found.url), site=site)


def _described(planet: Planet, found: Probe, listed: Listed) -> list[str]:
    reading, description, answer = found.reading, found.description, found.answer
    assert reading is not None
    assert description is not None
    assert answer is not None
    lines = [f"{found.url} is a web page that names its feed"] if found.page else []
    lines += [f"Feed     {found.address} ({description.format})", f"Title    {listed.name}"]
    lines.append(f"Site     {listed.site or 'the host of the feed'}: pages under it count as this blog's own")
    if reading.home and not listed.site:
        lines.append(f"         the feed names {reading.home}; write that as site if it is the blog's")
    lines.append(f"Posts    {_posts(planet, found)}")
    lines += [
        f"         {entry.published_at:%d %b %Y}  {entry.title or 'Untitled'}"
        if entry.published_at
        else f"         {entry.title or 'Untitled'}"
        for entry in reading.entries[:_SHOWN_POSTS]
    ]
    if description.licence:
        lines.append(f"Licence  {description.licence}")
    if robots := answer.headers.get("x-robots-tag", ""):
        lines.append(f"Robots   its server says: X-Robots-Tag: {robots[:200]}")
    if reading.remark:
        lines.append(f"Note     {reading.remark}")
    lines += [f"Also     {other}" for other in found.others]
    return lines


def _posts(planet: Planet, found: Probe) -> str:
    assert found.reading is not None
    count = len(found.reading.guids)
    if not count:
        return "none yet; they appear when there are some"
    return f"{count} in the feed; at most {planet.page.first_import} are shown at first ([page] first_import)"


def _tell_imported(file: Path, config_path: Path, imported: Imported, fresh: Sequence[Listed]) -> None:
    listed = len(imported.feeds) + imported.twice
    click.echo(f"{file}: {imported.kind}, {counted(listed, 'feed')}")
    click.echo(f"{counted(len(fresh), 'feed')} written into {config_path}")
    if there := len(imported.feeds) - len(fresh):
        click.echo(f"{counted(there, 'feed')} left as they are there already")
    if imported.twice:
        click.echo(f"{imported.twice} listed more than once")
    if imported.notes:
        click.echo("not kept:")
        for note in imported.notes:
            click.echo(f"    {escaped(note)}")


def _first_text(imported: Imported) -> str:
    from aggregator.config import template

    url = imported.url or "http://127.0.0.1:8000/"
    return template.first(imported.title or "Our planet", url, _language(), _zone(), imported.contact)


def _what_happens_next(planet: Planet) -> str:
    if is_at_work(planet):
        return "The planet at work takes it up within two seconds."
    return "planet run polls the feeds and serves the page; planet check --online looks at them first."


def _language() -> str:
    """The language of this machine, as far as its environment says."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    language = name.partition(".")[0].partition("_")[0]
    return language if language.isalpha() and 2 <= len(language) <= 3 else "en"


def _zone() -> str:
    from tzlocal import get_localzone_name

    try:
        return get_localzone_name().removeprefix("Etc/") or "UTC"
    except LookupError:
        return "UTC"

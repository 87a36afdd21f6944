"""`planet check`: validates feeds.toml, and proposes what has been found out about its feeds."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.options import config_option, opened
from aggregator.logs import counted, escaped

if TYPE_CHECKING:
    from aggregator.config import Planet
    from aggregator.store.health import Move


@click.command()
@click.option("--fix", is_flag=True, help="Write what is proposed into the file, and show the difference.")
@config_option
def check(config_path: Path, fix: bool) -> None:
    """Validate the configuration: every mistake with its place and a hint."""
    from aggregator.config import load

    planet = load(config_path)
    check_theme(planet)
    for key in planet.without_effect:
        click.echo(f"{config_path}: {key}: fine, but without effect in this version")
    moves = _moves(planet)
    if fix and moves:
        _fix(config_path, moves)
    else:
        for move in moves:
            found = "has moved to" if move.why == "moved" else "is a web page; its feed is"
            click.echo(f"{config_path}: {escaped(move.url)} {found} {escaped(move.address)}; --fix writes that")
    enabled = sum(feed.enabled for feed in planet.subscriptions)
    click.echo(
        f"{config_path}: fine; {counted(enabled, 'feed')}, {len(planet.subscriptions) - enabled} more not enabled"
    )


def check_theme(planet: Planet) -> None:
    """Read every template of the theme, if there is one. Raises: ThemeBroken."""
    if planet.theme:
        from jobs.equipment import renderer_for

        renderer_for(planet).templates.check()


def _moves(planet: Planet) -> list[Move]:
    from aggregator import store
    from aggregator.urls import canonical

    if not (planet.data / store.FILE_NAME).exists():
        return []
    configured = {canonical(feed.url): feed.url for feed in planet.subscriptions}
    with opened(planet) as database:
        moves = [move for move in store.health.moves(database) if canonical(move.url) in configured]
    proposed = []
    for move in moves:
        twin = configured.get(canonical(move.address), move.url)
        if twin != move.url:  # written into the file, it would be there twice
            click.echo(
                f"{planet.path}: {escaped(move.url)} leads to the same feed as {escaped(twin)}; remove one of them"
            )
        else:
            configured[canonical(move.address)] = move.url
            proposed.append(move)
    return proposed


def _fix(path: Path, moves: list[Move]) -> None:
    import tomlkit

    before = path.read_bytes().decode("utf-8-sig")
    document: Any = tomlkit.parse(before)
    addresses = {move.url: move.address for move in moves}
    for feed in document["feeds"]:
        if (address := addresses.get(_as_polled(str(feed["url"])))) is not None:
            feed["url"] = address
    after = tomlkit.dumps(document)
    _replace(path, after)
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""):
        click.echo(line)


def _as_polled(url: str) -> str:
    from aggregator.urls import web_url

    return web_url(url)


def _replace(path: Path, text: str) -> None:
    """Write a file in one piece, with the rights that it has: a reader sees the old one or the new one."""
    target = path.resolve()
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(text.encode())
    fresh.chmod(target.stat().st_mode & 0o7777)
    fresh.replace(target)

"""What renders the pages of a planet, and what publishes them: from a configuration to the things that do it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlite_utils import Database

from aggregator import store
from aggregator.config import Planet

if TYPE_CHECKING:
    from aggregator.site import Renderer
    from jobs.publish import Publisher


def renderer_for(planet: Planet, first_address: str = "") -> Renderer:
    """Return what renders this planet's pages; its feeds are named by the address that it had first.

    Raises: ThemeBroken.
    """
    from aggregator.site import Look, Manner, Renderer  # who only polls needs no templates

    page = planet.page
    look = Look(
        planet.masthead,
        content=page.content,
        manner=Manner(page.images, tuple(page.embeds)),
        per_feed_per_day=page.per_feed_per_day,
        entries=page.entries,
        accepts=tuple(planet.linkbacks.accept),
        topics=planet.topics,
        hub=planet.hub,
        theme=planet.theme,
        newsletter=planet.newsletter is not None,
        first_address=first_address or planet.masthead.url,
    )
    return Renderer(look)


def publisher_for(database: Database, planet: Planet, clock: Callable[[], datetime]) -> Publisher:
    """Return what publishes this planet. Raises: StoreFailed, ThemeBroken."""
    from jobs.publish import Publisher

    with store.transaction(database):
        first_address = store.pages.first_address(database, planet.masthead.url)
    return Publisher(database, renderer_for(planet, first_address), planet.public, clock)

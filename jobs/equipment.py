"""From the configuration to what the jobs work with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from sqlite_utils import Database

from aggregator import __version__, store
from aggregator.config import Planet
from aggregator.filters import Filters
from aggregator.outbound import Engine, Guard
from jobs.cluster import Cluster
from jobs.outcomes import Terms
from jobs.policy import Policy
from jobs.record import Keeping
from jobs.remote import Manners
from jobs.sift import sift


def user_agent(planet: Planet, purpose: str = "") -> str:
    """Return who we are, with an address where a person tells more."""
    return f"planet/{__version__} (+{planet.masthead.url}about/{purpose and f'; {purpose}'})"


def guard_for(planet: Planet) -> Guard:
    """Return what may be reached."""
    return Guard.of(planet.network.allow_addresses, planet.network.allow_ports)


def may_be_called(planet: Planet) -> bool:
    """Tell whether hubs can reach the planet at its address, as far as that tells: nobody else's is "localhost"."""
    where = urlsplit(planet.masthead.url)
    host = "127.0.0.1" if where.hostname == "localhost" else where.hostname or ""
    if not host.replace(".", "").isdigit() and ":" not in host:
        return True
    return not guard_for(planet).refusal(host, where.port or {"http": 80, "https": 443}[where.scheme])


def engine_for(planet: Planet, authorities: str = "") -> Engine:
    """Return an engine for polls."""
    poll = planet.poll
    return Engine(
        guard_for(planet), user_agent(planet), at_once=poll.at_once, per_host=poll.per_host, authorities=authorities
    )


def cluster_for(planet: Planet, engine: Engine, clock: Callable[[], datetime]) -> Cluster | None:
    """Return the cluster on which feeds are read, or None when the planet does that by itself."""
    if not planet.workers.dask:
        return None
    poll = planet.poll
    manners = Manners(
        guard_for(planet), user_agent(planet), poll.at_once, poll.per_host, poll.max_bytes, planet.workers.processes
    )
    return Cluster(planet.workers.dask, engine, manners, keeping_for(planet).filters, clock)


def verifier_for(planet: Planet) -> Engine:
    """Return an engine for verifying linkbacks: one request at a time to a host."""
    return Engine(guard_for(planet), user_agent(planet, "verifying linkbacks"), at_once=32, per_host=1)


def terms_for(planet: Planet) -> Terms:
    """Return how feeds are polled."""
    return Terms(planet.bounds, planet.poll.timeout, planet.poll.max_bytes, keeping_for(planet))


def keeping_for(planet: Planet) -> Keeping:
    """Return what is kept of feeds."""
    filters = {
        feed.url: Filters(feed.include, feed.exclude) for feed in planet.subscriptions if feed.include or feed.exclude
    }
    return Keeping(planet.page.first_import, planet.keep.polls, filters)


def subscribe(database: Database, planet: Planet, now: datetime) -> None:
    """Make the stored feeds those of the configuration, filters included."""
    changed = store.feeds.subscribe(database, planet.subscriptions, now)
    sift(database, changed, keeping_for(planet).filters)


def policy_for(planet: Planet) -> Policy:
    """Return what happens to verified linkbacks."""
    rules = planet.linkbacks
    agent = user_agent(planet, "verifying linkback from CLIENT").replace("{", "").replace("}", "")
    return Policy(
        planet.masthead.url,
        rules.members,
        rules.strangers,
        tuple(rules.block),
        agent.replace("CLIENT", "{client}"),
    )

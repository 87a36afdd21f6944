"""A whole planet for tests: its jobs run when a test says so, at the time that it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Refusal

from aggregator import store
from aggregator.cli.explanation import explained
from aggregator.config import Planet
from aggregator.model import Claim, FeedHealth, PollSummary
from jobs import equipment, rendering
from jobs.announce import Announcer
from jobs.children import Children
from jobs.poll import Sweep
from jobs.push import Pushes
from jobs.recheck import recheck
from jobs.subscribe import Subscriptions
from jobs.verify import Verification
from tests.builders import NOON, accept, claim, rss
from tests.farm import Farm, Reply


class World:
    """A planet whose jobs run when a test says so, at the time that it says."""

    def __init__(self, configured: Planet, children: Children) -> None:
        self.planet = configured
        self.now = NOON
        self.children = children
        self.database = store.open_store(configured.data)
        self._engines = [equipment.engine_for(configured), equipment.verifier_for(configured)]
        self.configure(configured)

    def configure(self, configured: Planet) -> None:
        self.planet = configured
        equipment.subscribe(self.database, configured, self.now)

    def poll(self) -> PollSummary:
        sweep = Sweep(self.database, self._engines[0], self.children, equipment.terms_for(self.planet), self.clock)
        return sweep.run()

    def later(self, **span: float) -> World:
        self.now += timedelta(**span)
        return self

    def clock(self) -> datetime:
        return self.now

    def ping(self, source: str, target: str) -> Accepted | Refusal:
        made: Claim = claim(source, target, self.now)
        with store.transaction(self.database):
            return accept(self.database, made, Rules(self.planet.masthead.url))

    def verify(self) -> int:
        policy = equipment.policy_for(self.planet)
        return Verification(self.database, self._engines[1], self.children, policy, self.clock).run()

    def recheck(self) -> int:
        return recheck(self.database, self._engines[1], self.clock)

    def subscribe(self) -> int:
        return Subscriptions(self.database, self._engines[0], self.planet.masthead.url, self.clock).run()

    def announcer(self) -> Announcer:
        return Announcer(self.database, self._engines[0], self.planet.hub, self.planet.masthead.url, self.clock)

    def read_pushes(self) -> int:
        return Pushes(self.database, self.children, equipment.terms_for(self.planet), self.clock).run()

    def pushes(self) -> dict[str, int]:
        """What hubs have sent, by what came of it."""
        counted = store.metrics.counters(self.database).get("pushes", {})
        return {outcome: int(count) for outcome, count in counted.items()}

    def explain(self, url: str) -> str:
        return "\n".join(explained(self.database, self.planet, url, self.now).lines)

    def health(self, url: str = "") -> FeedHealth:
        return next(feed for feed in store.health.health(self.database) if url in ("", feed.url))

    def publish(self, until: Callable[[], bool] = lambda: False) -> int:
        return rendering.publisher_for(self.database, self.planet, self.clock).publish(until)

    def rebuilt(self, out: Path) -> dict[str, bytes]:
        """The files of a site that is published anew from the store."""
        planet = replace(self.planet, data=out)
        rendering.publisher_for(self.database, planet, self.clock).publish()
        return files_of(planet.public)

    def page(self, path: str = "index.html") -> str:
        return (self.planet.public / path).read_text("utf-8")

    def post(self, title: str) -> str:
        found = re.search(rf'href="/(posts/[^"#]+)">{re.escape(title)}<', self.page())
        assert found, title
        return self.page(f"{found[1]}index.html")

    def titles(self) -> list[str]:
        """What the river shows, newest first."""
        return [post.title for post in store.entries.river(self.database, 100, 100)]

    def problem(self) -> str:
        return self.health().problem

    def close(self) -> None:
        self.database.close()
        for engine in self._engines:
            engine.close()


def feed_at(web: Farm, *items: tuple[str, str, str], path: str = "/feed", **headers: str) -> str:
    body = rss([(f"{web.url}{url}", title, html) for url, title, html in items], home=f"{web.url}/")
    web.routes[path] = Reply(body, headers={"Content-Type": "application/rss+xml", **headers})
    return f"{web.url}{path}"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""The jobs half: short ticks that poll, verify and publish, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlite_utils import Database

from aggregator import store
from aggregator.config import ConfigFile, Planet
from aggregator.errors import ConfigBroken, PlanetError
from aggregator.outbound import Engine
from aggregator.site import Renderer
from jobs import tools
from jobs.children import Children
from jobs.poll import Sweep
from jobs.publish import publish
from jobs.verify import Verification

log = logging.getLogger("planet.work")

Clock = Callable[[], datetime]


def work(config: ConfigFile, clock: Clock, stop: threading.Event) -> None:
    """Do all jobs until `stop` is set; then end within a few seconds."""
    children = Children(config.current.workers.processes)
    jobs = [PollJob(config, clock, stop, children), VerifyJob(config, clock, stop, children), PublishJob(config, stop)]
    scheduler = BackgroundScheduler(
        executors={job.name: ThreadPoolExecutor(1) for job in jobs},
        # Late ticks run, once: the defaults would drop them after a second.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    for job in jobs:
        tick = _Told(job, stop)
        scheduler.add_job(tick, "interval", seconds=job.every, executor=job.name, next_run_time=clock())
    scheduler.start()
    log.info("at work on %d feeds", sum(feed.enabled for feed in config.current.subscriptions))
    stop.wait()
    scheduler.shutdown(wait=True)
    children.close()
    for job in jobs:
        job.close()
    log.info("stopped")


class Job:
    """Something that is done again and again, with a database of its own and the latest configuration."""

    name: str
    every: float

    def __init__(self, config: ConfigFile) -> None:
        self._config = config
        self._planet: Planet | None = None
        self._database: Database | None = None

    def tick(self) -> None:
        """Do what is to be done now, and return. Raises: PlanetError."""
        if self._database is None:
            self._database = store.open_store(self._config.current.data)
        if self._planet is not self._config.current:
            planet = self._config.current
            self.prepare(self._database, planet)
            self._planet = planet
        self.do(self._database, self._planet)

    def prepare(self, database: Database, planet: Planet) -> None:
        """Make what depends on the configuration."""
        raise NotImplementedError

    def do(self, database: Database, planet: Planet) -> None:
        """Do the job."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back the database."""
        if self._database is not None:
            self._database.close()


class PollJob(Job):
    """Polls the feeds that are due; and looks whether the configuration has changed."""

    name = "poll"
    every = 1.0

    def __init__(self, config: ConfigFile, clock: Clock, stop: threading.Event, children: Children) -> None:
        super().__init__(config)
        self._clock, self._stop, self._children = clock, stop, children
        self._engine: Engine | None = None

    def prepare(self, database: Database, planet: Planet) -> None:
        """Subscribe to the feeds of the configuration."""
        store.feeds.subscribe(database, planet.subscriptions, self._clock())
        if self._engine is not None:
            self._engine.close()
        self._engine = tools.engine_for(planet)

    def do(self, database: Database, planet: Planet) -> None:
        """Sweep."""
        assert self._engine is not None
        Sweep(database, self._engine, self._children, tools.terms_for(planet), self._clock, until=self._is_to_end).run()
        self._notice_edits()

    def _is_to_end(self) -> bool:
        return self._stop.is_set() or self._config.has_changed()

    def _notice_edits(self) -> None:
        try:
            if self._config.refresh():
                log.info("%s was edited and is in effect", self._config.path)
        except ConfigBroken as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("%s was edited and has mistakes; the last good configuration goes on", self._config.path)


class VerifyJob(Job):
    """Verifies the linkbacks that wait."""

    name = "verify"
    every = 0.5

    def __init__(self, config: ConfigFile, clock: Clock, stop: threading.Event, children: Children) -> None:
        super().__init__(config)
        self._clock, self._stop, self._children = clock, stop, children
        self._engine: Engine | None = None

    def prepare(self, database: Database, planet: Planet) -> None:
        """Make the engine that fetches sources."""
        if self._engine is not None:
            self._engine.close()
        self._engine = tools.verifier_for(planet)

    def do(self, database: Database, planet: Planet) -> None:
        """Verify."""
        assert self._engine is not None
        policy = tools.policy_for(planet)
        Verification(database, self._engine, self._children, policy, self._clock, until=self._stop.is_set).run()


class PublishJob(Job):
    """Publishes what has changed."""

    name = "publish"
    every = 0.5

    def __init__(self, config: ConfigFile, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop
        self._renderer: Renderer | None = None

    def prepare(self, database: Database, planet: Planet) -> None:
        """Make the renderer."""
        self._renderer = tools.renderer_for(planet)

    def do(self, database: Database, planet: Planet) -> None:
        """Publish."""
        assert self._renderer is not None
        entries = planet.page.entries
        changed = publish(database, self._renderer, planet.public, entries=entries, until=self._stop.is_set)
        if changed:
            log.info("published %d files", changed)


class _Told:
    """A job's tick whose troubles are told, once until they change."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        self._job = job
        self._stop = stop
        self._trouble = ""

    def __call__(self) -> None:
        if self._stop.is_set():
            return
        try:
            with store.named_errors():
                self._job.tick()
        except PlanetError as error:
            if str(error) != self._trouble:
                log.error("%s: %s", self._job.name, error)
            self._trouble = str(error)
        except Exception:
            log.exception("%s: this is a fault of the planet itself; it tries again", self._job.name)
        else:
            if self._trouble:
                log.info("%s: all is well again", self._job.name)
            self._trouble = ""

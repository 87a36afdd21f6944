"""The jobs half: short ticks that poll, verify and publish, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlite_utils import Database

from aggregator import store
from aggregator.config import ConfigFile, Planet
from aggregator.errors import ConfigBroken, PlanetError, StoreFailed
from aggregator.logs import counted
from aggregator.model import Pulse
from aggregator.outbound import conversation
from aggregator.processes import allow_files, return_memory, share_memory
from jobs import equipment, rendering
from jobs.announce import Announcer
from jobs.children import Children
from jobs.cluster import Cluster
from jobs.comments import poll_comments
from jobs.faces import fetch_faces
from jobs.link import Linking
from jobs.newsletter import Letters, Newsletter, Send, newest_issue, published_issue
from jobs.notify import channels, mail_server, notify
from jobs.poll import Sweep
from jobs.push import Pushes
from jobs.recheck import recheck
from jobs.subscribe import Subscriptions
from jobs.tidy import tidy
from jobs.verify import Pace, Verification, forget_blocked

log = logging.getLogger("planet.work")

# How soon feeds are asked again when none of them could be reached.
WITHOUT_NETWORK = timedelta(minutes=5)

PULSE_EVERY = 5.0

Clock = Callable[[], datetime]
Do = Callable[[], object]
# From the configuration in effect to what is done again and again; what it opens goes on the stack.
Prepare = Callable[[Database, Planet, ExitStack], Do]


def work(config: ConfigFile, clock: Clock, stop: threading.Event) -> None:
    """Do all jobs until `stop` is set; then end within a few seconds."""
    allow_files()  # most are connections that outlive their sweep
    share_memory()
    hands = _Hands(config, Children(config.current.workers.processes), clock, stop)
    jobs = [
        _Job("configuration", 0.25, hands.configuration, config, stop, clock),
        _Job("poll", 0.5, hands.poll, config, stop, clock),
        _Job("push", 0.25, hands.push, config, stop, clock),
        _Job("verify", 0.5, hands.verify, config, stop, clock),
        _Job("link", 0.5, hands.link, config, stop, clock),
        _Job("publish", 0.5, hands.publish, config, stop, clock),
        _Job("announce", 1.0, hands.announce, config, stop, clock),
        _Job("subscribe", 2.0, hands.subscribe, config, stop, clock),
        _Job("comments", 30.0, hands.comments, config, stop, clock),
        _Job("recheck", 60.0, hands.recheck, config, stop, clock),
        _Job("faces", 30.0, hands.faces, config, stop, clock),
        _Job("notify", 60.0, hands.notify, config, stop, clock),
        _Job("newsletter", 5.0, hands.newsletter, config, stop, clock),
        _Job("tidy", 60.0, hands.tidy, config, stop, clock),
    ]
    jobs.append(_Job("pulse", PULSE_EVERY, _pulse_of(jobs, clock, hands.remarks), config, stop, clock))
    scheduler = BackgroundScheduler(
        executors={job.name: ThreadPoolExecutor(1) for job in jobs},
        # Late ticks run, once: the defaults would drop them after a second.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    for job in jobs:
        scheduler.add_job(job.tick, "interval", seconds=job.every, executor=job.name, next_run_time=clock())
    scheduler.start()
    log.info("at work on %s", counted(sum(feed.enabled for feed in config.current.subscriptions), "feed"))
    while not stop.wait(1.0):
        pass  # a signal that comes in the moment before a wait begins doesn't end it
    scheduler.shutdown(wait=True)
    hands.children.close()
    for job in jobs:
        job.close()
    log.info("stopped")


@dataclass
class _Hands:
    """What each job does, once it has a database and knows the configuration."""

    config: ConfigFile
    children: Children
    clock: Clock
    stop: threading.Event
    cluster: Cluster | None = None

    def remarks(self) -> list[str]:
        """Return what the operator should know although all jobs do their work."""
        return [self.cluster.trouble] if self.cluster and self.cluster.trouble else []

    def configuration(self, _database: Database, _planet: Planet, _stack: ExitStack) -> Do:
        return self._notice_edits

    def poll(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        equipment.subscribe(database, planet, self.clock())
        with store.transaction(database):
            store.polls.keep_only(database, planet.keep.polls)
        engine = stack.enter_context(equipment.engine_for(planet))
        self.cluster = cluster = equipment.cluster_for(planet, engine, self.clock)
        if cluster:
            stack.callback(cluster.close)

        def is_to_end() -> bool:
            return self.stop.is_set() or self.config.current is not planet

        in_doubt = False
        asked: dict[int, datetime] = {}

        def sweep_due_feeds() -> None:
            nonlocal in_doubt
            if in_doubt:  # what can't be recorded stays due: no blog is to be asked for nothing
                try:
                    store.prove_room(database)
                except StoreFailed:
                    asked.clear()  # once it can be written, nobody has to wait
                    raise
            terms = equipment.terms_for(planet)
            sweep = Sweep(database, engine, self.children, terms, self.clock, is_to_end, cluster, asked)
            in_doubt = True
            done = sweep.run()
            in_doubt = False
            if done.feeds == sweep.unreachable > 2:
                # Not every blog is down at once: our own network is, and the feeds are not to wait for hours.
                log.error("none of %d feeds could be reached; does this machine have a network?", done.feeds)
                now = self.clock()
                store.feeds.hurry(database, now + WITHOUT_NETWORK, failing_since=now - timedelta(days=1))

        return sweep_due_feeds

    def push(self, database: Database, planet: Planet, _stack: ExitStack) -> Do:
        return Pushes(database, self.children, equipment.terms_for(planet), self.clock, self.stop.is_set).run

    def subscribe(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        if not equipment.may_be_called(planet):
            return lambda: None
        engine = stack.enter_context(equipment.engine_for(planet))
        return Subscriptions(database, engine, planet.masthead.url, self.clock, self.stop.is_set).run

    def announce(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        if not planet.hub:
            return lambda: None
        engine = stack.enter_context(equipment.engine_for(planet))
        return Announcer(database, engine, planet.hub, planet.masthead.url, self.clock, self.stop.is_set).run

    def verify(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        engine, policy = stack.enter_context(equipment.verifier_for(planet)), equipment.policy_for(planet)
        pace = Pace()
        forget_blocked(database, policy.block)

        def verify_claims() -> None:
            Verification(database, engine, self.children, policy, self.clock, self.stop.is_set, pace).run()

        return verify_claims

    def link(self, database: Database, planet: Planet, _stack: ExitStack) -> Do:
        linking = Linking(database, self.children, equipment.policy_for(planet), self.clock, self.stop.is_set)
        return linking.run

    def publish(self, database: Database, planet: Planet, _stack: ExitStack) -> Do:
        publisher = rendering.publisher_for(database, planet, self.clock)

        def publish_changes() -> None:
            began = self.clock()
            if changed := publisher.publish(self.stop.is_set):
                took = (self.clock() - began).total_seconds()
                with store.transaction(database):
                    store.metrics.add(
                        database, {("publish", ""): 1, ("publish_seconds", ""): took, ("published_files", ""): changed}
                    )
                log.info("published %s", counted(changed, "file"))

        return publish_changes

    def comments(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        engine, policy = stack.enter_context(equipment.engine_for(planet)), equipment.policy_for(planet)
        return lambda: poll_comments(database, engine, self.children, policy, self.clock, self.stop.is_set)

    def faces(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        engine = stack.enter_context(equipment.engine_for(planet))
        return lambda: fetch_faces(database, engine, self.children, self.clock, self.stop.is_set)

    def recheck(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        engine = stack.enter_context(equipment.verifier_for(planet))
        return lambda: recheck(database, engine, self.clock, self.stop.is_set)

    def notify(self, database: Database, planet: Planet, stack: ExitStack) -> Do:
        ways = channels(planet, stack.enter_context(equipment.engine_for(planet)))
        return lambda: notify(database, ways, self.clock()) if ways else None

    def newsletter(self, database: Database, planet: Planet, _stack: ExitStack) -> Do:
        if planet.newsletter is None:
            return lambda: None
        letters = Letters(planet.masthead, planet.newsletter.from_)

        def connect() -> AbstractContextManager[Send]:
            return conversation(mail_server(planet))

        made = Newsletter(database, letters, connect, lambda name: published_issue(planet.public, name))

        def send_what_is_due() -> None:
            now = self.clock()
            made.run(newest_issue(now, planet.masthead.timezone), now, self.stop.is_set)

        return send_what_is_due

    def tidy(self, database: Database, planet: Planet, _stack: ExitStack) -> Do:
        poll_within = planet.bounds.longest

        def tidy_up() -> None:
            if moved := store.ahead.bring_back(database, self.clock(), poll_within):
                log.warning("the clock was set back: %s would have waited for a time that may be years ahead", moved)
            tidy(database, planet.keep.entries, self.clock(), self.stop.is_set)

        return tidy_up

    def _notice_edits(self) -> None:
        try:
            if self.config.refresh():
                log.info("%s was edited and is in effect", self.config.path)
        except ConfigBroken as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("%s can't be used as it is now; the last good configuration goes on", self.config.path)


@dataclass
class _Job:
    """Something that is done again and again, with a database of its own; its troubles are told once."""

    name: str
    every: float
    prepare: Prepare
    config: ConfigFile
    stop: threading.Event
    clock: Clock
    trouble: str = ""
    words: str = ""
    seconds: float = 0.0
    database: Database | None = None
    planet: Planet | None = None
    do: Do = field(default=lambda: None)
    stack: ExitStack = field(default_factory=ExitStack)

    def tick(self) -> None:
        if self.stop.is_set():
            return
        began = self.clock()
        try:
            with store.named_errors():
                self._work()
        except StoreFailed as error:
            self._tell(str(error), error.reason)  # of many files that can't be written, one is named
        except PlanetError as error:
            self._tell(str(error), str(error))
        except Exception as error:
            self._tell("this is a fault of the planet itself; it tries again", repr(error), error)
        else:
            if self.trouble:
                log.info("%s: all is well again", self.name)
            self.trouble = self.words = ""
        self.seconds += (self.clock() - began).total_seconds()

    def close(self) -> None:
        self.stack.close()
        if self.database is not None:
            self.database.close()

    def _work(self) -> None:
        if self.database is None:
            self.database = store.open_store(self.config.current.data)
        planet = self.config.current
        if self.planet is not planet:
            self.stack.close()
            self.do = self.prepare(self.database, planet, self.stack)
            self.planet = planet
        self.do()

    def _tell(self, trouble: str, cause: str, error: Exception | None = None) -> None:
        if cause != self.trouble:
            log.error("%s: %s", self.name, trouble, exc_info=error)
        self.trouble, self.words = cause, f"{self.name}: {trouble}"


def _pulse_of(jobs: Sequence[_Job], clock: Clock, remarks: Callable[[], list[str]]) -> Prepare:
    """Return the job that gives a sign of life, says what troubles the others, and how much time each has taken."""

    def prepare(database: Database, _planet: Planet, _stack: ExitStack) -> Do:
        counted_so_far = dict.fromkeys((job.name for job in jobs), 0.0)

        def beat() -> None:
            return_memory()
            spent = {job.name: job.seconds for job in jobs}
            counts = {("job_seconds", name): total - counted_so_far[name] for name, total in spent.items()}
            with store.transaction(database):
                store.pulse.record(database, Pulse(clock(), (*(job.words for job in jobs if job.words), *remarks())))
                store.metrics.add(database, counts)
            counted_so_far.update(spent)

        return beat

    return prepare

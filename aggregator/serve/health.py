"""What operators' programs ask: /healthz, whether all is well, and /metrics, how much of everything there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import StoreFailed
from aggregator.vitals import Vitals, ailments
from jobs.tally import POLL_BUCKETS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# The counters of the jobs: (name in the store, name here, what it counts, label).
_COUNTERS = (
    ("polls", "planet_polls", "Polls of feeds, by outcome.", "outcome"),
    ("poll_answers", "planet_poll_answers", "Answers to polls, by HTTP status.", "status"),
    ("poll_bytes", "planet_poll_bytes", "Bytes of feeds received, as they came over the wire.", ""),
    ("entries", "planet_entries_stored", "Entries stored by polls, by whether they were new or edited.", "change"),
    ("verifications", "planet_verifications", "Looks at the sources of linkbacks, by what came of them.", "outcome"),
    ("pushes", "planet_pushes", "What hubs and clouds have sent, by what came of it.", "outcome"),
    ("hub_pings", "planet_hub_pings", "Feeds of ours of whose changes the hub was told.", ""),
    ("publish", "planet_publishes", "Times that something was published.", ""),
    ("publish_seconds", "planet_publish_seconds", "Seconds spent on rendering and writing what was published.", ""),
    ("published_files", "planet_published_files", "Files written or removed by publishing.", ""),
    ("job_seconds", "planet_job_seconds", "Seconds for which each job was busy.", "job"),
    ("notices", "planet_notices", "Notices to the operator, by whether they could be sent.", "outcome"),
)


def report(data: Path, mistakes: Sequence[str], now: datetime) -> list[str]:
    """Return why the planet is not well, in words; nothing when it is. Of a file only its name is told."""
    try:
        with closing(store.open_store(data)) as database, store.named_errors():
            pulse, feeds = store.pulse.last(database), store.health.counts(database)
            store.check_writable(data)
        free = shutil.disk_usage(data).free
    except (StoreFailed, OSError) as error:
        return [f"the database can't be used: {error.reason if isinstance(error, StoreFailed) else error.strerror}"]
    named = [f"{Path(place).name}{colon}{rest}" for place, colon, rest in (each.partition(":") for each in mistakes)]
    return ailments(Vitals(pulse, feeds, free, named), now)


def metrics(data: Path, mistakes: Sequence[str], now: datetime) -> bytes:
    """Return the figures in Prometheus' text format. Raises: StoreFailed."""
    registry = CollectorRegistry()
    with closing(store.open_store(data)) as database, store.named_errors():
        registry.register(_Figures(database, data, mistakes, now))
        return generate_latest(registry)


class _Figures(Collector):
    """All figures of one planet at one moment."""

    def __init__(self, database: Database, data: Path, mistakes: Sequence[str], now: datetime) -> None:
        self._database = database
        self._data = data
        self._mistakes = mistakes
        self._now = now

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        counted = store.metrics.counters(self._database)
        for stored, name, words, label in _COUNTERS:
            family = CounterMetricFamily(name, words, labels=[label] if label else None)
            for value, count in (counted.get(stored) or ({} if label else {"": 0.0})).items():
                family.add_metric([value] if label else [], count)
            yield family
        yield _poll_seconds(counted)
        yield _by(
            "planet_feeds", "Feeds of the configuration, by health.", "health", store.health.counts(self._database)
        )
        yield _by("planet_linkbacks", "Linkbacks, by status.", "status", store.mentions.counts(self._database))
        queues = store.metrics.queues(self._database, self._now)
        yield _by("planet_queue", "What waits to be done: feeds that are due, linkbacks to verify …", "queue", queues)
        yield _gauge("planet_database_bytes", "The size of the database.", store.metrics.size(self._database))
        yield _gauge("planet_disk_free_bytes", "What is left on its disk.", shutil.disk_usage(self._data).free)
        yield _gauge("planet_configuration_mistakes", "Mistakes in feeds.toml as it is now.", len(self._mistakes))
        pulse = store.pulse.last(self._database)
        at = pulse.at.timestamp() if pulse else 0.0
        yield _gauge("planet_pulse_timestamp_seconds", "When the jobs half was last at work.", at)
        yield _gauge("planet_jobs_in_trouble", "Jobs that can't do their work.", len(pulse.troubles) if pulse else 0)


def _poll_seconds(counted: dict[str, dict[str, float]]) -> Metric:
    stored, total = counted.get("poll_bucket", {}), 0.0
    buckets = []
    for bound in (*map(str, POLL_BUCKETS), "+Inf"):
        total += stored.get(bound, 0.0)
        buckets.append((bound, total))
    seconds = counted.get("poll_milliseconds", {}).get("", 0.0) / 1000
    return HistogramMetricFamily("planet_poll_seconds", "How long polls took.", buckets=buckets, sum_value=seconds)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family

"""How a planet is: what /healthz, /metrics, `planet status` and the log say of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlite_utils import Database

from aggregator import store
from aggregator.cli import main
from aggregator.config import ConfigFile
from aggregator.errors import ConfigBroken
from aggregator.logs import JsonLine
from aggregator.model import FeedHealth, Poll, Pulse
from aggregator.serve import health
from aggregator.vitals import Vitals, ailments, at_a_glance
from jobs import tally
from tests.builders import NOON, hours_ago, planet
from tests.farm import Farm, Reply
from tests.world import World, feed_at

ROOMY = 10**12


def well(**fields: object) -> Vitals:
    return Vitals(**{"pulse": Pulse(NOON), "feeds": {"healthy": 3}, "free_bytes": ROOMY, **fields})  # type: ignore[arg-type]


def test_planet_that_is_well_has_no_ailments() -> None:
    assert ailments(well(), NOON + timedelta(seconds=30)) == []


@pytest.mark.parametrize(
    ("vitals", "said"),
    [
        (well(pulse=None), "the jobs half has never been at work here"),
        (well(pulse=Pulse(hours_ago(1))), "no sign of life since 2026-11-22 11:00:00 UTC"),
        (well(pulse=Pulse(NOON, ("publish: the disk is full",))), "publish: the disk is full"),
        (well(feeds={"failing": 3, "disabled": 1}), "none of the feeds can be read (3 of 3 fail)"),
        (well(free_bytes=12_345_678), "12 MB are left on the disk"),
        (well(mistakes=["feeds.toml:3:1: it is missing"]), "feeds.toml:3:1: it is missing"),
    ],
)
def test_each_ailment_is_named(vitals: Vitals, said: str) -> None:
    [found] = ailments(vitals, NOON)

    assert said in found


def test_feeds_that_have_never_been_polled_are_no_ailment() -> None:
    assert ailments(well(feeds={"new": 3}), NOON) == []


def test_health_report_names_the_place_of_a_mistake_and_no_folder(database: Database, tmp_path: Path) -> None:
    with store.transaction(database):
        store.pulse.record(database, Pulse(NOON))

    found = health.report(tmp_path / "data", ["/etc/planet/feeds.toml:3:1: planet.url: it is missing; add it"], NOON)

    assert found == ["feeds.toml:3:1: planet.url: it is missing; add it"]


def test_health_report_says_that_the_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / "planet.db").write_bytes(b"no database" * 1_000)

    [reason] = health.report(tmp_path, [], NOON)
    assert reason.startswith("the database can't be used: this file is no database of a planet; put it somewhere else")


def test_configuration_that_breaks_remembers_its_mistakes_until_it_is_mended(tmp_path: Path) -> None:
    path = planet(tmp_path, ["http://a.test/feed"]).path
    text, config = path.read_text("utf-8"), ConfigFile(path)

    path.write_text(f"{text}nonsense = 1\n", "utf-8")
    with pytest.raises(ConfigBroken):
        config.refresh()
    broken = config.mistakes
    path.write_text(f"{text}# mended\n", "utf-8")
    config.refresh()

    assert "there is no such key" in broken[0]
    assert config.mistakes == ()


def test_tally_counts_outcomes_answers_bytes_and_durations() -> None:
    counts = tally.of_polls([Poll(NOON, 200, 1_000, 90, "read"), Poll(NOON, 0, 0, 30_000, "failed")])

    assert counts["polls", "read"] == 1
    assert counts["poll_answers", "none"] == 1
    assert counts["poll_bytes", ""] == 1_000
    assert counts["poll_bucket", "0.1"] == counts["poll_bucket", "+Inf"] == 1
    assert counts["poll_milliseconds", ""] == 30_090


def test_metrics_count_polls_verifications_and_queues(world: Callable[..., World], web: Farm) -> None:
    address = feed_at(web, ("/1", "One", "x"))
    web.routes["/gone"] = Reply(status=404)
    here = world(address, f"{web.url}/gone")
    here.poll()
    here.ping(f"{web.url}/nothing", f"{web.url}/1")
    here.ping("http://127.0.0.1:9/", f"{web.url}/1")
    here.verify()

    text = health.metrics(here.planet.data, ["a mistake"], here.now).decode()

    figures = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert figures["planet_polls_total", "read"] == 1
    assert figures["planet_polls_total", "failed"] == 1
    assert figures["planet_poll_answers_total", "404"] == 1
    assert figures["planet_poll_bytes_total",] > 300
    assert figures["planet_poll_seconds_count",] == 2
    assert figures["planet_poll_seconds_bucket", "20.0"] == 2
    assert figures["planet_entries_stored_total", "new"] == 1
    assert figures["planet_feeds", "failing"] == 1
    assert figures["planet_verifications_total", "rejected"] == 1
    assert figures["planet_verifications_total", "later"] == 1
    assert figures["planet_linkbacks", "pending"] == 1
    assert figures["planet_queue", "linkbacks"] == 0
    assert figures["planet_queue", "pages"] > 0
    assert figures["planet_database_bytes",] > 10_000
    assert figures["planet_configuration_mistakes",] == 1


def test_at_a_glance_counts_slow_moved_and_silent_feeds_beside_their_health() -> None:
    def feed(url: str, health: str, **fields: object) -> FeedHealth:
        return FeedHealth(url, url, health, "", NOON, NOON, 200, 1, **fields)  # type: ignore[arg-type]

    feeds = [
        feed("a", "healthy"),
        feed("b", "healthy", newest_post=NOON - timedelta(days=200)),
        feed("c", "failing", address="d"),
    ]

    assert at_a_glance(feeds, ["a"], NOON) == {"healthy": 2, "slow": 1, "failing": 1, "moved": 1, "silent": 1}


def test_status_tells_of_a_broken_edit_and_of_the_planet_that_goes_on(
    tmp_path: Path, world: Callable[..., World]
) -> None:
    here = world("http://127.0.0.1:9/feed")
    here.poll()
    here.planet.path.write_text('[planet\ndata = "data"\n', "utf-8")

    result = CliRunner().invoke(main, ["status", "--config", str(here.planet.path)])
    as_json = json.loads(CliRunner().invoke(main, ["status", "--json", "--config", str(here.planet.path)]).output)

    assert result.exit_code == 0
    assert f"! {here.planet.path}:1:8: this is not TOML" in result.output
    assert "Feeds: 1 failing" in result.output
    assert as_json["ailments"] == as_json["mistakes"] + [
        "none of the feeds can be read (1 of 1 fail); does this machine have a network?"
    ]
    assert as_json["feeds"][0]["health"] == "failing"


def test_status_without_a_planet_says_only_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text("[planet", "utf-8")

    result = CliRunner().invoke(main, ["status", "--config", str(path)])

    assert result.exit_code == 1
    assert "this is not TOML" in result.output
    assert not (tmp_path / "data").exists()


def test_json_log_is_one_object_with_the_keys_beside_the_words() -> None:
    record = logging.LogRecord("planet.poll", logging.WARNING, "", 0, "failed: %s", ('a "b"\n\u2028',), None)
    record.feed = "http://a.test/"

    line = JsonLine().format(record)

    said = json.loads(line)
    assert line.isprintable()
    assert said.pop("at").endswith("Z")
    assert said == {"level": "warning", "job": "poll", "event": 'failed: a "b"\n\u2028', "feed": "http://a.test/"}

"""The operator's day on real processes: edits, mistakes, health and figures of a planet at work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from aggregator import clock
from tests.builders import rss
from tests.farm import Farm, Reply, eventually
from tests.test_processes import Running


@pytest.fixture
def running(tmp_path: Path, web: Farm) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(command: str = "run", more: str = "") -> Running:
        made.append(Running(tmp_path, web, command, more))
        return made[-1]

    yield make
    for each in made:
        each.end()


def is_well(here: Running) -> Callable[[], bool]:
    def ask() -> bool:
        with suppress(requests.RequestException):
            return here.get("healthz").status_code == 200
        return False

    return ask


def test_edits_take_effect_within_two_seconds_and_a_broken_one_is_told_by_its_place(
    running: Callable[..., Running], web: Farm
) -> None:
    here = running()
    eventually(here.has("Question"))
    eventually(is_well(here))
    web.routes["/other"] = Reply(rss([(f"{web.url}/o", "Another voice", "x")]))
    web.raw["/slow"] = lambda _socket, over: over.wait(30)
    text = here.config.read_text("utf-8")
    more = f'{text}\n[[feeds]]\nurl = "{web.url}/slow"\n'
    here.config.write_text(more, "utf-8")
    eventually(lambda: [seen for seen in web.seen if seen.path == "/slow"])

    began = clock.seconds()
    here.config.write_text(f'{more}\n[[feeds]]\nurl = "{web.url}/other"\n', "utf-8")
    eventually(here.has("Another voice"))
    took = clock.seconds() - began
    here.config.write_text(f"{text}nonsense = 1\n", "utf-8")
    eventually(lambda: not is_well(here)())
    told = here.get("healthz")
    page = here.get()
    here.config.write_text(text, "utf-8")
    eventually(is_well(here))

    assert took < 2.5  # two, and half a second for a busy machine that runs tests
    [reason] = told.json()["reasons"]
    assert told.status_code == 503
    assert reason.startswith("feeds.toml:13:1: feeds[2].nonsense: there is no such key")
    assert page.status_code == 200
    assert "feeds[2].nonsense" in here.logged()


def test_figures_and_json_log_of_a_planet_at_work(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    eventually(lambda: 'planet_job_seconds_total{job="poll"}' in here.get("metrics").text)

    figures = here.get("metrics")

    assert figures.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'planet_polls_total{outcome="read"} 2.0' in figures.text
    assert "planet_publishes_total" in figures.text


def test_permalinks_of_a_planet_that_has_moved_lead_to_where_they_are_now(running: Callable[..., Running]) -> None:
    here = running()
    eventually(here.has("Question"))
    page = re.search(r'href="/(posts/[^"#]+)"', here.get().text)
    assert page is not None
    text = here.config.read_text("utf-8")
    here.config.write_text(text.replace(here.url, f"{here.url}planet/"), "utf-8")
    eventually(here.has("Question", f"planet/{page[1]}"))
    here.config.write_text(text, "utf-8")
    eventually(lambda: here.get(f"planet/{page[1]}").history)

    answer = requests.get(f"{here.url}planet/{page[1]}", allow_redirects=False, timeout=5)

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{here.url}{page[1]}"
    assert here.get("planet/no-such-page/").status_code == 404


def test_work_logs_json_when_asked_to(tmp_path: Path, web: Farm) -> None:
    here = Running(tmp_path, web, "work --log json")
    try:
        eventually(lambda: "at work on" in here.logged())
    finally:
        here.end()

    said = [json.loads(line) for line in here.logged().splitlines()]
    assert said[0]["event"] == "at work on 2 feeds"
    assert said[0]["level"] == "info"

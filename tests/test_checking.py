"""`planet check --online`: what a look at the feeds finds out, and what is proposed for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.cli import main
from aggregator.proposals import Proposal, Seen, propose
from tests.builders import planet, rss
from tests.farm import Farm, Reply
from tests.test_subscribing import feeds


def seen(url: str, **fields: object) -> Seen:
    return Seen(url, **{"address": url, "ends_at": url, "guids": (url,), **fields})  # type: ignore[arg-type]


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["check", "--online", *words, "--config", str(config)])


def test_nothing_is_proposed_for_feeds_that_are_as_they_should_be() -> None:
    assert list(propose([seen("https://a.example/f"), seen("https://b.example/f", guids=())])) == []


@pytest.mark.parametrize(
    ("one", "kind", "action", "address"),
    [
        (seen("http://a.example/f", address="https://b.example/f"), "moved", "move", "https://b.example/f"),
        (seen("http://a.example/f", address="https://a.example/f"), "insecure", "move", "https://a.example/f"),
        (seen("http://a.example/f", secure="https://a.example/f"), "insecure", "move", "https://a.example/f"),
        (seen("http://a.example/", address="http://a.example/f", is_page=True), "page", "move", "http://a.example/f"),
        (seen("http://a.example/f", problem="it is gone", status=410), "dead", "disable", ""),
        (seen("http://a.example/f", problem="no answer"), "trouble", "", ""),
    ],
)
def test_each_trouble_has_its_remedy(one: Seen, kind: str, action: str, address: str) -> None:
    [proposal] = propose([one])

    assert (proposal.kind, proposal.action, proposal.address) == (kind, action, address)


def test_feed_that_has_not_worked_for_two_weeks_is_to_be_disabled() -> None:
    one = seen("http://a.example/f", problem="no answer")

    assert [proposal.action for proposal in propose([one], long_dead=[one.url])] == ["disable"]


def test_of_two_feeds_at_one_address_the_one_that_is_written_so_stays() -> None:
    moved = seen("http://old.example/f", address="http://new.example/f", ends_at="http://new.example/f")

    found = list(propose([moved, seen("http://new.example/f")]))

    words = "leads to the same feed as http://new.example/f"
    assert found == [Proposal("http://old.example/f", "twice", words, "remove")]


def test_two_formats_of_one_blog_are_named_and_left_to_the_operator() -> None:
    found = list(
        propose([seen("http://a.example/rss", guids=("1", "2")), seen("http://a.example/atom", guids=("1", "2"))])
    )

    assert [(proposal.kind, proposal.action) for proposal in found] == [("twice", "")]


def test_online_check_fixes_what_it_found_and_keeps_comments(tmp_path: Path, web: Farm) -> None:
    for path, name in (("/good", "1"), ("/new", "2"), ("/found", "3")):
        web.routes[path] = Reply(rss([(f"{web.url}/{name}", name, "x")]))
    web.routes["/old"] = Reply(status=301, headers={"Location": "/new"})
    web.routes["/older"] = Reply(status=301, headers={"Location": "/new"})
    web.routes["/gone"] = Reply(status=410)
    web.html("/page", '<html><link rel="alternate" type="application/rss+xml" href="/found"></html>')
    names = ("good", "old", "older", "gone", "page", "lost")
    config = planet(tmp_path, [f"{web.url}/{name}" for name in names], more="# careful\n").path

    looked = run(config)
    proposed = json.loads(run(config, "--json").output)
    fixed = run(config, "--fix")

    assert f"{web.url}/old has moved to {web.url}/new; --fix writes that" in looked.output
    assert f"{web.url}/lost does not work now: there is nothing at this address (404)" in looked.output
    assert "valid, 5 proposals; 6 feeds, 0 more not enabled" in looked.output
    assert [one["kind"] for one in proposed["proposals"]] == ["moved", "twice", "dead", "page", "trouble"]
    assert fixed.exit_code == 0, fixed.output
    assert f'+url = "{web.url}/found"' in fixed.output
    assert "valid, 1 proposal; 4 feeds, 1 more not enabled" in fixed.output
    assert feeds(config) == [
        {"url": f"{web.url}/good"},
        {"url": f"{web.url}/new"},
        {"url": f"{web.url}/gone", "enabled": False},
        {"url": f"{web.url}/found"},
        {"url": f"{web.url}/lost"},
    ]
    assert "# careful" in config.read_text("utf-8")
    assert "valid, 1 proposal; 4 feeds, 1 more not enabled" in run(config).output

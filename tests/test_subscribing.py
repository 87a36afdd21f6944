"""The feeds that a planet has, as its operator adds, removes, moves and takes them along."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import listparser
import pytest
from click.testing import CliRunner, Result

from aggregator import opml
from aggregator.cli import main
from aggregator.config import editing, load
from aggregator.importing import Listed, read
from aggregator.model import Masthead, Subscription
from tests.builders import rss
from tests.farm import Farm, Reply

START = '[planet]\ntitle = "T"\nurl = "http://p.test/"\n\n[network]\nallow_addresses = ["127.0.0.0/8"]\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "feeds.toml"
    path.write_text(START, "utf-8")
    return path


def run(config: Path, *words: str, text: str = "") -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(config)], input=text)


def feeds(config: Path) -> list[dict[str, object]]:
    return list(tomllib.loads(config.read_text("utf-8")).get("feeds", []))


def test_init_writes_a_file_that_wants_nothing_but_feeds(tmp_path: Path) -> None:
    config = tmp_path / "feeds.toml"

    result = run(config, "init", "--title", 'Ann\'s "planet"')

    assert result.exit_code == 0
    assert config.read_text("utf-8").startswith("#:schema data/feeds.schema.json\n")
    assert (tmp_path / "data" / "feeds.schema.json").exists()
    checked = run(config, "check")
    assert checked.output.splitlines() == [
        f"{config}:1:1: feeds: there is no feed yet; planet add URL adds one, planet import FILE many"
    ]
    run(config, "import", "-", text="https://a.example/feed\n")
    assert load(config).masthead.title == 'Ann\'s "planet"'


def test_init_leaves_a_file_alone_that_is_there(config: Path) -> None:
    result = run(config, "init")

    assert result.exit_code == 1
    assert "is there already" in result.output
    assert config.read_text("utf-8") == START


def test_add_takes_a_home_page_and_writes_its_feed_name_and_site(config: Path, web: Farm) -> None:
    web.html("/blog/", '<html><link rel="alternate" type="application/rss+xml" href="/blog/feed"></html>')
    web.routes["/blog/feed"] = Reply(
        rss([(f"{web.url}/blog/1", "First post", "x")], title="Ann & Bob", home=f"{web.url}/blog/"),
        headers={"X-Robots-Tag": "noai"},
    )

    result = run(config, "add", f"{web.url}/blog/")

    assert result.exit_code == 0, result.output
    assert feeds(config) == [{"url": f"{web.url}/blog/feed", "name": "Ann & Bob", "site": f"{web.url}/blog/"}]
    for said in ("(RSS 2.0)", "22 Nov 2026  First post", "X-Robots-Tag: noai", "1 in the feed; at most 5"):
        assert said in result.output


def test_add_writes_where_a_feed_has_moved_for_good_and_no_site_of_another_host(config: Path, web: Farm) -> None:
    web.routes["/old"] = Reply(status=301, headers={"Location": "/new"})
    web.routes["/new"] = Reply(rss([], title="B", home="https://elsewhere.example/"))

    result = run(config, "add", f"{web.url}/old")

    assert feeds(config) == [{"url": f"{web.url}/new", "name": "B"}]
    assert "the feed names https://elsewhere.example/; write that as site if it is the blog's" in result.output


def test_add_says_the_licence_of_an_atom_feed(config: Path, web: Farm) -> None:
    body = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>C</title><id>u</id><rights>CC BY-SA 4.0</rights>'
        "<entry><id>1</id><title>x</title></entry></feed>"
    )
    web.routes["/atom"] = Reply(body.encode())

    result = run(config, "add", web.url.removeprefix("http://") + "/atom")

    assert "(Atom)" in result.output
    assert "Licence  CC BY-SA 4.0" in result.output


def test_add_refuses_what_is_there_and_what_is_no_feed(config: Path, web: Farm) -> None:
    web.routes["/feed"] = Reply(rss([], title="B"))
    web.html("/page", "<html><body>no feed here</body></html>")
    run(config, "add", f"{web.url}/feed")
    before = config.read_text("utf-8")

    results = [run(config, "add", url) for url in (f"{web.url}/feed/", f"{web.url}/page", f"{web.url}/no", "a b")]

    assert [result.exit_code for result in results] == [1, 1, 1, 1]
    assert "is in" in results[0].output
    assert "already, as B" in results[0].output
    assert "no feed was found that belongs to it" in results[1].output
    assert "there is nothing at this address (404)" in results[2].output
    assert "is no web address" in results[3].output
    assert config.read_text("utf-8") == before


def test_remove_takes_one_table_with_its_comment_and_leaves_all_others(config: Path) -> None:
    kept = '# Doctors\n\n[[feeds]]\nurl = "https://a.example/" # the first\n\n# About the last:\n\n'
    last = '[[feeds]]\nurl = "https://c.example/f"\nsite = "https://c.example/"\n'
    gone = '# Bob wants out.\n[[feeds]]\nurl = "https://b.example/f"\ntags = [\n  "x",\n]\n\n'
    config.write_text(f"{START}{kept}{gone}{last}", "utf-8")

    result = run(config, "remove", "http://b.example/f/")

    assert result.exit_code == 0
    assert config.read_text("utf-8") == f"{START}{kept}{last}"
    assert '-url = "https://b.example/f"' in result.output
    assert run(config, "remove", "c.example").exit_code == 0
    assert run(config, "remove", "https://nobody.example/").exit_code == 1
    assert len(feeds(config)) == 1


def test_import_adds_what_is_new_and_says_what_is_not(config: Path, tmp_path: Path) -> None:
    run(config, "import", "-", text="https://a.example/feed Ann\n")
    (tmp_path / "x.opml").write_text(
        '<opml><body><outline text="H"><outline text="A" xmlUrl="http://a.example/feed/"/>'
        '<outline text="B" xmlUrl="http://b.example/feed"/><outline text="C" xmlUrl="nowhere"/></outline></body></opml>'
    )

    result = run(config, "import", str(tmp_path / "x.opml"))

    assert result.exit_code == 0
    assert feeds(config) == [
        {"url": "https://a.example/feed", "name": "Ann"},
        {"url": "http://b.example/feed", "name": "B", "tags": ["H"]},
    ]
    for said in ("OPML, 2 feeds", "1 feed written", "1 feed left as they are", "'nowhere' is no web address"):
        assert said in result.output


def test_import_tells_a_script_what_it_did(config: Path) -> None:
    result = run(config, "import", "--json", "-", text="https://a.example/f\nhttp://a.example/f\nnothing\n")

    assert json.loads(result.output) == {
        "kind": "list of addresses",
        "feeds": 1,
        "written": 1,
        "twice": 1,
        "not_kept": ["the line “nothing”, which holds no web address"],
    }


def test_import_without_a_configuration_writes_one_from_the_old_planets(tmp_path: Path) -> None:
    config, old = tmp_path / "feeds.toml", tmp_path / "config.ini"
    old.write_text(
        "[Planet]\nname = Planet Old\nlink = http://old.example/\nowner_email = o@old.example\n[http://a.example/f]\n"
    )

    run(config, "import", str(old))

    planet = load(config)
    assert (planet.masthead.title, planet.masthead.url) == ("Planet Old", "http://old.example/")
    assert planet.masthead.contact == "o@old.example"
    assert [feed.url for feed in planet.subscriptions] == ["http://a.example/f"]


def test_export_is_read_back_as_it_was() -> None:
    mine = (
        Subscription("https://a.example/f?x=1&y=2", 'Ann "A" <b>', "https://a.example/", tags=("Health", "FHIR")),
        Subscription("https://b.example/f"),
        Subscription("https://c.example/f", "C", enabled=False),
    )

    text = opml.written(Masthead("T & U", "http://p.test/"), mine)

    back = read(text.encode())
    assert back.title == "T & U"
    assert back.feeds == (
        Listed("https://b.example/f", "https://b.example/f"),
        Listed("https://a.example/f?x=1&y=2", 'Ann "A" <b>', "https://a.example/", tags=("Health", "FHIR")),
    )


def test_exported_opml_is_what_listparser_reads(config: Path) -> None:
    run(config, "import", "-", text='https://a.example/feed "health" "~Ann & Bob"\nhttps://b.example/f\n')

    found = listparser.parse(run(config, "export").output)

    assert not found.bozo
    assert {(feed.url, feed.title) for feed in found.feeds} == {
        ("https://a.example/feed", "Ann & Bob"),
        ("https://b.example/f", "https://b.example/f"),
    }
    assert [feed.categories for feed in found.feeds if feed.tags] == [[["health"]]]


@pytest.mark.parametrize("name", ["é ü", 'a "quoted" \\ name', "tab\tand\x7f", "]]", "'''"])
def test_whatever_a_feed_is_called_the_file_stays_valid(config: Path, name: str) -> None:
    after = editing.with_feeds(config.read_text("utf-8"), [Listed("https://a.example/f", name)])

    assert tomllib.loads(after)["feeds"] == [{"url": "https://a.example/f", "name": name}]

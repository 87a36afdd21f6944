"""`planet explain`, `status`, `release` and `check`: what an operator, or a blogger, is told."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from aggregator import store
from aggregator.cli import main
from aggregator.sameness import FIRST_IMPORT
from tests.builders import NOON, hours_ago, rss
from tests.farm import Farm, Reply
from tests.world import World, feed_at

Worlds = Callable[..., World]


def run(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [arguments[0], "--config", str(tmp_path / "feeds.toml"), *arguments[1:]])


# -- why isn't my post shown? ------------------------------------------------------------------------


def test_a_shown_post_is_explained_by_its_own_address_and_by_its_page_here(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()

    for url in (f"{web.url}/1", "http://planet.test/posts/1-one/"):
        text = here.explain(url)
        assert "shown at /posts/1-one/" in text
        assert "dated 2026-11-22 12:00 UTC, first seen 2026-11-22 12:00 UTC" in text


def test_a_post_that_is_older_than_a_blogs_first_five_is_explained(world: Worlds, web: Farm) -> None:
    items = "".join(
        f"<item><link>{web.url}/{n}</link><title>P{n}</title><pubDate>{hours_ago(n):%a, %d %b %Y %T GMT}</pubDate></item>"
        for n in range(8)
    )
    web.routes["/feed"] = Reply(f"<rss version='2.0'><channel>{items}</channel></rss>".encode())
    here = world(f"{web.url}/feed")
    here.poll()

    assert FIRST_IMPORT in here.explain(f"{web.url}/7")


def test_a_folded_post_is_explained(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, *((f"/{n}", f"P{n}", "x") for n in range(5))))
    here.poll()

    assert "it is folded, because 4 newer posts" in "\n".join(here.explain(f"{web.url}/{n}") for n in range(5))


def test_a_feed_is_explained_with_its_entries_and_its_polls(tmp_path: Path, world: Worlds, web: Farm) -> None:
    address = feed_at(web, ("/1", "One", "x"))
    here = world(address)
    here.poll()

    result = run(tmp_path, "explain", address)
    as_json = json.loads(run(tmp_path, "explain", "--json", address).output)

    assert "One: shown at /posts/1-one/" in result.output
    assert "read\t1" in result.output
    assert as_json["kind"] == "feed"
    assert as_json["polls"][0]["outcome"] == "read"
    assert as_json["entries"][0]["title"] == "One"


def test_an_unknown_post_of_a_member_is_explained(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()

    text = here.explain(f"{web.url}/never")

    assert "lies under the site of A blog, but no poll" in text
    assert "goes from 2026-11-22 12:00 UTC to 2026-11-22 12:00 UTC" in text


def test_an_unknown_post_of_a_failing_feed_is_explained_by_the_failure(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = Reply(status=503)
    here = world(f"{web.url}/feed")
    here.poll()

    assert "That feed is failing: the server answers with status 503" in here.explain(f"{web.url}/never")


def test_what_nobody_knows_is_said_to_be_unknown(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))

    for url in ("https://nobody.test/1", "not an address", "http://planet.test/posts/99-x/"):
        assert "no feed, post or linkback here has this address" in here.explain(url)


def test_a_linkbacks_source_is_explained(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.ping("https://stranger.test/reply", f"{web.url}/1")

    assert f"https://stranger.test/reply links to {web.url}/1: pending" in here.explain("https://stranger.test/reply")


# -- release -----------------------------------------------------------------------------------------


def test_release_of_an_unknown_feed_says_what_to_do(tmp_path: Path, world: Worlds, web: Farm) -> None:
    world(feed_at(web, ("/1", "One", "x")))

    result = run(tmp_path, "release", "https://nobody.test/feed")

    assert result.exit_code == 1
    assert "planet status lists them" in result.output


def test_release_lifts_a_quarantine(tmp_path: Path, world: Worlds, web: Farm) -> None:
    address = feed_at(web, ("/1", "One", "x"))
    here = world(address)
    here.poll()
    with store.transaction(here.database):
        store.voices.quarantine(here.database, 1, "it sounds strange")
    before = here.health().health

    result = run(tmp_path, "release", address)

    assert (before, result.exit_code, here.health().health) == ("quarantined", 0, "healthy")


# -- purge -------------------------------------------------------------------------------------------


def test_purge_leaves_nothing_of_a_post_in_any_file(tmp_path: Path, world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Unfortunately Jane Doe", "diagnosis xyzzy"), ("/2", "Two", "x")))
    here.poll()
    here.publish()
    here.close()

    result = run(tmp_path, "purge", f"{web.url}/1")

    assert (result.exit_code, "1 post and 0 linkbacks" in result.output) == (0, True)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"xyzzy" in path.read_bytes()]
    names = [path for path in tmp_path.rglob("*") if path.is_file() and b"Jane Doe" in path.read_bytes()]
    assert (left, names) == ([], [])
    assert run(tmp_path, "purge", f"{web.url}/1").exit_code == 1


def test_purge_removes_the_linkbacks_of_a_page(tmp_path: Path, world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.ping(web.html("/reply", f'<a href="{web.url}/1">that</a>'), f"{web.url}/1")
    here.verify()

    result = run(tmp_path, "purge", f"{web.url}/reply")

    assert "0 posts and 1 linkback are gone" in result.output
    assert here.database.execute("SELECT count(*) FROM linkback").fetchone()[0] == 0


# -- check -------------------------------------------------------------------------------------------

COMMENTED = """\
# Our planet
[planet]
title = "Planet Test"  # a name
url = "http://planet.test/"
[network]
allow_addresses = ["127.0.0.0/8"]

[[feeds]]  # Jane
url = "{url}"   # her old address
name = "Jane"
"""


def moved_planet(tmp_path: Path, world: Worlds, web: Farm) -> World:
    web.routes["/feed"] = Reply(status=301, headers={"Location": f"{web.url}/new"})
    web.routes["/new"] = Reply(rss([(f"{web.url}/1", "One", "x")]))
    here = world(f"{web.url}/feed")
    for _ in range(9):
        here.poll()
        here.later(hours=25)
    (tmp_path / "feeds.toml").write_text(COMMENTED.format(url=f"{web.url}/feed"), "utf-8")
    return here


def test_check_proposes_the_new_address_of_a_feed_that_moved(tmp_path: Path, world: Worlds, web: Farm) -> None:
    moved_planet(tmp_path, world, web)

    result = run(tmp_path, "check")

    assert result.exit_code == 0
    assert f"{web.url}/feed has moved to {web.url}/new; --fix writes that" in result.output
    assert (tmp_path / "feeds.toml").read_text("utf-8") == COMMENTED.format(url=f"{web.url}/feed")


def test_check_fix_writes_it_keeps_comments_and_shows_the_difference(tmp_path: Path, world: Worlds, web: Farm) -> None:
    here = moved_planet(tmp_path, world, web)
    (tmp_path / "feeds.toml").chmod(0o640)

    result = run(tmp_path, "check", "--fix")

    assert (tmp_path / "feeds.toml").read_text("utf-8") == COMMENTED.format(url=f"{web.url}/new")
    assert stat.S_IMODE((tmp_path / "feeds.toml").stat().st_mode) == 0o640
    assert f'-url = "{web.url}/feed"' in result.output
    assert f'+url = "{web.url}/new"' in result.output
    assert "has moved" not in run(tmp_path, "check").output
    assert here.titles() == ["One"]


def test_a_feed_keeps_its_posts_after_check_fix(tmp_path: Path, world: Worlds, web: Farm) -> None:
    here = moved_planet(tmp_path, world, web)
    run(tmp_path, "check", "--fix")

    here.configure(world(f"{web.url}/new").planet)
    summary = here.later(hours=25).poll()

    assert (summary.new_entries, here.titles()) == (0, ["One"])
    assert here.health().advice == ""


def test_check_fix_never_writes_a_feed_that_is_there_already(tmp_path: Path, world: Worlds, web: Farm) -> None:
    moved_planet(tmp_path, world, web)
    text = COMMENTED.format(url=f"{web.url}/feed") + f'\n[[feeds]]\nurl = "{web.url}/new"\n'
    (tmp_path / "feeds.toml").write_text(text, "utf-8")

    result = run(tmp_path, "check", "--fix")

    assert "leads to the same feed as" in result.output
    assert (tmp_path / "feeds.toml").read_text("utf-8") == text


def test_check_makes_no_database(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text(COMMENTED.format(url="http://127.0.0.1/feed"), "utf-8")

    assert run(tmp_path, "check").exit_code == 0
    assert not (tmp_path / "data").exists()


# -- status ------------------------------------------------------------------------------------------


def test_status_tells_what_to_do(tmp_path: Path, world: Worlds, web: Farm) -> None:
    moved_planet(tmp_path, world, web)

    result = run(tmp_path, "status")
    [feed] = json.loads(run(tmp_path, "status", "--json").output)["feeds"]

    assert "planet check --fix writes that into feeds.toml" in result.output
    assert feed["address"] == f"{web.url}/new"
    assert feed["newest_post"] == NOON.isoformat()


def test_two_feeds_that_lead_to_one_address_are_told(world: Worlds, web: Farm) -> None:
    new = feed_at(web, ("/1", "One", "x"), path="/new")
    web.routes["/feed"] = Reply(status=301, headers={"Location": new})
    here = world(f"{web.url}/feed", new)
    for _ in range(9):
        here.poll()
        here.later(hours=25)

    assert f"the same address as {new}" in here.health(f"{web.url}/feed").advice


def test_a_post_that_was_backdated_is_explained(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    old = rss([(f"{web.url}/2", "Two", "y")], at=NOON - timedelta(days=90))
    web.routes["/feed"] = Reply(old)
    here.later(hours=2).poll()

    assert "standing at 2026-11-22 14:00 UTC in the river" in here.explain(f"{web.url}/2")

"""How polls behave towards servers, over HTTP on loopback."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from datetime import timedelta

import brotli
import pytest

from aggregator import store
from aggregator.cadence import JITTER
from tests.builders import NOON, rss
from tests.farm import Farm, Reply, Seen, farm
from tests.world import World, feed_at

Worlds = Callable[..., World]


def moved(to: str, status: int = 301) -> Reply:
    return Reply(status=status, headers={"Location": to})


def asked(web: Farm) -> list[str]:
    return [seen.path for seen in web.seen]


def history(here: World) -> list[tuple[int, str, int, int]]:
    feed_id = here.database.execute("SELECT id FROM feed").fetchone()[0]
    polls = store.polls.history(here.database, feed_id)
    return [(poll.status, poll.outcome, poll.new_entries, poll.edited_entries) for poll in polls]


# -- redirects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 308])
def test_a_feed_that_has_moved_for_a_week_is_fetched_at_its_new_address(world: Worlds, web: Farm, status: int) -> None:
    new = feed_at(web, ("/1", "One", "x"), path="/new")
    web.routes["/feed"] = moved(new, status)
    here = world(f"{web.url}/feed")

    here.poll()
    advice = here.health().advice
    for _ in range(8):
        here.later(hours=25).poll()

    assert f"redirects to {new}" in advice
    assert asked(web)[-1] == "/new"
    assert asked(web).count("/feed") == 8
    assert here.health().address == new
    assert "planet check --fix" in here.health().advice
    assert here.titles() == ["One"]


def test_a_temporary_redirect_is_never_remembered(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = moved(feed_at(web, ("/1", "One", "x"), path="/new"), 302)
    here = world(f"{web.url}/feed")

    for _ in range(9):
        here.poll()
        here.later(hours=25)

    assert asked(web).count("/feed") == 9
    assert here.health().advice == ""


def test_a_redirect_to_what_is_no_feed_is_never_remembered(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = moved(web.html("/sorry", "<html><title>Maintenance</title></html>"))

    for _ in range(9):
        here.later(days=8).poll()

    assert here.health().address == ""
    assert "web page" in here.problem()
    assert here.titles() == ["One"]


def test_a_feed_that_is_lost_at_its_new_address_is_asked_at_its_old_one(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = moved(feed_at(web, ("/1", "One", "x"), path="/new"))
    here = world(f"{web.url}/feed")
    for _ in range(9):
        here.poll()
        here.later(hours=25)
    feed_at(web, ("/1", "One", "x"))
    del web.routes["/new"]

    here.later(hours=25).poll()
    here.later(hours=25).poll()

    assert here.health().health == "healthy"
    assert here.health().address == ""


def test_a_feed_whose_url_is_edited_to_where_it_moved_keeps_its_posts(world: Worlds, web: Farm) -> None:
    new = feed_at(web, *((f"/{n}", f"Post {n}", "x") for n in range(20)), path="/new")
    web.routes["/feed"] = moved(new)
    here = world(f"{web.url}/feed")
    here.poll()
    before = here.titles()

    here.configure(world(new).planet)
    summary = here.later(hours=25).poll()

    assert summary.new_entries == 0
    assert here.titles() == before
    assert len(store.health.health(here.database)) == 1


# -- farewells and refusals --------------------------------------------------------------------------


def test_a_feed_that_says_farewell_on_two_days_is_retired_and_can_be_asked_again(world: Worlds, web: Farm) -> None:
    address = feed_at(web, ("/1", "One", "x"))
    here = world(address)
    here.poll()
    web.routes["/feed"] = Reply(status=410)

    here.later(hours=25).poll()
    once = here.health().health
    here.later(hours=25).poll()
    asked_before = len(web.seen)
    here.later(days=60).poll()

    assert once == "failing"
    assert here.health().health == "retired"
    assert "planet release" in here.health().advice
    assert len(web.seen) == asked_before
    assert here.titles() == ["One"]

    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "x"))
    with store.transaction(here.database):
        assert store.voices.release(here.database, address, here.now)
    here.poll()
    assert here.health().health == "healthy"
    assert set(here.titles()) == {"One", "Two"}


def test_cloudflares_challenge_is_told_apart(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = Reply(b"<html>Just a moment</html>", 403, {"cf-mitigated": "challenge"})
    here = world(f"{web.url}/feed")

    here.poll()

    assert "Cloudflare keeps programs out (challenge, 403)" in here.problem()


def test_what_waits_for_a_host_that_says_429_is_not_asked(world: Worlds, web: Farm) -> None:
    first = threading.Barrier(2)

    def too_many(_seen: Seen) -> Reply:
        first.wait(10)  # both of those that may be asked at once have been
        return Reply(status=429, headers={"Retry-After": "7200"})

    for number in range(20):
        web.routes[f"/{number}"] = too_many
    here = world(*(f"{web.url}/{number}" for number in range(20)))

    here.poll()
    here.later(hours=1.9).poll()

    assert len(web.seen) == 2
    assert len(store.feeds.due(here.database, NOON + timedelta(hours=2.1), 50)) == 20


# -- what is asked for -------------------------------------------------------------------------------


def test_a_new_feed_is_one_request(world: Worlds, web: Farm) -> None:
    world(feed_at(web, ("/1", "One", "x"))).poll()

    [seen] = web.seen
    assert (seen.method, seen.path) == ("GET", "/feed")
    assert "http://planet.test/about/" in seen.headers["user-agent"]
    assert seen.headers["accept-encoding"] == "gzip, br"
    assert "cookie" not in seen.headers
    assert "a-im" not in seen.headers


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_a_compressed_feed_is_read(world: Worlds, web: Farm, coding: str, encode: Callable[[bytes], bytes]) -> None:
    web.routes["/feed"] = Reply(encode(rss([(f"{web.url}/1", "One", "x")])), headers={"Content-Encoding": coding})
    here = world(f"{web.url}/feed")

    here.poll()

    assert here.titles() == ["One"]


def test_a_server_may_send_only_what_is_new(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "x"), ETag='"a"')
    here = world(f"{web.url}/feed")
    here.poll()
    delta = rss([(f"{web.url}/3", "Three", "x")])
    web.routes["/feed"] = Reply(delta, 226, {"ETag": '"b"', "IM": "feed"})

    here.later(hours=2).poll()
    here.later(hours=2).poll()

    assert web.seen[1].headers["a-im"] == "feed"
    assert web.seen[1].headers["if-none-match"] == '"a"'
    assert set(here.titles()) == {"One", "Two", "Three"}
    assert store.gone.missing(here.database, here.now + timedelta(days=1), 10) == []


def test_hours_of_rest_are_kept(world: Worlds, web: Farm) -> None:
    hours = "".join(f"<hour>{hour}</hour>" for hour in range(12, 18))
    body = rss([(f"{web.url}/1", "One", "x")]).replace(b"<description/>", f"<skipHours>{hours}</skipHours>".encode())
    web.routes["/feed"] = Reply(body)
    here = world(f"{web.url}/feed")

    here.poll()  # at noon

    next_poll = here.health().next_poll
    assert next_poll is not None
    assert next_poll.hour == 18


# -- a home page instead of a feed -------------------------------------------------------------------


def test_the_feed_of_a_home_page_is_found_and_remembered(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"), path="/blog/rss")
    link = '<link rel="alternate" type="application/rss+xml" href="/blog/rss">'
    home = web.html("/blog/", f"<!doctype html><html><head>{link}</head></html>")
    here = world(home)

    summary = here.poll()
    here.later(hours=2).poll()

    assert (summary.feeds, summary.fetched, summary.new_entries) == (1, 1, 1)
    assert asked(web) == ["/blog/", "/blog/rss", "/blog/rss"]
    assert here.titles() == ["One"]
    assert "its feed was found at" in here.health().advice


def test_a_page_that_names_no_feed_is_searched_with_six_requests_at_most(world: Worlds, web: Farm) -> None:
    home = web.html("/blog/", "<html><body>Hello</body></html>")
    here = world(home)

    here.poll()

    assert len(web.seen) == 6
    assert asked(web)[:3] == ["/blog/", "/blog/feed/", "/blog/atom.xml"]
    assert "none was found" in here.problem()


def test_a_feed_in_its_usual_place_is_found(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"), path="/index.xml")
    here = world(web.html("/", "<html><body>Hello</body></html>"))

    here.poll()

    assert here.titles() == ["One"]
    assert len(web.seen) <= 6


def test_a_feed_that_becomes_a_page_is_not_searched_for(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    feed_at(web, ("/2", "Spam", "x"), path="/spam")
    web.html("/feed", '<html><link rel="alternate" type="application/rss+xml" href="/spam"></html>')

    here.later(hours=2).poll()

    assert "/spam" not in asked(web)
    assert "web page" in here.problem()


# -- what is remembered of polls ---------------------------------------------------------------------


def test_every_poll_leaves_its_history(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"))
    here = world(f"{web.url}/feed")
    here.poll()
    here.later(hours=2).poll()
    feed_at(web, ("/1", "One, edited", "x"), ("/2", "Two", "x"))
    here.later(hours=2).poll()
    web.routes["/feed"] = Reply(status=500)
    here.later(hours=2).poll()

    assert history(here) == [(500, "failed", 0, 0), (200, "read", 1, 1), (200, "unchanged", 0, 0), (200, "read", 1, 0)]


def test_only_the_newest_polls_are_remembered(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")), more="[keep]\npolls = 3\n")

    for _ in range(5):
        here.poll()
        here.later(hours=25)

    assert [outcome for _, outcome, _, _ in history(here)] == ["unchanged"] * 3


def test_a_silent_blog_is_polled_less_often(world: Worlds, web: Farm) -> None:
    web.routes["/old"] = Reply(rss([(f"{web.url}/1", "One", "x")], at=NOON - timedelta(days=40)))
    web.routes["/new"] = Reply(rss([(f"{web.url}/2", "Two", "x")]))
    here = world(f"{web.url}/old", f"{web.url}/new")

    here.poll()
    here.later(hours=2).poll()

    old, new = (here.health(f"{web.url}{path}").next_poll for path in ("/old", "/new"))
    assert old is not None
    assert new is not None
    assert timedelta(hours=4 * (1 - JITTER)) <= old - here.now <= timedelta(hours=4 * (1 + JITTER))
    assert new - here.now <= timedelta(hours=1 + JITTER)


def test_a_redirect_to_another_host_is_that_hosts_turn(world: Worlds, web: Farm) -> None:
    with farm("127.0.0.2") as other:
        new = feed_at(other, ("/1", "One", "x"))
        web.routes["/feed"] = moved(new)
        here = world(f"{web.url}/feed")
        for _ in range(9):
            here.poll()
            here.later(hours=25)

        assert here.database.execute("SELECT host FROM feed").fetchone()[0] == "127.0.0.2"


def test_the_host_that_says_429_rests_not_the_one_that_led_there(world: Worlds, web: Farm) -> None:
    with farm("127.0.0.2") as other:
        other.routes["/x"] = Reply(status=429, headers={"Retry-After": "20000"})
        web.routes["/a"] = moved(f"{other.url}/x", 302)
        feed_at(web, ("/1", "One", "x"), path="/b")
        feed_at(other, ("/2", "Two", "x"), path="/y")
        here = world(f"{web.url}/a", f"{web.url}/b", f"{other.url}/y")
        here.poll()
        before = len(other.seen)

        here.configure(world(f"{web.url}/a", f"{web.url}/b", f"{other.url}/y", f"{other.url}/new").planet)
        here.later(hours=2).poll()

        assert asked(web).count("/b") == 2
        assert len(other.seen) == before
        assert "not to come before 2026-11-22 17:33 UTC" in here.health(f"{web.url}/a").problem


def test_a_home_page_that_was_down_at_first_is_searched_when_it_is_up(world: Worlds, web: Farm) -> None:
    feed_at(web, ("/1", "One", "x"), path="/feed/")
    web.routes["/"] = Reply(status=500)
    here = world(f"{web.url}/")
    here.poll()
    web.html("/", "<html><body>Hello</body></html>")

    here.later(hours=2).poll()

    assert here.titles() == ["One"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"<html>Just a moment</html>", 200, {"cf-mitigated": "challenge"}), "Cloudflare"),
        (Reply(status=301), "doesn't say where to"),
        (Reply(b"\x00\x01", headers={"Content-Encoding": "gzip"}), "not in the gzip coding"),
    ],
)
def test_what_is_wrong_is_said(world: Worlds, web: Farm, reply: Reply, words: str) -> None:
    web.routes["/feed"] = reply
    here = world(f"{web.url}/feed")

    here.poll()

    assert words in here.problem()
    assert len(web.seen) == 1

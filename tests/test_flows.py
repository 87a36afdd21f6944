"""Wire to page: feeds and pings go in over HTTP on loopback, pages come out of the published folder."""

from __future__ import annotations

import gzip
import re
import shutil
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from linkbacks.decisions import Accepted, Refusal

from aggregator import store
from aggregator.errors import StoreFailed
from aggregator.model import Status
from aggregator.site import folder
from jobs import equipment, rendering
from jobs.poll import Sweep
from jobs.verify import Pace, Verification
from tests.builders import NOON, PLANET, entry, hours_ago, planet, rss, stored
from tests.farm import Farm, Reply, Seen, farm
from tests.world import World, feed_at, files_of

# -- a post, wire to page ----------------------------------------------------------------------------


def test_a_post_goes_from_the_wire_to_the_page(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "First & best", '<p>Hello <a href="/x">there</a><script>x</script></p>')))

    summary = here.poll()
    here.publish()

    assert (summary.feeds, summary.fetched, summary.new_entries, summary.failed) == (1, 1, 1, 0)
    assert "First &amp; best" in here.page()
    html = here.post("First &amp; best")
    assert f'<a href="{web.url}/x" rel="noopener nofollow">there</a>' in html
    assert html.count("<script") == 1
    assert "First &amp; best" in here.page("feed.atom")


def test_validators_are_replayed_exactly_and_304_is_unchanged(world: Callable[..., World], web: Farm) -> None:
    etag, modified = 'W/"a-strange \'tag"', "Sat, 21 Nov 2026 10:00:00 GMT"
    address = feed_at(web, ("/1", "One", "x"), ETag=etag, **{"Last-Modified": modified})
    first = web.routes["/feed"]
    web.routes["/feed"] = lambda seen: Reply(status=304) if seen.headers.get("if-none-match") == etag else first  # type: ignore[return-value]
    here = world(address)

    here.poll()
    summary = here.later(hours=2).poll()

    assert summary.unchanged == 1
    assert web.seen[1].headers["if-none-match"] == etag
    assert web.seen[1].headers["if-modified-since"] == modified
    assert "if-none-match" not in web.seen[0].headers
    here.later(hours=2).poll()
    assert web.seen[2].headers["if-none-match"] == etag


def test_an_unchanged_body_is_recognised_without_validators(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))

    here.poll()
    summary = here.later(hours=2).poll()

    assert (summary.unchanged, summary.fetched) == (1, 0)


def test_gzip_is_asked_for_and_undone(world: Callable[..., World], web: Farm) -> None:
    body = gzip.compress(rss([(f"{web.url}/1", "Squeezed", "x")]))
    web.routes["/feed"] = Reply(body, headers={"Content-Encoding": "gzip"})
    here = world(f"{web.url}/feed")

    here.poll()
    here.publish()

    assert "gzip" in web.seen[0].headers["accept-encoding"]
    assert "Squeezed" in here.page()


def test_an_edit_changes_the_post_and_not_its_address(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Before", "x")))
    here.poll()
    here.publish()
    path = re.search(r'href="/(posts/[^"#]+)"', here.page())

    feed_at(web, ("/1", "After", "x"))
    summary = here.later(hours=2).poll()
    here.publish()

    assert (summary.new_entries, summary.updated_entries) == (0, 1)
    assert path is not None
    assert "After" in here.page(f"{path[1]}index.html")


def test_only_pages_that_changed_are_written(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y")))
    here.poll()
    first, second = here.publish(), here.publish()

    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "edited"))
    here.later(hours=2).poll()
    before = files_of(here.planet.public)
    third = here.publish()
    after = files_of(here.planet.public)

    changed = {name for name in after if after[name] != before.get(name)}
    assert first >= 6
    assert second == 0
    assert third == len(changed)
    assert {"index.html", "feed.atom"} < changed
    assert len([name for name in changed if name.startswith("posts/")]) == 1


def test_a_feed_removed_from_the_configuration_leaves_the_page(
    world: Callable[..., World], web: Farm, tmp_path: Path
) -> None:
    one, two = feed_at(web, ("/1", "One", "x")), feed_at(web, ("/2", "Two", "x"), path="/feed2")
    here = world(one, two)
    here.poll()
    here.publish()
    path = re.search(r'href="/(posts/[^"#]+)">One<', here.page())

    here.configure(planet(tmp_path, [two]))
    here.publish()

    assert "One" not in here.page()
    assert "Two" in here.page()
    assert path is not None
    assert not (here.planet.public / path[1]).exists()


def test_a_joining_blog_shows_its_newest_five(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, *((f"/{n}", f"Post {n}", "x") for n in range(9))), more="[page]\nper_feed_per_day = 9\n")

    here.poll()
    here.publish()

    assert len(re.findall("<article", here.page())) == 5
    assert ">Post 0<" in here.page()
    assert ">Post 8<" not in here.page()


def test_ten_posts_at_once_are_one_request_and_one_parse_each(world: Callable[..., World], web: Farm) -> None:
    feeds = [feed_at(web, (f"/{n}", f"Post {n}", "x"), path=f"/feed{n}") for n in range(10)]
    here = world(*feeds)

    summary = here.poll()

    assert (summary.feeds, summary.new_entries) == (10, 10)
    assert len(web.seen) == 10


def test_a_sweep_that_is_told_to_stop_waits_for_nobody_and_gives_feeds_back(
    world: Callable[..., World], web: Farm
) -> None:
    web.raw["/silent"] = _silent
    here = world(f"{web.url}/silent", feed_at(web, ("/1", "One", "x")))
    told = iter([False] * 3 + [True] * 100)
    with equipment.engine_for(here.planet) as engine:
        Sweep(
            here.database, engine, here.children, equipment.terms_for(here.planet), here.clock, lambda: next(told)
        ).run()

    assert not [feed for feed in store.health.health(here.database) if feed.problem]
    assert "/silent" in {seen.path for seen in web.seen}
    assert {feed.url for feed in store.feeds.due(here.database, here.now, 10)} >= {f"{web.url}/silent"}


def test_feeds_that_wait_for_a_slow_host_are_asked_once(world: Callable[..., World], web: Farm) -> None:
    here = world(*(feed_at(web, (f"/{n}", f"Post {n}", "x"), path=f"/feed{n}") for n in range(20)))

    def running_clock() -> datetime:  # every look at it is six minutes later: longer than any lease
        return here.later(minutes=6).now

    with equipment.engine_for(here.planet) as engine:
        store.feeds.due(here.database, here.now - timedelta(days=1), 1)
        before = here.now
        Sweep(
            here.database,
            engine,
            here.children,
            equipment.terms_for(here.planet),
            running_clock,
            lambda: here.now > before + timedelta(minutes=55),
        ).run()

    paths = [seen.path for seen in web.seen]
    assert len(paths) == len(set(paths))


def test_one_crowded_host_does_not_keep_others_waiting(world: Callable[..., World], web: Farm) -> None:
    crowd = [feed_at(web, (f"/{n}", f"Post {n}", "x"), path=f"/feed{n}") for n in range(12)]
    with farm("127.0.0.2") as other:
        here = world(*crowd, feed_at(other, ("/1", "Alone", "x")), more="[poll]\nat_once = 4\n")
        with store.transaction(here.database):
            here.database.execute(
                "UPDATE feed SET next_poll_at = '2026-01-01T00:00:00.000000Z' WHERE url LIKE '%/feed_%'"
            )

        assert here.poll().fetched == 13


def test_an_opaque_validator_of_any_bytes_goes_back_as_it_came(world: Callable[..., World], web: Farm) -> None:
    def reply(seen: Seen) -> Reply:
        return Reply(rss([(f"{web.url}/1", "One", "x")]), headers={"ETag": '"\xfc\x80"'})

    web.routes["/feed"] = reply
    here = world(f"{web.url}/feed", feed_at(web, ("/2", "Two", "x"), path="/other"))

    here.poll()
    summary = here.later(hours=2).poll()

    assert summary.unchanged == 2
    assert [seen.headers["if-none-match"] for seen in web.seen if "if-none-match" in seen.headers] == ['"\xfc\x80"']


def test_entries_that_no_database_takes_hurt_nobody_else(world: Callable[..., World], web: Farm) -> None:
    web.routes["/bad"] = Reply(
        b'{"version": "https://jsonfeed.org/version/1.1", "title": "\\ud800", "items": [{"id": "\\ud800x", "url": "http://a/\\ud800",'
        b' "title": "\\udfff", "authors": [{"name": "<b>\\ud800"}], "content_html": "\\ud800", "tags": ["\\ud800"]}, {"id": "'
        + b"y" * 5_000
        + b'", "title": "Long"}]}'
    )
    here = world(f"{web.url}/bad", feed_at(web, ("/1", "Good", "x")))

    summary = here.poll()
    again = here.later(hours=2).poll()
    here.publish()

    assert (summary.fetched, summary.new_entries, again.failed) == (2, 3, 0)
    assert "Good" in here.page()


def test_posts_that_share_a_guid_are_all_shown_and_do_not_flip(world: Callable[..., World], web: Farm) -> None:
    def body(extra: str) -> bytes:
        items = "".join(f"<item><guid>same</guid><title>{title}</title></item>" for title in ("First", "Second"))
        return f"<rss version='2.0'><channel>{items}{extra}</channel></rss>".encode()

    web.routes["/feed"] = Reply(body(""))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = Reply(body("<item><guid>other</guid><title>Other</title></item>"))

    summary = here.later(hours=2).poll()
    here.publish()

    assert (summary.new_entries, summary.updated_entries) == (1, 0)
    assert "First" in here.page()
    assert "Second" in here.page()


def test_a_long_feed_that_is_oldest_first_shows_its_new_posts(world: Callable[..., World], web: Farm) -> None:
    def body(posts: int) -> bytes:
        items = "".join(
            f"<item><guid>{n}</guid><title>Post {n}</title><pubDate>{format_datetime(NOON - timedelta(hours=300 - n))}</pubDate></item>"
            for n in range(posts)
        )
        return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()

    web.routes["/feed"] = Reply(body(250))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = Reply(body(251))

    summary = here.later(hours=2).poll()
    here.publish()

    assert summary.new_entries == 1
    assert "Post 250" in here.page()


def test_an_answer_304_that_nobody_asked_for_is_no_success(world: Callable[..., World], web: Farm) -> None:
    web.routes["/feed"] = Reply(status=304)
    here = world(f"{web.url}/feed")

    summary = here.poll()
    feed_at(web, *((f"/{n}", f"Post {n}", "x") for n in range(9)))
    here.later(hours=2).poll()
    here.publish()

    assert summary.failed == 1
    assert len(re.findall("<article", here.page())) + here.page().count("<li id=") == 5


def test_a_remark_is_no_failure_and_a_failure_shows(world: Callable[..., World], web: Farm) -> None:
    address = feed_at(web, ("/1", "One", "text " * 50))
    reply = web.routes["/feed"]
    assert isinstance(reply, Reply)
    web.routes["/feed"] = Reply(reply.body.replace(b"</channel>", b"<broken></channel>"))
    here = world(address)
    here.poll()
    here.publish()
    with_remark = here.page("blogs/index.html")

    web.routes["/feed"] = Reply(b"", 500)
    here.later(hours=2).poll()
    here.publish()

    assert "not well-formed" not in here.problem()
    assert "can’t be read at the moment" not in with_remark
    assert "can’t be read at the moment" in here.page("blogs/index.html")


def test_a_base_that_nobody_can_resolve_against_costs_links_not_posts(world: Callable[..., World], web: Farm) -> None:
    web.routes["/feed"] = Reply(
        rss([("http://999.1.1.1/x", "Odd", '<a href="/y">y</a>'), ("http://xn--a/", "Odder", "x")])
    )
    here = world(f"{web.url}/feed")

    assert here.poll().new_entries == 2


def test_the_front_page_never_leads_to_a_page_that_is_not_there(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/0", "Zero", "x")), more="[page]\nentries = 100\nper_feed_per_day = 100\n")
    [feed] = [blog.id for blog in store.feeds.blogs(here.database)]
    stored(here.database, feed, *(entry(str(n), published_at=hours_ago(n / 100)) for n in range(500)))
    stops = iter([False, True, True, True])

    here.publish(until=lambda: next(stops))

    links = re.findall(r'<a class="u-url p-name" href="/(posts/[^"#]+)"', here.page())
    assert len(links) == 100
    assert not [link for link in links if not (here.planet.public / link / "index.html").exists()]


def test_a_changed_setting_renders_the_page_again(world: Callable[..., World], web: Farm, tmp_path: Path) -> None:
    address = feed_at(web, ("/1", "One", "x"), ("/2", "Two", "x"))
    here = world(address)
    here.poll()
    here.publish()

    here.configure(planet(tmp_path, [address], more="[page]\nentries = 1\n"))
    here.publish()

    assert len(re.findall("<article", here.page())) == 1


# -- what bad input gets -----------------------------------------------------------------------------


def _silent(connection: object, over: object) -> None:
    over.wait(30)  # type: ignore[attr-defined]


BAD: dict[str, tuple[Reply | None, str]] = {
    "html": (Reply(b"<!doctype html><html><body>hi</body></html>"), "this is a web page, not a feed"),
    "empty": (Reply(b""), "the answer is empty"),
    "huge": (Reply(b"<rss>" + b"x" * 3_000_000), "larger than 2,000,000 bytes"),
    "bomb": (Reply(gzip.compress(b"<rss>" + b" " * 30_000_000), headers={"Content-Encoding": "gzip"}), "larger than"),
    "missing": (Reply(b"", 404), "there is nothing at this address (404)"),
    "gone": (Reply(b"", 410), "gone for good"),
    "broken server": (Reply(b"", 503), "status 503"),
    "slow": (None, "no complete answer within 2 seconds"),
    "inside": (Reply(status=302, headers={"Location": "http://10.0.0.1/"}), "10.0.0.1 is not a public address"),
    "loop": (Reply(status=302, headers={"Location": "/bad"}), "more than 5 redirects"),
    "hostile": (
        Reply(
            b"<!DOCTYPE rss><rss version='2.0'><channel><item><author>"
            + b"a." * 100_000
            + b"</author></item></channel></rss>"
        ),
        "reading it takes",
    ),
}
SMALL = '[poll]\ntimeout = "2s"\nmax_bytes = "2MB"\n'


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_feed_is_named_and_hurts_nobody_else(world: Callable[..., World], web: Farm, kind: str) -> None:
    reply, words = BAD[kind]
    if reply is None:
        web.raw["/bad"] = _silent
    else:
        web.routes["/bad"] = reply
    with farm("127.0.0.2") as other:
        here = world(f"{web.url}/bad", feed_at(other, ("/1", "Good", "x")), more=SMALL)

        summary = here.poll()
        here.publish()

    assert (summary.feeds, summary.fetched, summary.failed) == (2, 1, 1)
    assert words in here.problem()
    assert "Good" in here.page()


def test_a_feed_that_breaks_keeps_its_last_good_entries_and_recovers(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Good", "x"), ETag='"1"'))
    here.poll()

    web.routes["/feed"] = Reply(b"<html>", 200, {"ETag": '"broken"'})
    here.later(hours=2).poll()
    here.publish()
    assert "Good" in here.page()
    assert "this is a web page" in here.problem()

    feed_at(web, ("/1", "Good", "x"), ("/2", "Better", "x"))
    here.later(hours=26).poll()
    here.publish()

    assert web.seen[-1].headers["if-none-match"] == '"1"'
    assert "Better" in here.page()
    assert here.problem() == ""


def test_a_truncated_feed_is_read_as_far_as_it_goes_with_a_remark(world: Callable[..., World], web: Farm) -> None:
    address = feed_at(web, *((f"/{n}", f"Post {n}", "text " * 20) for n in range(6)))
    reply = web.routes["/feed"]
    assert isinstance(reply, Reply)
    web.routes["/feed"] = Reply(reply.body[: len(reply.body) // 2])
    here = world(address)

    summary = here.poll()

    assert summary.failed == 0
    assert summary.new_entries >= 2
    assert "not well-formed" in here.problem()


def test_a_failed_feed_waits_longer_each_time(world: Callable[..., World], web: Farm) -> None:
    here = world(f"{web.url}/none")
    asked = []
    for _ in range(60):
        here.poll()
        asked.append(len(web.seen))
        here.later(hours=0.5)

    assert asked[-1] == 5  # at 0, 1, 3, 7 and 15 hours


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(world: Callable[..., World], web: Farm, status: int) -> None:
    web.routes["/feed"] = Reply(b"", status, {"Retry-After": str(10 * 3600)})
    here = world(f"{web.url}/feed")

    here.poll()
    here.later(hours=9.9).poll()
    early = len(web.seen)
    here.later(hours=0.2).poll()

    assert (early, len(web.seen)) == (1, 2)


def test_a_host_that_says_429_is_left_alone_altogether(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")), feed_at(web, ("/2", "Two", "x"), path="/other"))
    here.poll()
    web.routes["/feed"] = Reply(b"", 429, {"Retry-After": str(5 * 3600)})
    with store.transaction(here.database):
        here.database.execute("UPDATE feed SET next_poll_at = '2026-01-01T00:00:00.000000Z' WHERE url LIKE '%/feed'")
    here.poll()
    asked = len(web.seen)

    here.later(hours=4.9).poll()
    early = len(web.seen)
    here.later(hours=0.2).poll()

    assert early == asked
    assert len(web.seen) == asked + 2


@pytest.mark.parametrize(
    ("headers", "body_says"),
    [({"Cache-Control": "max-age=18000"}, b""), ({}, b"<ttl>300</ttl>"),
     ({}, b'<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>')],
    ids=["max-age", "ttl", "sy"],
)  # fmt: skip
def test_a_feed_is_left_alone_for_as_long_as_it_asks(
    world: Callable[..., World], web: Farm, headers: dict[str, str], body_says: bytes
) -> None:
    body = rss([(f"{web.url}/1", "One", "x")]).replace(b"<channel>", b"<channel>" + body_says)
    web.routes["/feed"] = Reply(body, headers=headers)
    here = world(f"{web.url}/feed")

    here.poll()
    here.later(hours=4.9).poll()
    early = len(web.seen)
    here.later(hours=24).poll()
    here.later(hours=4.9).poll()

    assert (early, len(web.seen)) == (1, 2)  # what the body said still holds after an unchanged answer


# -- a ping, wire to page ----------------------------------------------------------------------------


def test_a_members_ping_is_published_under_its_post(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as other:
        here = world(feed_at(web, ("/1", "Question", "x")), feed_at(other, ("/0", "Zero", "x")))
        here.poll()
        other.html("/answer", f'<title>The answer</title><p>I read <a href="{web.url}/1">the question</a> twice.</p>')

        here.ping(f"{other.url}/answer", f"{web.url}/1")
        settled = here.verify()
        here.publish()

    assert settled == 1
    html = here.post("Question")
    assert "1 thought on “Question”" in html
    assert re.search(r"Pingback:</span> <a [^>]+>The answer</a>", html)
    assert "I read <mark>the question</mark> twice." in html
    assert ">1 thought</a>" in here.page()
    assert "verifying linkbacks" in other.seen[-1].headers["user-agent"]


def test_a_strangers_ping_is_held_and_not_shown(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        source = stranger.html("/answer", f'<title>Held secret</title><a href="{web.url}/1">x</a>')

        here.ping(source, f"{web.url}/1")
        here.verify()
        here.publish()

    assert store.mentions.counts(here.database)["held"] == 1
    assert "Held secret" not in here.post("Question")


def test_strangers_may_be_published(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")), more='[linkbacks]\nstrangers = "publish"\n')
        here.poll()
        source = stranger.html("/answer", f'<title>Welcome</title><a href="{web.url}/1">x</a>')

        here.ping(source, f"{web.url}/1")
        here.verify()
        here.publish()

    assert "Welcome" in here.post("Question")


def test_a_link_to_the_posts_page_on_the_planet_counts(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    here.publish()
    path = re.search(r'href="/(posts/[^"#]+)"', here.page())
    assert path is not None
    source = web.html("/answer", f'<title>Answer</title><a href="{PLANET}{path[1]}">x</a>')

    here.ping(source, f"{PLANET}{path[1]}")
    here.verify()
    here.publish()

    assert "Answer" in here.post("Question")


@pytest.mark.parametrize(
    "source",
    [Reply(b"<p>no link here</p>"), Reply(b"", 404), Reply(b"", 410), Reply(b"%PDF", headers={"Content-Type": "application/pdf"}),
     Reply(b"<div>" * 150_000), Reply(status=302, headers={"Location": "http://10.0.0.1/"})],
    ids=["no link", "404", "410", "pdf", "hostile", "inside"],
)  # fmt: skip
def test_what_is_not_verified_is_never_shown(world: Callable[..., World], web: Farm, source: Reply) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    web.routes["/answer"] = source
    decision = here.ping(f"{web.url}/answer", f"{web.url}/1")

    for _ in range(5):
        here.verify()
        here.later(hours=2)
    here.publish()

    assert isinstance(decision, Accepted)
    assert store.mentions.counts(here.database)["rejected"] == 1
    assert "No thoughts on this yet" in here.post("Question")


def test_a_source_that_is_not_up_yet_is_tried_again(world: Callable[..., World], web: Farm, elsewhere: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")), feed_at(elsewhere))
    here.poll()
    answers = [
        Reply(b"", 503),
        Reply(f'<title>Late</title><a href="{web.url}/1">x</a>'.encode(), headers={"Content-Type": "text/html"}),
    ]
    elsewhere.routes["/answer"] = lambda _seen: answers.pop(0)
    here.ping(f"{elsewhere.url}/answer", f"{web.url}/1")

    assert here.verify() == 0
    assert store.mentions.counts(here.database)["pending"] == 1
    assert here.later(minutes=1).verify() == 1
    assert store.mentions.counts(here.database)["published"] == 1


def test_many_sources_of_one_host_are_fetched_one_at_a_time(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    now, most, lock = [0], [0], threading.Lock()

    def answer(seen: Seen) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.03)
        with lock:
            now[0] -= 1
        return Reply(
            f'<title>{seen.path}</title><a href="{web.url}/1">x</a>'.encode(), headers={"Content-Type": "text/html"}
        )

    for number in range(8):
        web.routes[f"/a{number}"] = answer
        here.ping(f"{web.url}/a{number}", f"{web.url}/1")

    assert here.verify() == 8
    assert most[0] == 1


def test_a_host_that_strangers_name_is_asked_once_a_second(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as victim:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        for number in range(20):
            here.ping(f"{victim.url}/?r={number}", f"{web.url}/1")
        pace = Pace()

        def verify() -> None:
            policy = equipment.policy_for(here.planet)
            with equipment.verifier_for(here.planet) as engine:
                Verification(here.database, engine, here.children, policy, here.clock, pace=pace).run()

        for _ in range(3):
            verify()
            verify()
            here.later(seconds=1)

        assert len(victim.seen) == 3


def test_a_killed_verification_is_done_again(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    web.html("/answer", f'<title>A</title><a href="{web.url}/1">x</a>')
    here.ping(f"{web.url}/answer", f"{web.url}/1")
    store.mentions.take_pending(here.database, here.now, here.now + timedelta(minutes=2), 10, ())

    assert here.verify() == 0
    assert here.later(minutes=3).verify() == 1


def test_a_site_published_bit_by_bit_equals_one_rebuilt_from_the_store(
    world: Callable[..., World], web: Farm, tmp_path: Path
) -> None:
    here = world(feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y")))
    here.poll()
    here.publish()
    web.html("/answer", f'<title>A</title><a href="{web.url}/1">x</a>')
    here.ping(f"{web.url}/answer", f"{web.url}/1")
    here.verify()
    here.publish()

    assert here.rebuilt(tmp_path / "again") == files_of(here.planet.public)


def test_a_copy_of_a_build_loses_what_is_gone_and_nothing_else(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y")))
    here.poll()
    out = here.planet.data / "out"
    rendering.publisher_for(here.database, here.planet, here.clock).publish_all()
    folder.mirror(here.planet.public, out)
    (out / "mine.txt").write_text("mine")
    with store.transaction(here.database):
        store.gone.remove(here.database, [1], "removed at its source")

    rendering.publisher_for(here.database, here.planet, here.clock).publish_all()
    count = folder.mirror(here.planet.public, out)

    copied = files_of(out)
    assert copied.pop("mine.txt") == b"mine"
    assert copied.pop(".planet-build").decode().split("\n") == sorted(files_of(here.planet.public))
    assert copied == files_of(here.planet.public)
    assert count == len(copied)


def test_a_build_is_never_copied_over_what_somebody_else_has_put_there(
    world: Callable[..., World], web: Farm, tmp_path: Path
) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.publish()

    with pytest.raises(StoreFailed, match="name an empty folder"):
        folder.mirror(here.planet.public, tmp_path)

    assert (tmp_path / "feeds.toml").exists()


def test_a_build_brings_back_a_file_that_somebody_removed(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.publish()
    (here.planet.public / "blogs/index.html").unlink()

    rendering.publisher_for(here.database, here.planet, here.clock).publish_all()

    assert "1 blog" in here.page("blogs/index.html")


def test_a_lost_folder_is_published_again(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.publish()

    shutil.rmtree(here.planet.public)
    here.publish()

    assert "One" in here.page()
    assert "One" in here.post("One")


def test_a_members_redirect_lends_nobody_its_name(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        spam = stranger.html("/spam", f'<title>Spam</title><a href="{web.url}/1">x</a>')
        web.routes["/out"] = Reply(status=302, headers={"Location": spam})

        here.ping(f"{web.url}/out", f"{web.url}/1")
        here.verify()
        here.publish()

    assert store.mentions.counts(here.database)["held"] == 1
    assert "Spam" not in here.post("Question")


def test_a_redirect_to_a_blocked_site_is_rejected(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as blocked:
        here = world(feed_at(web, ("/1", "Question", "x")), more='[linkbacks]\nblock = ["127.0.0.2"]\n')
        here.poll()
        spam = blocked.html("/spam", f'<title>Spam</title><a href="{web.url}/1">x</a>')
        web.routes["/out"] = Reply(status=302, headers={"Location": spam})

        here.ping(f"{web.url}/out", f"{web.url}/1")
        here.verify()

    assert store.mentions.counts(here.database)["rejected"] == 1


def test_a_source_of_any_letters_is_verified(world: Callable[..., World], web: Farm, elsewhere: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")), feed_at(elsewhere))
    here.poll()
    elsewhere.html("/%C3%A9lan", f'<title>Élan</title><a href="{web.url}/1">x</a>')
    elsewhere.html("/plain", f'<title>Plain</title><a href="{web.url}/1">x</a>')

    here.ping(f"{elsewhere.url}/élan", f"{web.url}/1")
    here.ping(f"{elsewhere.url}/plain", f"{web.url}/1")

    assert here.verify() == 2
    assert store.mentions.counts(here.database)["published"] == 2


def test_a_verification_that_never_ends_is_given_up(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    here.ping(f"{web.url}/answer", f"{web.url}/1")
    for _ in range(8):  # each time its process is killed
        store.mentions.take_pending(here.database, here.now, here.now + timedelta(minutes=2), 10, ())
        here.later(minutes=3)

    here.verify()

    assert store.mentions.counts(here.database)["rejected"] == 1


def test_a_post_whose_address_changes_keeps_one_thought_of_a_source(world: Callable[..., World], web: Farm) -> None:
    body = rss([(f"{web.url}/1", "Question", "x")])
    web.routes["/feed"] = Reply(body)
    here = world(f"{web.url}/feed")
    here.poll()
    web.html("/answer", f'<title>A</title><a href="{web.url}/1">x</a><a href="{web.url}/moved">x</a>')
    here.ping(f"{web.url}/answer", f"{web.url}/1")
    here.verify()
    web.routes["/feed"] = Reply(body.replace(b"/1</link>", b"/moved</link>"))
    here.later(hours=2).poll()

    assert here.ping(f"{web.url}/answer", f"{web.url}/moved") is Refusal.ALREADY_THERE


# -- the seed ----------------------------------------------------------------------------------------


def test_the_seed_a_post_and_two_pingbacks_in_order_of_time(world: Callable[..., World], web: Farm) -> None:
    """A blogger writes about a conference and bloggers; two other blogs answer and ping, each on its own host."""
    title = "HIMMS interested in bloggers, blogging, and social networking"
    with farm("127.0.0.2") as ambulatory, farm("127.0.0.3") as future:
        here = world(
            feed_at(web, ("/archives/himms", title, "<p>Today I was interviewed about what bloggers want.</p>")),
            f'[[feeds]]\nurl = "{feed_at(ambulatory, ("/0", "Older", "x"))}"\nname = "ambulatorycomputing.com"\n',
            f'[[feeds]]\nurl = "{feed_at(future, ("/0", "Older", "x"))}"\nname = "FutureHIT"\n',
        )
        here.poll()
        target = f"{web.url}/archives/himms"
        point = ambulatory.html(
            "/blog/point",
            "<title>ambulatorycomputing.com » Blog Archives » The point of Blogging</title>"
            f'<p>The Healthcare IT Guy was <a href="{target}">interviewed about blogging</a>, and that is the point.</p>',
        )
        speculations = future.html(
            "/speculations/",
            "<title>FutureHIT - Speculations on the Future of Health IT</title>"
            f'<p>A good sign: <a href="{target}">the conference listens</a>.</p>',
        )

        assert isinstance(here.ping(point, target), Accepted)
        here.verify()
        here.later(hours=20)
        assert isinstance(here.ping(speculations, target), Accepted)
        here.verify()
        assert here.ping(point, target) is Refusal.ALREADY_THERE
        here.publish()

    html = here.post(title)
    assert f"2 thoughts on “{title}”" in html
    thoughts = re.findall(
        r'<li id="thought-(\d)".*?<b>(.*?)</b>.*?Pingback:</span> <a [^>]+>(.*?)</a></p><p [^>]+>(.*?)</p>', html
    )
    assert thoughts == [
        (
            "1",
            "ambulatorycomputing.com",
            "Blog Archives » The point of Blogging",
            "The Healthcare IT Guy was <mark>interviewed about blogging</mark>, and that is the point.",
        ),
        (
            "2",
            "FutureHIT",
            "Speculations on the Future of Health IT",
            "A good sign: <mark>the conference listens</mark>.",
        ),
    ]
    assert "In conversation with" in here.page()


def test_the_seed_with_a_stranger_is_verified_but_held(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as stranger:
        here = world(feed_at(web, ("/archives/himms", "HIMMS interested in bloggers", "x")))
        here.poll()
        source = stranger.html(
            "/x", f'<title>A stranger</title><p>Look: <a href="{web.url}/archives/himms">this</a>.</p>'
        )

        decision = here.ping(source, f"{web.url}/archives/himms")
        here.verify()
        here.publish()

    assert isinstance(decision, Accepted)
    mention = store.mentions.mention(here.database, decision.token)
    assert mention is not None
    assert mention.status is Status.HELD
    assert "A stranger" not in here.post("HIMMS interested in bloggers")

"""Comment feeds: asked politely, and only for recent posts; comments join the thread."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import pytest

from aggregator import store
from jobs import equipment
from jobs.comments import poll_comments
from jobs.link import Linking
from tests.builders import rss as feed_of
from tests.farm import Farm, Reply, Seen, farm
from tests.world import World


def item(id: int, author: str, text: str, post: str) -> str:
    return (
        f"<item><title>By: {author}</title><link>{post}#comment-{id}</link><dc:creator>{author}</dc:creator>"
        f"<pubDate>Sun, 22 Nov 2026 11:0{id}:00 +0000</pubDate><guid>{post}#comment-{id}</guid>"
        f"<description>{escape(text)}</description></item>"
    )


def rss(*items: str) -> bytes:
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wfw="http://wellformedweb.org/CommentAPI/"'
    return f'<?xml version="1.0"?><rss version="2.0" {dc}><channel><title>T</title>{"".join(items)}</channel></rss>'.encode()


def blog(web: Farm, *comments: str, comments_at: str = "") -> str:
    """A WordPress blog with one post and its comments."""
    post = (
        f"<item><title>Question</title><link>{web.url}/1</link><guid>1</guid><pubDate>Sun, 22 Nov 2026 10:00:00 +0000</pubDate>"
        f"<description>x</description><wfw:commentRss>{comments_at or web.url}/1/feed/</wfw:commentRss></item>"
    )
    web.routes["/feed"] = Reply(rss(post), headers={"Content-Type": "application/rss+xml"})
    web.routes["/1/feed/"] = Reply(rss(*comments), headers={"Content-Type": "application/rss+xml", "ETag": '"1"'})
    return f"{web.url}/feed"


def link(here: World) -> int:
    return Linking(here.database, here.children, equipment.policy_for(here.planet), here.clock).run()


def ask(here: World) -> int:
    with equipment.engine_for(here.planet) as engine:
        return poll_comments(here.database, engine, here.children, equipment.policy_for(here.planet), here.clock)


def asked(web: Farm) -> int:
    return len([seen for seen in web.seen if seen.path == "/1/feed/"])


def test_comments_join_the_thread_in_order_of_time(world: Callable[..., World], web: Farm) -> None:
    here = world(
        blog(
            web,
            item(2, "Bob", "No & <b>never</b>", f"{web.url}/1"),
            item(1, "Ann", "Yes <script>x</script>", f"{web.url}/1"),
        )
    )
    here.poll()

    assert ask(here) == 2
    here.publish()

    html = here.post("Question")
    assert "2 thoughts on “Question”" in html
    assert html.index("#comment-1") < html.index("#comment-2")
    assert 'Comment</span> <a class="u-url p-name" ' in html
    assert "No &amp; never" in html
    assert "<script>x" not in html


def test_a_comment_is_named_after_who_wrote_it(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web, item(1, "Eve", "Yes", f"{web.url}/1")))
    here.poll()
    ask(here)
    here.publish()

    html, river = here.post("Question"), here.page()
    feed = here.page("posts/1-question/thoughts.atom")

    assert "<b>Eve</b>" in html
    assert ">at T</a>" in html
    assert '>Comment at T</a> <span class="cap">Eve</span>' in river
    assert "<author><name>Eve</name></author>" in feed


def test_comments_are_asked_for_with_validators_and_ever_more_rarely(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web, item(1, "Ann", "Yes", f"{web.url}/1")))
    here.poll()
    first = web.routes["/1/feed/"]

    def conditional(seen: Seen) -> Reply:
        assert isinstance(first, Reply)
        return Reply(status=304) if seen.headers.get("if-none-match") == '"1"' else first

    web.routes["/1/feed/"] = conditional
    times = []
    for _ in range(24 * 20):
        ask(here)
        times.append(asked(web))
        here.later(hours=1)

    assert times[0] == times[0] == 1
    assert 15 <= times[23] <= 24
    assert times[24 * 3] - times[23] <= 13
    assert times[24 * 14] - times[24 * 3] <= 12
    assert times[-1] - times[24 * 14] <= 1
    assert web.seen[-1].headers["if-none-match"] == '"1"'


def test_a_pingback_among_the_comments_is_the_one_that_came_by_itself(world: Callable[..., World], web: Farm) -> None:
    pingback = item(1, "The point of Blogging", "[&#8230;] I read it twice [&#8230;]", f"{web.url}/1")
    with farm("127.0.0.2") as other:
        here = world(blog(web, pingback), more='[linkbacks]\nstrangers = "publish"\n')
        here.poll()
        other.html("/x", f'<title>The point of Blogging</title><p>I read <a href="{web.url}/1">it</a> twice</p>')
        here.ping(f"{other.url}/x", f"{web.url}/1")
        here.verify()

        assert ask(here) == 0
        here.publish()

    assert "1 thought on" in here.post("Question")


@pytest.mark.parametrize(
    ("creator", "is_the_same"),
    [
        ("Bob nine – Bob", True),
        ("Bob nine", True),
        ("Bob", True),
        ("BOB", True),
        ("Bobbing for apples", False),
        ("Nine – Rob", False),
    ],
)
def test_a_pingback_among_the_comments_is_known_by_page_or_blog(
    world: Callable[..., World], web: Farm, creator: str, is_the_same: bool
) -> None:
    with farm("127.0.0.2") as other:
        html = f'<p>I read <a href="{web.url}/1">it</a></p>'
        other.routes["/feed"] = Reply(feed_of([(f"{other.url}/9", "Bob nine", html)], title="Bob"))
        here = world(blog(web, item(1, creator, "[&#8230;] I read it [&#8230;]", f"{web.url}/1")), f"{other.url}/feed")
        here.poll()
        link(here)

        assert ask(here) == (0 if is_the_same else 1)
        here.publish()

    assert f"{1 if is_the_same else 2} thought" in here.post("Question")
    assert "Links here:" in here.post("Question")


def test_a_pingback_among_the_comments_is_joined_when_its_page_becomes_known_later(
    world: Callable[..., World], web: Farm
) -> None:
    titled = item(1, "Bob nine – Bob", "x", f"{web.url}/1").replace("By: ", "Pingback: ")
    with farm("127.0.0.2") as other:
        here = world(blog(web, titled), more='[linkbacks]\nstrangers = "publish"\n')
        here.poll()
        assert ask(here) == 1
        other.html("/9", f'<title>Bob nine</title><p>I read <a href="{web.url}/1">it</a></p>')
        here.ping(f"{other.url}/9", f"{web.url}/1")
        here.verify()

        assert ask(here.later(hours=2)) == 1
        here.publish()

    assert "1 thought on" in here.post("Question")


def test_a_pingback_among_the_comments_is_named_so(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web, item(1, "The point of Blogging", "[&#8230;] I read it twice [&#8230;]", f"{web.url}/1")))
    here.poll()
    ask(here)
    here.publish()

    assert 'Pingback</span> <a class="u-url p-name" ' in here.post("Question")
    assert "The point of Blogging" in here.post("Question")


def test_an_edited_comment_is_shown_as_it_is_now(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web, item(1, "Ann", "Yes", f"{web.url}/1")))
    here.poll()
    ask(here)
    blog(web, item(1, "Ann", "Perhaps", f"{web.url}/1"))

    assert ask(here.later(hours=2)) == 1
    here.publish()

    assert "Perhaps" in here.post("Question")
    assert "1 thought on" in here.post("Question")


def test_comments_are_never_verified_like_links(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web, item(1, "Ann", "Yes", f"{web.url}/1")))
    here.poll()
    ask(here)
    with store.transaction(here.database):
        [feed] = [each.id for each in store.feeds.blogs(here.database)]
        store.mentions.recheck_member(here.database, feed, here.now)
        store.mentions.recheck_sources(here.database, [f"{web.url}/1"], here.now)
        store.moderation.approve(here.database, [1], here.now)

    assert here.later(days=40).verify() == 0
    assert store.mentions.counts(here.database)["published"] == 1
    assert store.mentions.sources_of(here.database, 1) == []


def test_a28_comments_are_asked_for_where_the_post_is_and_nowhere_else(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.2") as victim:
        here = world(blog(web, comments_at=victim.url))
        here.poll()
        for _ in range(3):
            ask(here.later(hours=5))

        assert victim.seen == []


@pytest.mark.parametrize("status", [404, 410, 429, 500, 200])
def test_a_comment_feed_that_fails_is_left_alone(world: Callable[..., World], web: Farm, status: int) -> None:
    here = world(blog(web))
    here.poll()
    web.routes["/1/feed/"] = Reply(b"<html>no feed", status, {"Retry-After": "90000"})

    for _ in range(30):
        ask(here)
        here.later(minutes=30)

    assert asked(web) <= (15 if status == 200 else 1)


def test_the_query_for_comment_feeds_uses_its_index(world: Callable[..., World], web: Farm) -> None:
    here = world(blog(web))
    plan = here.database.execute(f"EXPLAIN QUERY PLAN {store.comments._DUE.replace('?', '1')}").fetchall()

    assert "entry_comments" in " ".join(row[3] for row in plan)

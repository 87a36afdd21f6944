"""Posts of the planet's blogs that link to each other: linkbacks that nobody sends, and the conversations they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from linkbacks.decisions import Refusal

from aggregator import store
from aggregator.model import Answer, Blog
from aggregator.threads import conversation
from jobs import equipment
from jobs.link import Linking
from tests.builders import NOON
from tests.farm import Farm, Reply, farm
from tests.test_site import post
from tests.world import World, feed_at, files_of


@pytest.fixture
def blogs() -> Iterator[list[Farm]]:
    with ExitStack() as stack:
        yield [stack.enter_context(farm(f"127.0.0.{n}")) for n in (2, 3, 4)]


def read(here: World) -> int:
    """Poll, and read the links of what is new."""
    here.poll()
    policy = equipment.policy_for(here.planet)
    made = Linking(here.database, here.children, policy, here.clock).run()
    here.publish()
    return made


def link(to: str, words: str = "what they say") -> str:
    return f'<p>I have read <a href="{to}">{words}</a>, and more.</p>'


def page_of(here: World, title: str) -> str:
    found = re.search(rf'href="/(posts/[^"#]+)">{re.escape(title)}<', here.page())
    assert found is not None
    return found[1]


def test_a_link_between_members_is_a_thought_without_a_ping(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1#c"))))

    assert read(here) == 1

    html = here.post("Question")
    assert re.search(r"Links here:</span> <a [^>]+>Answer</a>", html)
    assert "I have read <mark>what they say</mark>, and more." in html
    assert not [seen for seen in b.seen if seen.path == "/2"]  # its feed has said it


@pytest.mark.parametrize("spelled", ["127.0.0.2.", "127.2", "127。0.0.2"])
def test_a_link_is_found_however_its_host_is_spelled(
    world: Callable[..., World], blogs: list[Farm], spelled: str
) -> None:
    a, b, _ = blogs
    url = a.url.replace("127.0.0.2", spelled)
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{url}/1"))))

    assert read(here) == 1


def test_a_link_to_a_post_that_comes_later_is_found_then(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    assert read(here) == 0

    feed_at(a, ("/1", "Question", "x"))
    here.later(hours=2)

    assert read(here) == 1


@pytest.mark.parametrize(
    "page", [Reply(b"<p>Made by scripts</p>", headers={"Content-Type": "text/html"}), Reply(b"", 403)]
)
def test_a_link_that_only_a_feed_tells_of_stands_as_long_as_the_feed_tells_of_it(
    world: Callable[..., World], blogs: list[Farm], page: Reply
) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    read(here)
    b.routes["/2"] = page

    for _ in range(6):
        here.later(days=2).verify()
    assert store.mentions.counts(here.database)["published"] == 1
    b.routes["/2"] = Reply(b"<p>Made by scripts</p>", headers={"Content-Type": "text/html"})
    feed_at(b, ("/2", "Answer", "no more"))
    here.later(days=2)
    read(here)
    here.verify()

    assert store.mentions.counts(here.database)["retracted"] == 1


def test_a_page_that_was_announced_outranks_its_feed(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    read(here)
    b.html("/2", "<title>Answer</title>I take it back")

    assert here.ping(f"{b.url}/2", f"{a.url}/1") is Refusal.ALREADY_THERE
    here.later(minutes=11).verify()

    assert store.mentions.counts(here.database)["retracted"] == 1


def test_a_ping_of_what_a_feed_has_shown_is_the_same_row(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    read(here)

    assert here.ping(f"{b.url}/2", f"{a.url}/1") is Refusal.ALREADY_THERE
    here.publish()

    assert "Pingback:</span>" in here.post("Question")
    assert "1 thought on" in here.post("Question")


def test_a_pending_ping_and_a_feed_are_the_same_row(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b))
    here.poll()
    b.html("/2", f"<title>Answer</title>{link(f'{a.url}/1')}")
    here.ping(f"{b.url}/2", f"{a.url}/1")
    feed_at(b, ("/2", "Answer", link(f"{a.url}/1")))
    here.later(hours=2)
    read(here)
    here.verify()
    here.publish()

    assert "1 thought on" in here.post("Question")


@pytest.mark.parametrize("kind", ["own post", "blocked", "stranger's post", "another's ground", "held"])
def test_links_that_are_no_answers(world: Callable[..., World], blogs: list[Farm], kind: str) -> None:
    a, b, c = blogs
    more = {"blocked": '[linkbacks]\nblock = ["127.0.0.3"]\n', "held": '[linkbacks]\nmembers = "hold"\n'}.get(kind, "")
    target = {"own post": f"{b.url}/3", "stranger's post": f"{c.url}/1"}.get(kind, f"{a.url}/1")
    answer = "/2"
    here = world(
        feed_at(a, ("/1", "Question", "x")),
        feed_at(b, (answer, "Answer", link(target)), ("/3", "Other", "x")),
        more=more,
    )
    if kind == "another's ground":
        here = world(
            feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/3", "Other", "x")), feed_at(c, ("/9", "C", "x"))
        )
        body = c.routes["/feed"]
        c.routes["/feed"] = type(body)(
            body.body.replace(b"/9", b"/9")
            .replace(f"{c.url}/9".encode(), f"{b.url}/9".encode())
            .replace(b"x</desc", b"<p>" + link(target).replace("<", "&lt;").encode() + b"</p></desc")
        )  # type: ignore[union-attr, call-arg]

    read(here)

    assert "No thoughts on this yet" in here.post("Question")


def test_a_link_that_an_edit_removes_goes(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    read(here)
    b.html("/2", "<p>I have thought better of it</p>")
    feed_at(b, ("/2", "Answer", "I have thought better of it"))

    here.later(hours=2)
    read(here)
    here.verify()
    here.publish()

    assert "No thoughts on this yet" in here.post("Question")


def three(world: Callable[..., World], blogs: list[Farm]) -> World:
    """B answers A, and C answers both."""
    a, b, c = blogs
    here = world(
        feed_at(a, ("/1", "Question", "x")),
        feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))),
        feed_at(c, ("/3", "Summary", link(f"{a.url}/1", "the question") + link(f"{b.url}/2", "the answer"))),
    )
    read(here)
    return here


def conversation_page(here: World) -> str:
    [path] = (here.planet.public / "conversations").glob("*/index.html")
    return path.read_text()


def test_posts_that_link_to_each_other_are_one_conversation(world: Callable[..., World], blogs: list[Farm]) -> None:
    here = three(world, blogs)

    html = conversation_page(here)

    assert "3 posts of 3 blogs" in html
    assert html.count("answers <a") == 3
    assert "<mark>the answer</mark>" in html
    assert html.count('rel="pingback"') == 1
    for title in ("Question", "Answer", "Summary"):
        assert f'href="/{page_of(here, title)}"' in html
        assert "The whole conversation: 3 posts of 3 blogs" in here.post(title)


def test_a_conversation_may_be_answered_itself(world: Callable[..., World], blogs: list[Farm]) -> None:
    here = three(world, blogs)
    [folder] = (here.planet.public / "conversations").glob("[0-9]*")

    here.ping(blogs[0].html("/late", "x"), f"{here.planet.masthead.url}conversations/{folder.name}/")

    assert store.mentions.counts(here.database)["pending"] == 1


def test_a_conversation_that_ends_has_no_page(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, _ = blogs
    here = world(feed_at(a, ("/1", "Question", "x")), feed_at(b, ("/2", "Answer", link(f"{a.url}/1"))))
    read(here)
    assert conversation_page(here)

    with store.transaction(here.database):
        store.moderation.block(here.database, "127.0.0.3", here.now)
    here.publish()

    assert not list((here.planet.public / "conversations").glob("*/index.html"))
    assert "The whole conversation" not in here.post("Question") + here.post("Answer")


def test_two_conversations_that_meet_are_one(world: Callable[..., World], blogs: list[Farm]) -> None:
    a, b, c = blogs
    here = world(
        feed_at(a, ("/1", "Question", "x")),
        feed_at(b, ("/2", "Other question", "x")),
        feed_at(c, ("/3", "First", link(f"{a.url}/1")), ("/4", "Second", link(f"{b.url}/2"))),
    )
    read(here)
    before = len(list((here.planet.public / "conversations").glob("*/index.html")))

    feed_at(b, ("/2", "Other question", "x"), ("/5", "Bridge", link(f"{c.url}/3") + link(f"{c.url}/4")))
    here.later(hours=2)
    read(here)

    assert before == 2
    assert "5 posts of 3 blogs" in conversation_page(here)


def test_a_blog_that_leaves_leaves_its_conversations(world: Callable[..., World], blogs: list[Farm]) -> None:
    here = three(world, blogs)
    kept = tuple(feed for feed in here.planet.subscriptions if "127.0.0.4" not in feed.url)
    store.feeds.subscribe(here.database, kept, here.now)

    here.publish()

    assert "2 posts of 2 blogs" in conversation_page(here)
    assert "Summary" not in conversation_page(here)


def test_a_site_with_conversations_equals_one_rebuilt_from_the_store(
    world: Callable[..., World], blogs: list[Farm], tmp_path: Path
) -> None:
    here = three(world, blogs)

    assert here.rebuilt(tmp_path / "again") == files_of(here.planet.public)


def test_a_blog_that_talks_to_itself_is_no_conversation() -> None:
    posts = [post(1), post(2)]

    assert conversation(posts, [Answer(2, 1, ("", "", ""))]) is None


def test_a_post_of_two_feeds_is_one_in_a_conversation() -> None:
    other = Blog(id=2, slug="b2", name="Other", url="https://b2.example/feed", home="https://b2.example/")
    copies = [post(1, url="https://b1.example/1"), post(2, url="https://b1.example/1"), post(3, blog=other)]

    talk = conversation(copies, [Answer(3, 1, ("", "", "")), Answer(3, 2, ("", "", ""))])

    assert talk is not None
    assert [each.id for each in talk.posts] == [1, 3]
    assert talk.answers == (Answer(3, 1, ("", "", "")),)
    assert talk.posts[0].shown_at == NOON


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (f"SELECT 1 {store.outlinks._UNREAD}", "SCAN to_link"),
        (store.outlinks._TO, "outlink_target"),
        (store.conversations._AROUND, "entry_url"),
    ],
)
def test_queries_of_links_use_an_index(world: Callable[..., World], blogs: list[Farm], query: str, index: str) -> None:
    here = world(feed_at(blogs[0]))
    plan = here.database.execute(f"EXPLAIN QUERY PLAN {query.replace('?', '1')}").fetchall()

    assert index in " ".join(row[3] for row in plan)


def test_conversations_are_listed_with_who_takes_part(world: Callable[..., World], blogs: list[Farm]) -> None:
    here = three(world, blogs)

    page = here.page("conversations/index.html")

    [path] = (here.planet.public / "conversations").glob("*/index.html")
    assert f'href="/conversations/{path.parent.name}/"' in page
    assert page.count('<span class="face') == 3
    assert "3 posts" in page


def test_a_conversation_that_begins_and_ends_between_known_posts_is_on_the_map_as_long_as_it_lasts(
    world: Callable[..., World], web: Farm, elsewhere: Farm
) -> None:
    question, answer = f"{web.url}/1", f"{elsewhere.url}/2"
    here = world(feed_at(web, ("/1", "Question", "x")), feed_at(elsewhere, ("/2", "Answer", "y")))
    here.poll()
    for _ in range(3):
        here.publish()
        here.later(minutes=1)
    assert not re.search(r"conversations/\d", here.page("sitemaps/pages.xml"))

    here.ping(elsewhere.html("/2", f'<title>Answer</title><a href="{question}">x</a>'), question)
    here.verify()
    for _ in range(2):
        here.later(minutes=1).publish()
    begun = here.page("sitemaps/pages.xml")
    with store.transaction(here.database):
        store.mentions.purge(here.database, answer, here.now)
    for _ in range(2):
        here.later(minutes=1).publish()

    assert re.search(r"conversations/\d", begun)
    assert not re.search(r"conversations/\d", here.page("sitemaps/pages.xml"))

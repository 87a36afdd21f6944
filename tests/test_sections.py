"""The pages that gather posts, from the wire to the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from aggregator import store
from aggregator.serve.events import posts_on
from jobs import equipment, rendering
from jobs.faces import fetch_faces
from jobs.gather import Gathering
from jobs.link import Linking
from jobs.portraits import portrait
from jobs.publish import Publisher, take_in
from tests.builders import NOON, entry, hours_ago, planet, stored
from tests.farm import Farm, Reply, farm
from tests.world import World, feed_at, files_of

Worlds = Callable[..., World]
TOPICS = '[[topics]]\nname = "Down time"\nmatch = ["downtime", "hl7.org/fhir"]\n'


@pytest.fixture
def other() -> Iterator[Farm]:
    with farm("127.0.0.2") as made:
        yield made


def many(here: World, count: int, **fields: object) -> list[int]:
    """Posts of the first blog, an hour apart, the newest now."""
    [blog, *_] = store.feeds.blogs(here.database)
    ids = range(count)
    return stored(
        here.database,
        blog.id,
        *(entry(f"p{n}", title=f"Post {n}", published_at=hours_ago(count - n), **fields) for n in ids),
    )


def titles_of(page: str) -> list[str]:
    return re.findall(r'<h3[^>]*><a class="u-url p-name" href="[^"]+">([^<]+)</a>', page)


def faceless(world: Worlds, web: Farm, more: str = "[page]\nentries = 10\nper_feed_per_day = 100\n") -> World:
    here = world(feed_at(web), more=more)
    here.poll()
    return here


# -- numbered pages ----------------------------------------------------------------------------------


def test_every_post_stands_on_a_numbered_page(world: Worlds, web: Farm) -> None:
    here = faceless(world, web)
    many(here, 35)

    here.publish()

    pages = [titles_of(here.page(f"page/{number}/index.html")) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [10, 10, 10, 5]
    assert pages[0][-1] == "Post 0"
    assert not (here.planet.public / "page/5").exists()


def test_a_numbered_page_stays_what_it_was(world: Worlds, web: Farm) -> None:
    here = faceless(world, web)
    many(here, 35)
    here.publish()
    before = [here.page(f"page/{number}/index.html") for number in (1, 2, 3)]

    [blog] = store.feeds.blogs(here.database)
    stored(here.database, blog.id, *(entry(f"new{n}", title=f"New {n}", published_at=NOON) for n in range(3)))
    here.publish()

    assert [here.page(f"page/{number}/index.html") for number in (1, 2, 3)] == before
    assert len(titles_of(here.page("page/4/index.html"))) == 8


def test_a_post_that_comes_late_joins_the_page_of_its_time(world: Worlds, web: Farm) -> None:
    here = faceless(world, web)
    many(here, 35)
    here.publish()

    [blog] = store.feeds.blogs(here.database)
    stored(here.database, blog.id, entry("late", title="Late", published_at=hours_ago(31.5)))
    here.publish()

    assert "Late" in titles_of(here.page("page/1/index.html"))
    assert len(titles_of(here.page("page/2/index.html"))) == 10


def test_the_front_page_goes_on_where_it_ends(world: Worlds, web: Farm) -> None:
    here = faceless(world, web)
    many(here, 35)

    here.publish()

    older = re.search(r'rel="next" href="/(page/\d+/)#(post-\d+)"', here.page())
    assert older is not None
    assert titles_of(here.page())[-1] == "Post 25"
    page = here.page(f"{older[1]}index.html")
    after = page[page.index(f'id="{older[2]}"') :]
    assert titles_of(after)[0] == "Post 24"


def test_posts_of_one_instant_are_on_one_page(world: Worlds, web: Farm) -> None:
    here = faceless(world, web)
    [blog] = store.feeds.blogs(here.database)
    stored(here.database, blog.id, *(entry(f"{n}", title=f"Post {n}") for n in range(25)))

    here.publish()

    assert len(titles_of(here.page("page/1/index.html"))) == 25


# -- months, sitemap ---------------------------------------------------------------------------------


def test_a_month_lists_its_titles_in_the_planets_zone(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web), more="")
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    stored(here.database, blog.id, entry("a", title="October", published_at=hours_ago(24 * 22)), entry("b"))

    here.publish()

    assert "October" in here.page("archive/2026/10/index.html")
    assert "Post b" in here.page("archive/2026/11/index.html")
    assert re.findall(r'href="/archive/(\d{4}/\d\d)/"', here.page("archive/index.html")) == ["2026/11", "2026/10"]


def test_a_month_without_posts_has_no_page(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))
    here.poll()
    [id] = many(here, 1)
    here.publish()
    assert "Post 0" in here.page("archive/2026/11/index.html")

    with store.transaction(here.database):
        store.gone.remove(here.database, [id], "removed at its source")
    here.publish()

    assert not (here.planet.public / "archive/2026/11").exists()
    assert "2026" not in re.sub("2026<", "", here.page("archive/index.html").split("<main")[1].split("</main")[0])


def test_the_sitemap_names_every_post(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y")))
    here.poll()
    here.publish()

    listed = re.findall(r"<loc>http://planet.test/(sitemaps/\d+.xml)</loc>", here.page("sitemap.xml"))
    assert len(re.findall(r"<loc>http://planet.test/posts/", here.page(listed[0]))) == 2


# -- topics ------------------------------------------------------------------------------------------


def test_a_topic_has_the_posts_with_its_words_or_links(world: Worlds, web: Farm) -> None:
    here = world(
        feed_at(
            web,
            ("/1", "Downtime again", "x"),
            ("/2", "By link", '<a href="https://www.hl7.org/fhir/x">y</a>'),
            ("/3", "Neither", "z"),
        ),
        more=TOPICS,
    )
    here.poll()
    here.publish()

    page = here.page("topics/down-time/index.html")
    assert sorted(titles_of(page)) == ["By link", "Downtime again"]
    assert "2 posts</span>" in here.page("topics/index.html") or "2 posts" in here.page("topics/index.html")
    assert 'href="/topics/down-time/">Down time</a>' in here.post("Downtime again")
    assert "Downtime again" in here.page("topics/down-time/feed.atom")


def test_a_topic_follows_edits_and_removals(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Downtime", "x"), ("/2", "Other", "y")), more=TOPICS)
    here.poll()
    here.publish()

    feed_at(web, ("/1", "Uptime", "x"), ("/2", "Other downtime", "y"))
    here.later(hours=2).poll()
    here.publish()

    assert titles_of(here.page("topics/down-time/index.html")) == ["Other downtime"]


def test_a_publisher_that_is_killed_midway_forgets_no_page(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Downtime", "x")), more=TOPICS)
    here.poll()
    here.publish()
    [facts] = store.health.entries_at(here.database, f"{web.url}/1")
    with store.transaction(here.database):
        store.gone.remove(here.database, [facts.id], "removed at its source")
    stale = store.stale.some(here.database, 10)
    gathering = Gathering(here.database, rendering.renderer_for(here.planet), here.now)
    with store.transaction(here.database):
        prepared = store.search.prepare(here.database, stale.posts)
        take_in(here.database, gathering, prepared, stale.posts, stale.spots)

    here.publish()  # by the one that comes after it

    for name, content in files_of(here.planet.public).items():
        assert b"Downtime" not in content, name


def test_a_topic_lasts_from_its_first_day_to_its_last(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web), more=f"{TOPICS}from = 2026-11-21\nto = 2026-11-21\n")
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    days = {"before": 47, "on": 20, "after": 2}
    stored(
        here.database, blog.id, *(entry(n, title=f"downtime {n}", published_at=hours_ago(h)) for n, h in days.items())
    )

    here.publish()

    assert titles_of(here.page("topics/down-time/index.html")) == ["downtime on"]


def test_a_topic_that_left_the_configuration_leaves_the_site(world: Worlds, web: Farm, tmp_path: Path) -> None:
    address = feed_at(web, ("/1", "Downtime", "x"))
    here = world(address, more=TOPICS)
    here.poll()
    here.publish()

    here.configure(planet(tmp_path, [address]))
    here.publish()

    assert not (here.planet.public / "topics").exists()
    assert "Down time" not in here.post("Downtime")


# -- weeks -------------------------------------------------------------------------------------------


def test_a_week_tells_what_was_discussed_and_linked(world: Worlds, web: Farm, other: Farm) -> None:
    link = '<p><a href="https://rule.test/final">the final rule</a></p>'
    one = feed_at(web, ("/1", "Question", link))
    two = feed_at(other, ("/2", "Answer", f'{link}<a href="{web.url}/1">x</a>'))
    other.html("/2", f'<a href="{web.url}/1">x</a>')
    here = world(one, two)
    here.poll()
    here.ping(f"{other.url}/2", f"{web.url}/1")
    here.verify()

    here.publish()

    page = here.page("weekly/2026-47/index.html")
    assert "2 posts · 1 thought · 2 blogs" in page
    assert re.search(r"Most discussed</h2><ol>\s*<li><h3[^>]*><a href=\"/posts/\d+-question/\">Question", page)
    assert '<a href="https://rule.test/final" rel="nofollow noopener">the final rule</a>' in page
    text = here.page("weekly/2026-47/mail.txt")
    assert "MOST DISCUSSED\n\n1. Question" in text
    assert "&" not in text
    assert "the final rule" in here.page("weekly/2026-47/mail.html")
    assert "2026-47" in here.page("weekly/index.html")


def test_a_week_that_is_over_is_an_item_of_the_weekly_feed(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    stored(here.database, blog.id, entry("a", published_at=hours_ago(24 * 8)), entry("b"))

    here.publish()

    feed = here.page("weekly/feed.atom")
    assert feed.count("<entry>") == 1
    assert "weekly/2026-46/" in feed


def test_a_blog_that_comes_back_after_silence_is_told_of(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    stored(
        here.database, blog.id, entry("old", published_at=NOON - timedelta(days=400)), entry("new", title="I am back")
    )

    here.publish()

    page = here.page("weekly/2026-47/index.html")
    assert "Back after silence" in page
    assert "I am back" in page


# -- blogs -------------------------------------------------------------------------------------------


def test_a_blogs_page_shows_its_posts_ties_and_doctor(world: Worlds, web: Farm, other: Farm) -> None:
    one = feed_at(web, ("/1", "Question", "x"))
    two = feed_at(other, ("/2", "Answer", f'<a href="{web.url}/1">x</a>'))
    other.html("/2", f'<a href="{web.url}/1">x</a>')
    here = world(f'\n[[feeds]]\nurl = "{one}"\nname = "Asker"\n', f'\n[[feeds]]\nurl = "{two}"\nname = "Answerer"\n')
    here.poll()
    here.ping(f"{other.url}/2", f"{web.url}/1")
    here.verify()

    here.publish()

    page = here.page("blogs/asker/index.html")
    assert titles_of(page) == ["Question"]
    assert re.search(r'Who links to it</h2>.*?href="/blogs/answerer/">Answerer', page, re.DOTALL)
    assert re.search(
        r'It links to</h2>.*?href="/blogs/asker/">Asker', here.page("blogs/answerer/index.html"), re.DOTALL
    )
    assert "healthy" in page
    assert "The last poll" in page
    assert re.search(r"<dt[^>]*>Question</dt><dd>shown at /posts/", page)
    assert "<b>" not in here.page("blogs/asker/feed.atom")
    assert here.page("blogs/asker/feed.json").count('"url"') == 1


def test_a_blogs_page_says_why_its_feed_cannot_be_read(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.publish()
    web.routes["/feed"] = Reply(b"", 503)
    here.later(hours=2).poll()

    here.publish()

    [blog] = store.feeds.blogs(here.database)
    page = here.page(f"blogs/{blog.slug}/index.html")
    assert "can’t be read" in page
    assert "503" in page
    assert "is-failing" in here.page("status/index.html")


def test_a_blog_without_posts_is_listed_as_soon_as_it_is_configured(world: Worlds, web: Farm, tmp_path: Path) -> None:
    address = feed_at(web, ("/1", "One", "x"))
    here = world(address)
    here.poll()
    here.publish()

    here.configure(planet(tmp_path, [address, '\n[[feeds]]\nurl = "http://127.0.0.1:9/feed"\nname = "The new one"\n']))
    here.publish()

    assert "The new one" in here.page("blogs/index.html")
    assert "The new one" in here.page("opml.xml")
    assert "The new one" in here.page("status/index.html")


def test_a_blog_that_leaves_takes_its_pages_with_it(world: Worlds, web: Farm, other: Farm, tmp_path: Path) -> None:
    one, two = feed_at(web, ("/1", "One", "x")), feed_at(other, ("/2", "Two", "x"))
    here = world(one, two)
    here.poll()
    here.publish()
    gone = next(blog for blog in store.feeds.blogs(here.database) if blog.url == two)

    here.configure(planet(tmp_path, [one]))
    here.publish()

    assert not (here.planet.public / f"blogs/{gone.slug}").exists()
    for name, content in files_of(here.planet.public).items():
        assert b">Two<" not in content, name


# -- faces -------------------------------------------------------------------------------------------


def picture(format: str = "PNG", side: int = 200) -> bytes:
    made = BytesIO()
    Image.new("RGB", (side, side), "teal").save(made, format)
    return made.getvalue()


def test_a_face_is_fetched_made_small_and_served_by_us(world: Worlds, web: Farm, children: object) -> None:
    feed = feed_at(web, ("/1", "One", "x"))
    web.routes["/me.png"] = Reply(picture(), headers={"Content-Type": "image/png"})
    here = world(f'\n[[feeds]]\nurl = "{feed}"\nface = "{web.url}/me.png"\n')
    here.poll()

    with equipment.engine_for(here.planet) as engine:
        assert fetch_faces(here.database, engine, here.children, here.clock) == 1
        assert fetch_faces(here.database, engine, here.children, here.clock) == 0
    here.publish()

    [name] = re.findall(r'<img class="face" src="/faces/([0-9a-f]+\.webp)"', here.page())[:1]
    small = Image.open(BytesIO((here.planet.public / "faces" / name).read_bytes()))
    assert (small.format, small.size) == ("WEBP", (96, 96))
    assert web.url not in re.sub(r"<article.*?</article>", "", here.page(), flags=re.DOTALL).split("<aside")[0]


def test_a_face_that_feeds_name_is_used_and_trouble_is_no_haste(world: Worlds, web: Farm) -> None:
    body = feed_at(web, ("/1", "One", "x"))
    reply = web.routes["/feed"]
    assert isinstance(reply, Reply)
    image = f"<image><url>{web.url}/logo.png</url><title>x</title><link>{web.url}/</link></image><item>".encode()
    web.routes["/feed"] = Reply(reply.body.replace(b"<item>", image, 1), headers=reply.headers)
    here = world(body)
    here.poll()

    with equipment.engine_for(here.planet) as engine:
        for _ in range(3):
            fetch_faces(here.database, engine, here.children, here.clock)
        assert [seen.path for seen in web.seen].count("/logo.png") == 1
        web.routes["/logo.png"] = Reply(picture("GIF"))
        here.later(days=3)
        assert fetch_faces(here.database, engine, here.children, here.clock) == 1


@pytest.mark.parametrize("body", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", picture()[:60]])
def test_what_is_no_picture_is_no_face(body: bytes) -> None:
    assert portrait(body) is None


def test_a_picture_of_too_many_pixels_is_no_face() -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")

    assert portrait(bomb) is None


# -- erasure -----------------------------------------------------------------------------------------


def test_a_purged_post_leaves_nothing_in_any_file(world: Worlds, web: Farm) -> None:
    text = 'about zebrafinches and birds <a href="https://zebrafinch.test/">zebrafinch</a>'
    here = world(
        feed_at(web, ("/1", "Zebrafinch heading", text), ("/2", "Other", "y")),
        more='[[topics]]\nname = "Birds"\nmatch = ["birds"]\n',
    )
    here.poll()
    here.publish()
    assert "Zebrafinch heading" in here.page("topics/birds/index.html")
    [facts] = store.health.entries_at(here.database, f"{web.url}/1")

    with store.transaction(here.database):
        store.gone.bury(here.database, facts.id, here.now)
    here.publish()
    store.gone.erase(here.database)

    for path in here.planet.data.rglob("*"):
        assert not path.is_file() or b"zebrafinch" not in path.read_bytes().lower(), path
    assert store.pages.forgotten(here.database) == 1


@pytest.fixture
def talk(world: Worlds, web: Farm, other: Farm) -> Iterator[tuple[World, Farm]]:
    """Three blogs, of which the second answers the first and the third the second, two weeks after the first post."""
    with farm("127.0.0.3") as third:
        addresses = [
            feed_at(web, ("/1", "Question", "about downtime")),
            feed_at(other, ("/2", "Answer", f'<a href="{web.url}/1">the zebrafinch question</a>')),
            feed_at(third, ("/3", "Retort", f'<a href="{other.url}/2">the answer</a>')),
        ]
        here = world(*addresses, more=TOPICS)
        here.poll()
        linking = Linking(here.database, here.children, equipment.policy_for(here.planet), here.clock)
        linking.run()
        here.database.execute(
            "UPDATE entry SET shown_at = ? WHERE title = 'Question'", [f"{NOON - timedelta(days=15):%FT%T}.000000Z"]
        )
        here.publish()
        assert "3 posts of 3 blogs" in here.post("Retort")
        yield here, third


def id_of(here: World, title: str) -> int:
    return int(here.database.execute("SELECT id FROM entry WHERE title = ?", [title]).fetchone()[0])


def links_of(here: World) -> set[str]:
    """Links on any page that lead to no file."""
    files = files_of(here.planet.public)
    names = {name.removesuffix("index.html") for name in files}
    dynamic = ("search", "webmention", "test-ping", "events")
    found = {
        link
        for name, content in files.items()
        if name.endswith(".html")
        for link in re.findall(r'href="/([^"#?]*)', content.decode())
    }
    return {link for link in found if link not in names and not link.startswith(dynamic)}


def test_a_post_that_goes_takes_its_words_from_everywhere_and_ends_its_conversation(talk: tuple[World, Farm]) -> None:
    here, _ = talk
    with store.transaction(here.database):
        store.gone.remove(here.database, [id_of(here, "Answer")], "removed at its source")
    here.publish()

    for name, content in files_of(here.planet.public).items():
        assert b"zebrafinch" not in content, name
    assert "No thoughts on this yet" in here.post("Question")
    assert links_of(here) == set()


def test_a_purged_post_leaves_the_weeks_in_which_it_was_talked_about(talk: tuple[World, Farm]) -> None:
    here, _ = talk
    assert "Question" in here.page("weekly/2026-47/index.html")  # its own is 2026-45
    with store.transaction(here.database):
        store.gone.bury(here.database, id_of(here, "Question"), here.now)

    here.publish()

    for name, content in files_of(here.planet.public).items():
        assert b"Question" not in content, name
    assert links_of(here) == set()


def test_a_feed_that_leaves_leaves_no_dead_link(talk: tuple[World, Farm], tmp_path: Path) -> None:
    here, _ = talk
    kept = [feed.url for feed in here.planet.subscriptions if not feed.url.startswith("http://127.0.0.2")]

    here.configure(planet(tmp_path, kept, more=TOPICS))
    here.publish()

    assert links_of(here) == set()
    assert here.rebuilt(tmp_path / "again") == files_of(here.planet.public)


def test_a_feed_that_comes_back_brings_its_conversation_back(talk: tuple[World, Farm], tmp_path: Path) -> None:
    here, _ = talk
    every = [feed.url for feed in here.planet.subscriptions]
    here.configure(planet(tmp_path, [every[0], every[2]], more=TOPICS))
    here.publish()

    here.configure(planet(tmp_path, every, more=TOPICS))
    here.publish()

    assert "3 posts of 3 blogs" in here.post("Question")
    assert here.rebuilt(tmp_path / "again") == files_of(here.planet.public)


def test_a_renamed_blog_has_its_new_name_everywhere(talk: tuple[World, Farm], tmp_path: Path) -> None:
    here, _ = talk
    one, two, three = (feed.url for feed in here.planet.subscriptions)

    here.configure(planet(tmp_path, [one, f'\n[[feeds]]\nurl = "{two}"\nname = "New name"\n', three], more=TOPICS))
    here.publish()

    assert "<b>New name</b>" in here.post("Question")
    assert here.rebuilt(tmp_path / "again") == files_of(here.planet.public)


def test_weeks_lead_to_the_weeks_that_there_are(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    weeks = {"old": 21, "middle": 14, "new": 1}
    ids = stored(here.database, blog.id, *(entry(n, published_at=hours_ago(24 * d)) for n, d in weeks.items()))
    here.publish()
    assert 'href="/weekly/2026-45/"' in here.page("weekly/2026-47/index.html")

    with store.transaction(here.database):
        store.gone.remove(here.database, [ids[1]], "removed at its source")
    here.publish()

    assert 'rel="prev" href="/weekly/2026-44/"' in here.page("weekly/2026-47/index.html")
    assert links_of(here) == set()


def test_an_open_page_is_told_of_exactly_the_posts_that_it_shows(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web))
    here.poll()
    [blog] = store.feeds.blogs(here.database)
    lure = '<li data-post="77">and</li> <code>data-post="78"</code> &lt;li data-post="79">'
    posts = [
        entry(str(n), title=lure, html=f"<p>{lure}</p>", lede=lure, published_at=hours_ago(n / 100)) for n in range(60)
    ]
    stored(here.database, blog.id, *posts)
    here.publish()

    shown = {id for [id] in here.database.execute("SELECT id FROM entry")}

    assert sorted(posts_on(here.page().encode())) == sorted(shown)
    assert len(shown) == 60
    assert "57 more from" in here.page()


def test_a_blog_that_was_never_read_has_no_dead_link(world: Worlds, web: Farm) -> None:
    here = world(f"{web.url}/nothing")
    here.poll()
    here.publish()

    assert links_of(here) == set()


# -- the whole ---------------------------------------------------------------------------------------


class _Stopped(Exception):
    pass


def stopped_while_publishing(here: World) -> None:
    """Publish until files are written, and be stopped before anybody notes it."""

    class Stopped(Publisher):
        def _replace(self, files: dict[str, bytes], gone: Sequence[str], _settle: Callable[[], None]) -> int:
            def stop() -> None:
                raise _Stopped

            return super()._replace(files, gone, stop)

    renderer = rendering.renderer_for(here.planet)
    with pytest.raises(_Stopped):
        Stopped(here.database, renderer, here.planet.public, here.clock).publish()


def test_a_page_that_was_written_and_never_noted_goes_with_its_post(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    here.publish()
    feed_at(web, ("/1", "One", "x"), ("/2", "Zebrafinch", "zebrafinch"))
    here.later(hours=2).poll()
    stopped_while_publishing(here)
    assert "Zebrafinch" in here.page()

    with store.transaction(here.database):
        store.gone.bury(here.database, id_of(here, "Zebrafinch"), here.now)
    here.publish()

    for name, content in files_of(here.planet.public).items():
        assert b"ebrafinch" not in content, name


def test_an_edit_that_was_written_and_never_noted_is_undone(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "right")))
    here.poll()
    here.publish()
    feed_at(web, ("/1", "One", "wrong"))
    here.later(hours=2).poll()
    stopped_while_publishing(here)

    feed_at(web, ("/1", "One", "right"))
    here.later(hours=2).poll()
    here.publish()

    assert "right" in here.post("One")
    assert "wrong" not in here.post("One")


def test_sections_wait_their_turn_and_posts_do_not(world: Worlds, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    instants = iter([NOON, NOON] + [NOON + timedelta(seconds=10 * n) for n in range(1, 500)])
    publisher = Publisher(
        here.database, rendering.renderer_for(here.planet), here.planet.public, lambda: next(instants)
    )
    publisher.publish()
    feed_at(web, ("/1", "One", "x"), ("/2", "Two", "y"))
    here.later(hours=2).poll()

    publisher.publish()

    assert "Two" in here.page()
    assert "Two" not in here.page("archive/2026/11/index.html")


def test_a_site_with_everything_equals_one_rebuilt_from_the_store(
    world: Worlds, web: Farm, other: Farm, tmp_path: Path
) -> None:
    one = feed_at(web, ("/1", "Downtime", "x"))
    two = feed_at(other, ("/2", "Answer", f'<a href="{web.url}/1">x</a>'))
    other.html("/2", f'<a href="{web.url}/1">x</a>')
    here = world(one, two, more=f"[page]\nentries = 10\n{TOPICS}")
    here.poll()
    here.publish()
    many(here, 25)
    here.ping(f"{other.url}/2", f"{web.url}/1")
    here.verify()
    here.publish()
    feed_at(web, ("/1", "Uptime", "x"))
    feed_at(other, ("/2", "Answer!", f'<a href="{web.url}/1">x</a>'))
    here.later(hours=3).poll()
    here.publish()

    published = files_of(here.planet.public)
    rebuilt = here.rebuilt(tmp_path / "again")
    assert {name for name in published | rebuilt if published.get(name) != rebuilt.get(name)} == set()

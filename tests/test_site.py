from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import feedparser
import pytest

from aggregator.errors import StoreFailed
from aggregator.model import Blog, Masthead, Mention, Post, Status, Thought
from aggregator.overview import Census, Front
from aggregator.site import Look, Renderer, folder, words
from tests.builders import NOON, hours_ago

MASTHEAD = Masthead(
    title="Planet & Test", url="https://planet.example/", description="About <us>", timezone="Europe/Berlin"
)
NASTY = "\"'><script>alert(1)</script>\x00\x1b]]>&\u202e"


def blog(id: int = 1, name: str = "The Blog") -> Blog:
    return Blog(id=id, slug=f"b{id}", name=name, url=f"https://b{id}.example/feed", home=f"https://b{id}.example/")


def post(id: int = 1, **fields: object) -> Post:
    values: dict[str, object] = {
        "slug": "post",
        "blog": blog(),
        "guid": str(id),
        "url": f"https://b1.example/{id}",
        "title": f"Post {id}",
        "author": "Ann",
        "html": "<p>Text &amp; more</p>",
        "lede": "Text & more",
        "words": 500,
        "language": "de",
        "tags": ("FHIR",),
        "shown_at": NOON,
        "published_at": NOON,
        "updated_at": None,
        "content": None,
    }
    return Post(id=id, **{**values, **fields})  # type: ignore[arg-type]


def thought(number: int = 1, **fields: object) -> Thought:
    values: dict[str, object] = {
        "kind": "pingback",
        "url": "https://answer.example/x",
        "title": "An answer – The Other Blog",
        "blog": "The Other Blog",
        "at": NOON,
        "excerpt": ("they say ", "this", ", and more"),
    }
    return Thought(number=number, **{**values, **fields})  # type: ignore[arg-type]


def renderer(masthead: Masthead = MASTHEAD, **look: object) -> Renderer:
    return Renderer(Look(masthead, **look))  # type: ignore[arg-type]


def river(posts: list[Post], blogs: list[Blog], made: Renderer | None = None) -> dict[str, bytes]:
    """The front page with its feeds, and what tells of the blogs."""
    made = made or renderer()
    census = Census(len(blogs), len(blogs))
    return {**made.sections.blogs(blogs, NOON), **made.river(Front(tuple(posts), tuple(blogs), census), {}, {})}


def page(files: dict[str, bytes], name: str = "index.html") -> str:
    return files[name].decode()


def test_river_is_by_day_in_the_planets_time_zone() -> None:
    posts = [post(2, shown_at=hours_ago(-11.5)), post(1, shown_at=NOON)]

    html = page(river(posts, [blog()]))

    assert re.findall(r'<h2 class="day"><time datetime="([^"]+)"', html) == ["2026-11-23", "2026-11-22"]
    assert "Monday, November 23, 2026" in html
    assert ">12:30\u202fAM</time>" in html


def test_surplus_of_a_prolific_blog_is_folded() -> None:
    posts = [post(id) for id in range(9, 2, -1)]

    html = page(river(posts, [blog()], renderer(per_feed_per_day=3)))

    assert html.count("<article") == 3
    assert "4 more from The Blog" in html
    assert "Post 3" in html


def test_an_empty_planet_says_that_it_is_young() -> None:
    html = page(river([], [blog()]))

    assert "The first posts are on their way" in html


def test_only_pages_that_may_be_pinged_name_the_endpoint() -> None:
    assert 'rel="pingback"' not in page(river([post()], []))
    html = page(renderer().post(post(), []), "posts/1-post/index.html")
    assert re.findall(r'<link rel="pingback" href="([^"]+)" ?/?>', html) == ["https://planet.example/xmlrpc"]
    assert html.count('pingback"') == 1


def test_thoughts_are_numbered_and_their_kind_is_named() -> None:
    html = page(renderer().post(post(), [thought(1), thought(2, blog="x.example")]), "posts/1-post/index.html")

    assert "2 thoughts on “Post 1”" in html
    assert 'id="thought-2"' in html
    assert re.search(r"Pingback:</span> <a [^>]+>An answer</a>", html)
    assert "they say <mark>this</mark>, and more" in html
    assert html.index("The Other Blog</b>") < html.index("x.example</b>")


def test_excerpts_lead_to_the_blog() -> None:
    html = page(renderer(content="excerpt").post(post(), []), "posts/1-post/index.html")

    assert "<p>Text &amp; more</p></div>" in html
    assert "Read on at The Blog" in html


@pytest.mark.parametrize(
    "name",
    ["index.html", "about/index.html", "opml.xml", "foaf.rdf", "feed.atom", "feed.rss", "posts/1-post/index.html"],
)
def test_nothing_that_strangers_write_acts(name: str) -> None:
    nasty = Blog(
        id=1, slug="b", name=NASTY, url="https://b.example/feed?a=1&b=2", home='https://b.example/?"x', tags=(NASTY,)
    )
    made = post(blog=nasty, title=NASTY, author=NASTY, lede=NASTY, tags=(NASTY,), guid=NASTY)
    line = thought(title=NASTY, blog=NASTY, excerpt=(NASTY, NASTY, NASTY))
    front = Front((made,), (nasty,))

    files = {
        **renderer().sections.blogs([nasty], NOON),
        **renderer().river(front, {1: [line]}, {}),
        **renderer().post(made, [line]),
    }
    text = files[name].decode()

    assert re.findall("<script[^>]*>", text) == re.findall('<script src="/static/planet.js[^>]*>', text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)
    assert not re.search(r'"><script|\'><script', text)
    if not name.endswith("html"):
        ElementTree.fromstring(text)


def test_atom_feed_reads_back() -> None:
    posts = [post(1, thoughts=3), post(2, title="", updated_at=NOON + timedelta(hours=1), url="")]

    parsed = feedparser.parse(river(posts, [blog()])["feed.atom"])

    assert not parsed.bozo
    assert parsed.feed.title == "Planet & Test"
    assert parsed.feed.updated == "2026-11-22T13:00:00Z"
    one, two = parsed.entries
    assert (one.title, one.link, one.author) == ("Post 1", "https://b1.example/1", "Ann")
    assert one.content[0].value == "<p>Text &amp; more</p>"
    assert one.source.id == "https://b1.example/feed"
    assert two.title == "Text & more"
    assert two.link == "https://planet.example/posts/2-post/"
    assert one.id.startswith("urn:uuid:")
    assert one.id != two.id


def test_opml_reads_back() -> None:
    root = ElementTree.fromstring(river([], [blog(1), blog(2, "B & C")])["opml.xml"])

    assert [outline.get("text") for outline in root.iter("outline")] == ["The Blog", "B & C"]
    assert [outline.get("xmlUrl") for outline in root.iter("outline")] == [
        "https://b1.example/feed",
        "https://b2.example/feed",
    ]


def test_links_stay_below_the_planets_path() -> None:
    html = page(river([post()], [], renderer(Masthead(title="T", url="https://x.example/planet/"))))

    assert 'href="/planet/posts/1-post/"' in html
    assert 'href="/planet/static/planet.css' in html
    assert not re.search(r'href="/(?!planet/)', html)


def test_the_status_page_says_one_thing_for_every_reason() -> None:
    mention = Mention(
        "t", "https://s.example/<x>", "https://planet.example/posts/1-x/", Status.REJECTED, NOON, NOON, "/posts/1-x/"
    )

    html = renderer().mention(mention).decode()

    assert "could not be verified" in html
    assert "https://s.example/&lt;x&gt;" in html
    assert "<x>" not in html


def test_the_fingerprint_changes_with_what_pages_depend_on() -> None:
    assert renderer().fingerprint == renderer().fingerprint
    assert renderer().fingerprint != renderer(content="excerpt").fingerprint


@pytest.mark.parametrize(
    ("title", "shorter"),
    [
        ("A – The Blog", "A"),
        ("A | the blog", "A"),
        ("The Blog » A", "A"),
        ("A–The Blog", "A–The Blog"),
        ("The Blog", "The Blog"),
    ],
)
def test_a_blogs_name_is_taken_off_its_titles(title: str, shorter: str) -> None:
    assert words.without_blog(title, "The Blog") == shorter


def test_initials_skip_small_words() -> None:
    assert (words.initials("The Health Care Blog"), words.initials("日本"), words.initials("")) == ("HC", "日", "•")


def test_instants_are_written_in_utc() -> None:
    assert words.rfc3339(NOON.astimezone(ZoneInfo("Asia/Tokyo"))) == "2026-11-22T12:00:00Z"


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    folder.write(tmp_path, {"a/b.html": b"one", "c.html": b"c"})
    folder.write(tmp_path, {"a/b.html": b"two"})

    assert folder.read(tmp_path, "a/b.html") == b"two"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["b.html", "c.html"]


def test_a_file_that_cannot_be_written_stays_as_it_is(tmp_path: Path) -> None:
    folder.write(tmp_path, {"a.html": b"one"})
    (tmp_path / "b.html").mkdir()

    with pytest.raises(StoreFailed, match="can't be written"):
        folder.write(tmp_path, {"b.html": b"x"})

    assert folder.read(tmp_path, "a.html") == b"one"
    assert not list(tmp_path.glob(".*"))


def test_removing_a_page_removes_its_empty_folder(tmp_path: Path) -> None:
    folder.write(tmp_path, {"posts/1-x/index.html": b"x", "posts/2-x/index.html": b"x"})

    folder.remove(tmp_path, ["posts/1-x/index.html", "posts/none/index.html"])

    assert sorted(path.name for path in (tmp_path / "posts").iterdir()) == ["2-x"]

"""What feed readers get: the rules of Atom, RSS 2.0 and JSON Feed, and what programs read back."""

from __future__ import annotations

import gzip
import json
import random
import re
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

import feedparser
import listparser
import mf2py
import pytest

from aggregator.model import Enclosure, Post
from aggregator.site.feeds import FORMATS
from tests.builders import NOON
from tests.test_site import MASTHEAD, NASTY, blog, post, renderer, river, thought

ATOM = "{http://www.w3.org/2005/Atom}"
SOUND = Enclosure("https://b1.example/a.mp3", "audio/mpeg", 1_000_000)


def posts() -> list[Post]:
    return [
        post(1, title="Tom & Jerry <em>", thoughts=3, enclosures=(SOUND,)),
        post(2, title="", url="", html="", updated_at=NOON + timedelta(hours=1)),
        post(3, guid="1", title=NASTY, lede=NASTY, author=NASTY, tags=(NASTY,)),
    ]


def feed(format: str, **look: object) -> bytes:
    return river(posts(), [blog()], renderer(**look))[f"feed.{format}"]


def test_atom_has_what_rfc_4287_asks_for() -> None:
    root = ElementTree.fromstring(feed("atom", hub="https://hub.example/"))

    links = {(link.get("rel"), link.get("href")) for link in root.findall(f"{ATOM}link")}
    assert ("self", "https://planet.example/feed.atom") in links
    assert ("hub", "https://hub.example/") in links
    assert ("alternate", "https://planet.example/") in links
    for name in ("id", "title", "updated"):
        assert len(root.findall(f"{ATOM}{name}")) == 1
    for entry in root.findall(f"{ATOM}entry"):
        for name in ("id", "title", "updated", "published", "author", "source"):
            assert len(entry.findall(f"{ATOM}{name}")) == 1, name
        assert (entry.find(f"{ATOM}content") is None) != (entry.find(f"{ATOM}summary") is None)
        alternates = [link for link in entry.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert len({(link.get("type"), link.get("hreflang")) for link in alternates}) == len(alternates) == 1
        source = entry.find(f"{ATOM}source")
        assert source is not None
        assert {child.tag for child in source} >= {f"{ATOM}id", f"{ATOM}title", f"{ATOM}updated"}
        for name in ("updated", "published"):
            datetime.fromisoformat(str(entry.findtext(f"{ATOM}{name}")))
    ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids) == 3


def test_rss_has_what_its_profile_asks_for() -> None:
    root = ElementTree.fromstring(feed("rss", hub="https://hub.example/"))
    channel = root.find("channel")

    assert root.get("version") == "2.0"
    assert channel is not None
    for name in ("title", "link", "description", "language", "lastBuildDate"):
        assert len(channel.findall(name)) == 1, name
    parsedate_to_datetime(str(channel.findtext("lastBuildDate")))
    assert channel.find(f"{ATOM}link[@rel='self']") is not None
    items = channel.findall("item")
    assert len({item.findtext("guid") for item in items}) == 3
    for item in items:
        assert len(item.findall("enclosure")) <= 1
        assert item.find("guid").get("isPermaLink") == "false"  # type: ignore[union-attr]
        assert parsedate_to_datetime(str(item.findtext("pubDate"))) == NOON
    enclosure = items[0].find("enclosure")
    assert enclosure is not None
    assert set(enclosure.attrib) == {"url", "type", "length"}


def test_json_feed_has_what_version_1_1_asks_for() -> None:
    document = json.loads(feed("json", hub="https://hub.example/"))

    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == "https://planet.example/feed.json"
    assert document["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert len({item["id"] for item in document["items"]}) == 3
    for item in document["items"]:
        assert ("content_html" in item) != ("content_text" in item)
        assert all(isinstance(item[name], str) for name in ("id", "url", "title", "date_published"))
        datetime.fromisoformat(item["date_modified"])
    assert document["items"][0]["attachments"] == [
        {"url": SOUND.url, "mime_type": "audio/mpeg", "size_in_bytes": 1_000_000}
    ]


@pytest.mark.parametrize("format", ["atom", "rss"])
def test_feedparser_reads_back_what_was_written(format: str) -> None:
    parsed = feedparser.parse(feed(format))

    assert not parsed.bozo
    assert parsed.feed.title == "Planet & Test"
    first, second, _ = parsed.entries
    assert first.link == "https://b1.example/1"
    assert first.author == "Ann"
    assert [tag.term for tag in first.tags] == ["FHIR"]
    assert first.content[0].value == "<p>Text &amp; more</p>"
    assert first.enclosures[0].href == SOUND.url
    assert second.link == "https://planet.example/posts/2-post/"
    assert first.id.startswith("urn:uuid:")


def test_a_title_with_signs_reads_the_same_as_html_and_as_text() -> None:
    raw = feed("rss").decode()

    assert "<title>Tom &#x26; Jerry &#x3C;em&#x3E;</title>" in raw


@pytest.mark.parametrize("format", FORMATS)
def test_no_feed_holds_a_control_character(format: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e]", feed(format).decode())


def test_a_feed_of_excerpts_has_no_text() -> None:
    for format in FORMATS:
        assert b"&lt;p&gt;" not in feed(format, content="excerpt")
        assert b"<p>" not in feed(format, content="excerpt")


def test_ids_stay_when_the_planet_moves() -> None:
    masthead = type(MASTHEAD)(title="T", url="https://new.example/planet/")
    moved = renderer(masthead, first_address="https://planet.example/")
    before = feedparser.parse(feed("atom"))
    after = feedparser.parse(river(posts(), [blog()], moved)["feed.atom"])

    assert before.feed.id == after.feed.id == "https://planet.example/feed.atom"
    assert "https://new.example/planet/feed.atom" in [link.href for link in after.feed.links]
    assert [entry.id for entry in before.entries] == [entry.id for entry in after.entries]


def test_the_blogrolls_read_back() -> None:
    files = river([], [blog(1), blog(2, "B & C")])

    foaf = ElementTree.fromstring(files["foaf.rdf"])
    names = [element.text for element in foaf.iter("{http://xmlns.com/foaf/0.1/}name")]
    assert names == ["Planet & Test", "The Blog", "B & C"]


def test_listparser_reads_the_blogs_and_their_categories() -> None:
    parsed = listparser.parse(
        river([], [replace(blog(1), tags=("FHIR", "policy")), blog(2, "B & C")])["opml.xml"].decode()
    )

    assert not parsed.bozo
    assert [(feed.title, feed.url) for feed in parsed.feeds] == [
        ("The Blog", "https://b1.example/feed"),
        ("B & C", "https://b2.example/feed"),
    ]
    assert parsed.feeds[0].categories == [["FHIR"], ["policy"]]


def test_microformats_tell_who_wrote_what_and_where() -> None:
    page = renderer().post(post(1), [thought(1, kind="reply")])["posts/1-post/index.html"].decode()

    [entry] = mf2py.parse(doc=page, url="https://planet.example/posts/1-post/")["items"][:1]

    assert entry["type"] == ["h-entry"]
    assert entry["properties"]["name"] == ["Post 1"]
    assert entry["properties"]["url"] == ["https://b1.example/1"]
    assert entry["properties"]["author"][0]["properties"]["name"] == ["Ann"]
    assert entry["properties"]["content"][0]["value"] == "Text & more"
    assert entry["properties"]["category"] == ["FHIR"]


def test_a_front_page_of_forty_long_posts_weighs_less_than_sixty_kilobytes() -> None:
    chance = random.Random(1)

    def words(count: int) -> str:
        return " ".join("".join(chance.choices("abcdefghijklmnop", k=chance.randrange(2, 11))) for _ in range(count))

    shown = [
        post(n, title=words(9), lede=words(48)[:300], url=f"https://b1.example/{words(3)}", tags=(words(1), words(1)))
        for n in range(40)
    ]
    made = renderer()

    files = [river(shown, [blog(n, words(2)) for n in range(60)], made)["index.html"], *made.static().values()]

    assert sum(len(gzip.compress(content, 6)) for content in files) < 60_000

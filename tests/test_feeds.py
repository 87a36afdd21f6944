from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from aggregator.errors import BodyRefused, FeedUnreadable
from aggregator.feeds import MOST_ENTRIES, content_hash, parse, read
from aggregator.model import ParsedEntry, ReadEntry
from tests.builders import rss

URL = "https://blog.example/feed"

ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>At &amp; om</title>
<link href="https://blog.example/"/><entry><id>urn:1</id><title type="html">A &lt;b&gt;bold&lt;/b&gt; title</title>
<link href="/one/"/><published>2026-11-01T10:00:00+01:00</published><updated>2026-11-02T10:00:00Z</updated>
<author><name>Ann</name></author><category term="FHIR"/><summary>short</summary>
<content type="html">&lt;p&gt;long &lt;a href="two/"&gt;x&lt;/a&gt;&lt;/p&gt;</content></entry></feed>"""

RDF = b"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://b.example/">
<title>RDF</title><link>https://b.example/</link></channel><item rdf:about="https://b.example/1"><title>One</title>
<link>https://b.example/1</link><dc:date>2026-11-01T10:00:00Z</dc:date><dc:creator>Bob</dc:creator></item></rdf:RDF>"""

JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "J",
    "home_page_url": "https://j.example/",
    "authors": [{"name": "Jo"}],
    "items": [
        {"id": 7, "url": "https://j.example/7", "content_text": "a < b\n\nc", "date_published": "2026-11-01T10:00:00Z"},
        {"id": "8", "content_html": "<p>8</p>", "authors": [{"name": "Al"}, {"name": "Bo"}], "tags": ["x", 3]},
        "not an item",
    ],
}


def only(body: bytes, content_type: str = "", known: dict[str, bytes] | None = None) -> ReadEntry:
    [entry] = read(body, "", content_type, URL, known or {}, 1_000_000).entries
    return entry


def test_rss_item_is_read() -> None:
    entry = only(rss([("https://blog.example/1", "T & t", '<p>Hi <a href="/x">x</a></p>')]))

    assert entry.guid == entry.url == "https://blog.example/1"
    assert entry.title == "T & t"
    assert 'href="https://blog.example/x"' in entry.html
    assert entry.lede == "Hi x"
    assert entry.published_at == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_atom_entry_is_read() -> None:
    entry = only(ATOM)

    assert (entry.guid, entry.url, entry.title, entry.author) == (
        "urn:1",
        "https://blog.example/one/",
        "A bold title",
        "Ann",
    )
    assert entry.lede == "long x"
    assert entry.published_at == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert entry.updated_at == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert entry.tags == ("FHIR",)
    assert entry.language == "en"


def test_rdf_item_is_read() -> None:
    entry = only(RDF)

    assert (entry.url, entry.title, entry.author) == ("https://b.example/1", "One", "Bob")


def test_json_feed_is_read() -> None:
    feed = parse(json.dumps(JSON_FEED).encode(), "application/json", URL)

    assert [entry.guid for entry in feed.entries] == ["7", "8"]
    assert feed.entries[0].html == "<p>a &lt; b</p><p>c</p>"
    assert [entry.author for entry in feed.entries] == ["Jo", "Al, Bo"]
    assert feed.entries[1].tags == ("x",)


def test_json_feed_with_something_behind_it_is_read_with_a_remark() -> None:
    feed = parse(json.dumps(JSON_FEED).encode() + b"\n<!-- cached -->", "", URL)

    assert len(feed.entries) == 2
    assert feed.remark


def test_format_is_told_by_content_not_by_type() -> None:
    assert only(ATOM, "text/html").guid == "urn:1"
    assert parse(json.dumps(JSON_FEED).encode(), "text/xml", URL).title == "J"


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parse(rss([]), "", URL).entries == ()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"<!DOCTYPE html><html><body>Hi</body></html>", "web page"),
        (b"\n<html><head></head></html>", "web page"),
        (b"%PDF-1.4 nonsense", "not a feed"),
        (b"\x01\x02", "not a feed"),
        (b"&#0;", "not a feed"),
        (b'{"a": 1}', "not a JSON Feed"),
        (b"[1, 2]", "not a JSON Feed"),
        (b'{"items": [', "can't be read as JSON"),
        (b"{" * 200_000, "can't be read as JSON"),
        (b"[" * 200_000, "can't be read as JSON"),
    ],
)
def test_what_is_no_feed_says_what_it_is(body: bytes, reason: str) -> None:
    with pytest.raises(FeedUnreadable, match=reason):
        parse(body, "", URL)


def test_a_truncated_feed_gives_its_whole_entries_and_a_remark() -> None:
    body = rss([(f"https://blog.example/{n}", f"Post {n}", "text") for n in range(5)])

    reading = read(body[: len(body) * 2 // 3], "", "", URL, {}, 1_000_000)

    assert len(reading.guids) >= 2
    assert "not well-formed" in reading.remark


def test_a_body_that_is_a_path_or_an_address_opens_nothing() -> None:
    for body in (b"/etc/passwd", b"http://127.0.0.1:9/feed", b"feeds.toml"):
        with pytest.raises(FeedUnreadable):
            parse(body, "", URL)


def test_gzip_is_undone_within_bounds() -> None:
    body = rss([("https://blog.example/1", "x", "y" * 5000)])

    assert len(read(gzip.compress(body), "gzip", "", URL, {}, 100_000).guids) == 1
    with pytest.raises(BodyRefused):
        read(gzip.compress(body), "gzip", "", URL, {}, 1_000)


def test_known_entries_do_not_come_back() -> None:
    body = rss([("https://blog.example/1", "One", "x"), ("https://blog.example/2", "Two", "y")])
    known = {entry.guid: entry.content_hash for entry in read(body, "", "", URL, {}, 100_000).entries}

    edited = body.replace(b">y<", b">z<")

    assert read(body, "", "", URL, known, 100_000).entries == ()
    assert [entry.title for entry in read(edited, "", "", URL, known, 100_000).entries] == ["Two"]


def test_a_new_date_alone_is_no_edit() -> None:
    one = ParsedEntry(guid="1", title="T", published_at=datetime(2026, 1, 1, tzinfo=UTC))
    two = ParsedEntry(guid="1", title="T", published_at=datetime(2026, 2, 1, tzinfo=UTC))

    assert content_hash(one) == content_hash(two)


def test_links_that_are_no_web_addresses_are_dropped() -> None:
    assert only(rss([("javascript:alert(1)", "x", "")])).url == ""


def test_titles_and_authors_are_plain_text() -> None:
    body = rss([("https://blog.example/1", "x <img src=x onerror=alert(1)> &amp; y", "")])

    assert only(body).title == "x & y"


def test_a_date_that_nobody_can_have_written_is_none() -> None:
    body = rss([("https://blog.example/1", "x", "")]).replace(b"22 Nov 2026", b"22 Nov 1762")

    assert only(body).published_at is None


def test_entries_beyond_the_bound_are_left() -> None:
    body = rss([(f"https://blog.example/{n}", "x", "") for n in range(MOST_ENTRIES + 50)])

    assert len(read(body, "", "", URL, {}, 10_000_000).guids) == MOST_ENTRIES


def test_an_item_without_guid_and_link_is_told_by_its_text() -> None:
    item = b"<item><title>Only a title</title></item>"
    body = rss([]).replace(b"</channel>", item + b"</channel>")

    assert only(body).guid == only(body).guid != ""


def test_a_windows_encoding_is_honoured() -> None:
    body = '<?xml version="1.0" encoding="windows-1252"?><rss version="2.0"><channel><item><title>na\u00efve \u2013 \u20ac</title></item></channel></rss>'

    assert only(body.encode("windows-1252")).title == "naïve – €"

"""Feeds in every format that is read, and the spellings that their fields come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.errors import FeedUnreadable, PageInstead
from aggregator.feeds import newest, parse, read
from aggregator.model import Enclosure, ParsedEntry, ParsedFeed

URL = "https://blog.example/feed.xml"
NOVEMBER = datetime(2026, 11, 22, 12, tzinfo=UTC)

RSS_090 = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel><title>Blog</title><link>https://blog.example/</link></channel>
 <item><title>One</title><link>https://blog.example/1</link></item></rdf:RDF>"""
RSS = """<?xml version="1.0"?><rss version="{}"><channel><title>Blog</title><link>https://blog.example/</link>
 <item><title>One</title><link>https://blog.example/1</link></item></channel></rss>"""
RSS_10 = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x"><title>Blog</title><link>https://blog.example/</link></channel>
 <item rdf:about="https://blog.example/1"><title>One</title><link>https://blog.example/1</link></item></rdf:RDF>"""
ATOM_03 = """<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>Blog</title>
 <link rel="alternate" type="text/html" href="https://blog.example/"/><entry><title>One</title>
 <link rel="alternate" type="text/html" href="https://blog.example/1"/><id>urn:1</id>
 <issued>2026-11-22T12:00:00Z</issued></entry></feed>"""
ATOM_10 = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title><link href="https://blog.example/"/>
 <entry><title>One</title><link href="https://blog.example/1"/><id>urn:1</id></entry></feed>"""
CDF = """<?xml version="1.0"?><CHANNEL HREF="https://blog.example/"><TITLE>Blog</TITLE>
 <ITEM HREF="https://blog.example/1" LASTMOD="2026-11-22T12:00"><TITLE>One</TITLE>
 <ABSTRACT>Text</ABSTRACT></ITEM></CHANNEL>"""
JSON = """{{"version": "https://jsonfeed.org/version/{}", "title": "Blog", "home_page_url": "https://blog.example/",
 "items": [{{"id": "1", "url": "https://blog.example/1", "title": "One", "content_text": "x"}}]}}"""


@pytest.mark.parametrize(
    "text",
    [RSS_090, *(RSS.format(version) for version in ("0.91", "0.92", "0.93", "0.94", "2.0", "2.0.1")), RSS_10, ATOM_03,
     ATOM_10, CDF, JSON.format("1"), JSON.format("1.1")],
)  # fmt: skip
@pytest.mark.parametrize("content_type", ["text/html", "application/octet-stream", ""])
def test_a_format_is_known_by_its_content(text: str, content_type: str) -> None:
    feed = parse(text.encode(), content_type, URL)

    assert (feed.title, feed.home) == ("Blog", "https://blog.example/")
    assert [(entry.title, entry.url) for entry in feed.entries] == [("One", "https://blog.example/1")]


def test_a_channel_definition_has_dates_and_texts() -> None:
    [entry] = parse(CDF.encode(), "", URL).entries

    assert entry.updated_at == NOVEMBER
    assert entry.html == "Text"


def item(xml: str, *, channel: str = "", attributes: str = "") -> ParsedEntry:
    """The one entry of an RSS feed."""
    return feed_of(f"<item>{xml}</item>", channel=channel, attributes=attributes).entries[0]


def feed_of(items: str, *, channel: str = "", attributes: str = "") -> ParsedFeed:
    namespaces = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:wfw="http://wellformedweb.org/CommentAPI/" xmlns:slash="http://purl.org/rss/1.0/modules/slash/"'
        ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
        ' xmlns:atom="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
        ' xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0" xmlns:dcterms="http://purl.org/dc/terms/"'
    )
    xml = f'<rss version="2.0" {namespaces}{attributes}><channel><title>B</title>{channel}{items}</channel></rss>'
    return parse(xml.encode(), "", URL)


@pytest.mark.parametrize(
    ("xml", "name"),
    [
        ("<author>jane@blog.example (Jane Doe)</author>", "Jane Doe"),
        ("<author>Jane Doe &lt;jane@blog.example&gt;</author>", "Jane Doe"),
        ("<author>Jane Doe (jane@blog.example)</author>", "Jane Doe"),
        ("<author>Jane Doe (mailto:jane@blog.example)</author>", "Jane Doe"),
        ("<author>jane@blog.example</author>", ""),
        ("<dc:creator>Jane Doe</dc:creator>", "Jane Doe"),
        ("<dc:creator>Jane Doe</dc:creator><dc:creator>John Roe</dc:creator>", "Jane Doe, John Roe"),
        ("<itunes:author>Jane Doe</itunes:author>", "Jane Doe"),
        ("<atom:author><atom:name>Jane Doe</atom:name><atom:email>j@b.example</atom:email></atom:author>", "Jane Doe"),
    ],
)
def test_an_author_is_a_name_in_every_spelling_and_never_an_address(xml: str, name: str) -> None:
    assert item(xml).author == name


def test_an_entry_without_an_author_has_its_feeds() -> None:
    assert item("<title>x</title>", channel="<managingEditor>e@b.example (Ed)</managingEditor>").author == "Ed"


@pytest.mark.parametrize(
    ("link", "home", "expected"),
    [
        ("https://other.example/1", "https://blog.example/", "https://other.example/1"),
        ("/1", "https://blog.example/", "https://blog.example/1"),
        ("1.html", "https://host.example/blog/", "https://host.example/blog/1.html"),
        ("/1", "", "https://blog.example/1"),
        ("//cdn.example/1", "https://blog.example/", "https://cdn.example/1"),
        ("blog.example/1", "", "https://blog.example/1"),
        ("javascript:alert(1)", "https://blog.example/", ""),
        ("https://user:secret@blog.example/1", "", ""),
    ],
)
def test_a_link_is_resolved_against_the_feeds_own(link: str, home: str, expected: str) -> None:
    assert item(f"<link>{link}</link>", channel=f"<link>{home}</link>").url == expected


def test_relative_links_in_a_text_are_resolved_by_xml_base_then_entry_then_feed() -> None:
    with_base = item('<link>https://b.example/p/1</link><description xml:base="https://c.example/">x</description>')
    with_link = item("<link>https://b.example/p/1</link><description>x</description>")
    with_home = item("<description>x</description>", channel="<link>https://h.example/</link>")
    with_nothing = item("<description>x</description>")

    bases = [entry.base for entry in (with_base, with_link, with_home, with_nothing)]
    assert bases == ["https://c.example/", "https://b.example/p/1", "https://h.example/", URL]


@pytest.mark.parametrize(
    ("xml", "guid", "url"),
    [
        ("<guid>https://b.example/1</guid>", "https://b.example/1", "https://b.example/1"),
        ('<guid isPermaLink="false">abc</guid><link>https://b.example/1</link>', "abc", "https://b.example/1"),
        ("<guid>abc</guid>", "abc", ""),
        ("<guid>42</guid><link>https://b.example/1</link>", "42", "https://b.example/1"),
        ("<link>https://b.example/1</link>", "https://b.example/1", "https://b.example/1"),
    ],
)
def test_an_entry_is_named_by_its_guid_then_by_its_link(xml: str, guid: str, url: str) -> None:
    [entry] = newest(feed_of(f"<item>{xml}</item>").entries)

    assert (entry.guid, entry.url) == (guid, url)


def test_an_entry_without_guid_and_link_keeps_its_name_when_its_text_is_edited() -> None:
    before, after, other = (
        newest(feed_of(f"<item><title>{title}</title><description>{text}</description></item>").entries)[0].guid
        for title, text in (("Diary", "first words"), ("Diary", "other words"), ("Letter", "first words"))
    )

    assert before == after != other


def test_posts_that_share_one_guid_are_all_kept() -> None:
    items = "".join(
        f"<item><guid>https://b.example/</guid><link>https://b.example/{n}</link></item>" for n in range(10)
    )

    assert len({entry.guid for entry in newest(feed_of(items).entries)}) == 10


def test_posts_that_share_guid_and_address_are_told_by_their_titles() -> None:
    items = "".join(f"<item><guid>x</guid><link>https://b.example/</link><title>{n}</title></item>" for n in "aab")

    assert [entry.title for entry in newest(feed_of(items).entries)] == ["a", "b"]


def test_of_two_versions_of_an_entry_the_later_one_counts() -> None:
    entry = "<entry><id>urn:1</id><title>{}</title><link href='https://b.example/1'/><updated>{}</updated></entry>"
    xml = entry.format("old", "2026-11-01T00:00:00Z") + entry.format("new", "2026-11-02T00:00:00Z")

    [found] = newest(parse(f'<feed xmlns="http://www.w3.org/2005/Atom">{xml}</feed>'.encode(), "", URL).entries)

    assert found.title == "new"


def test_the_original_address_is_taken_from_behind_feedburner() -> None:
    xml = (
        "<link>http://feeds.feedburner.com/~r/b/1</link><feedburner:origLink>https://b.example/1</feedburner:origLink>"
    )

    assert item(xml).url == "https://b.example/1"


def test_the_full_text_is_taken_rather_than_the_summary() -> None:
    assert item("<description>short</description><content:encoded>much longer</content:encoded>").html == "much longer"
    assert (
        item(f"<description>{'long ' * 50}</description><content:encoded>x</content:encoded>").html.count("long") == 50
    )
    assert item("<description>only</description><content:encoded></content:encoded>").html == "only"


def test_files_come_with_an_entry() -> None:
    entry = item(
        '<enclosure url="/a.mp3" type="audio/mpeg" length="1234567"/>'
        '<media:content url="https://b.example/v.mp4" type="video/mp4" fileSize="9"/>'
        '<enclosure url="javascript:x" type="audio/mpeg"/>'
    )

    assert entry.enclosures == (
        Enclosure("https://blog.example/a.mp3", "audio/mpeg", 1_234_567),
        Enclosure("https://b.example/v.mp4", "video/mp4", 9),
    )


def test_attachments_come_with_an_item() -> None:
    attachment = {"url": "https://b.example/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5}
    document = {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "attachments": [attachment, 3]}]}

    [entry] = parse(json.dumps(document).encode(), "", URL).entries

    assert entry.enclosures == (Enclosure("https://b.example/a.mp3", "audio/mpeg", 5),)


def test_comments_are_counted_and_found() -> None:
    rss = item("<wfw:commentRss>/1/comments</wfw:commentRss><slash:comments>7</slash:comments>")
    atom = parse(
        b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0"><entry><id>1</id>'
        b'<link rel="replies" type="text/html" href="/1#comments"/><thr:total>3</thr:total>'
        b'<link rel="replies" type="application/atom+xml" href="/1/comments.atom"/></entry></feed>',
        "",
        URL,
    ).entries[0]

    assert (rss.comments_feed, rss.comments) == ("https://blog.example/1/comments", 7)
    assert (atom.comments_feed, atom.comments) == ("https://blog.example/1/comments.atom", 3)
    assert item("<title>x</title>").comments is None


def test_hours_and_days_of_rest_are_read() -> None:
    channel = (
        "<skipHours><hour>0</hour><hour> 23 </hour><hour>24</hour><hour>x</hour></skipHours>"
        "<skipDays><day>Sunday</day><day>Funday</day></skipDays><ttl>120</ttl>"
    )
    feed = feed_of("", channel=channel)

    assert (feed.quiet.hours, feed.quiet.days) == ({0, 23}, {6})
    assert feed.asked_for == timedelta(hours=2)


def test_a_feed_that_never_wants_to_be_polled_asks_for_nothing() -> None:
    channel = f"<skipHours>{''.join(f'<hour>{hour}</hour>' for hour in range(24))}</skipHours>"

    assert not feed_of("", channel=channel).quiet.hours


def test_withdrawn_entries_are_named() -> None:
    xml = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"><title>B</title>'
        '<at:deleted-entry ref="tag:b.example,2026:1&amp;2" when="2026-11-22T12:00:00Z"/>'
        "<at:deleted-entry when='2026-11-22T12:00:00Z' ref='urn:3'><at:comment>x</at:comment></at:deleted-entry></feed>"
    )

    assert parse(xml.encode(), "", URL).deleted == ("tag:b.example,2026:1&2", "urn:3")


@pytest.mark.parametrize("foreign", ['<x xmlns="urn:foo">y</x>', '<svg xmlns="http://www.w3.org/2000/svg"/>'])
def test_a_withdrawn_entry_is_named_whatever_namespaces_come_after_it(foreign: str) -> None:
    xml = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title>'
        '<deleted-entry xmlns="http://purl.org/atompub/tombstones/1.0" ref="urn:1" when="2026-11-22T12:00:00Z"/>'
        f"<entry><id>urn:2</id>{foreign}</entry></feed>"
    )

    assert parse(xml.encode(), "", URL).deleted == ("urn:1",)


@pytest.mark.parametrize(
    "channel",
    [
        "{skip}",
        "<!-- our <item> list -->{skip}",
        "<description><![CDATA[each <item> here]]></description>{skip}",
        "<description><![CDATA[a <!-- b]]></description>{skip}",
        "<item><guid>1</guid></item>{skip}<item><guid>2</guid></item>",
        "<item><guid>1</guid></item>{skip}",
        "<odd><b>unknown to the quick reader</b></odd>{skip}",
    ],
)
def test_hours_of_rest_are_found_wherever_they_stand(channel: str) -> None:
    skip = "<skipHours><hour>3</hour></skipHours><skipDays><day>Sunday</day></skipDays>"

    quiet = feed_of("", channel=channel.format(skip=skip)).quiet

    assert (quiet.hours, quiet.days) == ({3}, {6})


@pytest.mark.parametrize("odd", ["", "<odd><b>unknown to the quick reader</b></odd>"])
def test_hours_of_rest_that_a_post_quotes_are_not_its_feeds(odd: str) -> None:
    quoted = "<![CDATA[Write <skipHours><hour>12</hour></skipHours> in your channel.]]>"

    assert not feed_of(f"<item><guid>1</guid><description>{quoted}</description>{odd}</item>").quiet.hours


def test_dates_are_read_as_the_feeds_others_show() -> None:
    feed = feed_of(
        "<item><title>a</title><pubDate>03/04/2026</pubDate></item><item><title>b</title><pubDate>13/04/2026</pubDate></item>"
    )

    assert [str(entry.published_at)[:10] for entry in feed.entries] == ["2026-04-03", "2026-04-13"]


def test_a_date_of_dublin_core_counts() -> None:
    assert item("<dc:date>2026-11-22T12:00:00Z</dc:date>").updated_at == NOVEMBER
    assert item("<dcterms:created>2026-11-22T12:00:00Z</dcterms:created>").published_at == NOVEMBER


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("&#xD83D;&#xDE00;", "😀"),
        ("&#55357;&#56832;", "😀"),
        ("&#xD800;", "\ufffd"),
        ("&#x110000;", "\ufffd"),
        ("&#99999999999999999999999;", "\ufffd"),
        ("&#0;", ""),
        ("&#x41;", "A"),
    ],
)
def test_a_reference_to_no_character_costs_no_feed(reference: str, expected: str) -> None:
    assert item(f"<title>x{reference}y</title>").title == f"x{expected}y"


@pytest.mark.parametrize(
    "stray", ["</height>", "</width>", "</textInput>", "</media:player>", "</media:license>", "</image>"]
)
def test_a_stray_end_costs_no_feed(stray: str) -> None:
    feed = feed_of(f"{stray}<item><title>One</title></item>{stray}<item><title>Two</title></item>")

    assert [entry.title for entry in feed.entries] == ["One", "Two"]


def test_a_bare_ampersand_and_names_of_html_are_repaired_outside_of_cdata() -> None:
    entry = item("<title>R&D caf&eacute;</title><description><![CDATA[a & b &eacute;]]></description>")

    assert entry.title == "R&D café"
    assert entry.html == "a & b &eacute;"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('<title type="text">Use &lt;b&gt; &amp; &lt;i&gt; tags</title>', "Use <b> & <i> tags"),
        ("<title>p&lt;0.05 &amp; q&lt;b</title>", "p<0.05 & q<b"),
        ('<title type="html">A &lt;b&gt;bold&lt;/b&gt; one</title>', "A bold one"),
    ],
)
def test_a_title_of_atom_is_what_it_says_it_is(title: str, expected: str) -> None:
    xml = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id>{title}</entry></feed>'

    assert read(xml.encode(), "", "", URL, {}, 10_000).entries[0].title == expected


def test_the_newest_are_kept_though_one_has_no_date() -> None:
    def post(number: int) -> str:
        date = f"<pubDate>{NOVEMBER + timedelta(hours=number):%a, %d %b %Y %T GMT}</pubDate>" if number != 100 else ""
        return f"<item><title>{number}</title>{date}</item>"

    kept = newest(feed_of("".join(post(number) for number in range(300))).entries)

    assert [kept[0].title, len(kept)] == ["299", 200]


def test_what_a_post_quotes_withdraws_nothing() -> None:
    quoted = '<![CDATA[<at:deleted-entry ref="g1"/> http://purl.org/atompub/tombstones/1.0]]>'

    assert feed_of(f"<item><guid>g1</guid><description>{quoted}</description></item>").deleted == ()


def test_only_a_feed_without_its_end_is_cut() -> None:
    assert not feed_of("<item><title>a&nbsp;<b></title></item>").is_cut
    assert parse(b"<rss version='2.0'><channel><item><title>a</title></item><item><ti", "", URL).is_cut


def test_a_text_that_is_a_picture_is_no_text() -> None:
    xml = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><summary>words</summary>'
        '<content type="image/png">iVBORw0KGgo</content></entry></feed>'
    )

    assert parse(xml.encode(), "", URL).entries[0].html == "words"


def test_characters_that_xml_forbids_are_dropped() -> None:
    feed = feed_of("<item><title>a\x0bb&#0;c&#x1F;d</title></item>")

    assert feed.entries[0].title == "abcd"
    assert feed.remark == ""


def test_a_web_page_names_its_feeds_posts_first() -> None:
    page = (
        "<!doctype html><html><head><base href='https://cdn.example/x/'>"
        "<link rel='alternate' type='application/rss+xml' title='B » Comments Feed' href='/comments/feed/'>"
        "<link rel='alternate' type='application/rss+xml' title='B » Feed' href='/feed/'>"
        "<link rel='ALTERNATE' type='application/atom+xml; charset=utf-8' href='atom.xml'>"
        "<link rel='alternate' type='text/html' hreflang='de' href='/de/'>"
        "<link rel='stylesheet' href='/s.css'></head></html>"
    )

    with pytest.raises(PageInstead) as caught:
        parse(page.encode(), "text/html", "https://blog.example/")

    assert caught.value.feeds == (
        "https://cdn.example/x/atom.xml",
        "https://cdn.example/feed/",
        "https://cdn.example/comments/feed/",
    )


@pytest.mark.parametrize("body", [b"", b"  \n", b"hello", b"{}", b"[1]", b"{", b"\x89PNG\r\n", b"<a/>", b"\xff\xfe"])
def test_what_is_no_feed_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(FeedUnreadable):
        parse(body, "application/rss+xml", URL)

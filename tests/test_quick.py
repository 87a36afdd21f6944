"""The quick reader gives the answer that feedparser gives, or leaves the document to it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.feeds.encoding import text_of
from aggregator.feeds.lenient import leniently
from aggregator.feeds.words import quickly
from aggregator.feeds.xml_feed import meaning
from aggregator.model import ParsedFeed
from tests import corpus

# feedparser lets the xml:base of an element go on behind it; the quick reader ends it there, as XML Base says.
ENDS_ITS_BASE = {
    "real-feeds/danmactough+node-feedparser/rss-with-item-scoped-html-base.xml",
    "real-feeds/kagisearch+fastfeedparser/ab1814a7b8c94975",
}
NAMESPACES = {
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "foreign": "http://foreign.example/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "thr": "http://purl.org/syndication/thread/1.0",
    "wfw": "http://wellformedweb.org/CommentAPI/",
}
TEXTS = [
    "", " ", "Words", "Bread &amp; butter", "&lt;p&gt;Words&lt;/p&gt;", "&lt;b&gt;bold&lt;/b&gt; &amp;amp; more",
    "<![CDATA[<p>Words</p>]]>", "Caf\u00e9 \u2014 na\u00efve", "CafÃ©", "\u0093quoted\u0094", "https://blog.example/a?b=1&amp;c=2",
    "/relative", "Sun, 01 Nov 2026 10:00:00 GMT", "2026-11-01T10:00:00Z", "031231", "12", "jane@blog.example (Jane Doe)",
    "Jane Doe", "one, two", "a<!-- comment -->b", "urn:uuid:1", "&#x1F600;", "&amp;eacute;",
]  # fmt: skip
ATTRIBUTES = {
    "type": ["html", "text", "text/html", "text/plain", "TEXT", "image/png"],
    "rel": ["alternate", "self", "enclosure", "replies", "hub", "Alternate"],
    "href": ["https://blog.example/post", "", "/post", "mailto:a@b.example"],
    "url": ["https://blog.example/file.mp3", "https://blog.example/i.png"],
    "isPermaLink": ["true", "false"],
    "xml:lang": ["en", "de_DE", ""],
    "term": ["topic", ""],
    "label": ["A topic"],
    "scheme": ["http://scheme.example/"],
    "domain": ["http://domain.example/"],
    "medium": ["image"],
    "length": ["123"],
    "foreign:type": ["x"],
}
LEAVES = [
    "title", "link", "guid", "id", "description", "summary", "content", "content:encoded", "pubDate", "published",
    "updated", "author", "category", "comments", "enclosure", "source", "dc:creator", "dc:date", "dc:subject",
    "dc:title", "dc:language", "dc:description", "dcterms:modified", "dcterms:created", "feedburner:origLink",
    "foreign:word", "itunes:author", "itunes:summary", "itunes:subtitle", "itunes:keywords", "itunes:image",
    "media:content", "media:thumbnail", "media:title", "media:description", "media:keywords", "media:credit",
    "slash:comments", "thr:total", "wfw:commentRss", "wfw:comment",
]  # fmt: skip
IN_FEED = [
    "title", "link", "description", "subtitle", "language", "generator", "ttl", "managingEditor", "webMaster", "id",
    "itunes:author", "itunes:summary", "itunes:image", "icon", "logo", "category", "copyright", "updated", "cloud",
    "dc:language", "dc:creator", "lastBuildDate",
]  # fmt: skip
NESTED = {
    "author": ["name", "email", "uri", "foreign:x"],
    "media:group": ["media:content", "media:title", "media:description", "media:thumbnail"],
    "media:content": ["media:title", "media:thumbnail", "media:credit"],
    "image": ["url", "title", "link", "width"],
    "itunes:owner": ["itunes:name", "itunes:email"],
    "foreign:group": ["foreign:word", "title"],
}


@st.composite
def an_element(draw: st.DrawFn, names: list[str]) -> str:
    name = draw(st.sampled_from(names))
    given_ = draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), max_size=2, unique=True))
    attributes = "".join(f" {key}={quoteattr(draw(st.sampled_from(ATTRIBUTES[key])))}" for key in given_)
    if name in NESTED and draw(st.booleans()):
        inside = "".join(draw(st.lists(an_element(NESTED[name]), max_size=3)))
    else:
        inside = draw(st.sampled_from(TEXTS))
    return f"<{name}{attributes}>{inside}</{name}>"


@st.composite
def documents(draw: st.DrawFn) -> str:
    in_feed = draw(st.lists(an_element([*IN_FEED, "author", "image", "itunes:owner"]), max_size=6))
    entries = draw(st.lists(st.lists(an_element([*LEAVES, *NESTED]), max_size=7), min_size=1, max_size=3))
    declared = "".join(f' xmlns:{prefix}="{address}"' for prefix, address in NAMESPACES.items())
    kind = draw(st.sampled_from(["rss", "atom", "rdf"]))
    name = "entry" if kind == "atom" else "item"
    items = [f"<{name}>{''.join(entry)}</{name}>" for entry in entries]
    if kind == "atom":
        return f'<feed xmlns="http://www.w3.org/2005/Atom"{declared}>{"".join(draw(st.permutations(in_feed + items)))}</feed>'
    if kind == "rss":
        return (
            f'<rss version="2.0"{declared}><channel>{"".join(draw(st.permutations(in_feed + items)))}</channel></rss>'
        )
    rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
    return f"<rdf:RDF {rdf}{declared}><channel>{''.join(in_feed)}</channel>{''.join(items)}</rdf:RDF>"


@given(documents())
@settings(max_examples=400, deadline=None)
def test_what_the_quick_reader_accepts_means_what_feedparser_says(document: str) -> None:
    found = quickly(document)

    if found is not None:
        assert meaning(found, document, corpus.ADDRESS) == by_feedparser(document)


@pytest.mark.skipif(not corpus.FOLDER.exists(), reason="the corpus ../shared/corpus is not here")
def test_every_real_feed_means_the_same_to_both_readers() -> None:
    accepted, different = 0, set()
    for path in corpus.files():
        text = text_of(path.read_bytes(), "")
        if text.startswith(("{", "[")) or (found := quickly(text)) is None:
            continue
        accepted += 1
        if meaning(found, text, corpus.ADDRESS) != by_feedparser(text):
            different.add(str(path.relative_to(corpus.FOLDER)))

    assert different == ENDS_ITS_BASE
    assert accepted >= 500


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("a document type", '<!DOCTYPE rss><rss version="2.0"><channel><title>T</title></channel></rss>'),
        ("markup in a text", "<rss><channel><item><description><p>x</p></description></item></channel></rss>"),
        ("XHTML", '<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="xhtml"/></entry></feed>'),
        ("what is not well-formed", "<rss><channel><title>Bread & butter</title></channel></rss>"),
        ("an unknown word", "<rss><channel><item><unheardof>x</unheardof></item></channel></rss>"),
        ("a page", "<html><body/></html>"),
        ("Atom 0.3", '<feed version="0.3" xmlns="http://purl.org/atom/ns#"/>'),
    ],
)
def test_the_unusual_is_left_to_feedparser(name: str, document: str) -> None:
    assert quickly(document) is None


def test_an_xml_base_ends_with_its_element() -> None:
    document = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry xml:base="https://a.example/one/"><link href="1"/></entry>'
        '<entry><link href="2"/></entry></feed>'
    )

    found = quickly(document)

    assert found is not None
    assert [entry["link"] for entry in found.entries] == ["https://a.example/one/1", "2"]


def by_feedparser(text: str) -> ParsedFeed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = leniently(text)
    return replace(meaning(found, text, corpus.ADDRESS))

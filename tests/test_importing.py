"""Moving in: what other planets and readers have, as they have it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from aggregator.errors import NothingToImport
from aggregator.importing import Imported, Listed, read
from tests import corpus

CONFIGS = corpus.FOLDER / "planet-configs"
TABLE = Path(__file__).with_name("configs.tsv")


def imported(text: str) -> Imported:
    return read(text.encode())


@pytest.mark.skipif(not CONFIGS.exists(), reason="the corpus ../shared/corpus is not here")
def test_every_configuration_of_the_corpus_is_imported_as_the_table_says() -> None:
    expected = [line for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]

    found = []
    for path in sorted(path for path in CONFIGS.rglob("*") if path.is_file()):
        one = read(path.read_bytes())
        cells = (one.kind, len(one.feeds), one.twice, len(one.notes))
        found.append("\t".join(map(str, (path.relative_to(CONFIGS), *cells))))

    assert len(found) == 107
    assert found == expected


def test_opml_keeps_names_sites_and_groups() -> None:
    found = imported(
        '<?xml version="1.0"?><opml version="2.0"><head><title>My blogs</title></head><body>'
        '<outline text="Health"><outline type="rss" text="Ann" title="Ann\'s blog" category="/People/Doctors,FHIR"'
        ' xmlUrl="https://ann.example/feed" htmlUrl="https://ann.example/"/></outline></body></opml>'
    )

    assert found.title == "My blogs"
    assert found.feeds == (
        Listed("https://ann.example/feed", "Ann", "https://ann.example/", tags=("Health", "People/Doctors", "FHIR")),
    )


def test_opml_with_bare_ampersands_and_quotes_in_quotes_loses_nothing() -> None:
    found = imported(
        '<opml><body><outline text="Q & A" title="Q & A" description="He says "hi" <a href="x">here</a>"'
        ' xmlUrl="http://a.example/feed?a=1&b=2&copy=3" type="rss" />\n'
        '<outline text="Caf&eacute;" xmlUrl="http://b.example/feed"/></body></opml>'
    )

    assert [(feed.name, feed.url) for feed in found.feeds] == [
        ("Q & A", "http://a.example/feed?a=1&b=2&copy=3"),
        ("Café", "http://b.example/feed"),
    ]


def test_opml_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    found = imported('<opml><body><outline text="A" xmlUrl="http://a.example/"/><outline text="B" xmlUr')

    assert [feed.url for feed in found.feeds] == ["http://a.example/"]


def test_miniflux_rules_become_filters_and_what_has_no_counterpart_is_named() -> None:
    found = imported(
        '<opml version="2.0"><body><outline text="A" xmlUrl="http://a.example/f" disabled="true" crawler="true"'
        ' keeplistRules="(?i)fhir|hl7" blockFilterEntryRules="EntryTitle=(?i)advert&#10;EntryDate=before:2020-01-01"/>'
        "</body></opml>"
    )

    [feed] = found.feeds
    assert (feed.include, feed.exclude, feed.enabled) == (("/(?i)fhir|hl7/",), ("title: /(?i)advert/",), False)
    assert found.notes == (
        "the rule EntryDate=before:2020-01-01: there are filters for title, content and category only",
        "the option crawler of one feed",
    )


def test_freshrss_archive_is_opened_and_its_scraped_pages_are_named() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "feeds.opml.xml",
            '<opml version="2.0" xmlns:frss="https://freshrss.org/opml"><body><outline text="News">'
            '<outline text="A" type="rss" xmlUrl="http://a.example/f" frss:priority="feed"/>'
            '<outline text="B" type="HTML+XPath" xmlUrl="http://b.example/"/></outline></body></opml>',
        )

    found = read(packed.getvalue())

    assert [(feed.url, feed.tags) for feed in found.feeds] == [("http://a.example/f", ("News",))]
    assert found.notes == (
        "http://b.example/ is no feed there, but a page that is taken apart (html+xpath)",
        "the option priority of one feed",
    )


def test_venus_keeps_names_faces_and_filters() -> None:
    found = imported(
        "[Planet]\nname = Planet X\nlink = http://x.example\nowner_email = o@x.example\nbill_of_materials:\n  heads/#{face}\n"
        "[DEFAULT]\nfacewidth = 65\n"
        "[http://a.example/feed?x=1;y=2]\nname = Ann\nface = ann.png\nfilter = fhir\nexclude = spam\n"
        "[http://b.example/feed]\nName: Bob\nfilters = xpath_sifter.py?require=//atom%3Acategory%5B%40term%3D'two'%5D"
        " regexp_sifter.py?require=a%7Cb excerpt.py\n"
        "[http://lists.example/all.opml]\ncontent_type = opml\n"
    )

    assert (found.title, found.url, found.contact) == ("Planet X", "http://x.example", "o@x.example")
    assert found.feeds == (
        Listed(
            "http://a.example/feed?x=1;y=2",
            "Ann",
            face="http://x.example/heads/ann.png",
            include=("/fhir/",),
            exclude=("/spam/",),
        ),
        Listed("http://b.example/feed", "Bob", include=("category: two", "/a|b/")),
    )
    assert found.notes == (
        "the filter excerpt.py of http://b.example/feed",
        "[http://lists.example/all.opml] is a reading list (opml): fetch it, and import the file",
    )


def test_venus_filters_for_all_feeds_become_each_feeds_own() -> None:
    found = imported(
        "[Planet]\nfilter = debian\nfilters =\n  excerpt.py\n  minhead.py\n"
        "[http://a.example/f]\nname = A\n[http://b.example/f]\nfilter = ubuntu\n"
    )

    assert [feed.include for feed in found.feeds] == [("/debian/",), ("/ubuntu/",)]
    assert found.notes == ("filters = excerpt.py minhead.py, which are for all feeds: here each feed has its own",)


def test_pluto_keeps_both_feeds_of_sections_with_one_name() -> None:
    found = imported(
        "title = Planet P\n\n[same]\n  title = A\n    link  = http://a.example\n  feed = http://a.example/f ## note\n"
        "[same]\ntitle = B\nfeed = http://b.example/f\nincludes = Ruby|Rails\navatar = b.png\ngithub = b\n"
    )

    assert found.title == "Planet P"
    assert found.feeds == (
        Listed("http://a.example/f", "A", "http://a.example"),
        Listed("http://b.example/f", "B", include=("Ruby", "Rails")),
    )
    assert found.notes == (
        "the face b.png of http://b.example/f: its web address is needed",
        "the option github of one feed",
    )


def test_rawdog_keeps_names_on_the_line_and_below_it() -> None:
    found = imported(
        "maxarticles 200\nfeed 1h http://a.example/f define_name=Ann\n"
        "feed 30m http://b.example/f\n    define_name Bob Builder\n    define_face http://faces.example/bob.png\n    keepmin 20\n"
    )

    assert found.feeds == (
        Listed("http://a.example/f", "Ann"),
        Listed("http://b.example/f", "Bob Builder", face="http://faces.example/bob.png"),
    )
    assert found.notes == ("the option keepmin of one feed",)


def test_plain_list_and_newsboats_urls_keep_names_and_tags() -> None:
    found = imported(
        "# my blogs\nhttps://a.example/\n- https://b.example/feed Bob's blog\n"
        'https://c.example/feed "health care" "~Carol"\nnothing here\n'
    )

    assert found.feeds == (
        Listed("https://a.example/"),
        Listed("https://b.example/feed", "Bob's blog"),
        Listed("https://c.example/feed", "Carol", tags=("health care",)),
    )
    assert found.notes == ("the line “nothing here”, which holds no web address",)


@pytest.mark.parametrize(
    ("line", "feed"),
    [
        ("- href: https://a.example/f", Listed("https://a.example/f")),
        ('  "url": "https://a.example/f",', Listed("https://a.example/f")),
        ("* [Ann's blog](https://a.example/f)", Listed("https://a.example/f", "Ann's blog")),
        ("Ann | https://a.example/f", Listed("https://a.example/f", "Ann")),
        ("<https://a.example/f>", Listed("https://a.example/f")),
        ("feed:https://a.example/f", Listed("https://a.example/f")),
    ],
)
def test_lists_of_other_kinds_give_their_addresses_and_no_false_names(line: str, feed: Listed) -> None:
    assert imported(f"{line}\n").feeds == (feed,)


def test_feed_that_is_listed_twice_is_there_once_with_all_its_tags() -> None:
    found = imported("url,name,tags\nhttp://a.example/f,A,one\nhttps://a.example/f/,A,two\n")

    assert found.feeds == (Listed("http://a.example/f", "A", tags=("one", "two")),)
    assert found.twice == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no feed can be found in it"),
        (b"hello", "OPML, the configurations of Planet, Venus, Pluto and rawdog, CSV and plain lists"),
        (b'[[feeds]]\nurl = "http://a.example/"', "name it with --config"),
        (b"<opml>", "no feed can be found in it"),
        (b"PK\x03\x04broken", "this archive can't be read"),
    ],
)
def test_what_holds_no_feeds_says_why(data: bytes, why: str) -> None:
    with pytest.raises(NothingToImport, match=why):
        read(data)

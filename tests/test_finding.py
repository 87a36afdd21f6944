from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from aggregator import store
from aggregator.finding import Narrowing, any_of, as_indexed, as_read, links, narrowed, query
from tests.builders import entry, stored, subscribed


def found(database: Database, expression: str) -> list[str]:
    return [hit.post.title for hit in store.search.find(database, expression, start=0, limit=20).found]


@pytest.fixture
def library(database: Database) -> Database:
    [feed] = subscribed(database, "http://blog.test/feed")
    texts = {
        "FHIR in practice": '<p>Subscriptions <a href="https://www.hl7.org/fhir/">as they are</a>, in a café</p>',
        "Downtime": "<p>The way back is the hard part; FHIR did not help.</p>",
        "日本の医療": "<p>電子カルテは難しい</p>",
    }
    ids = stored(database, feed, *(entry(title, title=title, html=html) for title, html in texts.items()))
    with store.transaction(database):
        store.search.index(database, store.search.prepare(database, ids))
    return database


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("fhir", ["Downtime", "FHIR in practice"]),
        ("FHIR practice", ["FHIR in practice"]),
        ('"hard part"', ["Downtime"]),
        ('"part hard"', []),
        ("fhir -practice", ["Downtime"]),
        ("cafe", ["FHIR in practice"]),
        ("hl7.org/fhir", ["FHIR in practice"]),
        ("カルテ", ["日本の医療"]),
        ("医療", ["日本の医療"]),
    ],
)
def test_a_search_finds_words_phrases_and_leaves_out(library: Database, words: str, titles: list[str]) -> None:
    assert sorted(found(library, query(words).expression)) == sorted(titles)


@pytest.mark.parametrize("words", ["", "   ", "-", "-only", '""', "***", "🙂"])
def test_a_search_for_nothing_is_none(words: str) -> None:
    assert query(words).expression == ""


@given(st.text(max_size=300))
def test_nothing_that_is_typed_breaks_a_search(words: str) -> None:
    database = _index()
    expression = query(words).expression

    if expression:
        database.execute("SELECT rowid FROM search WHERE search MATCH ?", [expression]).fetchall()


@given(st.lists(st.text(max_size=80), max_size=5))
def test_nothing_in_a_topic_breaks_its_search(words: list[str]) -> None:
    database = _index()
    expression = any_of(words)

    if expression:
        database.execute("SELECT rowid FROM search WHERE search MATCH ?", [expression]).fetchall()


def _index() -> Database:
    made = Database(memory=True)
    made.execute("CREATE VIRTUAL TABLE search USING fts5 (title, text, tags, links, marks, hash UNINDEXED)")
    return made


def test_a_blog_and_a_month_narrow_a_search(library: Database) -> None:
    [other] = subscribed(library, "http://other.test/feed", "http://blog.test/feed")[:1]
    fhir = query("fhir").expression

    assert found(library, narrowed(fhir, Narrowing(blog=other))) == []
    assert len(found(library, narrowed(fhir, Narrowing(time="2026-11")))) == 2
    assert found(library, narrowed(fhir, Narrowing(time="2025"))) == []
    assert len(found(library, narrowed("", Narrowing(time="2026")))) == 3


def test_the_planets_own_marks_are_not_searched(library: Database) -> None:
    [blog] = [blog.id for blog in store.feeds.blogs(library)]

    assert found(library, query(f"b{blog}").expression) == []


def test_what_was_found_is_marked_in_its_text(library: Database) -> None:
    hits = store.search.find(library, query("hard").expression, start=0, limit=1)

    assert hits.found[0].snippet == ("The way back is the ", "hard", " part; FHIR did not help.")


def test_a_title_that_matches_comes_first_when_the_best_are_asked_for(library: Database) -> None:
    expression = query("fhir").expression

    hits = store.search.find(library, expression, start=0, limit=2, best_first=True)

    assert [hit.post.title for hit in hits.found] == ["FHIR in practice", "Downtime"]


def test_characters_of_unspaced_scripts_are_put_back_together() -> None:
    assert as_read(as_indexed("電子カルテ is hard")).split() == ["電子カルテ", "is", "hard"]


def test_links_are_read_from_sanitised_html_once_each() -> None:
    html = '<a href="https://a.test/?x=1&amp;y=2" rel="nofollow">One</a> <a href="https://a.test/?x=1&amp;y=2">Two</a>'

    assert links(html) == [("https://a.test/?x=1&y=2", "One")]

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from aggregator.digest import first_day_of, most_cited, week_of
from aggregator.overview import Citation
from aggregator.urls import canonical
from tests.builders import NOON


def cite(blog: int, url: str = "https://page.test/a", *, days: float = 0, words: str = "The report") -> Citation:
    return Citation(canonical(url), url, words, blog, f"Blog {blog}", NOON - timedelta(days=days))


def test_a_page_is_told_of_when_two_blogs_link_to_it() -> None:
    assert most_cited([cite(1), cite(1)], NOON, 10) == ()
    [page] = most_cited([cite(1), cite(2)], NOON, 10)
    assert page.blogs == ("Blog 1", "Blog 2")


def test_blogs_of_one_name_are_two_blogs() -> None:
    [page] = most_cited([replace(cite(1), blog="Notes"), replace(cite(2), blog="Notes")], NOON, 10)

    assert page.blogs == ("Notes", "Notes")


def test_a_link_weighs_less_the_older_it_is() -> None:
    [page] = most_cited([cite(1), cite(2, days=3.5)], NOON, 10)

    assert page.weight == pytest.approx(1 + 0.75)


def test_a_blog_counts_once_with_its_newest_link() -> None:
    [page] = most_cited([cite(1, days=6), cite(1, days=0), cite(2)], NOON, 10)

    assert page.weight == pytest.approx(2)


def test_the_weightiest_page_comes_first_and_no_more_than_asked() -> None:
    old = [cite(blog, "https://old.test/", days=6) for blog in (1, 2, 3)]
    new = [cite(blog, "https://new.test/") for blog in (1, 2)]

    assert [page.url for page in most_cited(old + new, NOON, 1)] == ["https://new.test/"]


def test_share_buttons_are_no_pages() -> None:
    url = "https://www.facebook.com/sharer/sharer.php?u=x"

    assert most_cited([cite(1, url), cite(2, url)], NOON, 10) == ()


def test_a_page_is_called_as_those_who_link_to_it_call_it() -> None:
    words = ["here", "The ONC rule", "The ONC rule", "https://page.test/a"]
    [page] = most_cited([cite(blog, words=said) for blog, said in enumerate(words)], NOON, 10)
    assert page.title == "The ONC rule"

    [page] = most_cited([cite(1, words="here"), cite(2, words="this post")], NOON, 10)
    assert page.title == "page.test/a"


def test_weeks_are_those_of_iso_8601() -> None:
    assert week_of(date(2027, 1, 1)) == "2026-53"
    assert first_day_of("2026-53") == date(2026, 12, 28)

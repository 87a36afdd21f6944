from __future__ import annotations

from datetime import timedelta

from aggregator.sameness import FIRST_IMPORT, places
from tests.builders import NOON, entry, hours_ago


def test_a_joining_blog_shows_its_newest_posts_only() -> None:
    entries = [entry(str(age), published_at=hours_ago(age)) for age in (3, 1, 2)]

    standing = places(entries, NOON, first_import=2)

    assert [place.hidden for place in standing] == [FIRST_IMPORT, "", ""]
    assert standing[1].shown_at == hours_ago(1)


def test_a_joining_blog_without_dates_shows_the_first_of_its_feed() -> None:
    entries = [entry(guid, published_at=None) for guid in "abc"]

    standing = places(entries, NOON, first_import=1)

    assert [bool(place.hidden) for place in standing] == [True, True, False]


def test_a_new_post_stands_at_its_own_date() -> None:
    [place] = places([entry(published_at=hours_ago(1))], NOON, first_import=None)

    assert place.shown_at == hours_ago(1)


def test_a_backdated_post_stands_where_it_is_seen() -> None:
    [place] = places([entry(published_at=hours_ago(24 * 90))], NOON, first_import=None)

    assert place.shown_at == NOON


def test_a_post_from_the_future_stands_where_it_was_first_seen() -> None:
    [place] = places([entry(published_at=NOON + timedelta(days=300))], NOON, first_import=None)
    [joining] = places([entry(published_at=NOON + timedelta(days=300))], NOON, first_import=5)

    assert place.shown_at == joining.shown_at == NOON


def test_an_undated_post_stands_where_it_was_first_seen() -> None:
    [place] = places([entry(published_at=None)], NOON, first_import=None)

    assert place.shown_at == NOON

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.model import Voice
from aggregator.sameness import (
    FIRST_IMPORT,
    FLOOD,
    Alias,
    Old,
    is_doubtful,
    is_same_story,
    known_again,
    places,
    takeover,
    vanished,
)
from aggregator.urls import canonical
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


def test_an_archive_that_is_opened_stands_at_its_own_dates() -> None:
    archive = [entry(str(day), published_at=hours_ago(24 * (100 + day))) for day in range(FLOOD + 1)]

    assert [place.shown_at for place in places(archive, NOON, first_import=None)] == [e.published_at for e in archive]
    assert {place.shown_at for place in places(archive[1:], NOON, first_import=None)} == {NOON}


# -- the same entry under another name ---------------------------------------------------------------


def old(id: int = 1, guid: str = "old", **fields: object) -> Old:
    values: dict[str, object] = {"url_key": "", "title": "", "written_at": None, "fingerprint": b""}
    return Old(id, guid, **{**values, **fields})  # type: ignore[arg-type]


def test_an_entry_with_a_new_guid_is_known_by_its_address() -> None:
    fresh = entry("new", url="https://blog.test/1/?utm_source=x")

    found = known_again([fresh], [old(7, url_key=canonical("http://blog.test/1"))], {"new"})

    assert found == {"new": Alias(7, "the same address")}


def test_an_entry_with_a_new_guid_is_known_by_title_and_date() -> None:
    fresh = entry("new", url="https://moved.test/1", title="On FHIR!", published_at=hours_ago(9))

    found = known_again([fresh], [old(7, title="On  FHIR", written_at=hours_ago(9))], {"new"})

    assert found == {"new": Alias(7, "the same title and date")}
    assert known_again([fresh], [old(7, title="On FHIR", written_at=hours_ago(8))], {"new"}) == {}


def test_an_entry_with_a_new_guid_is_known_by_title_and_text() -> None:
    fresh = entry("new", title="On FHIR", fingerprint=b"words", published_at=hours_ago(1))

    found = known_again([fresh], [old(7, title="On FHIR", fingerprint=b"words", written_at=hours_ago(9))], {"new"})

    assert found == {"new": Alias(7, "the same title and text")}


def test_a_blurb_under_every_episode_makes_no_two_of_them_one() -> None:
    fresh = entry("13", title="Episode 13", fingerprint=b"blurb", published_at=NOON)

    assert known_again([fresh], [old(10, title="Episode 10", fingerprint=b"blurb")], {"13"}) == {}


def test_an_undated_title_that_comes_again_is_a_new_post() -> None:
    fresh = entry("new", title="Open thread", published_at=None)

    assert known_again([fresh], [old(7, title="Open thread")], {"new"}) == {}


def test_an_entry_with_a_random_guid_is_known_by_its_content() -> None:
    fresh = entry("new", url="", title="Photo", published_at=None, content_hash=b"same")

    found = known_again([fresh], [old(7, title="Photo", content_hash=b"same")], {"new"})

    assert found == {"new": Alias(7, "the same content")}


def test_an_entry_that_its_feed_still_holds_has_no_other_name() -> None:
    fresh = entry("new", url="https://blog.test/1")

    assert known_again([fresh], [old(7, "kept", url_key=canonical("https://blog.test/1"))], {"new", "kept"}) == {}


def test_what_all_entries_have_in_common_tells_nothing() -> None:
    fresh = [entry(guid, url="https://blog.test/", fingerprint=b"same") for guid in "ab"]
    stored = [old(n, f"old {n}", url_key=canonical("https://blog.test/"), fingerprint=b"same") for n in range(2)]

    assert known_again(fresh, stored, {"a", "b"}) == {}
    assert known_again(fresh[:1], stored, {"a"}) == {}


def test_a_whole_feed_that_is_published_again_is_known_again() -> None:
    fresh = [entry(f"new {n}", url=f"https://blog.test/{n}") for n in range(50)]
    stored = [old(n, f"old {n}", url_key=canonical(f"https://blog.test/{n}")) for n in range(50)]

    found = known_again(fresh, stored, {each.guid for each in fresh})

    assert {guid: alias.entry_id for guid, alias in found.items()} == {f"new {n}": n for n in range(50)}


# -- the same story from two feeds -------------------------------------------------------------------


def test_the_same_title_and_text_from_another_feed_is_the_same_story() -> None:
    other = old(title="on  FHIR", fingerprint=b"words", written_at=NOON)

    assert is_same_story(entry(title="On FHIR", fingerprint=b"words"), other, NOON)
    assert not is_same_story(entry(title="Episode 2", fingerprint=b"words"), other, NOON)


def test_stories_of_long_ago_are_compared_by_their_own_dates() -> None:
    then = hours_ago(24 * 400)
    other = old(title="On FHIR", fingerprint=b"words", written_at=then)

    assert is_same_story(entry(title="On FHIR", fingerprint=b"words", published_at=then), other, NOON)


def test_the_same_address_is_the_same_story_only_under_the_same_title() -> None:
    other = old(url_key=canonical("https://blog.test/1"), title="On FHIR")

    assert is_same_story(entry(url="http://blog.test/1/", title="On FHIR"), other, NOON)
    assert not is_same_story(entry(url="http://blog.test/1/", title="What Jane says on FHIR"), other, NOON)


def test_a_text_that_comes_back_after_months_is_a_new_story() -> None:
    other = old(title="Post 1", fingerprint=b"words", written_at=NOON - timedelta(days=31))

    assert not is_same_story(entry(fingerprint=b"words"), other, NOON)


# -- what a feed has lost ----------------------------------------------------------------------------


def test_what_a_feed_should_still_hold_has_vanished() -> None:
    stored = [old(age, str(age), written_at=hours_ago(age)) for age in (1, 2, 3, 4)]

    assert vanished(stored, {"1", "3"}) == [2]  # 4 has only grown too old for the feed


def test_a_feed_that_holds_nothing_known_has_lost_nothing() -> None:
    assert vanished([old(1, "1", written_at=NOON)], set()) == []
    assert vanished([old(1, "1"), old(2, "2")], {"1"}) == []


# -- takeover ----------------------------------------------------------------------------------------

BLOG = Voice("Jane on FHIR", "jane.test", "wordpress", "en", frozenset(f"clinical{n}" for n in range(100)))
SPAM = Voice("Best Casino 24", "casino.test", "spamengine", "id", frozenset(f"jackpot{n}" for n in range(100)))


def test_a_feed_whose_everything_changes_at_once_may_be_taken_over() -> None:
    why = takeover(BLOG, SPAM)

    assert '"Jane on FHIR"' in why
    assert '"Best Casino 24"' in why
    assert "casino.test" in why


def test_a_blog_on_an_expired_domain_is_told_by_title_and_program() -> None:
    assert takeover(BLOG, replace(SPAM, host="jane.test", language="en"))


@pytest.mark.parametrize(
    "after",
    [
        replace(BLOG, host="jane.substack.test", generator="substack"),
        replace(BLOG, title="Interop weekly", host="new.test", generator="ghost"),
        replace(SPAM, words=BLOG.words),
        replace(BLOG, words=SPAM.words),
        replace(BLOG, words=SPAM.words, title="Something new"),
        replace(SPAM, words=frozenset()),
    ],
    ids=["moved", "renamed and moved", "its own words", "another subject", "renamed, another subject", "no text"],
)
def test_a_blog_that_changes_in_part_is_still_itself(after: Voice) -> None:
    assert takeover(BLOG, after) == ""


def test_an_expired_domain_is_told_although_its_blog_said_little_of_itself() -> None:
    before = replace(BLOG, generator="", language="")

    assert takeover(before, replace(SPAM, host="jane.test"))
    assert not takeover(before, replace(BLOG, title="Interop weekly"))


def test_a_feed_that_is_heard_for_the_first_time_is_believed() -> None:
    assert takeover(Voice(), SPAM) == ""
    assert not is_doubtful(Voice(), SPAM)


@pytest.mark.parametrize(
    ("after", "doubt"),
    [
        (SPAM, True),
        (replace(BLOG, host="jane.substack.test", generator="substack"), True),
        (replace(BLOG, title="Something new"), False),
    ],
)
def test_only_what_changes_twice_leaves_a_doubt(after: Voice, doubt: bool) -> None:
    silent = [replace(voice, words=frozenset()) for voice in (BLOG, after)]

    assert is_doubtful(*silent) is doubt

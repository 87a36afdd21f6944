from __future__ import annotations

from datetime import timedelta

from aggregator.model import Subscription, Whereabouts
from aggregator.whereabouts import Known, after_answer, after_gone, after_lost, renamed
from tests.builders import NOON

URL, NEW = "http://blog.test/feed", "https://new.test/feed"
DAY = timedelta(days=1)


def test_a_permanent_redirect_is_believed_after_a_week_of_the_same_answer() -> None:
    where = after_answer(Whereabouts(), URL, NEW, NOON)
    assert (where.moved_to, where.address) == (NEW, "")

    where = after_answer(where, URL, NEW, NOON + 6 * DAY)
    assert where.address == ""

    where = after_answer(where, URL, NEW, NOON + 7 * DAY)
    assert (where.address, where.why, where.moved_to) == (NEW, "moved", "")


def test_another_answer_in_between_begins_the_week_anew() -> None:
    where = after_answer(Whereabouts(), URL, NEW, NOON)

    where = after_answer(where, URL, "https://other.test/feed", NOON + 3 * DAY)
    assert (where.moved_to, where.moved_at) == ("https://other.test/feed", NOON + 3 * DAY)

    where = after_answer(where, URL, "", NOON + 4 * DAY)
    assert where == Whereabouts()


def test_a_moved_feed_may_move_on() -> None:
    where = Whereabouts(address=NEW, why="moved")

    assert after_answer(where, URL, "", NOON) == where
    assert after_answer(where, URL, "https://third.test/", NOON).moved_to == "https://third.test/"


def test_two_farewells_on_two_days_retire_a_feed() -> None:
    once = after_gone(Whereabouts(), NOON)
    soon = after_gone(once, NOON + timedelta(hours=2))
    next_day = after_gone(soon, NOON + DAY)

    assert (once.retired_at, soon.retired_at, next_day.retired_at) == (None, None, NOON + DAY)


def test_a_good_answer_takes_a_farewell_back() -> None:
    assert after_answer(after_gone(Whereabouts(), NOON), URL, "", NOON) == Whereabouts()


def test_a_feed_that_is_lost_at_its_new_address_is_where_it_was() -> None:
    assert after_lost(Whereabouts(address=NEW, why="moved")) == Whereabouts()


def test_a_feed_whose_url_is_edited_is_the_same_when_a_redirect_or_its_site_says_so() -> None:
    stored = {
        "http://a.test/feed": Known("", "https://a.test/rss", ""),
        "http://b.test/feed": Known("", "", "https://b.test/rss"),
        "http://c.test/feed": Known("https://c.test/", "", ""),
        "http://d.test/feed": Known("", "", ""),
    }
    wanted = [
        Subscription("https://a.test/rss"),
        Subscription("https://b.test/rss"),
        Subscription("https://feeds.test/c", site="https://c.test/"),
        Subscription("https://e.test/feed"),
        Subscription("http://d.test/feed"),
    ]

    assert renamed(stored, wanted) == {
        "http://a.test/feed": "https://a.test/rss",
        "http://b.test/feed": "https://b.test/rss",
        "http://c.test/feed": "https://feeds.test/c",
    }


def test_a_feed_that_only_becomes_secure_is_the_same() -> None:
    assert renamed({URL: Known("", "", "")}, [Subscription("https://blog.test/feed/")]) == {
        URL: "https://blog.test/feed/"
    }

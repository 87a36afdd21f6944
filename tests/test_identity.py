"""Entries that come back under other names, from two feeds, or not at all: over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape

import pytest
from linkbacks.decisions import Accepted
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import StoreReadOnly
from aggregator.feeds.voice import fingerprint
from aggregator.sameness import WITHDRAWN
from aggregator.store.identity import _MOST_ALIKE
from tests.builders import NOON, entry, hours_ago, stored, subscribed
from tests.farm import Farm, Reply
from tests.world import World

Worlds = Callable[..., World]
WORDS = "one two three four five six seven eight nine ten eleven twelve more words than twenty of them here and there"


def channel(*items: tuple[str, str, str, datetime], title: str = "A blog", more: str = "", text: str = "") -> Reply:
    """A feed of (guid, address, title, date)."""
    body = "".join(
        f"<item><guid isPermaLink='false'>{escape(guid)}</guid><link>{escape(url)}</link><title>{escape(name)}</title>"
        f"<pubDate>{format_datetime(at)}</pubDate><description>{escape(text or f'About {name}: {WORDS}')}</description>"
        "</item>"
        for guid, url, name, at in items
    )
    return Reply(f'<rss version="2.0"><channel><title>{title}</title>{more}{body}</channel></rss>'.encode())


def test_a_texts_fingerprint_does_not_depend_on_the_order_in_which_letters_are_folded() -> None:
    marks = "\u0307\u030c\u0331\u0308\u030a\u0301"

    assert fingerprint(f"{WORDS} İǰẖẗẘẙΐ {marks}") == fingerprint(f"{WORDS} İǰẖẗẘẙΐ")


# -- published again ---------------------------------------------------------------------------------


def test_a_feed_that_is_published_again_floods_nobody(world: Worlds, web: Farm) -> None:
    def posts(guid: str, at: datetime) -> list[tuple[str, str, str, datetime]]:
        return [(f"{guid}{n}", f"{web.url}/p/{n}", f"Post {n}", at - timedelta(days=n)) for n in range(10)]

    web.routes["/feed"] = channel(*posts("old:", hours_ago(30)))
    here = world(f"{web.url}/feed")
    here.poll()
    before = here.titles()
    web.routes["/feed"] = channel(*posts("new:", NOON))

    summary = here.later(hours=2).poll()
    again = here.later(hours=2).poll()

    assert (summary.new_entries, again.new_entries) == (0, 0)
    assert here.titles() == before
    assert "known by the same content" in here.explain(f"{web.url}/p/1")


def test_a_blog_that_moves_its_posts_is_known_by_their_texts(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/?p=1", "On FHIR", hours_ago(30)))
    here = world(f"{web.url}/feed")
    here.poll()
    here.publish()
    permalink = here.database.execute("SELECT id, slug FROM entry").fetchall()
    web.routes["/feed"] = channel(("x", f"{web.url}/on-fhir/", "On FHIR", NOON))

    summary = here.later(hours=2).poll()

    assert summary.new_entries == 0
    assert here.database.execute("SELECT id, slug FROM entry").fetchall() == permalink
    source = web.html("/reply", "")
    for target in (f"{web.url}/?p=1", f"{web.url}/on-fhir/"):
        assert isinstance(here.ping(f"{source}?{target[-3:]}", target), Accepted)


def test_an_edit_under_the_new_name_reaches_the_post(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", NOON))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = channel(("2", f"{web.url}/1", "One", NOON))
    here.later(hours=2).poll()
    web.routes["/feed"] = channel(("2", f"{web.url}/1", "One, edited", NOON))

    summary = here.later(hours=2).poll()

    assert (summary.new_entries, summary.updated_entries) == (0, 1)
    assert here.titles() == ["One, edited"]


def test_a_new_date_alone_is_no_edit(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", hours_ago(5)))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", NOON))

    summary = here.later(hours=2).poll()

    assert (summary.fetched, summary.new_entries, summary.updated_entries) == (1, 0, 0)


def test_a_change_that_nobody_can_see_is_no_edit(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", NOON), text="<p class='a'>Hello</p><script>1</script>")
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", NOON), text="<p class='b'>Hello</p><script>2</script>")

    summary = here.later(hours=2).poll()

    assert (summary.fetched, summary.updated_entries) == (1, 0)


# -- one story, two feeds ----------------------------------------------------------------------------


def test_the_same_story_from_two_feeds_is_shown_once_with_both_named(world: Worlds, web: Farm) -> None:
    story = ("1", f"{web.url}/story", "A story", NOON)
    web.routes["/a"] = channel(story, title="Blog A")
    web.routes["/b"] = Reply(status=503)
    here = world(f"{web.url}/a", f"{web.url}/b")
    here.poll()
    web.routes["/b"] = channel(story, ("2", f"{web.url}/other", "Another", hours_ago(1)), title="Blog B")

    here.later(hours=2).poll()
    here.publish()

    assert here.titles() == ["A story", "Another"]
    assert "also from <a" in here.page()
    assert "The same story came from <a" in here.post("A story")
    assert "Blog B" in here.post("A story")
    assert "shown once for two blogs" in here.explain(f"{web.url}/b")


def test_a_story_stays_when_one_of_its_two_feeds_leaves(world: Worlds, web: Farm) -> None:
    for path in ("/a", "/b"):
        web.routes[path] = channel(("1", f"{web.url}/story", "A story", NOON), title=f"Blog {path}")
    here = world(f"{web.url}/a", f"{web.url}/b")
    here.poll()
    [(shown,)] = here.database.execute(
        "SELECT feed.url FROM feed JOIN entry ON feed_id = feed.id WHERE hidden = ''"
    ).fetchall()
    [other] = {f"{web.url}/a", f"{web.url}/b"} - {shown}

    here.configure(world(other).planet)

    assert here.titles() == ["A story"]


# -- taken over --------------------------------------------------------------------------------------


def spam(web: Farm, count: int = 10) -> Reply:
    items = "".join(
        f"<item><guid isPermaLink='false'>s{n}</guid><link>http://casino.test/{n}</link><title>Jackpot {n}</title>"
        f"<description>{' '.join(f'jackpot{word}bonus' for word in _letters(n))}</description></item>"
        for n in range(count)
    )
    head = "<title>Best Casino</title><generator>SpamPress</generator><language>id</language>"
    return Reply(f'<rss version="2.0"><channel>{head}{items}</channel></rss>'.encode())


def _letters(number: int) -> list[str]:
    return [f"{chr(97 + number)}{chr(97 + letter)}" for letter in range(20)]


def jane(web: Farm, *more: int) -> Reply:
    head = "<generator>WordPress</generator><language>en</language>"
    posts = [(f"j{n}", f"{web.url}/{n}", f"Post {n}", hours_ago(n)) for n in (*range(3, 8), *more)]
    return channel(*posts, title="Jane on FHIR", more=head)


def test_a_feed_that_is_taken_over_is_quarantined_and_its_good_posts_stay(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = jane(web)
    here = world(f"{web.url}/feed")
    here.poll()
    before = here.titles()
    web.routes["/feed"] = spam(web)

    summary = here.later(hours=2).poll()

    assert summary.new_entries == 0
    assert here.titles() == before
    assert here.health().health == "quarantined"
    assert "Best Casino" in here.problem()
    assert "planet release" in here.health().advice
    assert here.later(hours=2).poll().new_entries == 0


def test_a_quarantine_ends_when_the_blog_is_itself_again(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = jane(web)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = spam(web)
    here.later(hours=2).poll()
    web.routes["/feed"] = jane(web, 1)

    here.later(hours=2).poll()

    assert here.health().health == "healthy"
    assert "Post 1" in here.titles()


def test_a_released_feed_is_believed_as_it_is(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = jane(web)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = spam(web)
    here.later(hours=2).poll()

    with store.transaction(here.database):
        store.voices.release(here.database, f"{web.url}/feed", here.now)
    here.poll()

    assert here.health().health == "healthy"
    assert "Jackpot 1" in here.titles()


# -- gone --------------------------------------------------------------------------------------------


def posts(web: Farm, *numbers: int, more: str = "") -> Reply:
    return channel(*((f"g{n}", f"{web.url}/{n}", f"Post {n}", hours_ago(n)) for n in numbers), more=more)


def test_a_post_that_is_gone_at_its_source_goes_here(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 1, 2, 3)
    here = world(f"{web.url}/feed")
    here.poll()
    here.publish()
    page = next(path for path in here.planet.public.glob("posts/*/index.html") if "Post 2" in path.read_text("utf-8"))
    web.routes["/feed"] = posts(web, 1, 3)

    here.later(hours=2).poll()
    once = here.recheck()
    here.later(hours=2).poll()
    twice = here.recheck()
    here.publish()

    assert (once, twice) == (0, 1)
    assert here.titles() == ["Post 1", "Post 3"]
    assert not page.exists()
    assert "Post 2" not in here.page() + here.page("feed.atom")
    assert WORDS not in str(here.database.execute("SELECT html, title FROM entry WHERE guid = 'g2'").fetchall())
    assert "removed at its source" in here.explain(f"{web.url}/2")


def test_no_page_is_looked_at_where_it_cannot_be_noted_that_it_was(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 1, 2, 3)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = posts(web, 1, 3)
    for _ in range(2):
        here.later(hours=2).poll()
    here.database.execute("PRAGMA query_only = ON")

    with pytest.raises(StoreReadOnly):
        here.recheck()
    here.database.execute("PRAGMA query_only = OFF")

    assert {seen.path for seen in web.seen} == {"/feed"}
    assert here.recheck() == 1


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_post_that_only_left_its_feed_stays(world: Worlds, web: Farm, status: int) -> None:
    web.routes["/feed"] = posts(web, 1, 2, 3)
    web.routes["/2"] = Reply(b"still here", status)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = posts(web, 1, 3)

    for _ in range(4):
        here.later(hours=2).poll()
        here.recheck()

    assert "Post 2" in here.titles()
    assert [seen.path for seen in web.seen].count("/2") == 1


def test_posts_that_grew_too_old_for_the_feed_are_not_looked_for(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 2, 3, 4)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = posts(web, 1, 2)

    for _ in range(3):
        here.later(hours=2).poll()
        here.recheck()

    assert len(here.titles()) == 4
    assert {seen.path for seen in web.seen} == {"/feed"}


def test_a_cut_off_feed_has_lost_nothing(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 1, 2, 3)
    here = world(f"{web.url}/feed")
    here.poll()
    whole = web.routes["/feed"]
    assert isinstance(whole, Reply)
    web.routes["/feed"] = Reply(posts(web, 3, 2).body[:-60])

    for _ in range(3):
        here.later(hours=2).poll()

    assert here.recheck() == 0
    assert {seen.path for seen in web.seen} == {"/feed"}


def test_a_removed_post_that_comes_back_is_shown_again(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 1, 2, 3)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = posts(web, 1, 3)
    for _ in range(2):
        here.later(hours=2).poll()
    here.recheck()
    web.routes["/feed"] = posts(web, 1, 2, 3)

    here.later(hours=2).poll()

    assert here.titles() == ["Post 1", "Post 2", "Post 3"]


def test_a_withdrawn_entry_goes_at_once(world: Worlds, web: Farm) -> None:
    entry = "<entry><id>{0}</id><title>{0}</title><updated>2026-11-22T10:00:00Z</updated><content>x</content></entry>"
    deleted = (
        '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="urn:2" when="2026-11-22T11:00:00Z"/>'
    )
    feed = '<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>F</title>{}</feed>'
    web.routes["/feed"] = Reply(feed.format(entry.format("urn:1") + entry.format("urn:2")).encode())
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = Reply(feed.format(entry.format("urn:1") + deleted).encode())

    here.later(hours=2).poll()

    assert here.titles() == ["urn:1"]


def test_a_purged_entry_never_comes_back(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = posts(web, 1, 2)
    here = world(f"{web.url}/feed")
    here.poll()
    id = here.database.execute("SELECT id FROM entry WHERE guid = 'g1'").fetchone()[0]
    with store.transaction(here.database):
        store.gone.bury(here.database, id, here.now)

    for reply in (posts(web, 1, 2, 3), channel(("other", f"{web.url}/1", "Post 1", NOON))):
        web.routes["/feed"] = reply
        here.later(hours=2).poll()

    assert "Post 1" not in here.titles()
    dump = "\n".join(here.database.conn.iterdump())
    assert "Post 1" not in dump


def test_a_purged_entry_takes_no_other_with_it_that_has_its_address(world: Worlds, web: Farm) -> None:
    def at_home(*numbers: int) -> Reply:
        return channel(*((f"g{n}", f"{web.url}/", f"Post {n}", hours_ago(9 - n)) for n in numbers))

    web.routes["/feed"] = at_home(1, 2)
    here = world(f"{web.url}/feed")
    here.poll()
    id = here.database.execute("SELECT id FROM entry WHERE guid = 'g1'").fetchone()[0]
    with store.transaction(here.database):
        store.gone.bury(here.database, id, here.now)
    web.routes["/feed"] = at_home(1, 2, 3)

    here.later(hours=2).poll()

    assert here.titles() == ["Post 3", "Post 2"]


# -- filters -----------------------------------------------------------------------------------------


def test_filters_decide_what_of_a_feed_is_shown(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(
        *((str(n), f"{web.url}/{n}", title, hours_ago(n)) for n, title in enumerate(["FHIR now", "Garden", "FHIR ad"])),
        text="x",
    )
    table = f'\n[[feeds]]\nurl = "{web.url}/feed"\ninclude = ["FHIR"]\nexclude = ["title: ad"]\n'
    here = world(table)

    here.poll()

    assert here.titles() == ["FHIR now"]
    assert "not included by the filters" in here.explain(f"{web.url}/1")
    assert "'title: ad'" in here.explain(f"{web.url}/2")


def test_changed_filters_take_effect_on_what_is_stored(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "FHIR", NOON), ("2", f"{web.url}/2", "Garden", hours_ago(1)))
    here = world(f"{web.url}/feed")
    here.poll()

    here.configure(world(f'\n[[feeds]]\nurl = "{web.url}/feed"\nexclude = ["Garden"]\n').planet)
    excluded = here.titles()
    here.configure(world(f"{web.url}/feed").planet)

    assert excluded == ["FHIR"]
    assert here.titles() == ["FHIR", "Garden"]


def test_an_edit_may_make_a_post_unwanted(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "News", NOON))
    here = world(f'\n[[feeds]]\nurl = "{web.url}/feed"\nexclude = ["sponsored"]\n')
    here.poll()
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "Sponsored news", NOON))

    here.later(hours=2).poll()

    assert here.titles() == []


# -- floods ------------------------------------------------------------------------------------------


def test_a_flood_of_one_blog_leaves_the_others_on_the_front_page(world: Worlds, web: Farm) -> None:
    def flood(count: int) -> Reply:
        return channel(*((f"f{n}", f"{web.url}/f/{n}", f"Flood {n}", NOON) for n in range(count)), title="Flooder")

    web.routes["/flood"] = flood(1)
    web.routes["/quiet"] = channel(
        *((f"q{n}", f"{web.url}/q/{n}", f"Quiet {n}", hours_ago(n + 1)) for n in range(5)), title="Quiet"
    )
    here = world(f"{web.url}/flood", f"{web.url}/quiet")
    here.poll()
    web.routes["/flood"] = flood(100)

    here.later(hours=2).poll()
    here.publish()

    for page in (here.page(), here.page("feed.atom")):
        assert all(f"Quiet {n}<" in page for n in range(3))
    assert "more from Flooder" in here.page()
    assert here.page("feed.atom").count("<entry") < 60


def test_a_feed_that_makes_up_guids_leaves_no_heap_of_names(world: Worlds, web: Farm) -> None:
    here = world(f"{web.url}/feed")
    for poll in range(10):
        web.routes["/feed"] = channel(*((f"{poll}-{n}", f"{web.url}/{n}", f"Post {n}", NOON) for n in range(5)))
        here.poll()
        here.later(hours=2)

    assert len(here.titles()) == 5
    assert here.database.execute("SELECT count(*) FROM alias").fetchone()[0] == 5


def test_episodes_with_one_blurb_are_all_shown(world: Worlds, web: Farm) -> None:
    here = world(f"{web.url}/feed")
    for number in range(6):
        episodes = range(max(0, number - 2), number + 1)
        web.routes["/feed"] = channel(
            *((f"e{n}", f"{web.url}/e/{n}", f"Episode {n}", hours_ago(24 - n)) for n in episodes), text=WORDS
        )
        here.poll()
        here.later(hours=2)

    assert here.titles() == [f"Episode {number}" for number in reversed(range(6))]


# -- dates and holes ---------------------------------------------------------------------------------


def test_a_date_that_was_missing_or_mistaken_is_corrected(world: Worlds, web: Farm) -> None:
    typo = NOON + timedelta(days=13_000)
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", typo))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", hours_ago(3)))

    summary = here.later(hours=2).poll()

    assert summary.updated_entries == 0
    assert "dated 2026-11-22 09:00 UTC" in here.explain(f"{web.url}/1")


def test_a_feed_that_bumps_its_dates_keeps_the_first(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", hours_ago(3)))
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = channel(("1", f"{web.url}/1", "One", hours_ago(1)))

    here.later(hours=2).poll()

    assert "dated 2026-11-22 09:00 UTC" in here.explain(f"{web.url}/1")


def test_a_feed_that_is_never_well_formed_loses_posts_all_the_same(world: Worlds, web: Farm) -> None:
    def broken(*numbers: int) -> Reply:
        return Reply(posts(web, *numbers).body.replace(b"<title>A blog", b"<title>A <b>blog"))

    web.routes["/feed"] = broken(1, 2, 3)
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = broken(1, 3)

    for _ in range(2):
        here.later(hours=2).poll()

    assert "not well-formed" in here.problem()
    assert here.recheck() == 1


def test_an_empty_item_is_no_post(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = Reply(b"<rss version='2.0'><channel><item/><item><title>One</title></item></channel></rss>")
    here = world(f"{web.url}/feed")

    here.poll()

    assert here.titles() == ["One"]


def test_what_a_server_leaves_out_because_we_have_it_is_not_missing(world: Worlds, web: Farm) -> None:
    posts = [(f"{n}", f"{web.url}/{n}", f"Post {n}", hours_ago(n)) for n in (1, 2, 3, 4)]
    web.routes["/feed"] = channel(*posts[1:])
    here = world(f"{web.url}/feed")
    here.poll()
    web.routes["/feed"] = replace(channel(posts[0], posts[3]), status=226)

    assert here.later(hours=2).poll().new_entries == 1
    assert here.database.execute("SELECT count(*) FROM entry WHERE missing_at IS NOT NULL").fetchone()[0] == 0


# -- large archives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("same", ["address", "text"])
def test_posts_that_share_a_mark_with_hundreds_are_known_again_by_title_and_date(
    world: Worlds, web: Farm, same: str
) -> None:
    def posts(scheme: str) -> list[tuple[str, str, str, datetime]]:
        home = f"{web.url}/"
        return [
            (f"{scheme}{n}", home if same == "address" else f"{home}{scheme}{n}", f"Post {n}", hours_ago(5 + 24 * n))
            for n in range(260)
        ]

    text = "" if same == "address" else "the very same blurb " * 12
    web.routes["/feed"] = channel(*posts("old")[200:], text=text)
    here = world(f"{web.url}/feed")
    for first in (150, 100, 50, 0):
        here.poll()
        web.routes["/feed"] = channel(*posts("old")[first : first + 50], text=text)
        here = here.later(days=3)
    here.poll()
    web.routes["/feed"] = channel(*posts("new")[:20], text=text)

    assert here.later(days=3).poll().new_entries == 0


def test_of_what_thousands_have_in_common_no_more_is_read_than_tells_that_it_means_nothing(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    alike = {"url": "http://a.test/", "fingerprint": b"12345678"}
    stored(database, feed, *(entry(f"{n}", published_at=hours_ago(n), **alike) for n in range(3_000)))
    fresh = [entry(f"new{n}", published_at=hours_ago(-n), **alike) for n in range(1, 200)]

    assert len(store.identity.old_like(database, feed, fresh)) <= 3 * _MOST_ALIKE


def test_a_blog_whose_texts_are_forgotten_is_told_from_its_successor_by_names_alone(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = jane(web)
    here = world(f"{web.url}/feed")
    here.poll()
    with store.transaction(here.database):
        store.gone.expire(here.database, hours_ago(-99), 100)
    web.routes["/feed"] = spam(web)

    assert here.later(hours=2).poll().new_entries == 0
    assert here.health().health == "quarantined"


def test_a_feed_that_changes_and_says_nothing_is_not_believed_yet(world: Worlds, web: Farm) -> None:
    web.routes["/feed"] = jane(web)
    here = world(f"{web.url}/feed")
    here.poll()
    head = "<generator>SpamPress</generator><language>id</language>"
    silent = ("x", "http://casino.test/x", "", NOON)
    web.routes["/feed"] = channel(silent, title="Best Casino", more=head, text="<hr>")
    here = here.later(hours=2)
    here.poll()
    web.routes["/feed"] = spam(web)

    assert here.later(hours=2).poll().new_entries == 0
    assert here.health().health == "quarantined"


def test_what_is_removed_takes_the_words_around_its_links_with_it(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    [id] = stored(database, feed, entry("1"))
    [source] = store.outlinks.unread(database, 10)
    with store.transaction(database):
        store.outlinks.replace(database, [(source, [("http://b.test/1", ("secret ", "words", " here"))])])
        store.outlinks.mark_unread(database, [id])
        store.gone.remove(database, [id], WITHDRAWN)

    assert (
        database.execute("SELECT * FROM outlink").fetchall()
        == database.execute("SELECT * FROM to_link").fetchall()
        == []
    )


def test_a_post_that_changes_while_its_links_are_read_is_read_again(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry("1"))
    read = [(source, []) for source in store.outlinks.unread(database, 10)]
    with store.transaction(database):
        store.entries.edit(database, feed, [entry("1", html="<p>Other</p>", content_hash=b"other")])
        store.outlinks.replace(database, read)

    assert [source.html for source in store.outlinks.unread(database, 10)] == ["<p>Other</p>"]

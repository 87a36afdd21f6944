from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import StoreFailed
from aggregator.model import Evidence, PollState, Status, Subscription
from aggregator.standing import Standing
from tests.builders import NOON, arrival, claim, entry, hours_ago, state, stored, subscribed


def test_the_query_for_due_feeds_uses_its_index(database: Database) -> None:
    plan = " ".join(
        row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {store.feeds._DUE}", ["x", "[]", "[]", 1]).fetchall()
    )

    assert "feed_due" in plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (store.entries._RIVER, "entry_river"),
        (store.entries._TARGET, "entry_url"),
        (store.entries._TARGET, "alias_url"),
        (store.identity._STORIES_AT, "entry_url"),
        (store.identity._STORIES_OF, "entry_fingerprint"),
        (store.identity._BY_ADDRESS, "entry_url"),
        (store.identity._BY_SECOND, "entry_written"),
        (store.identity._BY_TEXT, "entry_fingerprint"),
        (store.identity._BY_CONTENT, "entry_content"),
        (store.identity._SINCE, "entry_written"),
        (store.gone._MISSING, "entry_missing"),
        (store.mentions._PENDING, "linkback_to_verify"),
        (store.mentions._KNOWN, "sqlite_autoindex_linkback"),
        (store.mentions._TO_RECHECK, "linkback_to_recheck"),
        (store.members._GROUNDS, "feed_territory"),
        (store.entries._ADDRESSES, "alias_entry"),
        (store.subscriptions._AT, "sqlite_autoindex_subscription"),
        (store.subscriptions._OF_CLOUD, "subscription_topic"),
        (store.pushes._COUNT, "pushed_waiting"),
        (store.pushes._READY, "pushed_waiting"),
        (store.feeds._STAY_AWAY, "feed_stay_away"),
    ],
)
def test_queries_that_somebody_waits_for_use_an_index(database: Database, query: str, index: str) -> None:
    statement = re.sub(r"\?|:\w+", "1", query)
    plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())

    assert index in plan
    assert "TEMP B-TREE" not in plan.replace("UNION USING TEMP B-TREE", "")  # of a few rows


def test_a_feed_is_due_until_its_poll_is_recorded(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    assert [due.id for due in store.feeds.due(database, NOON, 10)] == [feed]

    assert [due.id for due in store.feeds.due(database, NOON, 10)] == [feed]
    with store.transaction(database):
        store.feeds.record_states(database, [(feed, NOON, state(next_poll_at=hours_ago(-1), last_poll_at=NOON))])
    assert store.feeds.due(database, NOON, 10) == []


@pytest.mark.parametrize("hinted", [None, -1, 1], ids=["no hint", "a hint before", "a hint since"])
def test_to_record_the_times_of_a_poll_does_what_to_record_all_of_it_does(
    database: Database, hinted: int | None
) -> None:
    subscribed(database, "http://a.test/feed", "http://b.test/feed")
    of_all, of_times = store.feeds.due(database, NOON, 10)
    with store.transaction(database):
        if hinted is not None:
            at = hours_ago(-hinted)
            database.execute("UPDATE feed SET hint = 'ping', hinted_at = ?", [store.connection.to_text(at)])
        for record, due in ((store.feeds.record_states, of_all), (store.feeds.record_times, of_times)):
            after = due.state._replace(next_poll_at=hours_ago(-9), last_poll_at=hours_ago(-0.5))
            record(database, [(due.id, NOON, after)])

    one, other = (dict(row) for row in database.query("SELECT * FROM feed ORDER BY id"))

    differs = {name for name in one if one[name] != other[name]}
    assert differs == {"id", "url", "slug", "host", "territory", "territory_host"}
    assert (one["polls"], one["hint"]) == (1, "ping" if hinted == 1 else "")


def test_to_record_the_times_of_a_poll_leaves_a_rest_that_its_host_has_asked_for_meanwhile(database: Database) -> None:
    subscribed(database, "http://a.test/feed")
    [due] = store.feeds.due(database, NOON, 10)
    with store.transaction(database):
        store.feeds.hold_host(database, "http://a.test/other", hours_ago(-2))
        after = due.state._replace(next_poll_at=hours_ago(-9), last_poll_at=NOON)
        store.feeds.record_times(database, [(due.id, NOON, after)])

    [later] = store.feeds.due(database, hours_ago(-9), 10)
    assert later.state.stay_away_until == hours_ago(-2)


@pytest.mark.parametrize("name", PollState._fields)
def test_two_states_of_a_feed_differ_in_poll_times_only_where_nothing_else_does(name: str) -> None:
    before = state()
    after = before._replace(**{name: object()})

    assert after.differs_in_poll_times_only(before) == (name in ("next_poll_at", "last_poll_at"))


def test_feeds_that_have_just_begun_to_fail_can_be_hurried(database: Database) -> None:
    fresh, lost = subscribed(database, "http://a.test/feed", "http://b.test/feed")
    with store.transaction(database):
        for id, since in ((fresh, hours_ago(1)), (lost, hours_ago(48))):
            waits = state(next_poll_at=hours_ago(-5), failing_since=since, failures=3)
            store.feeds.record_states(database, [(id, NOON, waits)])

    store.feeds.hurry(database, hours_ago(-1), failing_since=hours_ago(24))

    assert [feed.id for feed in store.feeds.due(database, hours_ago(-1), 10)] == [fresh]


def test_feeds_under_way_and_crowded_hosts_are_left_for_later(database: Database) -> None:
    one, _two = subscribed(database, "http://a.test/1", "http://b.test/2")

    assert [feed.id for feed in store.feeds.due(database, NOON, 10, under_way=[one], crowded=["b.test"])] == []
    assert len(store.feeds.due(database, NOON, 10)) == 2


def test_a_feed_that_leaves_the_configuration_leaves_the_page(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry())

    subscribed(database, "http://b.test/feed")

    assert store.entries.river(database, 10, 10) == []
    assert [blog.url for blog in store.feeds.blogs(database)] == ["http://b.test/feed"]


def test_a_feed_that_comes_back_brings_its_posts(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry())
    subscribed(database, "http://b.test/feed")

    subscribed(database, "http://a.test/feed")

    assert len(store.entries.river(database, 10, 10)) == 1


def test_a_disabled_feed_is_not_polled_and_keeps_its_posts(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry())

    subscribed(database, "http://a.test/feed", enabled=False)

    assert store.feeds.due(database, NOON, 10) == []
    assert len(store.entries.river(database, 10, 10)) == 1


def test_slugs_of_blogs_are_unique_and_stay(database: Database) -> None:
    feeds = [Subscription(url=f"http://{host}.test/feed", name="The Blog") for host in "abc"]

    store.feeds.subscribe(database, feeds, NOON)
    store.feeds.subscribe(database, list(reversed(feeds)), NOON)

    assert {blog.url[7]: blog.slug for blog in store.feeds.blogs(database)} == {
        "a": "the-blog",
        "b": "the-blog-2",
        "c": "the-blog-3",
    }


def test_an_entry_is_keyed_by_feed_and_guid(database: Database) -> None:
    one, two = subscribed(database, "http://a.test/feed", "http://b.test/feed")

    stored(database, one, entry("1"))
    stored(database, one, entry("1", title="Again"))
    stored(database, two, entry("1", title="Other blog"))

    assert sorted(post.title for post in store.entries.river(database, 10, 10)) == ["Other blog", "Post 1"]


def test_an_edit_keeps_place_address_and_first_sight(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry("1", published_at=hours_ago(5)))
    [before] = store.entries.river(database, 10, 10)

    with store.transaction(database):
        edited = store.entries.edit(database, feed, [entry("1", title="New", published_at=NOON, content_hash=b"new")])
    [after] = store.entries.river(database, 10, 10)

    assert edited == 1
    assert (after.title, after.path, after.shown_at) == ("New", before.path, before.shown_at)


def test_an_edit_that_changes_nothing_is_none(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry("1"))

    with store.transaction(database):
        assert store.entries.edit(database, feed, [entry("1")]) == 0


def test_the_river_is_newest_first_without_hidden_posts(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    stored(database, feed, entry("old", published_at=hours_ago(2)), entry("new", published_at=hours_ago(1)))
    stored(database, feed, entry("hidden"), hidden="for a reason")

    assert [post.guid for post in store.entries.river(database, 10, 10)] == ["new", "old"]


@pytest.mark.parametrize("address", ["http://blog.test/1/", "https://blog.test/1", "http://BLOG.test/1/#x"])
def test_a_target_is_found_by_its_canonical_address(database: Database, address: str) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    [id] = stored(database, feed, entry("1"))

    assert store.entries.target(database, address) == id
    assert store.entries.target(database, "http://blog.test/2/") is None


def test_a_member_is_told_by_its_site_never_by_what_it_claims(database: Database) -> None:
    store.feeds.subscribe(
        database,
        [
            Subscription(url="http://a.test/feed"),
            Subscription(url="http://host.test/ann/feed", site="http://host.test/ann/"),
            Subscription(url="http://host.test/ann/lab/feed", site="http://host.test/ann/lab/"),
        ],
        NOON,
    )
    a, ann, lab = (
        store.members.at(database, url)
        for url in ("https://a.test/x", "http://host.test/ann/x", "http://host.test/ann/lab/x")
    )
    with store.transaction(database):
        store.feeds.record_title(database, a or 0, "A", "http://victim.test/")

    assert len({a, ann, lab, None}) == 4
    for stranger in ("http://host.test/bob/x", "http://host.test/anna/x", "http://victim.test/x", "http://a.test:81/x"):
        assert store.members.at(database, stranger) is None


def test_a_failed_write_keeps_nothing(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")

    with pytest.raises(RuntimeError), store.transaction(database):
        store.feeds.record_states(database, [(feed, NOON, state(problem="half"))])
        raise RuntimeError

    assert store.health.health(database)[0].problem == ""
    assert not database.conn.in_transaction


def test_a_locked_database_is_a_clear_error(tmp_path: Path) -> None:
    database = store.open_store(tmp_path)
    database.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / store.FILE_NAME)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreFailed, match="another process holds the database"), store.transaction(database):
        pass

    other.close()
    with store.transaction(database):
        pass
    database.close()


def test_a_full_disk_is_a_clear_error_and_nothing_is_half_stored(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages + 4}")

    with pytest.raises(StoreFailed, match="disk is full"):
        stored(database, feed, *(entry(str(number), html="x" * 5000) for number in range(50)))

    assert database.execute("SELECT count(*) FROM entry").fetchone()[0] == 0
    assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    database = store.open_store(tmp_path)
    database.table("_sqlite_migrations").insert(
        {"migration_set": "planet", "name": "m999_from_the_future", "applied_at": "2030-01-01"}
    )
    database.close()

    with pytest.raises(StoreFailed, match="newer planet"):
        store.open_store(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / store.FILE_NAME).write_bytes(b"not a database at all" * 100)

    with pytest.raises(StoreFailed):
        store.open_store(tmp_path)


def test_what_changed_while_it_was_rendered_stays_stale(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    one, two = stored(database, feed, entry("1"), entry("2"))
    rendered = store.stale.some(database, 10)

    with store.transaction(database):
        store.stale.mark_posts(database, [two])
    with store.transaction(database):
        store.stale.settle(database, rendered)

    assert set(rendered.posts) == {one, two}
    assert rendered.river
    assert store.stale.some(database, 10).posts == (two,)
    assert not store.stale.some(database, 10).river


def test_thoughts_are_numbered_in_order_of_time(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    [id] = stored(database, feed, entry("1"))
    with store.transaction(database):
        for name, hours in (("later", 1), ("first", 3), ("rejected", 2)):
            made = claim(f"http://{name}.test/", "http://blog.test/1/", hours_ago(hours))
            store.mentions.add(database, [arrival(made, id, token=name)])
            known = store.mentions.find(database, made.source, id)
            assert known is not None
            status = Status.REJECTED if name == "rejected" else Status.PUBLISHED
            store.mentions.settle(database, known.id, Standing(status), Evidence(name, ("", "x", "")), NOON)

    thoughts = store.mentions.thoughts(database, [id])[id]

    assert [(thought.number, thought.title) for thought in thoughts] == [(1, "first"), (2, "later")]
    assert store.entries.river(database, 1, 1)[0].thoughts == 2


def test_one_source_host_is_verified_one_at_a_time(database: Database) -> None:
    [feed] = subscribed(database, "http://a.test/feed")
    [id] = stored(database, feed, entry("1"))
    with store.transaction(database):
        for number in range(5):
            store.mentions.add(database, [arrival(claim(f"http://s.test/{number}", "x"), id, token=str(number))])
        store.mentions.add(database, [arrival(claim("http://t.test/", "x"), id, token="t")])

    taken = store.mentions.take_pending(database, NOON, hours_ago(-1), 10, ())

    assert sorted(linkback.source for linkback in taken) == ["http://s.test/0", "http://t.test/"]
    assert store.mentions.take_pending(database, NOON, hours_ago(-1), 10, {"s.test"}) == []

"""What makes a blog due before its time: clouds, pings that were verified, weblog pings; and our own pings to a hub."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests
from linkbacks import hints
from sqlite_utils import Database

from aggregator import config, store
from aggregator.errors import StoreReadOnly
from aggregator.offers import in_feed
from tests.builders import NOON, planet, rss, subscribed
from tests.farm import Farm, Reply, Seen
from tests.world import World, feed_at

Made = Callable[..., World]


class Cloud:
    """An rssCloud server: it asks back while it is asked, as the real one does."""

    def __init__(self, web: Farm) -> None:
        self.web = web
        self.echoes: list[tuple[int, str]] = []
        self.asked: list[dict[str, str]] = []
        self.called: list[tuple[object, ...]] = []
        self.says = b'<?xml version="1.0"?><notifyResult success="true" msg="Thanks"/>'
        self.planet_url = ""
        web.routes["/pleaseNotify"] = self._please_notify
        web.routes["/RPC2"] = self._rpc

    def element(self, protocol: str) -> str:
        _, _, where = self.web.url.partition("://")
        host, _, port = where.partition(":")
        path, procedure = ("/RPC2", "rssCloud.pleaseNotify") if protocol == "xml-rpc" else ("/pleaseNotify", "")
        return f'<cloud domain="{host}" port="{port}" path="{path}" registerProcedure="{procedure}" protocol="{protocol}"/>'

    def ask_back(self, topic: str, challenge: str = "<b>1</b>") -> requests.Response:
        return requests.get(f"{self.planet_url}rsscloud", params={"url": topic, "challenge": challenge}, timeout=5)

    def _please_notify(self, seen: Seen) -> Reply:
        fields = {name: values[0] for name, values in parse_qs(seen.body.decode(), keep_blank_values=True).items()}
        self.asked.append(fields)
        answer = self.ask_back(fields["url1"])
        self.echoes.append((answer.status_code, answer.text))
        return Reply(self.says, headers={"Content-Type": "text/xml"})

    def _rpc(self, seen: Seen) -> Reply:
        params, method = xmlrpc.client.loads(seen.body)
        self.called.append((method, *params))
        return Reply(xmlrpc.client.dumps((True,), methodresponse=True).encode())


@pytest.fixture
def cloud(elsewhere: Farm) -> Cloud:
    return Cloud(elsewhere)


def registered(open_world: Made, web: Farm, cloud: Cloud, protocol: str) -> World:
    offer(web, cloud, protocol, "1")
    here = open_world(f"{web.url}/feed")
    cloud.planet_url = here.planet.masthead.url
    here.poll()
    here.subscribe()
    return here


def offer(web: Farm, cloud: Cloud, protocol: str, *posts: str) -> None:
    body = rss([(f"{web.url}/{post}", f"Post {post}", "x") for post in posts], home=f"{web.url}/")
    web.routes["/feed"] = Reply(body.replace(b"<description/>", f"<description/>{cloud.element(protocol)}".encode()))


# -- rssCloud ----------------------------------------------------------------------------------------


def test_a_cloud_is_registered_with_by_form_and_its_challenge_is_echoed_as_text(
    open_world: Made, web: Farm, cloud: Cloud
) -> None:
    here = registered(open_world, web, cloud, "http-post")

    [asked] = cloud.asked
    host, _, port = here.planet.masthead.url.partition("://")[2].rstrip("/").partition(":")
    assert asked == {
        "notifyProcedure": "",
        "domain": host,
        "port": port,
        "path": "/rsscloud",
        "protocol": "http-post",
        "url1": f"{web.url}/feed",
    }
    assert cloud.echoes == [(200, "<b>1</b>")]
    assert here.health().push == "active"


def test_a_cloud_is_registered_with_by_xml_rpc(open_world: Made, web: Farm, cloud: Cloud) -> None:
    here = registered(open_world, web, cloud, "xml-rpc")

    host, _, port = here.planet.masthead.url.partition("://")[2].rstrip("/").partition(":")
    wanted = ("rssCloud.pleaseNotify", "rssCloud.notify", int(port), "/xmlrpc", "xml-rpc", [f"{web.url}/feed"], host)
    assert cloud.called == [wanted]
    assert here.health().push == "active"


@pytest.mark.parametrize("protocol", ["http-post", "xml-rpc"])
def test_a_notification_has_the_feed_polled_and_is_not_relied_on_because_anybody_may_send_it(
    open_world: Made, web: Farm, cloud: Cloud, protocol: str
) -> None:
    here = registered(open_world, web, cloud, protocol)
    offer(web, cloud, protocol, "2", "1")

    if protocol == "xml-rpc":
        body = f"<methodCall><methodName>rssCloud.notify</methodName><params><param><value>{web.url}/feed</value></param></params></methodCall>"
        answer = requests.post(f"{here.planet.masthead.url}xmlrpc", data=body.encode(), timeout=5)
        assert xmlrpc.client.loads(answer.content)[0][0] is True
    else:
        answer = requests.post(f"{here.planet.masthead.url}rsscloud", data={"url": f"{web.url}/feed"}, timeout=5)
        assert answer.status_code == 200

    assert here.poll().new_entries == 1
    assert (here.health().arrives, here.health().push) == ("push", "active")


def test_a_cloud_is_asked_again_every_day(open_world: Made, web: Farm, cloud: Cloud) -> None:
    here = registered(open_world, web, cloud, "http-post")

    assert here.later(hours=23).subscribe() == 0
    assert here.later(hours=1).subscribe() == 1
    assert cloud.echoes[-1][0] == 200
    assert here.later(hours=25).health().push == "active"


def test_a_cloud_that_says_no_is_told_of(open_world: Made, web: Farm, cloud: Cloud) -> None:
    cloud.says = b'<notifyResult success="false" msg="The &lt;b&gt;subscription was cancelled"/>'
    here = registered(open_world, web, cloud, "http-post")

    assert here.health().push_problem == "the cloud answers with status 200: The <b>subscription was cancelled"


def test_a_stranger_has_nothing_echoed_and_nothing_polled(open_world: Made, web: Farm, cloud: Cloud) -> None:
    here = registered(open_world, web, cloud, "http-post")
    here_url = here.planet.masthead.url

    echoed = [cloud.ask_back(topic).status_code for topic in ("http://other.example/", "", "x", f"{web.url}/feed")]
    told = requests.post(f"{here_url}rsscloud", data={"url": "http://other.example/feed"}, timeout=5)
    empty = requests.post(f"{here_url}rsscloud", data=b"", timeout=5)
    put = requests.put(f"{here_url}rsscloud", timeout=5)

    assert echoed == [404] * 4
    assert (told.status_code, empty.status_code, put.status_code) == (404, 404, 405)
    assert here.later(minutes=1).poll().feeds == 0


def test_of_many_notifications_two_are_written_down(open_world: Made, web: Farm, cloud: Cloud) -> None:
    here = registered(open_world, web, cloud, "http-post")

    answers = [
        requests.post(f"{here.planet.masthead.url}rsscloud", data={"url": f"{web.url}/feed"}, timeout=5)
        for _ in range(10)
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert here.pushes() == {"cloud": 2}


def test_a_hint_after_a_poll_that_came_due_in_a_hints_rest_is_not_lost(open_world: Made, web: Farm) -> None:
    web.routes["/feed"] = Reply(rss([(f"{web.url}/1", "Post 1", "x")], home=f"{web.url}/"))
    here = open_world(f"{web.url}/feed")
    here.poll()
    polls = []
    for seconds in (1, 10):
        hinted(here.later(seconds=seconds), web)
        polls.append(here.poll().feeds)
    store.feeds.make_due(here.database, here.now)
    polls.append(here.poll().feeds)

    hinted(here.later(seconds=10), web)

    assert polls == [1, 0, 1]
    assert here.later(minutes=5).poll().feeds == 1


def hinted(here: World, web: Farm) -> None:
    with store.transaction(here.database):
        assert hints.take(here.database, [f"{web.url}/"], here.now)


def test_a_thousand_notifications_are_one_poll(open_world: Made, web: Farm, cloud: Cloud) -> None:
    here = registered(open_world, web, cloud, "http-post")

    polls = 0
    for _ in range(30):
        requests.post(f"{here.planet.masthead.url}rsscloud", data={"url": f"{web.url}/feed"}, timeout=5)
        polls += here.later(seconds=5).poll().feeds

    assert polls == 1


@pytest.mark.parametrize(
    "attributes",
    [
        'domain="x" port="70000" path="/" protocol="http-post"',
        'domain="x" port="80" path="/" protocol="soap"',
        'domain="" port="80" path="/" protocol="http-post"',
        'domain="x" port="80" path="/" protocol="xml-rpc"',
        'domain="a b" port="80" path="/" protocol="http-post"',
        'port="x"',
    ],
)
def test_a_cloud_that_cannot_be_asked_is_none(attributes: str) -> None:
    assert in_feed(f"<rss><channel><cloud {attributes}/></channel></rss>", "http://b.test/").cloud is None


@pytest.mark.parametrize(
    "before", ["<!-- our <item> list -->", "<d><![CDATA[each <item> here]]></d>", "<d><![CDATA[a <!-- b]]></d>"]
)
def test_what_is_quoted_before_it_hides_no_hub(before: str) -> None:
    hub = '<atom:link rel="hub" href="http://hub.test/"/>'

    assert in_feed(f"<rss><channel>{before}{hub}<item></item></channel></rss>", "http://b.test/").hubs
    assert not in_feed(f"<rss><channel>{before}<item>{hub}</item></channel></rss>", "http://b.test/").hubs


# -- pings -------------------------------------------------------------------------------------------


def test_a_verified_pingback_of_a_member_makes_its_blog_due(world: Made, web: Farm, elsewhere: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")), feed_at(elsewhere, ("/old", "Old", "x")))
    here.poll()
    here.publish()
    feed_at(elsewhere, ("/answer", "The answer", "x"), ("/old", "Old", "x"))
    source = elsewhere.html("/answer", f'<title>The answer</title><a href="{web.url}/1">x</a>')
    here.later(minutes=10).ping(source, f"{web.url}/1")

    here.verify()
    done = here.poll()
    here.publish()

    assert (done.feeds, done.new_entries) == (1, 1)
    assert "The answer" in here.page()
    assert here.health(f"{elsewhere.url}/feed").arrives == "ping"


def test_a_pingback_that_is_not_verified_makes_nobody_due(world: Made, web: Farm, elsewhere: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")), feed_at(elsewhere, ("/2", "Other", "x")))
    here.poll()
    source = elsewhere.html("/answer", "<title>No link</title>")
    here.later(minutes=10).ping(source, f"{web.url}/1")

    here.verify()

    assert here.poll().feeds == 0


def test_a_strangers_pingback_makes_nobody_due(world: Made, web: Farm, elsewhere: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    source = elsewhere.html("/answer", f'<title>x</title><a href="{web.url}/1">x</a>')
    here.later(minutes=10).ping(source, f"{web.url}/1")

    here.verify()

    assert here.poll().feeds == 0


def test_a_weblog_ping_brings_a_post_at_the_next_poll_and_status_says_so(world: Made, web: Farm) -> None:
    here = world(feed_at(web, ("/1", "One", "x")))
    here.poll()
    assert here.later(minutes=1).poll().feeds == 0
    body = rss([(f"{web.url}/2", "Two", "x")], at=here.now, home=f"{web.url}/")
    web.routes["/feed"] = Reply(body)

    with store.transaction(here.database):
        assert hints.take(here.database, [f"{web.url}/"], here.now)
    assert here.later(seconds=2).poll().new_entries == 1

    assert (here.health().arrives, here.health().lag) == ("ping", 2.0)


def test_a_hint_that_comes_while_its_feed_is_polled_has_it_polled_again(database: Database) -> None:
    [feed] = subscribed(database, "http://blog.test/feed")
    [due] = store.feeds.due(database, NOON, 10)
    with store.transaction(database):
        hints.take(database, ["http://blog.test/"], NOON + timedelta(seconds=1))
        done = store.feeds.PollState(
            next_poll_at=NOON + timedelta(hours=1), last_poll_at=NOON + timedelta(seconds=2), etag='"x"'
        )
        store.feeds.record_states(database, [(feed, due.due_at, done)])

    again = store.feeds.due(database, NOON + timedelta(seconds=2), 10)

    assert [(each.id, each.hint) for each in (due, *again)] == [(feed, ""), (feed, "ping")]


def test_a_hint_outlives_a_poll_that_is_cut_off(database: Database) -> None:
    subscribed(database, "http://blog.test/feed")
    hints.take(database, ["http://blog.test/"], NOON)
    [cut_off] = store.feeds.due(database, NOON, 10)

    [again] = store.feeds.due(database, NOON + timedelta(minutes=1), 10)

    assert (cut_off.hint, again.hint) == ("ping", "ping")


def test_a_hint_is_followed_once(database: Database) -> None:
    [feed] = subscribed(database, "http://blog.test/feed")
    with store.transaction(database):
        hints.take(database, ["http://blog.test/"], NOON)
    [due] = store.feeds.due(database, NOON, 10)
    done = store.feeds.PollState(next_poll_at=NOON + timedelta(hours=1), last_poll_at=NOON)
    with store.transaction(database):
        store.feeds.record_states(database, [(feed, due.due_at, done)])

    assert store.feeds.due(database, NOON + timedelta(minutes=59), 10) == []
    [again] = store.feeds.due(database, NOON + timedelta(hours=1), 10)
    assert (due.hint, again.hint) == ("ping", "")


# -- our own hub -------------------------------------------------------------------------------------


def with_hub(world: Made, web: Farm, hub: Farm, tmp_path: Path) -> World:
    here = world(feed_at(web, ("/1", "One", "x")))
    configured = planet(tmp_path, [f"{web.url}/feed"])
    text = configured.path.read_text().replace("[network]", f'hub = "{hub.url}/hub"\n[network]')
    configured.path.write_text(text)
    here.configure(config.load(configured.path))
    hub.routes["/hub"] = Reply(status=204)
    here.poll()
    return here


def told(hub: Farm) -> list[list[str]]:
    forms = [parse_qs(seen.body.decode()) for seen in hub.seen]
    assert all(form["hub.mode"] == ["publish"] for form in forms)
    return [form["hub.url"] for form in forms]


def test_our_hub_is_told_of_the_feeds_that_changed_after_they_are_published(
    world: Made, web: Farm, elsewhere: Farm, tmp_path: Path
) -> None:
    here = with_hub(world, web, elsewhere, tmp_path)
    announcer = here.announcer()
    here.publish()
    at_once, then, later = announcer.run(), announcer.run(), announcer.run()

    feed_at(web, ("/2", "Two", "x"), ("/1", "One", "x"))
    here.later(hours=2).poll()
    here.publish()
    announcer.run()
    announcer.run()

    assert (at_once, later) == (0, 0)
    assert then == len(told(elsewhere)[0])
    for feeds in told(elsewhere):
        for name in ("feed.atom", "feed.rss", "feed.json"):
            assert f"http://planet.test/{name}" in feeds
        assert not [url for url in feeds if url.endswith((".html", "/"))]
    assert len(told(elsewhere)) == 2


def test_our_hub_is_told_later_when_it_is_away(world: Made, web: Farm, elsewhere: Farm, tmp_path: Path) -> None:
    here = with_hub(world, web, elsewhere, tmp_path)
    elsewhere.routes["/hub"] = Reply(status=503)
    announcer = here.announcer()
    here.publish()
    for _ in range(100):
        announcer.run()
    tried = len(elsewhere.seen)

    elsewhere.routes["/hub"] = Reply(status=204)
    here.later(minutes=2)

    assert tried == 1
    assert announcer.run() > 0
    assert here.announcer().run() == 0  # also when the planet starts anew


def test_our_hub_is_not_told_every_second_when_it_cannot_be_noted_that_it_was(
    world: Made, web: Farm, elsewhere: Farm, tmp_path: Path
) -> None:
    here = with_hub(world, web, elsewhere, tmp_path)
    announcer = here.announcer()
    here.publish()
    announcer.run()
    here.database.execute("PRAGMA query_only = ON")

    with pytest.raises(StoreReadOnly):
        announcer.run()
    again = [announcer.run() for _ in range(10)]
    here.database.execute("PRAGMA query_only = OFF")
    later = here.later(minutes=2) and announcer.run()

    assert again == [0] * 10
    assert later > 0
    assert len(told(elsewhere)) == 2

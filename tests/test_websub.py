"""WebSub as a subscriber, over HTTP on loopback; cases have the numbers of the public suite (websub.rocks)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from aggregator import clock, store
from aggregator.feeds import read
from aggregator.model import Poll
from jobs.record import Keeping, Polled, record
from tests.builders import NOON, planet, rss
from tests.farm import Farm, Reply
from tests.hub import Hub
from tests.test_purge import left_in, run
from tests.world import World

Made = Callable[..., World]


@pytest.fixture
def hub(elsewhere: Farm) -> Hub:
    return Hub(elsewhere)


def feed(web: Farm, *posts: str, head: str = "", at_hours_ago: float = 0, now: object = None) -> bytes:
    """An RSS feed of posts by their numbers, with something in its head."""
    written = (now or NOON) - timedelta(hours=at_hours_ago)  # type: ignore[operator]
    body = rss(
        [(f"{web.url}/{post}", f"Post {post}", f"<p>{post}</p>") for post in posts], at=written, home=f"{web.url}/"
    )
    return body.replace(b"<description/>", f"<description/>{head}".encode())


def links(hub: str, topic: str) -> str:
    return f'<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="hub" href="{hub}"/><a:link xmlns:a="http://www.w3.org/2005/Atom" rel="self" href="{topic}"/>'


@pytest.fixture
def here(open_world: Made, web: Farm, hub: Hub) -> World:
    """A planet that has subscribed to a blog, and whose hub has agreed."""
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()
    assert hub.ask_back().status_code == 200
    return here


def offer(web: Farm, hub: Hub, *posts: str) -> bytes:
    body = feed(web, *posts, head=links(hub.url, f"{web.url}/feed"))
    web.routes["/feed"] = Reply(body, headers={"ETag": f'"{len(posts)}"'})
    return body


def state(world: World) -> str:
    return world.health().push


# -- 1xx: discovery ----------------------------------------------------------------------------------


def test_100_hub_and_topic_in_the_header(open_world: Made, web: Farm, hub: Hub) -> None:
    header = f'<{hub.url}>; rel="hub", <{web.url}/own>; rel="self"'
    web.routes["/feed"] = Reply(feed(web, "1"), headers={"Link": header})
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert hub.asked[0]["hub.topic"] == f"{web.url}/own"
    assert hub.ask_back().text == "a <b>challenge</b>+&=ü"
    assert state(here) == "active"


def test_101_hub_and_topic_in_the_page_that_was_given_as_a_feed(open_world: Made, web: Farm, hub: Hub) -> None:
    head = f'<link rel="hub" href="{hub.url}"><link rel=self href="/"><link rel="alternate" type="application/rss+xml" href="/f">'
    web.html("/", f"<!doctype html><html><head>{head}</head><body>x</body></html>")
    web.routes["/f"] = Reply(feed(web, "1"))
    here = open_world(f"{web.url}/")

    here.poll()
    here.later(hours=3).poll()
    here.subscribe()

    assert hub.asked[0]["hub.topic"] == f"{web.url}/"
    hub.ask_back()
    web.routes["/f"] = Reply(feed(web, "2", "1"))
    assert hub.bring(b"<!doctype html><html><body>news", **{"Content-Type": "text/html"}).ok
    here.read_pushes()
    here.poll()
    assert here.titles() == ["Post 2", "Post 1"]


def test_102_hub_and_topic_in_an_atom_feed(open_world: Made, web: Farm, hub: Hub) -> None:
    entry = "<entry><id>1</id><title>One</title><link rel='hub' href='http://127.0.0.9/no'/><link href='/1'/></entry>"
    web.routes["/feed"] = Reply(
        f"""<feed xmlns="http://www.w3.org/2005/Atom"><!-- <link rel="hub" href="http://127.0.0.9/no"/> -->
        <title>A</title>{entry}<link rel="self" href="/own"/><link href="{hub.url}" rel='hub'/></feed>""".encode()
    )
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert [asked["hub.topic"] for asked in hub.asked] == [f"{web.url}/own"]
    assert hub.ask_back().ok


def test_103_hub_and_topic_in_an_rss_feed(here: World, web: Farm, hub: Hub) -> None:
    assert hub.asked[0]["hub.topic"] == f"{web.url}/feed"
    assert hub.asked[0]["hub.mode"] == "subscribe"
    assert state(here) == "active"


def test_104_the_header_comes_before_the_document(open_world: Made, web: Farm, hub: Hub) -> None:
    header = f'<{hub.url}>; rel=hub, <{web.url}/header>; rel="self"'
    head = links("http://127.0.0.9/other-hub", f"{web.url}/document")
    web.routes["/feed"] = Reply(feed(web, "1", head=head), headers={"Link": header})
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert [asked["hub.topic"] for asked in hub.asked] == [f"{web.url}/header"]


def test_a_json_feed_names_its_hub(open_world: Made, web: Farm, hub: Hub) -> None:
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "feed_url": f"{web.url}/own.json"}
    hubs = [{"type": "WebSub", "url": hub.url}]
    items = [{"id": "1", "title": "One", "content_text": "x"}]
    web.routes["/feed"] = Reply(json.dumps({**document, "hubs": hubs, "items": items}).encode())
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert [asked["hub.topic"] for asked in hub.asked] == [f"{web.url}/own.json"]


def test_a_hub_without_a_topic_is_none(open_world: Made, web: Farm, hub: Hub) -> None:
    web.routes["/feed"] = Reply(feed(web, "1"), headers={"Link": f"<{hub.url}>; rel=hub"})
    here = open_world(f"{web.url}/feed")

    here.poll()

    assert here.subscribe() == 0


# -- 2xx: subscribing --------------------------------------------------------------------------------


def test_200_the_topic_is_what_the_feed_calls_itself(open_world: Made, web: Farm, hub: Hub) -> None:
    web.routes["/feed"] = Reply(feed(web, "1", head=links(hub.url, "https://blog.example/feed/?type=rss")))
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert hub.asked[0]["hub.topic"] == "https://blog.example/feed/?type=rss"
    assert hub.ask_back().ok


@pytest.mark.parametrize(("case", "status"), [("201", 302), ("202", 301)])
def test_201_202_the_topic_of_a_feed_behind_a_redirect(
    open_world: Made, web: Farm, hub: Hub, case: str, status: int
) -> None:
    web.routes["/feed"] = Reply(status=status, headers={"Location": "/real"})
    web.routes["/real"] = Reply(feed(web, "1", head=links(hub.url, f"{web.url}/real")))
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert hub.asked[0]["hub.topic"] == f"{web.url}/real"
    assert hub.ask_back().ok


@pytest.mark.parametrize(("case", "status"), [("203", 307), ("204", 308)])
def test_203_204_a_hub_that_has_moved(open_world: Made, web: Farm, hub: Hub, case: str, status: int) -> None:
    web.routes["/old-hub"] = Reply(status=status, headers={"Location": hub.url})
    web.routes["/feed"] = Reply(feed(web, "1", head=links(f"{web.url}/old-hub", f"{web.url}/feed")))
    here = open_world(f"{web.url}/feed")

    here.poll()
    here.subscribe()

    assert [asked["hub.mode"] for asked in hub.asked] == ["subscribe"]
    assert hub.ask_back().ok


@pytest.mark.parametrize(
    "changed",
    [
        {"topic": "http://other.example/"},
        {"topic": ""},
        {"mode": "unsubscribe"},
        {"mode": "publish"},
        {"mode": ""},
        {"challenge": ""},
        {"challenge": "x" * 3_000},
    ],
)
def test_205_nothing_is_echoed_but_what_was_asked_for(
    open_world: Made, web: Farm, hub: Hub, changed: dict[str, str]
) -> None:
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()

    refused = hub.ask_back(**changed)

    assert refused.status_code == 404
    assert changed.get("challenge") not in refused.text.split()
    assert state(here) == "asked"
    assert hub.ask_back().ok


def test_a_challenge_is_text_whatever_it_holds_and_is_echoed_once(here: World, hub: Hub, web: Farm) -> None:
    again = hub.ask_back()
    offer(web, hub, "1")

    assert again.status_code == 404
    renewed = here.later(days=9.5)
    renewed.subscribe()
    echoed = hub.ask_back(challenge="<script>alert(1)</script>")
    assert echoed.text == "<script>alert(1)</script>"
    assert echoed.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert echoed.headers["X-Content-Type-Options"] == "nosniff"


def test_a_hub_may_come_often_for_a_subscription_and_then_waits(here: World, hub: Hub, web: Farm) -> None:
    forged = [hub.bring(feed(web, "2"), secret="guessed").status_code for _ in range(100)]
    in_vain = hub.bring(feed(web, "2"))

    here.later(seconds=20)
    brought = hub.bring(feed(web, "2", "1"))
    here.read_pushes()

    taken = forged.count(202)
    assert 50 < taken < 100
    assert forged == [202] * taken + [429] * (100 - taken)
    assert (in_vain.status_code, in_vain.headers["Retry-After"]) == (429, "60")
    assert brought.status_code == 202
    assert here.titles() == ["Post 2", "Post 1"]
    assert here.pushes()["forged"] == taken


def test_one_subscription_takes_nothing_from_the_others_of_a_hub(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")
    web.routes["/other"] = Reply(feed(web, "7", head=links(hub.url, f"{web.url}/other")))
    here = open_world(f"{web.url}/feed", f"{web.url}/other")
    here.poll()
    here.subscribe()
    assert [hub.ask_back(number).status_code for number in (0, 1)] == [200, 200]

    often = [hub.bring(b"x", number=0, signed=False).status_code for _ in range(80)]
    unknown = [requests.post(f"{here.planet.masthead.url}websub/{'A' * 43}", timeout=5).status_code for _ in range(80)]

    assert often[-1] == 429
    assert set(unknown) == {404}
    assert hub.bring(feed(web, "8"), number=1).status_code == 202


def test_a_callback_that_nobody_was_told_is_not_there(here: World, hub: Hub) -> None:
    base, _, token = hub.asked[0]["hub.callback"].rpartition("/")
    fields = {"hub.mode": "subscribe", "hub.topic": hub.asked[0]["hub.topic"], "hub.challenge": "x"}
    here.publish()

    for wrong in ("x", "A" * 43, token[:-1], f"{token}x", "%00", "..%2f"):
        assert requests.get(f"{base}/{wrong}", params=fields, timeout=5).status_code == 404
        assert requests.post(f"{base}/{wrong}", data=b"<rss/>", timeout=5).status_code == 404
    assert requests.put(hub.asked[0]["hub.callback"], timeout=5).status_code == 405
    assert len(token) == 43


# -- 3xx: distribution -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_300_a_signed_push_is_on_the_page_without_a_poll(here: World, web: Farm, hub: Hub, method: str) -> None:
    polls = len(web.seen)

    answer = hub.bring(feed(web, "2"), method)
    here.read_pushes()
    here.publish()

    assert 200 <= answer.status_code < 300
    assert "Post 2" in here.page()
    assert here.titles() == ["Post 2", "Post 1"]
    assert len(web.seen) == polls
    assert here.pushes() == {"signed": 1, "read": 1}
    assert (here.health().arrives, here.health().push) == ("push", "trusted")


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + "0" * 64,
        "sha256=",
        "sha256",
        "md5=0",
        "sha256=ü",
        "=",
        "sha1=" + "0" * 64,
        "__init__=0",
        "sha3_256=0",
    ],
)
def test_301_a_push_with_a_wrong_signature_is_ignored(here: World, web: Farm, hub: Hub, signature: str) -> None:
    answer = hub.bring(feed(web, "2"), signed=False, **{"X-Hub-Signature": signature.encode().decode("latin-1")})

    assert answer.ok
    assert here.read_pushes() == 0
    assert here.titles() == ["Post 1"]
    assert here.pushes() == {"forged": 1}
    assert here.later(minutes=1).poll().feeds == 0
    assert here.later(hours=25).poll().feeds == 1  # it is still polled


def test_301_a_push_that_was_signed_for_another_body_or_by_another_is_ignored(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(feed(web, "2"), secret="guessed")

    assert here.read_pushes() == 0
    assert here.pushes() == {"forged": 1}


def test_302_an_unsigned_push_is_no_more_than_a_hint(here: World, web: Farm, hub: Hub) -> None:
    answer = hub.bring(feed(web, "666"), signed=False)
    offer(web, hub, "2", "1")

    assert answer.ok
    assert here.read_pushes() == 0
    assert here.poll().new_entries == 1
    assert here.titles() == ["Post 2", "Post 1"]
    assert here.pushes() == {"unsigned": 1}
    assert here.health().arrives == "push"


# -- what must not be believed -----------------------------------------------------------------------


def test_a_push_that_comes_again_is_ignored(here: World, web: Farm, hub: Hub) -> None:
    body = feed(web, "2")
    hub.bring(body)
    here.read_pushes()

    assert hub.bring(body).ok

    assert here.read_pushes() == 0
    assert here.pushes() == {"signed": 1, "read": 1, "repeated": 1}


def test_a_push_of_another_topic_is_ignored(here: World, web: Farm, hub: Hub) -> None:
    assert hub.bring(feed(web, "2"), Link='<http://other.example/>; rel="self"').ok

    assert here.read_pushes() == 0
    assert here.pushes() == {"wrong topic": 1}


def test_an_old_push_edits_nothing_but_has_the_feed_polled(here: World, web: Farm, hub: Hub) -> None:
    old = feed(web, "1").replace(b"Post 1", b"As it was once")

    hub.bring(old)
    here.read_pushes()

    assert here.titles() == ["Post 1"]
    assert here.poll().unchanged + here.poll().fetched == 1
    assert here.titles() == ["Post 1"]


def test_a_push_that_still_holds_what_was_purged_has_nobody_polled(here: World, web: Farm, hub: Hub) -> None:
    [id] = [row[0] for row in here.database.execute("SELECT id FROM entry")]
    with store.transaction(here.database):
        store.gone.bury(here.database, id, here.now)

    hub.bring(feed(web, "1", "2"))
    here.read_pushes()

    assert here.titles() == ["Post 2"]
    assert here.database.execute("SELECT hint FROM feed").fetchone()[0] == ""


def test_what_a_push_does_not_hold_is_not_missing(here: World, web: Farm, hub: Hub) -> None:
    # The same address under another guid would be the same post, if the push were the whole feed.
    hub.bring(feed(web, "1").replace(b"<guid>", b"<guid>other-").replace(b"Post 1", b"Another"))
    here.read_pushes()

    assert sorted(here.titles()) == ["Another", "Post 1"]
    assert here.database.execute("SELECT count(*) FROM entry WHERE missing_at IS NOT NULL").fetchone()[0] == 0


def test_an_edit_is_not_lost_when_a_push_brings_the_post_while_a_poll_reads_it(
    here: World, web: Farm, hub: Hub
) -> None:
    [due] = store.feeds.due(here.database, here.later(days=1).now, 1, under_way=set(), crowded=set())
    known = store.entries.known_hashes(here.database, due.id)
    body = feed(web, "2", "1").replace(b"Post 2", b"Post 2, corrected")
    reading = read(body, "", "", due.url, known, len(body))

    hub.bring(feed(web, "2"))
    here.read_pushes()
    with store.transaction(here.database):
        poll = Poll(here.now, 200, len(body), 1, "read")
        polled = Polled(due, due.state, poll, reading, frozenset(known))
        recorded = record(here.database, polled, reading, Keeping(5), here.now)

    assert (recorded.new, recorded.edited) == (0, 1)
    assert here.titles() == ["Post 2, corrected", "Post 1"]


def test_a_push_that_waits_is_purged_too_and_its_feed_is_polled(here: World, web: Farm, hub: Hub) -> None:
    here.now = clock.now()  # which commands go by
    here.poll()
    offer(web, hub, "2", "1")
    hub.bring(feed(web, "2", "1").replace(b"&lt;p&gt;1&lt;/p&gt;", b"xyzzytext"))

    assert run(here.planet.path, "purge", f"{web.url}/1").exit_code == 0

    assert left_in(here.planet.data, ("xyzzytext",)) == set()
    assert here.read_pushes() == 0
    assert here.later(seconds=5).poll().new_entries == 1
    assert here.titles() == ["Post 2"]


def test_a_push_that_is_no_feed_has_the_feed_polled(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(b"nonsense \xff")
    offer(web, hub, "2", "1")
    here.read_pushes()

    assert here.poll().new_entries == 1
    assert here.pushes() == {"signed": 1, "unreadable": 1}


def test_a_push_may_be_as_long_as_a_feed_and_no_longer(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed", more='[poll]\nmax_bytes = "200kB"\n')
    here.poll()
    here.subscribe()
    hub.ask_back()
    long = feed(web, "2").replace(b"<p>2</p>".replace(b"<", b"&lt;").replace(b">", b"&gt;"), b"x " * 90_000)
    too_long = feed(web, "3") + b" " * 200_000

    assert len(long) > 150_000
    assert hub.bring(long).ok
    assert hub.bring(too_long).status_code == 413
    here.read_pushes()

    assert here.titles() == ["Post 2", "Post 1"]
    assert here.pushes() == {"signed": 1, "read": 1, "oversized": 1}


def test_who_does_not_know_a_callback_may_send_no_more_than_a_ping(here: World, hub: Hub) -> None:
    where = hub.asked[0]["hub.callback"].rpartition("/")[0]
    with socket.create_connection(("127.0.0.1", int(where.split(":")[2].split("/")[0])), timeout=5) as line:
        line.sendall(f"POST /websub/{'A' * 43} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode())
        line.sendall(b"x" * 70_000)

        assert line.recv(100).startswith(b"HTTP/1.1 404")


def test_pushes_that_nobody_reads_do_not_pile_up(here: World, web: Farm, hub: Hub) -> None:
    for number in range(2, 16):
        assert hub.bring(feed(web, str(number))).ok

    assert here.read_pushes() == store.pushes.MOST_WAITING
    assert here.pushes()["crowded"] == 4
    offer(web, hub, *(str(number) for number in range(1, 16)))
    assert here.poll().new_entries == 4


# -- leases, denials, ends ---------------------------------------------------------------------------


def test_only_the_newest_pushes_are_remembered_and_large_ones_are_read_a_few_at_a_time(here: World, hub: Hub) -> None:
    sender = store.subscriptions.at(here.database, hub.asked[-1]["hub.callback"].rpartition("/")[2])
    assert sender is not None
    for number in range(store.pushes.MOST_REMEMBERED + 30):
        with store.transaction(here.database):
            store.pushes.add(here.database, sender, "", b"%d" % number, here.now)
            store.pushes.settle(here.database, number + 1)
    large = store.pushes.MOST_BYTES // 2
    with store.transaction(here.database):
        for kind in (b"a", b"b", b"c"):
            store.pushes.add(here.database, sender, "", kind * large, here.now)

    kept = here.database.execute("SELECT count(*) FROM pushed WHERE body IS NULL").fetchone()[0]
    assert kept <= store.pushes.MOST_REMEMBERED
    assert len(store.pushes.waiting(here.database, 20)) == 2


def test_a_subscription_is_renewed_before_its_lease_ends_under_another_name(here: World, hub: Hub, web: Farm) -> None:
    assert here.later(days=8).subscribe() == 0

    here.later(days=1.5).subscribe()
    first, second = hub.asked
    assert hub.ask_back().ok
    here.subscribe()
    third = hub.asked[2]

    assert first["hub.callback"] != second["hub.callback"]
    assert first["hub.secret"] != second["hub.secret"]
    assert (third["hub.mode"], third["hub.callback"]) == ("unsubscribe", first["hub.callback"])
    assert hub.bring(feed(web, "2"), number=0).status_code == 410
    assert hub.ask_back().ok
    assert hub.bring(feed(web, "2"), number=0).status_code == 404
    assert hub.bring(feed(web, "2"), number=1).ok
    assert here.read_pushes() == 1


@pytest.mark.parametrize("lease", ["", "x", "0", "-5", "1", "9" * 50, "300"])
def test_a_lease_of_any_kind_is_renewed_in_time_and_never_all_the_time(
    open_world: Made, web: Farm, hub: Hub, lease: str
) -> None:
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()

    assert hub.ask_back(lease_seconds=lease).ok

    assert here.later(minutes=59).subscribe() == 0
    assert here.later(days=31).subscribe() == 1


def test_a_hub_that_denies_is_asked_again_in_a_week(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()
    token = hub.asked[0]["hub.callback"].rpartition("/")[2]

    assert hub.ask_back(mode="denied", topic="http://other.example/").status_code == 404
    assert hub.ask_back(mode="denied", reason=f"<b>not</b> you, {token}").status_code == 200

    assert state(here) == ""
    assert here.health().push_problem == "its hub will not tell of it: not you, …"
    assert here.later(days=6).subscribe() == 0
    assert here.later(days=2).subscribe() == 1


def test_a_hub_that_denies_later_ends_the_trust_in_it(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(feed(web, "2"))
    here.read_pushes()
    here.later(hours=2).poll()
    assert here.poll().feeds == 0

    hub.ask_back(mode="denied")
    here.later(minutes=2).subscribe()

    assert here.poll().feeds == 1
    assert state(here) == ""


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_hub_that_says_no_is_asked_ever_more_rarely(open_world: Made, web: Farm, hub: Hub, status: int) -> None:
    offer(web, hub, "1")
    hub.status, hub.words = status, b"<p>I <i>won't</i>"
    here = open_world(f"{web.url}/feed")
    here.poll()

    asked = []
    for _ in range(100):
        asked.append(here.subscribe())
        here.later(hours=1)

    assert here.health().push_problem == f"its hub answers with status {status}: I won't"
    assert 5 < sum(asked) < 12


def test_a_hub_that_never_asks_back_is_asked_again(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")
    here = open_world(f"{web.url}/feed")
    here.poll()

    assert [here.subscribe(), here.later(minutes=30).subscribe(), here.later(minutes=31).subscribe()] == [1, 0, 1]
    assert hub.ask_back(0).status_code == 404
    assert hub.ask_back(1).ok


def test_a_hub_that_echoes_our_secrets_finds_them_nowhere(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")
    hub.status = 400

    def answer(seen: object) -> Reply:
        reply = hub._answer(seen)  # type: ignore[arg-type]
        words = f"{hub.asked[-1]['hub.callback']} {hub.asked[-1]['hub.secret']}".encode()
        return Reply(words, reply.status)

    hub.web.routes["/hub"] = answer
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()
    here.publish()

    token, secret = hub.asked[0]["hub.callback"].rpartition("/")[2], hub.asked[0]["hub.secret"]
    told = [here.health().push_problem, here.explain(f"{web.url}/feed"), here.page("status/index.html")]
    assert not [text for text in told if token in text or secret in text]


def test_a_hub_that_redirects_to_our_secrets_finds_them_nowhere(open_world: Made, web: Farm, hub: Hub) -> None:
    offer(web, hub, "1")

    def answer(seen: object) -> Reply:
        hub._answer(seen)  # type: ignore[arg-type]
        return Reply(status=307, headers={"Location": f"ftp://elsewhere.test/{hub.asked[-1]['hub.callback']}"})

    hub.web.routes["/hub"] = answer
    here = open_world(f"{web.url}/feed")
    here.poll()

    here.subscribe()

    assert "ftp://elsewhere.test/" in here.health().push_problem
    assert hub.asked[0]["hub.callback"].rpartition("/")[2] not in here.health().push_problem


def test_a_hub_that_agrees_to_what_is_void_by_now_ends_no_subscription(here: World, hub: Hub) -> None:
    agreed = store.subscriptions.at(here.database, hub.asked[0]["hub.callback"].rpartition("/")[2])
    assert agreed is not None
    void = replace(agreed, id=agreed.id + 1, state="asked")

    with store.transaction(here.database):
        store.subscriptions.agree(here.database, void, here.now, here.now, here.now)

    assert state(here) == "active"


def test_a_hub_that_redirects_inside_is_not_followed(open_world: Made, web: Farm, elsewhere: Farm) -> None:
    web.routes["/hub"] = Reply(status=307, headers={"Location": "http://169.254.169.254/latest"})
    web.routes["/feed"] = Reply(feed(web, "1", head=links(f"{web.url}/hub", f"{web.url}/feed")))
    here = open_world(f"{web.url}/feed")
    here.poll()

    here.subscribe()

    assert "169.254.169.254 is not a public address" in here.health().push_problem
    assert here.later(hours=2).poll().feeds == 1


def test_a_feed_that_leaves_the_configuration_is_unsubscribed(here: World, web: Farm, hub: Hub, tmp_path: Path) -> None:
    other = f"{web.url}/other"
    web.routes["/other"] = Reply(feed(web, "9"))
    here.configure(planet(tmp_path, [other], url=here.planet.masthead.url))

    here.later(minutes=2).subscribe()

    assert hub.asked[-1]["hub.mode"] == "unsubscribe"
    assert hub.ask_back(mode="subscribe").status_code == 404
    assert hub.ask_back().ok
    assert hub.ask_back().status_code == 404


def test_a_feed_that_comes_back_is_subscribed_to_anew(here: World, web: Farm, hub: Hub, tmp_path: Path) -> None:
    url = here.planet.masthead.url
    here.configure(planet(tmp_path, [f"{web.url}/other"], url=url))
    here.later(minutes=2).subscribe()
    hub.ask_back()
    here.configure(planet(tmp_path, [f"{web.url}/feed"], url=url))

    here.later(minutes=2).subscribe()

    assert [asked["hub.mode"] for asked in hub.asked] == ["subscribe", "unsubscribe", "subscribe"]
    assert hub.ask_back().ok
    assert state(here) == "active"


def test_a_planet_that_moves_has_its_hubs_come_to_its_new_address(
    here: World, hub: Hub, tmp_path: Path, web: Farm
) -> None:
    here.configure(planet(tmp_path, [f"{web.url}/feed"], url=f"{here.planet.masthead.url}below/"))

    here.later(minutes=2).subscribe()

    assert hub.asked[-1]["hub.callback"].startswith(f"{here.planet.masthead.url}websub/")
    assert here.later(minutes=2).subscribe() == 0


def test_a_hub_that_takes_no_farewell_is_told_three_times(here: World, hub: Hub, tmp_path: Path, web: Farm) -> None:
    here.configure(planet(tmp_path, [f"{web.url}/other"], url=here.planet.masthead.url))
    for _ in range(10):
        here.later(hours=2).subscribe()

    assert [asked["hub.mode"] for asked in hub.asked] == ["subscribe"] + ["unsubscribe"] * 3


def test_a_feed_that_names_no_hub_any_more_is_unsubscribed(here: World, web: Farm, hub: Hub) -> None:
    web.routes["/feed"] = Reply(feed(web, "2", "1"))
    here.later(hours=2).poll()

    here.subscribe()

    assert hub.asked[-1]["hub.mode"] == "unsubscribe"


def test_a_secret_is_not_sent_in_the_clear_for_a_feed_that_is_encrypted(open_world: Made, web: Farm, hub: Hub) -> None:
    web.routes["/feed"] = Reply(feed(web, "1", head=links(hub.url, "https://blog.example/feed")))
    here = open_world(f"{web.url}/feed")
    here.poll()
    here.subscribe()
    hub.ask_back()

    assert "hub.secret" not in hub.asked[0]
    assert hub.bring(feed(web, "2"), secret="any").ok
    assert here.read_pushes() == 0
    assert here.pushes() == {"unsigned": 1}


# -- trust -------------------------------------------------------------------------------------------


def polls_in_two_days(here: World) -> int:
    return sum(here.later(minutes=30).poll().feeds for _ in range(96))


def test_polls_thin_out_only_after_the_first_push(here: World, web: Farm, hub: Hub) -> None:
    before = polls_in_two_days(here)

    hub.bring(feed(web, "2", now=here.now))
    here.read_pushes()
    offer(web, hub, "2", "1")
    here.later(hours=2).poll()
    after = polls_in_two_days(here)

    assert before > 30
    assert after in (1, 2, 3)
    assert state(here) == "trusted"


def test_polls_come_back_when_one_finds_what_no_push_has_brought(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(feed(web, "2", now=here.now))
    here.read_pushes()
    offer(web, hub, "2", "1")
    here.later(hours=2).poll()
    web.routes["/feed"] = Reply(feed(web, "3", "2", "1", head=links(hub.url, f"{web.url}/feed"), now=here.now))
    assert here.later(hours=24).poll().new_entries == 1

    assert (state(here), here.health().arrives) == ("active", "poll")
    assert polls_in_two_days(here) > 30


def test_a_poll_that_is_quicker_than_the_push_takes_no_trust_away(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(feed(web, "2", now=here.now))
    here.read_pushes()
    here.later(hours=2).poll()
    here.later(hours=24)
    web.routes["/feed"] = Reply(feed(web, "3", "2", "1", head=links(hub.url, f"{web.url}/feed"), now=here.now))

    assert here.poll().new_entries == 1

    assert state(here) == "trusted"


def test_status_tells_how_news_arrives_and_the_lag(here: World, web: Farm, hub: Hub) -> None:
    hub.bring(feed(web, "2", now=here.now))
    here.later(seconds=3).read_pushes()

    told = here.health()

    assert (told.arrives, told.lag, told.push) == ("push", 3.0, "trusted")
    assert "Its newest post was pushed, 3 s after its publication" in here.explain(f"{web.url}/feed")

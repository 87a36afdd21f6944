"""Every known attack on receivers of linkbacks, by the name that research gives it, and what it meets here.

A21, A23, A26, A28 and A30 are with the receivers and the sender; A22 with what is looked at again.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from linkbacks import calls, pingback, trackback
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Refusal

from aggregator import store
from aggregator.evidence import examine
from aggregator.logs import escaped
from aggregator.model import Status
from aggregator.outbound import Engine, Guard, NoAnswer, Request
from jobs import equipment, rendering
from jobs.verify import Verification
from tests.builders import NOON, accept, claim
from tests.farm import Farm, Reply, farm
from tests.test_linkbacks import FROM_WORDPRESS
from tests.world import World, feed_at

HTML = {"Content-Type": "text/html"}


@pytest.fixture
def here(world: Callable[..., World], web: Farm) -> World:
    """A planet with one post, that shows what strangers send."""
    made = world(feed_at(web, ("/1", "Question", "x")), more='[linkbacks]\nstrangers = "publish"\n')
    made.poll()
    return made


def status_of(here: World) -> dict[str, int]:
    return {status: count for status, count in store.mentions.counts(here.database).items() if count}


def verified(here: World, source: str, target: str) -> dict[str, int]:
    here.ping(source, target)
    for _ in range(5):
        here.verify()
        here.later(hours=2)
    return status_of(here)


def test_a2_a_no_is_told_late_and_in_one_wording(here: World, web: Farm) -> None:
    web.routes["/broken"] = Reply(b"", 500)
    for path in ("/broken", "/missing", "/1"):
        here.ping(f"{web.url}{path}?x", f"{web.url}/1")
    here.verify()
    here.later(hours=3).verify()
    renderer = rendering.renderer_for(here.planet)
    tokens = [row[0] for row in here.database.execute("SELECT token FROM linkback").fetchall()]
    mentions = [store.mentions.mention(here.database, token) for token in tokens]

    pages = {
        re.sub(r"<dd>.*?</dd>", "", renderer.mention(each).decode())
        for each in mentions
        if each and each.status is Status.REJECTED
    }

    assert len(pages) == 1


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "0", "localhost", "[::1]", "[::ffff:127.0.0.1]",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "100.64.0.1", "192.0.0.192", "224.0.0.1", "[ff02::1]"],
)  # fmt: skip
def test_a3_a4_a5_no_spelling_of_an_address_inside_is_reached(web: Farm, host: str) -> None:
    port = web.url.rpartition(":")[2]
    with Engine(Guard(), "test") as engine:
        outcome = engine.fetch(Request(f"http://{host}:{port}/", seconds=2))

    assert isinstance(outcome, NoAnswer)
    assert web.seen == []


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "doctype",
    [BOMB, f'<!DOCTYPE x [<!ENTITY a "{"x" * 50_000}">]>', '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
     '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>', '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]>'],
    ids=["laughs", "quadratic", "dtd", "file", "parameter entity"],
)  # fmt: skip
def test_a7_a8_no_doctype_is_read(doctype: str, encoding: str) -> None:
    body = f"<?xml version='1.0'?>{doctype}<methodCall><methodName>pingback.ping</methodName><params><param><value>&c;</value></param></params></methodCall>"
    began = time.process_time()

    with pytest.raises(calls.Fault) as fault:
        calls.read(body.encode(encoding))

    assert fault.value.code in (-32700, -32600)
    assert "root:" not in fault.value.reason
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "value",
    ["<array>" * 40, "<int>" + "9" * 5_000 + "</int>", "<i8>x</i8>", "<nil/>", "<base64>%%</base64>", "<dateTime.iso8601>x</dateTime.iso8601>",
     "<struct><member></member></struct>", "<double>nan</double>", "<boolean>2</boolean>"],
)  # fmt: skip
def test_a9_odd_types_are_faults(value: str) -> None:
    body = f"<methodCall><methodName>pingback.ping</methodName><params><param><value>{value}</value></param></params></methodCall>"
    with pytest.raises(calls.Fault):
        pingback.claim(calls.read(body.encode()).params, NOON)


def drip(connection: socket.socket, over: threading.Event, what: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    while not over.wait(0.2):
        try:
            connection.sendall(what)
        except OSError:
            return


@pytest.mark.parametrize("what", [b"X-A: b\r\n", b"\r\n<p>"], ids=["headers", "body"])
def test_a11_a_slow_source_is_given_up(web: Farm, what: bytes) -> None:
    web.raw["/slow"] = lambda connection, over: drip(connection, over, what)
    with Engine(Guard.of(["127.0.0.0/8"], []), "test") as engine:
        outcome = engine.fetch(Request(f"{web.url}/slow", seconds=1))

    assert isinstance(outcome, NoAnswer)
    assert outcome.kind == "slow"


def test_a12_a_link_behind_the_cap_is_not_found(here: World, web: Farm) -> None:
    link = f'<a href="{web.url}/1">x</a>'.encode()
    web.routes["/huge"] = Reply(b"<p>" + b"x" * 600_000 + link, headers=HTML)

    assert verified(here, f"{web.url}/huge", f"{web.url}/1") == {"rejected": 1}


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate, gzip", "br", "x-unknown"])
def test_a13_a_bomb_is_not_unpacked(here: World, web: Farm, coding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000 + f'<a href="{web.url}/1">x</a>'.encode())
    web.routes["/bomb"] = Reply(bomb, headers={**HTML, "Content-Encoding": coding})

    assert verified(here, f"{web.url}/bomb", f"{web.url}/1") == {"rejected": 1}


@pytest.mark.parametrize(
    "location",
    [
        "/loop",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "http://user@127.0.0.1/",
        "gopher://127.0.0.1/",
        "//10.0.0.1/",
        "",
    ],
)
def test_a14_redirects_lead_nowhere_inside(here: World, web: Farm, location: str) -> None:
    web.routes["/loop"] = Reply(status=302, headers={"Location": location})

    assert verified(here, f"{web.url}/loop", f"{web.url}/1") == {"rejected": 1}
    assert len([seen for seen in web.seen if seen.path == "/loop"]) <= 6 * 4


@pytest.mark.parametrize(
    "payload",
    [b"<!--" * 100_000, b" <a " * 50_000, b"</" * 100_000, b"<?" * 100_000, b"<title>" * 50_000, b"<div>" * 100_000],
    ids=["comments", "anchors", "ends", "instructions", "titles", "nested"],
)
def test_a15_a_page_that_holds_parsers_is_judged_within_seconds(here: World, web: Farm, payload: bytes) -> None:
    web.routes["/hard"] = Reply(payload[:500_000], headers=HTML)
    here.ping(f"{web.url}/hard", f"{web.url}/1")
    began = time.monotonic()  # noqa: TID251

    here.verify()

    assert status_of(here) == {"rejected": 1}
    assert time.monotonic() - began < 25  # noqa: TID251


@pytest.mark.parametrize("suffix", ["evil", "/other", "?x=1", "%2e%2e"])
def test_a17_a_longer_address_is_another_one(suffix: str) -> None:
    target = "https://planet.example/posts/1-x"
    page = f'<a href="{target}{suffix}">x</a><a href="https://e.example/?u={target}">x</a><a data-x="{target}" href="/">x</a>{target}'

    assert examine(page.encode(), "", "text/html", "https://s.example/", (target,), 100_000) is None


def test_a18_a_trackback_without_a_link_is_never_shown(here: World, web: Farm) -> None:
    spam = web.html("/spam", "<title>Buy</title>nothing here")
    made = trackback.claim(f"url={spam}&title=Buy".encode(), "", f"{here.planet.masthead.url}posts/1/", here.now)
    assert made is not None
    with store.transaction(here.database):
        assert isinstance(accept(here.database, made, Rules(here.planet.masthead.url)), Accepted)

    here.verify()
    here.publish()

    assert status_of(here) == {"rejected": 1}
    assert "Buy" not in here.post("Question")


def test_a19_bytes_that_are_not_what_they_declare_are_read_as_what_they_are() -> None:
    body = FROM_WORDPRESS.replace(b"?>", b' encoding="utf-16"?>', 1)

    assert calls.read(body).method == "pingback.ping"
    with pytest.raises(calls.Fault):
        calls.read(b'<?xml version="1.0" encoding="utf-16"?>\xff\xfe\x00<junk')


NASTY = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "&#60;script>alert(1)", "]]>", "</title><script>", "\u202egnp.exe", "\x00\x1b[31m"]  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY)
def test_a20_nothing_that_a_source_says_acts_anywhere(here: World, web: Farm, elsewhere: Farm, nasty: str) -> None:
    escaped_for_page = nasty.replace("&", "&amp;").replace("<", "&lt;")
    elsewhere.html(
        "/x",
        f'<title>{escaped_for_page}</title><div class="h-entry"><p class="p-author">{escaped_for_page}</p>{escaped_for_page} <a href="{web.url}/1">{escaped_for_page}</a></div>',
    )
    here.ping(f"{elsewhere.url}/x?%22%3E%3Cscript%3E", f"{web.url}/1")
    here.ping(f"{elsewhere.url}/x", f"{web.url}/1")
    here.verify()
    here.later(minutes=1).verify()
    here.publish()
    renderer = rendering.renderer_for(here.planet)
    listed = store.moderation.listed(here.database, None, 10)

    assert status_of(here)["published"] >= 1
    html = here.post("Question")
    held = renderer.held_mentions("x", listed).decode()
    for text in (html, here.page(), held, *(page.read_text() for page in here.planet.public.rglob("*.atom"))):
        assert set(re.findall("<script[^>]*>", text)) <= set(re.findall('<script src="/static/planet.js[^>]*>', text))
        assert "<img src=x" not in text
        assert not set(text) & set("\x00\x1b\u202e")
    ElementTree.fromstring(held)
    assert json.loads(json.dumps([each.title for each in listed]))


@pytest.mark.parametrize(
    "source",
    ["JaVaScRiPt:alert(1)", "java\nscript:x", "//x", "data:text/html,x", "http://", "http://[::1", "http://a b/"],
)
def test_a20_a_source_that_is_no_address_is_refused(here: World, web: Farm, source: str) -> None:
    assert here.ping(source, f"{web.url}/1") is Refusal.SOURCE_INVALID


def test_a24_variants_of_an_address_are_one_row(here: World, web: Farm) -> None:
    port = web.url.rpartition(":")[2]
    variants = [f"{web.url}/a#{n}" for n in range(20)] + [f"{web.url}/a?utm_source={n}" for n in range(20)]
    variants += [
        f"https://127.0.0.1:{port}/a/",
        f"HTTP://127.0.0.1:{port}/%61",
        f"{web.url}/./a",
        f"{web.url}/b/../a",
        f" {web.url}/a ",
    ]

    decisions = [here.ping(variant, f"{web.url}/1") for variant in variants]

    assert sum(isinstance(decision, Accepted) for decision in decisions) == 1
    assert status_of(here) == {"pending": 1}


def test_a24_one_host_does_not_fill_a_thread(here: World, web: Farm) -> None:
    with farm("127.0.0.2") as stranger:
        for number in range(12):
            source = stranger.html(f"/x?n={number}", f'<title>X</title><a href="{web.url}/1">x</a>')
            here.ping(source, f"{web.url}/1")
        for _ in range(12):
            here.verify()

    assert status_of(here) == {"published": 10, "held": 2}


def test_a25_a_blog_is_not_shown_under_its_own_posts_unless_its_operator_wants_it(here: World, web: Farm) -> None:
    source = web.html("/2", f'<title>Second</title><a href="{web.url}/1">x</a>')

    assert verified(here, source, f"{web.url}/1") == {"hidden": 1}
    here.publish()
    assert "Second" not in here.post("Question")
    assert "it is a blog's link to a post of its own" in here.explain(source)
    with store.transaction(here.database):
        assert store.moderation.approve(here.database, [1], here.now) == 1
    here.verify()
    here.publish()
    assert "Second" in here.post("Question")


def test_a25_blogs_that_share_a_host_are_not_taken_for_one(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/a/1", "Question", "x")), feed_at(web, ("/b/1", "Another", "x"), path="/b/feed"))
    here.poll()
    answer = web.html("/b/2", f'<title>Answer</title><a href="{web.url}/a/1">x</a>')
    own = web.html("/b/1", f'<title>Another</title><a href="{web.url}/b/1?again">x</a><a href="{web.url}/a/1">x</a>')

    assert verified(here, answer, f"{web.url}/a/1") == {"published": 1}
    assert verified(here, own, f"{web.url}/a/1") == {"published": 2}


def test_a25_a_strangers_redirect_to_the_blog_itself_is_its_own_link(here: World, web: Farm, elsewhere: Farm) -> None:
    web.html("/2", f'<title>Second</title><a href="{web.url}/1">x</a>')
    elsewhere.routes["/short"] = Reply(status=302, headers={"Location": f"{web.url}/2"})

    assert verified(here, f"{elsewhere.url}/short", f"{web.url}/1") == {"hidden": 1}


def test_a25_the_planet_is_never_a_source_and_a_page_never_its_own(here: World, web: Farm) -> None:
    home = here.planet.masthead.url

    assert here.ping(f"{home}posts/1-question/", f"{web.url}/1") is Refusal.SOURCE_DENIED
    assert here.ping(f"{web.url}/1#me", f"{web.url}/1") is Refusal.SAME
    web.routes["/out"] = Reply(status=302, headers={"Location": f"{home}posts/1-question/"})
    assert verified(here, f"{web.url}/out", f"{web.url}/1") in ({"rejected": 1}, {"pending": 1})


def test_a29_line_ends_and_controls_forge_nothing() -> None:
    for source in ("http://a.test/\r\nX-Evil: 1", "http://a.test/\x1b[2J", "http://a.test/\u2028"):
        made = claim(source, "http://b.test/")
        assert "\n" not in escaped(made.source)
        assert "\x1b" not in escaped(made.source)
    fault = calls.fault(0, "x]]></value><script>\r\n\x00")
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(fault.replace(b"\x00", b""))


def test_a31_nobodys_picture_is_shown(here: World, web: Farm, elsewhere: Farm) -> None:
    photo = '<img class="u-photo" src="http://tracker.example/me.png">'
    elsewhere.html(
        "/x",
        f'<title>X</title><div class="h-entry"><p class="p-author h-card">{photo}Ann</p><a class="u-like-of" href="{web.url}/1">x</a></div>',
    )
    here.ping(f"{elsewhere.url}/x", f"{web.url}/1")
    here.verify()
    here.publish()

    assert "Ann" in here.post("Question")
    assert "tracker.example" not in here.post("Question")
    assert [seen.path for seen in elsewhere.seen if seen.path == "/me.png"] == []


def test_a32_intake_does_not_wait_for_a_fetch(here: World, web: Farm) -> None:
    with farm("127.0.0.2") as slow:
        began = threading.Event()

        def hang(_connection: object, over: threading.Event) -> None:
            began.set()
            over.wait(30)

        slow.raw["/hang"] = hang
        here.ping(f"{slow.url}/hang", f"{web.url}/1")
        stop = threading.Event()

        def verify() -> None:
            database = store.open_store(here.planet.data)
            policy = equipment.policy_for(here.planet)
            with equipment.verifier_for(here.planet) as engine:
                Verification(database, engine, here.children, policy, here.clock, stop.is_set).run()
            database.close()

        thread = threading.Thread(target=verify)
        thread.start()
        assert began.wait(20)
        decision = here.ping(
            f"{web.url}/other", f"{web.url}/1"
        )  # its transaction would time out if a fetch held the lock
        stop.set()
        slow.over.set()
        thread.join()

    assert isinstance(decision, Accepted)


def test_a32_a_verification_that_is_killed_is_done_again_and_leaves_no_half_row(
    here: World, web: Farm, elsewhere: Farm
) -> None:
    elsewhere.html("/x", f'<title>X</title><a href="{web.url}/1">x</a>')
    here.ping(f"{elsewhere.url}/x", f"{web.url}/1")
    store.mentions.take_pending(here.database, here.now, here.now + timedelta(minutes=2), 10, ())

    assert here.verify() == 0
    assert status_of(here) == {"pending": 1}
    assert here.later(minutes=3).verify() == 1
    assert status_of(here) == {"published": 1}

"""Trackback, webmention and weblog pings: bodies in, claims and answers out."""

from __future__ import annotations

import xmlrpc.client
from datetime import timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from linkbacks import forms, hints, trackback, weblogs, webmention
from linkbacks.calls import Fault
from linkbacks.claims import Rules, sources
from linkbacks.decisions import Accepted, Refusal
from sqlite_utils import Database

from aggregator import store
from aggregator.model import Claim, Status
from aggregator.serve.client import address_of
from aggregator.standing import Standing
from tests.builders import NOON, PLANET, accept, claim, entry, stored, subscribed
from tests.test_linkbacks import ask, call, fault_of

# Captured from WordPress 6.1: no charset, UTF-8, its fields already escaped as HTML.
FROM_WORDPRESS = (
    b"title=FHIR+%26%23038%3B+HL7%3A+%E2%80%9Cna%C3%AFve%E2%80%9D+&url=http%3A%2F%2Fanswer.test%2F2026%2F11%2Fnaive%2F"
    b"&blog_name=Clinic+%26amp%3B+Code+%E2%80%94+%C3%9Cberblick&excerpt=Before+the+link."
)
FORM = "application/x-www-form-urlencoded"
TARGET = "http://planet.test/posts/1/"


@pytest.fixture
def post(database: Database) -> int:
    [feed] = subscribed(database, "http://blog.test/feed")
    return stored(database, feed, entry("1"))[0]


# -- forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "content_type", "extra"),
    [
        ("utf-8", FORM, {}),
        ("utf-8", f"{FORM}; charset=UTF-8", {}),
        ("windows-1252", FORM, {}),
        ("iso-8859-1", f"{FORM}; charset=iso-8859-1", {}),
        ("iso-8859-2", FORM, {"charset": "ISO-8859-2"}),
        ("shift_jis", f"{FORM}; charset=Shift_JIS", {}),
        ("utf-8", f"{FORM}; charset=UTF-7", {}),
        ("utf-8", FORM, {"charset": "UTF-8," * 40_000}),
        ("utf-8", f"{FORM}; charset=" + "x" * 5_000, {}),
        ("utf-8", FORM, {"charset": "zlib"}),
    ],
)
def test_a21_a_form_is_decoded_as_declared_if_it_is_a_charset_that_we_know(
    encoding: str, content_type: str, extra: dict[str, str]
) -> None:
    text = "日本" if encoding == "shift_jis" else "Überblick"

    fields = forms.read(urlencode({"title": text, **extra}, encoding=encoding).encode(), content_type)

    assert fields["title"] == text


def test_a21_bytes_that_mean_nothing_are_read_as_something() -> None:
    assert forms.read(b"url=%C0%AF%ED%A0%80%00", FORM)["url"]
    assert forms.read(b"&".join(b"a=1" for _ in range(60_000)), FORM) == {}
    assert "url" not in forms.read(b"\xff\xfe", "")


# -- trackback ---------------------------------------------------------------------------------------


def test_a_trackback_of_wordpress_is_a_claim() -> None:
    made = trackback.claim(FROM_WORDPRESS, FORM, TARGET, NOON)

    assert made == Claim("http://answer.test/2026/11/naive/", TARGET, "trackback", NOON)


def test_a_trackback_without_an_address_is_none() -> None:
    for body in (b"", b"title=x", b"url=", b"url=+", b"{}", b"\x00"):
        assert trackback.claim(body, FORM, TARGET, NOON) is None


def test_the_address_of_a_trackback_is_unescaped_once() -> None:
    made = trackback.claim(b"url=http%3A%2F%2Fa.test%2F%3Fa%3D1%26amp%3Bb%3D2%26amp%3Bamp%3B", FORM, TARGET, NOON)

    assert made is not None
    assert made.source == "http://a.test/?a=1&b=2&amp;"


@pytest.mark.parametrize("decision", [Accepted("x"), *Refusal])
def test_a_trackback_is_answered_as_specified(decision: Accepted | Refusal) -> None:
    answer = trackback.reply(decision)

    root = ElementTree.fromstring(answer.encode())
    error = root.findtext("error")
    assert root.tag == "response"
    assert error == ("0" if decision in (Accepted("x"), Refusal.ALREADY_THERE) else "1")
    assert (root.findtext("message") is None) == (error == "0")


def test_a_trackback_names_the_post_by_its_id(database: Database, post: int) -> None:
    with store.transaction(database):
        made = trackback.claim(FROM_WORDPRESS, FORM, f"{PLANET}posts/{post}/", NOON)
        assert made is not None
        assert isinstance(accept(database, made, Rules(PLANET)), Accepted)
        for unknown in ("9", "x", "1/../2", "", "²"):
            made = trackback.claim(FROM_WORDPRESS, FORM, f"{PLANET}posts/{unknown}/", NOON)
            assert made is not None
            assert accept(database, made, Rules(PLANET)) is Refusal.TARGET_UNKNOWN


def test_the_same_link_by_several_protocols_is_one_row(database: Database, post: int) -> None:
    with store.transaction(database):
        accept(database, claim("http://answer.test/x", "http://blog.test/1/"), Rules(PLANET))
        again = Claim("http://answer.test/x", f"{PLANET}posts/{post}/", "trackback", NOON)
        decision = accept(database, again, Rules(PLANET))
        third = Claim("https://answer.test/x/", "http://blog.test/1/", "webmention", NOON)
        accept(database, third, Rules(PLANET))

    assert decision is Refusal.ALREADY_THERE
    rows = database.execute("SELECT protocols FROM linkback").fetchall()
    assert rows == [('["pingback","trackback","webmention"]',)]


@pytest.mark.parametrize("protocol", ["pingback", "trackback", "webmention"])
def test_what_the_operator_does_not_accept_is_not_taken(database: Database, post: int, protocol: str) -> None:
    made = Claim("http://answer.test/x", "http://blog.test/1/", protocol, NOON)  # type: ignore[arg-type]
    others = tuple(each for each in ("pingback", "trackback", "webmention") if each != protocol)

    with store.transaction(database):
        assert accept(database, made, Rules(PLANET, accepts=others)) is Refusal.NOT_ACCEPTED


# -- webmention --------------------------------------------------------------------------------------


def test_a_webmention_is_a_claim() -> None:
    body = urlencode({"source": "http://a.test/", "target": "http://b.test/?x=1&y=2", "vouch": "http://c.test/"})

    made = webmention.claim(body.encode(), FORM, NOON)

    assert made == Claim("http://a.test/", "http://b.test/?x=1&y=2", "webmention", NOON, vouch="http://c.test/")


@pytest.mark.parametrize("body", [b"", b"source=x", b"target=x", b"source=&target=x", b'{"source": "x"}', b"\xff"])
def test_a_webmention_without_its_fields_is_none(body: bytes) -> None:
    assert webmention.claim(body, FORM, NOON) is None


def test_a_webmention_is_created_with_its_status_page() -> None:
    reply = webmention.reply(Accepted("abc"), PLANET)

    assert (reply.status, reply.location) == (201, f"{PLANET}mentions/abc")


@pytest.mark.parametrize("refusal", list(Refusal))
def test_a_webmention_that_is_refused_is_the_senders_mistake(refusal: Refusal) -> None:
    reply = webmention.reply(refusal, PLANET)

    assert reply.status == (429 if refusal is Refusal.TOO_MANY else 400)
    assert reply.location == ""
    assert refusal.value in reply.text


def test_a_webmention_again_is_verified_again_and_has_the_same_page(database: Database, post: int) -> None:
    made = Claim("http://answer.test/x", "http://blog.test/1/", "webmention", NOON)
    with store.transaction(database):
        first = accept(database, made, Rules(PLANET))
        store.mentions.settle(database, 1, Standing(Status.PUBLISHED), None, NOON - timedelta(minutes=1))
        second = accept(database, made, Rules(PLANET))

    assert first == second
    [taken] = store.mentions.take_pending(database, NOON, NOON + timedelta(minutes=2), 10, ())
    assert taken.status is Status.PUBLISHED
    assert store.mentions.counts(database)["published"] == 1


# -- weblog pings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        ("http://blog.test/",),
        ("The Blog", "http://blog.test/"),
        ("Clinic &amp;amp; Code", "http://blog.test", "http://blog.test/feed/"),
        ("The Blog", "http://blog.test/", "http://blog.test/changes", "http://blog.test/feed"),
        ("The Blog", "http://nowhere.test/", "", "http://blog.test/feed", "tag|other"),
        ("", "", "", "", "", "https://BLOG.test/feed/"),
    ],
)
def test_a_known_blog_is_polled_and_its_links_are_looked_at_again(database: Database, params: tuple[str, ...]) -> None:
    target_feed, feed = subscribed(database, "http://other.test/feed", "http://blog.test/feed")
    stored(database, target_feed, entry("1", url="http://other.test/1"))
    later = NOON + timedelta(hours=1)
    database.execute("UPDATE feed SET next_poll_at = '2027-01-01T00:00:00.000000Z'")
    database.conn.commit()
    with store.transaction(database):
        accept(database, claim("http://blog.test/x", "http://other.test/1"), Rules(PLANET))
        store.mentions.settle(database, 1, Standing(Status.PUBLISHED), None, NOON)

        assert hints.take(database, weblogs.urls(params), later)

    assert [due.id for due in store.feeds.due(database, later, 10)] == [feed]
    assert len(store.mentions.take_pending(database, later, later, 10, ())) == 1


def test_a28_a_thousand_weblog_pings_are_one_poll(database: Database) -> None:
    [feed] = subscribed(database, "http://blog.test/feed")
    polls = 0
    for second in range(1_000):
        now = NOON + timedelta(seconds=second / 10)
        with store.transaction(database):
            hints.take(database, ["http://blog.test/"], now)
        for due in store.feeds.due(database, now, 10):
            polls += 1
            with store.transaction(database):
                done = {"next_poll_at": now + timedelta(hours=1), "last_poll_at": now}
                store.feeds.record_states(database, [(due.id, due.due_at, _state(**done))])

    assert polls == 1
    assert [due.id for due in store.feeds.due(database, NOON + timedelta(minutes=5), 10)] == [feed]


def _state(**fields: object) -> store.feeds.PollState:
    return store.feeds.PollState(**fields)  # type: ignore[arg-type]


def test_a_feed_that_fails_is_not_hurried_by_a_ping(database: Database) -> None:
    [feed] = subscribed(database, "http://blog.test/feed")
    with store.transaction(database):
        later = _state(next_poll_at=NOON + timedelta(hours=9), failures=1, last_poll_at=NOON)
        store.feeds.record_states(database, [(feed, NOON, later)])
        hints.take(database, ["http://blog.test/"], NOON)

    assert store.feeds.due(database, NOON + timedelta(hours=1), 10) == []


def test_an_unknown_blog_is_an_error_in_the_answer_and_no_fault() -> None:
    known = ask(call("weblogUpdates.ping", "The Blog", "http://blog.test/"), lambda _: Accepted("x"))
    unknown = ask(
        call("weblogUpdates.extendedPing", "X", "http://x.test/", "http://x.test/feed"), lambda _: Accepted("")
    )

    assert known == {"flerror": False, "message": "Thanks for the ping."}
    assert isinstance(unknown, dict)
    assert unknown["flerror"] is True
    assert ask(call("rssCloud.notify", "http://blog.test/"), lambda _: Accepted("x")) is True


@pytest.mark.parametrize("params", [(), tuple("abcdefg"), (1, 2), ([],)])
def test_a_weblog_ping_of_another_shape_is_a_fault(params: tuple[object, ...]) -> None:
    assert fault_of(call("weblogUpdates.ping", *params), lambda _: Accepted("x")) == -32602
    with pytest.raises(Fault):
        weblogs.urls(params)


# -- introspection -----------------------------------------------------------------------------------


def test_the_endpoint_describes_itself() -> None:
    def answer(method: str, *params: object) -> object:
        return ask(call(method, *params), lambda _: Accepted("x"))

    assert answer("system.methodSignature", "pingback.ping") == [["string", "string", "string"]]
    capabilities = answer("system.getCapabilities")
    assert isinstance(capabilities, dict)
    assert "faults_interop" in capabilities
    for method in answer("system.listMethods"):  # type: ignore[attr-defined]
        assert answer("system.methodHelp", method)
        assert answer("system.methodSignature", method)


def test_a6_there_is_no_multicall() -> None:
    calls = [{"methodName": "pingback.ping", "params": ["http://a.test/", "http://b.test/"]}] * 100

    assert fault_of(call("system.multicall", calls), lambda _: Accepted("x")) in (-32601, -32600)
    assert "system.multicall" not in str(ask(call("system.listMethods"), lambda _: Accepted("x")))


def test_pingbacks_of_a_post_are_listed(database: Database, post: int) -> None:
    with store.transaction(database):
        accept(database, claim("http://answer.test/x", "http://blog.test/1/"), Rules(PLANET))
        accept(database, claim("http://held.test/x", "http://blog.test/1/"), Rules(PLANET))
        store.mentions.settle(database, 1, Standing(Status.PUBLISHED), None, NOON)

    assert sources(database, "http://blog.test/1", PLANET) == ["http://answer.test/x"]
    assert sources(database, "http://blog.test/2", PLANET) is Refusal.TARGET_UNKNOWN
    listed = ask(call("pingback.extensions.getPingbacks", "http://blog.test/1/"), lambda _: Accepted("x"))
    assert listed == ["http://answer.test/x"]
    assert fault_of(call("pingback.extensions.getPingbacks", "http://x.test/"), lambda _: Accepted("x")) == 33
    with pytest.raises(xmlrpc.client.Fault):
        ask(call("pingback.extensions.getPingbacks", 1), lambda _: Accepted("x"))


# -- whose request it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a30_forwarded_addresses_are_believed_from_named_proxies_only(peer: str, forwarded: str, client: str) -> None:
    assert address_of(peer, [forwarded] if forwarded else [], ["10.0.0.0/8"]) == client


def test_strangers_have_a_budget_and_members_have_none(database: Database, post: int) -> None:
    def never(_: Claim) -> bool:
        return False

    with store.transaction(database):
        stranger = claim("http://answer.test/x", "http://blog.test/1/")
        assert accept(database, stranger, Rules(PLANET), never) is Refusal.TOO_MANY
        assert isinstance(
            accept(database, claim("http://blog.test/2", "http://blog.test/1/"), Rules(PLANET), never), Accepted
        )

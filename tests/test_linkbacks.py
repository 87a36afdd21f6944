from __future__ import annotations

import asyncio
import codecs
import xmlrpc.client
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkbacks import calls, endpoint, pingback
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Refusal
from sqlite_utils import Database

from aggregator import standing, store
from aggregator.errors import StoreFailed
from aggregator.model import Claim, Status, Subscription
from aggregator.standing import Standing
from tests.builders import NOON, PLANET, accept, claim, entry, stored, subscribed

RULES = Rules(PLANET)
FROM_WORDPRESS = b"""<?xml version="1.0"?>
<methodCall>
<methodName>pingback.ping</methodName>
<params>
<param><value><string>http://answer.test/2026/11/naive/?a=1&amp;b=2</string></value></param>
<param><value><string>http://blog.test/1/</string></value></param>
</params></methodCall>"""


@pytest.fixture
def post(database: Database) -> int:
    [feed] = subscribed(database, "http://blog.test/feed")
    return stored(database, feed, entry("1"))[0]


def decide(database: Database, made: Claim, rules: Rules = RULES) -> Accepted | Refusal:
    with store.transaction(database):
        return accept(database, made, rules)


# -- claims ------------------------------------------------------------------------------------------


def test_a_claim_on_a_known_post_is_stored_and_pending(database: Database, post: int) -> None:
    decision = decide(database, claim("http://answer.test/x", "http://blog.test/1/"))

    assert isinstance(decision, Accepted)
    mention = store.mentions.mention(database, decision.token)
    assert mention is not None
    assert mention.status is Status.PENDING


def test_the_posts_page_on_the_planet_is_a_target_too(database: Database, post: int) -> None:
    decision = decide(database, claim("http://answer.test/x", f"{PLANET}posts/{post}-post-1/"))

    assert isinstance(decision, Accepted)
    assert decide(database, claim("http://answer.test/x", "http://blog.test/1/")) is Refusal.ALREADY_THERE


@pytest.mark.parametrize(
    "target",
    [PLANET, f"{PLANET}about/", f"{PLANET}posts/999-x/", f"{PLANET}posts/x/", "http://blog.test/", "http://blog.test/2/",
     "nonsense", "", "http://blog.test/1/evil", f"{PLANET}posts/{'9' * 30}-x/", f"{PLANET}posts/1-x/more/"],
)  # fmt: skip
def test_an_unknown_target_is_refused(database: Database, post: int, target: str) -> None:
    assert decide(database, claim("http://answer.test/x", target)) is Refusal.TARGET_UNKNOWN


@pytest.mark.parametrize("source", ["", "nonsense", "javascript:x", "http://u:p@answer.test/", "ftp://answer.test/"])
def test_a_source_that_is_no_web_address_is_refused(database: Database, post: int, source: str) -> None:
    assert decide(database, claim(source, "http://blog.test/1/")) is Refusal.SOURCE_INVALID


def test_source_and_target_must_differ(database: Database, post: int) -> None:
    assert decide(database, claim("https://blog.test/1#x", "http://blog.test/1/")) is Refusal.SAME


def test_the_planet_itself_is_no_source(database: Database, post: int) -> None:
    assert decide(database, claim(f"{PLANET}about/", "http://blog.test/1/")) is Refusal.SOURCE_DENIED


@pytest.mark.parametrize(
    ("block", "source"),
    [
        ("spam.test", "http://spam.test/x"),
        ("spam.test", "http://very.spam.test/x"),
        ("host.test/bad/", "https://host.test/bad/x"),
    ],
)
def test_a_blocked_source_is_refused(database: Database, post: int, block: str, source: str) -> None:
    rules = Rules(PLANET, block=(block,))

    assert decide(database, claim(source, "http://blog.test/1/"), rules) is Refusal.SOURCE_DENIED
    for other in ("http://notspam.test/good", "http://host.test/badger"):
        assert isinstance(decide(database, claim(other, "http://blog.test/1/"), rules), Accepted)


def test_strangers_can_be_refused_and_members_not(database: Database, post: int) -> None:
    rules = Rules(PLANET, strangers="refuse")

    assert decide(database, claim("http://answer.test/x", "http://blog.test/1/"), rules) is Refusal.SOURCE_DENIED
    assert isinstance(decide(database, claim("http://blog.test/2", "http://blog.test/1/"), rules), Accepted)


@pytest.mark.parametrize(
    "variant", ["http://answer.test/x", "https://ANSWER.test/x/#1", "http://answer.test:80/x?utm_source=y"]
)
def test_variants_of_a_source_are_one_row(database: Database, post: int, variant: str) -> None:
    decide(database, claim("http://answer.test/x", "http://blog.test/1/"))

    assert decide(database, claim(variant, "http://blog.test/1/")) is Refusal.ALREADY_THERE
    assert sum(store.mentions.counts(database).values()) == 1


@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.HELD])
def test_a_ping_again_is_already_registered(database: Database, post: int, status: Status) -> None:
    decide(database, claim("http://answer.test/x", "http://blog.test/1/"))
    _settle(database, status)

    assert decide(database, claim("http://answer.test/x", "http://blog.test/1/")) is Refusal.ALREADY_THERE


@pytest.mark.parametrize("status", [Status.REJECTED, Status.RETRACTED])
def test_a_ping_again_after_a_no_is_verified_again(database: Database, post: int, status: Status) -> None:
    first = decide(database, claim("http://answer.test/x", "http://blog.test/1/"))
    _settle(database, status)

    again = decide(database, claim("http://answer.test/x", "http://blog.test/1/", NOON + standing.REVEAL_AFTER))

    assert again == first
    assert store.mentions.counts(database)["pending"] == 1


def test_a_ping_again_does_not_tell_of_a_no_that_is_not_told_yet_and_is_verified_again(
    database: Database, post: int
) -> None:
    """Whoever could tell a no from waiting would know which ports of others are open."""
    for status in (Status.PENDING, Status.REJECTED):
        decide(database, claim(f"http://answer.test/{status}", "http://blog.test/1/"))
        database.execute("UPDATE linkback SET status = ? WHERE source LIKE ?", [status, f"%{status}"])
    database.conn.commit()
    later = NOON + timedelta(minutes=5)

    again = [
        decide(database, claim(f"http://answer.test/{s}", "http://blog.test/1/", later))
        for s in ("pending", "rejected")
    ]

    assert again == [Refusal.ALREADY_THERE] * 2
    assert store.mentions.counts(database)["pending"] == 2
    asked = {row[0] for row in database.execute("SELECT asked_at FROM linkback").fetchall()}
    assert len(asked) == 1


def _settle(database: Database, status: Status) -> None:
    with store.transaction(database):
        store.mentions.settle(database, 1, Standing(status), None, NOON)


def test_a_post_of_a_feed_that_left_is_no_target(database: Database, post: int) -> None:
    store.feeds.subscribe(database, [Subscription(url="http://other.test/feed")], NOON)

    for target in ("http://blog.test/1/", f"{PLANET}posts/{post}-post-1/"):
        assert decide(database, claim("http://answer.test/x", target)) is Refusal.TARGET_GONE


# -- the wire ----------------------------------------------------------------------------------------


def params_of(body: bytes) -> tuple[object, ...]:
    return calls.read(body).params


@pytest.mark.parametrize(
    "spoilt",
    [
        FROM_WORDPRESS,
        b"\n\n  " + FROM_WORDPRESS,
        b"\xef\xbb\xbf" + FROM_WORDPRESS,
        FROM_WORDPRESS.replace(b"<string>", b"").replace(b"</string>", b""),
        FROM_WORDPRESS.replace(b"&amp;", b"&"),
        FROM_WORDPRESS.replace(b'?>', b' encoding="ISO-8859-1"?>', 1),
        FROM_WORDPRESS.replace(b'?>', b' encoding="utf-16"?>', 1),
        FROM_WORDPRESS.decode().replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"),
        FROM_WORDPRESS.partition(b"\n")[2],
    ],
    ids=["verbatim", "white space", "bom", "untyped", "bare ampersand", "latin-1", "lying utf-16", "utf-16", "no declaration"],
)  # fmt: skip
def test_a_call_is_read_as_real_senders_write_it(spoilt: bytes) -> None:
    assert params_of(spoilt) == ("http://answer.test/2026/11/naive/?a=1&b=2", "http://blog.test/1/")


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert params_of(FROM_WORDPRESS.replace(b"naive", b"na\xefve"))[0] == "http://answer.test/2026/11/na�ve/?a=1&b=2"


LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<methodCall><methodName>&b;</methodName><params/></methodCall>"
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"hello", -32700),
        (FROM_WORDPRESS[:150], -32700),
        (LAUGHS, -32700),
        (LAUGHS.decode().encode("utf-16"), -32700),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><methodCall/>', -32700),
        (FROM_WORDPRESS.replace(b"?>", b' encoding="utf-7"?>', 1), -32701),
        (FROM_WORDPRESS.replace(b"?>", b' encoding="nonsense"?>', 1), -32701),
        (b"<methodCall>" + b"<array>" * 100 + b"</array>" * 100 + b"</methodCall>", -32600),
        (b"<methodCall><params>" + b"<param/>" * 2000 + b"</params></methodCall>", -32600),
        (FROM_WORDPRESS + b" " * 70_000, -32600),
        (b"<html><body>hi</body></html>", -32600),
        (b"<methodResponse><params/></methodResponse>", -32600),
        (b"<methodCall><methodName>x</methodName><params><param><value><int>x</int></value></param></params></methodCall>", -32600),
        (b"<methodCall><methodName>x</methodName><params><param><value><struct><member><value>x</value></member></struct></value></param></params></methodCall>", -32600),
        (b"<methodCall><methodName>x</methodName><params><param><value><boolean>7</boolean></value></param></params></methodCall>", -32600),
    ],
)  # fmt: skip
def test_what_is_no_call_is_a_fault(body: bytes, code: int) -> None:
    with pytest.raises(calls.Fault) as fault:
        calls.read(body)

    assert fault.value.code == code


def test_a_call_without_params_is_a_call() -> None:
    assert calls.read(b"<methodCall><methodName>system.listMethods</methodName></methodCall>").params == ()


class Desk:
    """Answers as a test says; knows the blog at blog.test."""

    def __init__(self, decision: Callable[[Claim], Accepted | Refusal]) -> None:
        self.decision = decision

    async def accept(self, made: Claim) -> Accepted | Refusal:
        return self.decision(made)

    async def notice(self, urls: Collection[str], now: datetime) -> bool:
        return "http://blog.test/" in urls

    async def sources(self, target: str) -> list[str] | Refusal:
        return ["http://answer.test/x"] if target == "http://blog.test/1/" else Refusal.TARGET_UNKNOWN


def ask(body: bytes, decision: Callable[[Claim], Accepted | Refusal]) -> object:
    answer = asyncio.run(endpoint.respond(body, Desk(decision), PLANET, NOON))
    return xmlrpc.client.loads(answer)[0][0]


def fault_of(body: bytes, decision: Callable[[Claim], Accepted | Refusal]) -> int:
    with pytest.raises(xmlrpc.client.Fault) as fault:
        ask(body, decision)
    return fault.value.faultCode


def test_an_accepted_ping_is_answered_with_its_status_page() -> None:
    assert f"{PLANET}mentions/abc" in str(ask(FROM_WORDPRESS, lambda _: Accepted("abc")))


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal.SOURCE_INVALID, 0),
        (Refusal.SAME, 0),
        (Refusal.TARGET_UNKNOWN, 33),
        (Refusal.TARGET_GONE, 32),
        (Refusal.TOO_MANY, 49),
        (Refusal.NOT_ACCEPTED, 33),
        (Refusal.ALREADY_THERE, 48),
        (Refusal.SOURCE_DENIED, 49),
    ],
)
def test_a_refusal_has_the_fault_code_of_the_specification(refusal: Refusal, code: int) -> None:
    assert fault_of(FROM_WORDPRESS, lambda _: refusal) == code


def test_what_is_not_stored_is_not_acknowledged() -> None:
    def fail(_: Claim) -> Accepted:
        raise StoreFailed("planet.db", "the disk is full")

    assert fault_of(FROM_WORDPRESS, fail) == -32400


def call(method: str, *params: object) -> bytes:
    return xmlrpc.client.dumps(params, method).encode()


_HEADS = ["", "<?xml version='1.0'?>\n", '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="koi8-r"?>',
          " \r\n", "<?xml?>", "<!DOCTYPE x>"]  # fmt: skip
_TEXTS = ["http://a.test/1", " http://a.test/ ", "", "a&amp;b", "a&b", "a<b", "a>b", "]]>", "ü", "\x00", "\n", "<!--x-->",
          "<i4>1</i4>", "</string><string>", "%41", '"', "'", "\x7f"]  # fmt: skip
_GAPS = ["", "\n", " \t\r\n", "x", "<!---->", "\x0c", "\xa0"]


@given(
    head=st.sampled_from(_HEADS),
    method=st.sampled_from(["pingback.ping", "x", "", " a ", "a&amp;", "ü"]),
    gaps=st.lists(st.sampled_from([*_GAPS[:3]] * 6 + _GAPS[3:]), min_size=6, max_size=6),
    texts=st.lists(st.sampled_from(_TEXTS), min_size=1, max_size=3),
)
def test_a_usual_call_is_read_as_any_other(head: str, method: str, gaps: list[str], texts: list[str]) -> None:
    a, b, c, d, e, f = gaps
    params = "".join(f"<param>{a}<value>{b}<string>{text}</string>{b}</value>{c}</param>{d}" for text in texts)
    body = f"{head}<methodCall>{e}<methodName>{method}</methodName>{f}<params>{a}{params}</params></methodCall>{e}"

    assert _read(body.encode()) == _read(codecs.BOM_UTF8 + body.encode())  # only the reader takes a byte order mark


def _read(body: bytes) -> object:
    try:
        return calls.read(body)
    except calls.Fault as fault:
        return fault.code, fault.reason


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (call("pingback.ping"), -32602),
        (call("pingback.ping", "http://a.test/"), -32602),
        (call("pingback.ping", "a", "b", "c"), -32602),
        (call("pingback.ping", 1, ["x"]), -32602),
        (call("system.multicall", [{"methodName": "pingback.ping", "params": ["a", "b"]}]), -32601),
        (call("wp.getUsersBlogs", "admin", "password"), -32601),
        (call("system.methodHelp", "x"), -32602),
    ],
)
def test_wrong_calls_are_faults(body: bytes, code: int) -> None:
    assert fault_of(body, lambda _: Accepted("x")) == code


def test_methods_are_listed_and_explained() -> None:
    assert ask(call("system.listMethods"), lambda _: Accepted("x")) == [
        "pingback.extensions.getPingbacks",
        "pingback.ping",
        "rssCloud.notify",
        "system.getCapabilities",
        "system.listMethods",
        "system.methodHelp",
        "system.methodSignature",
        "weblogUpdates.extendedPing",
        "weblogUpdates.ping",
    ]
    assert "links" in str(ask(call("system.methodHelp", "pingback.ping"), lambda _: Accepted("x")))


def test_an_address_escaped_twice_is_read_once_more() -> None:
    made = pingback.claim(("http://a.test/?x=1&amp;y=2", " http://b.test/ "), NOON)

    assert (made.source, made.target) == ("http://a.test/?x=1&y=2", "http://b.test/")

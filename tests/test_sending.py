"""Discovery as strict as the specifications, and what `planet ping` does with it."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner

from aggregator import discovery
from aggregator.cli import main
from aggregator.discovery import Endpoint
from tests.builders import planet
from tests.farm import Farm, Reply, Seen, farm

URL = "https://webmention.example/test/1"


def found(html: str, *, link: str = "", pingback: str = "", url: str = URL, kind: str = "text/html") -> dict[str, str]:
    headers = {
        "content-type": kind,
        **({"link": link} if link else {}),
        **({"x-pingback": pingback} if pingback else {}),
    }
    endpoints = discovery.endpoints(html.encode(), "", headers, url, 1_000_000)
    return {endpoint.protocol: endpoint.url for endpoint in endpoints}


W = "https://webmention.example/test/1/webmention"
# The discovery tests of the Webmention test suite, by their numbers: header, page, the endpoint that is meant.
CASES = {
    1: ("</test/1/webmention>; rel=webmention", "", W),
    2: (f"<{W}>; rel=webmention", "", W),
    3: ("", '<link rel="webmention" href="/test/1/webmention">', W),
    4: ("", f'<link rel="webmention" href="{W}">', W),
    5: ("", '<a rel="webmention" href="/test/1/webmention">x</a>', W),
    6: ("", f'<a rel="webmention" href="{W}">x</a>', W),
    7: (f"<{W}>; rel=webmention", "", W),
    8: (f'<{W}>; rel="webmention"', "", W),
    9: ("", f'<link rel="webmention somethingelse" href="{W}">', W),
    10: (f'<{W}>; rel="webmention somethingelse"', "", W),
    11: (f"<{W}>; rel=webmention", '<link rel="webmention" href="/no"><a rel="webmention" href="/no2">x</a>', W),
    12: ("", f'<link rel="not-webmention" href="/no"><link rel="webmention" href="{W}">', W),
    13: ("", f'<!-- <a href="/no" rel="webmention">x</a> --><a rel="webmention" href="{W}">x</a>', W),
    14: ("", f'<code>&lt;a href="/no" rel="webmention"&gt;x&lt;/a&gt;</code><a rel="webmention" href="{W}">x</a>', W),
    15: ("", '<link rel="webmention" href="">', URL),
    16: ("", f'<a rel="webmention" href="{W}">x</a><link rel="webmention" href="/no">', W),
    17: ("", f'<body><link rel="webmention" href="{W}"><a rel="webmention" href="/no">x</a>', W),
    18: (f"</no>; rel=other, <{W}>; rel=webmention", "", W),
    19: (f'</no>; rel="other", <{W}>; rel="webmention"', "", W),
    20: ("", f'<link rel="webmention"><a rel="webmention" href="{W}">x</a>', W),
    21: ("", f'<link rel="webmention" href="{W}?query=yes">', f"{W}?query=yes"),
    22: ("", '<link rel="webmention" href="1/webmention">', W),
    23: ("", '<link rel="webmention" href="webmention-endpoint/x">', "https://webmention.example/test/webmention-endpoint/x"),
}  # fmt: skip


@pytest.mark.parametrize("number", CASES)
def test_webmention_discovery(number: int) -> None:
    link, html, endpoint = CASES[number]

    assert found(f"<html><head></head>{html}</html>", link=link).get("webmention") == endpoint


@pytest.mark.parametrize(
    ("link", "html"),
    [
        ("", "<p>nothing</p>"),
        ("<>; rel=other", '<a rel="not webmentions" href="/x">x</a>'),
        ("", '<template><a rel="webmention" href="/x">x</a></template>'),
        ("", '<noscript><link rel="webmention" href="/x"></noscript>'),
        ("", "<textarea><a rel='webmention' href='/x'>x</a></textarea>"),
        ("", '<a rel="webmention" href="javascript:alert(1)">x</a>'),
        ("", "a rel=webmention href=/x"),
        ("<" * 60_000 + " " * 4_000, ""),
    ],
)
def test_what_only_looks_like_a_webmention_endpoint_is_none(link: str, html: str) -> None:
    assert "webmention" not in found(html, link=link)


def test_a_webmention_header_counts_on_what_is_no_page() -> None:
    assert found("%PDF", link=f"<{W}>; rel=webmention", kind="application/pdf") == {"webmention": W}


P = "https://blog.example/xmlrpc"


@pytest.mark.parametrize(
    ("header", "html", "endpoint"),
    [
        (P, "", P),
        (P, '<link rel="pingback" href="https://other.example/">', P),
        (f"{P}, https://second.example/", "", P),
        ("", f'<link rel="pingback" href="{P}">', P),
        ("", f'<link rel="pingback" href="{P}"/>', P),
        ("", f'<link rel="pingback" href="{P}" />', P),
        ("", f'<link rel="pingback" href="{P}?a=1&amp;b=2" />', f"{P}?a=1&b=2"),
        ("", f'<link rel="pingback" href="{P}?a=&#49;" />', f"{P}?a=&#49;"),
        ("", f"<link rel='pingback' href='{P}'>", None),
        ("", f'<LINK rel="pingback" href="{P}">', None),
        ("", f'<link href="{P}" rel="pingback">', None),
        ("", f'<link  rel="pingback" href="{P}">', None),
        ("", f'<link rel="pingback" href="{P}"  />', None),
        ("", '<link rel="pingback" href="">', None),
        ("", '<link rel="pingback" href="/xmlrpc">', None),
        ("/xmlrpc", "", None),
    ],
)
def test_pingback_discovery_is_the_specifications_pattern(header: str, html: str, endpoint: str | None) -> None:
    discovered = found(f"<html><head>{html}</head></html>", pingback=header).get("pingback")

    assert (discovered.replace("#", "#") if discovered else None) == endpoint


def rdf(identifier: str, ping: str) -> str:
    return (
        '<!-- <rdf:RDF xmlns:rdf="x"><rdf:Description rdf:about="http://x/" '
        f'dc:identifier="{identifier}" dc:title="T" trackback:ping="{ping}" /></rdf:RDF> -->'
    )


def test_a_trackback_address_is_that_of_the_page_itself() -> None:
    page = rdf("https://webmention.example/other", "https://t.example/1") + rdf(URL, "https://t.example/2?a=1&amp;b=2")

    assert found(page) == {"trackback": "https://t.example/2?a=1&b=2"}
    assert found(rdf("https://webmention.example/other", "https://t.example/1")) == {}


def test_endpoints_come_in_the_order_in_which_they_are_tried() -> None:
    page = f'<link rel="pingback" href="{P}"><a rel="webmention" href="{W}">x</a>{rdf(URL, "https://t.example/")}'

    headers = {"content-type": "text/html"}
    assert discovery.endpoints(page.encode(), "", headers, URL, 1_000_000) == [
        Endpoint("webmention", W),
        Endpoint("pingback", P),
        Endpoint("trackback", "https://t.example/"),
    ]


def test_links_of_the_post_and_not_of_its_menu_are_sent() -> None:
    page = (
        '<base href="https://me.example/"><nav><a href="https://menu.example/">x</a></nav><article>'
        '<a href="/own">x</a><a href="https://a.example/1">x</a><a href="https://a.example/1#c">x</a>'
        '<a href="mailto:x@y">x</a><template><a href="https://t.example/">x</a></template></article>'
    )

    out = discovery.outgoing(f"<title>Mine</title>{page}".encode(), "", "text/html", "https://me.example/p", 100_000)

    assert out is not None
    assert (out.title, out.links) == ("Mine", ("https://a.example/1",))


# -- the command -------------------------------------------------------------------------------------


def ping(folder: Path, *words: str) -> tuple[int, str]:
    config = planet(folder, ["http://127.0.0.1:9/feed"])
    result = CliRunner().invoke(main, ["ping", *words, "--config", str(config.path)])
    return result.exit_code, result.output


def test_every_link_is_told_by_the_protocol_that_its_site_takes(web: Farm, tmp_path: Path) -> None:
    with farm("127.0.0.2") as other:
        source = web.html("/post", "<title>Mine</title>" + "".join(f'<a href="{other.url}/{n}">x</a>' for n in "wptn"))
        other.html("/w", '<a rel="webmention" href="/wm?x=1">x</a>')
        other.html("/p", "x", **{"X-Pingback": f"{other.url}/rpc"})
        other.html("/t", rdf(f"{other.url}/t", f"{other.url}/tb"))
        other.html("/n", "nothing")
        other.routes["/wm?x=1"] = Reply(b"queued", 201, {"Location": f"{other.url}/status/1"})
        other.routes["/rpc"] = Reply(
            xmlrpc.client.dumps(("Thanks\x07!",), methodresponse=True).replace("\x07", "").encode()
        )
        other.routes["/tb"] = Reply(b"<response><error>0</error></response>")

        code, output = ping(tmp_path, source)

        posts = [seen for seen in other.seen if seen.method == "POST"]
    lines = output.splitlines()
    assert code == 0
    assert lines == [
        f"sent: {other.url}/w: webmention to {other.url}/wm?x=1: status 201, see {other.url}/status/1",
        f"sent: {other.url}/p: pingback to {other.url}/rpc: Thanks!",
        f"sent: {other.url}/t: trackback to {other.url}/tb: error 0",
        f"not sent: {other.url}/n: it names no endpoint for webmention, pingback or trackback",
    ]
    assert parse_qs(posts[0].body.decode()) == {"source": [source], "target": [f"{other.url}/w"]}
    assert xmlrpc.client.loads(posts[1].body) == ((source, f"{other.url}/p"), "pingback.ping")
    assert parse_qs(posts[2].body.decode()) == {"url": [source], "title": ["Mine"]}


def test_an_endpoint_is_resolved_against_where_redirects_end(web: Farm, tmp_path: Path) -> None:
    """Case 23 of the test suite, over the wire."""
    web.routes["/23"] = Reply(status=302, headers={"Location": "/deep/page"})
    web.html("/deep/page", '<link rel="webmention" href="endpoint">')
    web.routes["/deep/endpoint"] = Reply(b"", 202)

    code, output = ping(tmp_path, "http://me.example/", f"{web.url}/23")

    assert (code, output) == (0, f"sent: {web.url}/23: webmention to {web.url}/deep/endpoint: status 202\n")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (xmlrpc.client.dumps(xmlrpc.client.Fault(48, "already"), methodresponse=True), 0, "fault 48: already"),
        (xmlrpc.client.dumps(xmlrpc.client.Fault(33, "no"), methodresponse=True), 1, "fault 33: no"),
        ("<html>", 1, "not XML-RPC"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><methodResponse/>', 1, "not XML-RPC"),
        ("", 1, "not XML-RPC"),
    ],
)
def test_the_answer_of_a_pingback_server_is_told(web: Farm, tmp_path: Path, answer: str, code: int, words: str) -> None:
    web.html("/t", "x", **{"X-Pingback": f"{web.url}/rpc"})
    web.routes["/rpc"] = Reply(answer.encode())

    exit_code, output = ping(tmp_path, "http://me.example/", f"{web.url}/t")

    assert exit_code == code
    assert words in output


def test_the_next_protocol_is_tried_when_one_fails(web: Farm, tmp_path: Path) -> None:
    web.html("/t", '<a rel="webmention" href="/wm">x</a>', **{"X-Pingback": f"{web.url}/rpc"})
    web.routes["/wm"] = Reply(b"<b>down</b>", 500)
    web.routes["/rpc"] = Reply(xmlrpc.client.dumps(("ok",), methodresponse=True).encode())

    code, output = ping(tmp_path, "http://me.example/", f"{web.url}/t")

    assert code == 0
    assert "pingback to" in output


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1/wm", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/"])
def test_a26_nothing_is_sent_to_addresses_inside(web: Farm, tmp_path: Path, endpoint: str) -> None:
    web.html("/t", f'<a rel="webmention" href="{endpoint}">x</a>')

    code, output = ping(tmp_path, "http://me.example/", f"{web.url}/t")

    assert code == 1
    assert "not a public address" in output


def test_mistakes_are_one_line(web: Farm, tmp_path: Path) -> None:
    def hostile(_: Seen) -> Reply:
        return Reply(b"<div>" * 200_000, headers={"Content-Type": "text/html"})

    web.routes["/hostile"] = hostile
    for words in (["nonsense"], [f"{web.url}/none"], [web.html("/alone", "no link")], [f"{web.url}/hostile"]):
        code, output = ping(tmp_path, *words)

        assert code == 1
        assert output.startswith("planet: ")
        assert output.count("\n") == 1

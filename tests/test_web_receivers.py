"""The receivers as their senders meet them: over HTTP, at a planet that runs."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import xmlrpc.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.farm import Farm, Reply, Seen, eventually
from tests.test_processes import Running
from tests.test_receivers import FROM_WORDPRESS


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    web = Farm()
    made = Running(tmp_path_factory.mktemp("planet"), web, title="Question")
    eventually(made.has("Question"))
    yield made
    made.end()
    web.close()


def post_page(here: Running) -> str:
    found = re.search(r'href="/(posts/[^"#]+)"', here.get().text)
    assert found is not None
    return found[1]


def send(here: Running, path: str, **fields: str) -> requests.Response:
    return requests.post(f"{here.url}{path}", data=fields, timeout=10)


def status_at(url: str) -> str:
    return str(requests.get(url, headers={"Accept": "application/json"}, timeout=5).json()["status"])


def test_a_page_that_may_be_pinged_names_every_endpoint_once(here: Running) -> None:
    path = post_page(here)
    for method in ("GET", "HEAD"):
        connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=5)
        connection.request(method, f"/{path}")
        answer = connection.getresponse()
        html = answer.read().decode()

        assert answer.headers.get_all("X-Pingback") == [f"{here.url}xmlrpc"]
        assert answer.headers.get_all("Link") == [f'<{here.url}webmention>; rel="webmention"']
        connection.close()
        if method == "GET":
            assert re.findall('<link rel="pingback" href="([^"]+)" ?/?>', html) == [f"{here.url}xmlrpc"]
            assert re.findall('rel="webmention" href="([^"]+)"', html) == [f"{here.url}webmention"]
            assert f'dc:identifier="{here.url}{path}"' in html
            assert re.findall('trackback:ping="([^"]+)"', html) == [
                f"{here.url}trackback/{path.split('/')[1].split('-')[0]}"
            ]
    redirect = requests.head(f"{here.url}{path.rstrip('/')}", allow_redirects=False, timeout=5)
    assert (redirect.status_code, redirect.headers["X-Pingback"]) == (301, f"{here.url}xmlrpc")
    front = here.get()
    assert "X-Pingback" not in front.headers
    assert "Link" not in front.headers


def test_a_webmention_is_created_verified_and_updated(here: Running) -> None:
    source = here.member.html(
        "/wm", f'<title>First</title><p class="h-entry"><a class="u-in-reply-to" href="{here.post_url}">x</a></p>'
    )

    answer = send(here, "webmention", source=source, target=here.post_url)

    assert answer.status_code == 201
    eventually(lambda: status_at(answer.headers["Location"]) == "published")
    eventually(here.has("First", post_page(here)))
    assert "Reply:" in here.get(post_page(here)).text
    here.member.html("/wm", "<title>Without</title>")
    again = send(here, "webmention", source=source, target=here.post_url)
    assert (again.status_code, again.headers["Location"]) == (201, answer.headers["Location"])
    eventually(lambda: status_at(answer.headers["Location"]) == "retracted", seconds=30)
    eventually(lambda: "First" not in here.get(post_page(here)).text)


def test_a_trackback_is_verified_like_any_linkback(here: Running) -> None:
    title = "<title>Tracked</title>"
    source = here.member.html("/tb", f'{title}<a href="{here.post_url}">x</a>')
    id = post_page(here).split("/")[1].split("-")[0]

    good = send(here, f"trackback/{id}", url=source, title="Not from the page", blog_name="X")
    spam = send(here, f"trackback/{id}", url=here.member.html("/spam", "<title>Spam</title>no link"), title="Buy")

    assert good.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert "<error>0</error>" in good.text
    assert "<error>0</error>" in spam.text
    eventually(here.has("Tracked", post_page(here)))
    assert "Trackback:" in here.get(post_page(here)).text
    assert "Not from the page" not in here.get(post_page(here)).text
    assert "Buy" not in here.get(post_page(here)).text
    verbatim = requests.post(
        f"{here.url}trackback/{id}",
        data=FROM_WORDPRESS,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=5,
    )
    assert "<error>0</error>" in verbatim.text


HOSTILE = [b"", b"\x00", b"\xff\xfe" * 100, b"<?xml", b"a" * 70_000, b"source=x&target=y", b"url=javascript:alert(1)",
           b"source=%00&target=%00", b"url=" + b"%" * 5_000, b"source=http://a.test/%0d%0aX:y&target=http://b.test/"]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/xml", "multipart/form-data", "x; charset=\xff"]
)
def test_bad_input_gets_the_clear_answer_of_its_protocol(here: Running, body: bytes, kind: str) -> None:
    headers = {"Content-Type": kind.encode("latin-1")}

    xml = requests.post(f"{here.url}xmlrpc", data=body, headers=headers, timeout=5)  # type: ignore[arg-type]
    track = requests.post(f"{here.url}trackback/1", data=body, headers=headers, timeout=5)  # type: ignore[arg-type]
    mention = requests.post(f"{here.url}webmention", data=body, headers=headers, timeout=5)  # type: ignore[arg-type]

    assert (xml.status_code, track.status_code, mention.status_code) == (200, 200, 400)
    assert "<fault>" in xml.text
    assert "<error>1</error>" in track.text
    assert "X" not in mention.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "xmlrpc", 405),
        ("PUT", "xmlrpc", 405),
        ("GET", "trackback/1", 200),
        ("POST", "trackback/", 404),
        ("POST", "trackback/none", 200),
        ("DELETE", "webmention", 405),
        ("GET", "webmention", 200),
        ("HEAD", "webmention", 200),
        ("GET", "mentions/none", 404),
        ("PUT", "mentions/none", 405),
        ("HEAD", "events", 200),
        ("POST", "events", 405),
        ("PUT", "search", 405),
        ("DELETE", "healthz", 405),
        ("POST", "nothing/", 404),
    ],
)
def test_every_method_at_every_endpoint_has_an_answer(here: Running, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{here.url}{path}", timeout=5)

    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    assert path == "xmlrpc" or answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a10_a_compressed_request_is_not_unpacked(here: Running) -> None:
    for path in ("xmlrpc", "trackback/1", "webmention"):
        answer = requests.post(f"{here.url}{path}", data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}, timeout=5)
        assert answer.status_code == 415


def test_a10_a_lying_length_and_a_slow_body_are_given_up(here: Running) -> None:
    with socket.create_connection(("127.0.0.1", here.port), timeout=20) as slow:
        slow.sendall(b"POST /xmlrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n<?xml")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_a_person_sends_a_webmention_by_a_form(here: Running) -> None:
    form = here.get("webmention?target=%22%3E%3Cscript%3E")
    refused = requests.post(
        f"{here.url}webmention", data={"source": "x", "target": "y"}, headers={"Accept": "text/html"}, timeout=5
    )

    assert '<form class="form" method="post" action="/webmention">' in form.text
    assert form.text.count("<script") == 1
    assert refused.status_code == 400
    assert "<h1>This webmention is not taken</h1>" in refused.text


def test_a_blog_says_that_it_changed_in_every_form(here: Running) -> None:
    server = xmlrpc.client.ServerProxy(f"{here.url}xmlrpc")
    blog = f"{here.web.url}/"
    polls = len([seen for seen in here.web.seen if seen.path == "/feed"])

    assert server.weblogUpdates.ping("Blog", blog) == {"flerror": False, "message": "Thanks for the ping."}
    assert server.weblogUpdates.extendedPing("Blog", "http://no.test/", "http://no.test/feed")["flerror"] is True  # type: ignore[index, call-overload]
    assert server.rssCloud.notify(blog) is True
    assert here.get(f"xmlrpc?name=Blog&url={blog}").text == "Thanks for the ping.\n"
    assert here.get("xmlrpc?name=Blog&url=http://no.test/").text.startswith("Sorry")
    server("close")()
    assert (
        len([seen for seen in here.web.seen if seen.path == "/feed"]) == polls
    )  # it was polled less than 5 minutes ago


def test_a23_a_hundred_identical_pings_are_one_row_and_one_fetch(here: Running) -> None:
    source = here.member.html("/flood", f'<title>Flood</title><a href="{here.post_url}">x</a>')

    def ping(_: int) -> str:
        try:
            return here.ping(source)
        except xmlrpc.client.Fault as fault:
            return str(fault.faultCode)

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ping, range(100)))

    assert answers.count("48") == 99
    eventually(here.has("Flood", post_page(here)))
    assert len([seen for seen in here.member.seen if seen.path == "/flood"]) == 1


def test_a2_answers_say_nothing_about_the_source(here: Running, web: Farm) -> None:
    here.member.routes["/broken"] = Reply(b"", 500)
    sources = [
        f"{here.web.url}/broken",
        f"{here.web.url}/nothing-here",
        here.member.html("/no-link", "<p>no link</p>"),
        "http://127.0.0.1:9/closed",
        "http://127.0.0.1:22/ssh",
        "http://10.0.0.1/private",
        "http://no-such-host.invalid/",
    ]

    told = []
    for source in sources:
        answer = here.ping(source)
        url = re.search(r"http\S+/mentions/\S+", answer)
        assert url is not None
        page = requests.get(url[0], timeout=5).text.replace(source, "SOURCE")
        told.append((re.sub(r"mentions/\S+", "", answer), re.sub(r"\d\d:\d\d", "", page)))

    assert len(set(told)) == 1


def test_a_blogger_tests_a_ping_step_by_step(here: Running) -> None:
    source = here.member.html("/tested", f'<title>Tested</title><a href="{here.url}{post_page(here)}">x</a>')

    good = send(here, "test-ping", source=source, target=f"{here.url}{post_page(here)}").text
    again = send(here, "test-ping", source=source, target=f"{here.url}{post_page(here)}").text
    front = send(here, "test-ping", source=source, target=here.url).text
    missing = send(here, "test-ping", source=source, target=f"{here.url}posts/99-x/").text
    elsewhere = send(here, "test-ping", source="javascript:alert(1)", target=here.post_url).text

    assert "<h1>Test your ping</h1>" in here.get("test-ping").text
    assert f"pingback: {here.url}xmlrpc" in good
    assert f"webmention: {here.url}webmention" in good
    assert f"trackback: {here.url}trackback/" in good
    token = re.search(r'href="(http[^"]+/mentions/[^"]+)"', good)
    assert token is not None
    eventually(lambda: status_at(token[1]) == "published")
    assert "fault 48" in again
    assert "names no endpoint" in front
    assert "fault 33" in front
    assert "no such page" in missing
    assert "fault 0" in elsewhere
    assert send(here, "test-ping", source="x").status_code == 400


def test_a_blog_like_wordpress_publishes_edits_and_unlinks(tmp_path: Path, web: Farm) -> None:
    """What a WordPress of one worker does: it can't serve its page while it pings, and never says that a link went."""
    planet = Running(tmp_path, web, title="Question")
    try:
        eventually(planet.has("Question"))
        target = f"{planet.url}{post_page(planet)}"
        free = threading.Event()
        pages = {"/hello": f'<title>Hello</title><p>I answer <a href="{target}">this</a>.</p>'}

        def serve(seen: Seen) -> Reply:
            free.wait(10)
            return Reply(pages[seen.path].encode(), headers={"Content-Type": "text/html; charset=UTF-8"})

        planet.member.routes["/hello"] = serve
        endpoint = requests.head(target, timeout=2).headers["X-Pingback"]
        body = xmlrpc.client.dumps((f"{planet.member.url}/hello", target), "pingback.ping")
        first = requests.post(endpoint, data=body.encode(), headers={"Content-Type": "text/xml"}, timeout=3)
        free.set()
        again = requests.post(endpoint, data=body.encode(), headers={"Content-Type": "text/xml"}, timeout=3)

        assert "<string>Thank you" in first.text
        assert "<int>48</int>" in again.text
        eventually(planet.has("Hello", post_page(planet)), seconds=40)
        pages["/hello"] = "<title>Hello</title><p>I have nothing to say.</p>"
        told = xmlrpc.client.dumps(
            ("Clinic &amp; Code", f"{planet.member.url}/", f"{planet.member.url}/feed/"), "weblogUpdates.extendedPing"
        )
        requests.post(endpoint, data=told.encode(), headers={"Content-Type": "text/xml"}, timeout=3)
        eventually(lambda: "Hello" not in planet.get(post_page(planet)).text, seconds=40)
    finally:
        planet.end()

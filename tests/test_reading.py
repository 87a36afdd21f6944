"""A planet as its readers meet it: over HTTP."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import feedparser
import pytest
import requests

from tests.builders import rss
from tests.farm import Farm, Reply, eventually
from tests.test_processes import Running

MORE = '[[topics]]\nname = "FHIR"\nmatch = ["fhir"]\n'


def publish(here: Running, *titles: str, words: str = "<p>some words on FHIR</p>") -> None:
    items = [(f"{here.web.url}/{number}", title, words) for number, title in enumerate(titles, 1)]
    here.web.routes["/feed"] = Reply(rss(items))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    web = Farm()
    more = f'{MORE}[poll]\nevery = "1s"\nat_least = "1s"\n'
    made = Running(tmp_path_factory.mktemp("planet"), web, title="Question", more=more)
    publish(made, "Question", "Other")
    eventually(made.has("Other"))
    eventually(made.has("Other", "topics/fhir/"))
    yield made
    made.end()
    web.close()


def test_a_search_is_answered_as_page_and_feeds(here: Running) -> None:
    page = here.get("search?q=fhir+-other")
    assert page.status_code == 200
    assert "<mark>FHIR</mark>" in page.text
    assert re.findall(r'class="u-url p-name" href="[^"]+">([^<]+)<', page.text) == ["Question"]
    assert 'name="robots" content="noindex"' in page.text

    parsed = feedparser.parse(here.get("search/feed.atom?q=fhir").content)
    assert sorted(entry.title for entry in parsed.entries) == ["Other", "Question"]
    assert here.get("search/feed.rss?q=fhir").headers["Content-Type"].startswith("application/rss+xml")
    assert len(here.get("search/feed.json?q=fhir").json()["items"]) == 2


def test_a_search_is_narrowed_by_blog_topic_and_time(here: Running) -> None:
    slug = re.search(r'<option value="([^"]+)">A blog', here.get("search").text)
    assert slug is not None

    def count(query: str) -> int:
        return here.get(f"search?{query}").text.count("<article")

    assert count(f"q=words&blog={slug[1]}") == 2
    assert count("q=words&blog=nobody") == 0
    assert count("q=words&topic=fhir&in=2026") == 2
    assert count("q=words&in=1999-01") == 0
    assert count(f"blog={slug[1]}") == 2
    assert count("") == 0


@pytest.mark.parametrize(
    "query", ["q=%00%22%27)(*", "q=" + "a" * 5_000, "q=x&page=-1&in=%3Cb%3E", "q=%FF%FE", "page=9999999999&q=x"]
)
def test_an_odd_search_is_answered_all_the_same(here: Running, query: str) -> None:
    answer = here.get(f"search?{query}")

    assert answer.status_code == 200
    assert "<b>" not in answer.text


def test_a_feed_of_an_unknown_format_is_not_there(here: Running) -> None:
    assert here.get("search/feed.exe?q=x").status_code == 404


def test_a_page_that_was_removed_says_so_and_one_that_never_was_too(here: Running) -> None:
    publish(here, "Question", "Other", "Passing")
    eventually(here.has("Passing"))
    path = re.search(r'href="/(posts/[^"#]+passing/)"', here.get().text)
    assert path is not None
    config = here.config.read_text("utf-8")
    here.config.write_text(config + '\nexclude = ["title: Passing"]\n', "utf-8")

    eventually(lambda: here.get(path[1]).status_code == 410)
    eventually(lambda: "Passing" not in here.get().text)

    assert "removed" in here.get(path[1]).text
    assert here.get(path[1].rstrip("/")).status_code == 410
    other = re.search(r'href="/(posts/(\d+)-[^"#]+)"', here.get().text)
    assert other is not None
    renamed = requests.get(f"{here.url}posts/{other[2]}-another-name/", allow_redirects=False, timeout=5)
    assert (renamed.status_code, renamed.headers["Location"]) == (301, f"/{other[1]}")
    assert here.get("posts/999999-nothing/").status_code == 404
    assert "There is no such page" in here.get("nothing/at/all").text
    here.config.write_text(config, "utf-8")


def test_an_open_page_hears_of_new_posts(here: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=20)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"].startswith("text/event-stream")

    def event() -> list[str]:
        while not (line := answer.readline()).startswith(b"data: "):
            pass
        return line.decode().removeprefix("data: ").split()

    before = event()
    shown = re.findall(r'data-post="(\d+)"', here.get().text)
    assert before == shown
    publish(here, "Question", "Other", "Breaking news")

    after = event()

    assert len(after) == len(before) + 1
    assert re.findall(r'data-post="(\d+)"', here.get().text) == after  # who follows the hint finds what it told of
    connection.close()


def test_what_browsers_and_programs_ask_for_is_there(here: Running) -> None:
    types = {
        "feed.rss": "application/rss+xml", "feed.json": "application/feed+json", "foaf.rdf": "application/rdf+xml",
        "robots.txt": "text/plain", "sitemap.xml": "text/xml", "opensearch.xml": "text/xml",
        "static/planet.js": "text/javascript", "favicon.ico": "image/x-icon",
    }  # fmt: skip
    for path, kind in types.items():
        answer = here.get(path)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind), path
    for path in ("blogs/", "weekly/", "archive/", "topics/", "topics/fhir/", "status/", "page/1/", "about/"):
        eventually(lambda path=path: here.get(path).status_code == 200)
    assert "default-src 'none'" in here.get().headers["Content-Security-Policy"]
    assert "unsafe" not in here.get().headers["Content-Security-Policy"]
    ElementTree.fromstring(here.get("sitemap.xml").content)
    json.loads(here.get("feed.json").content)


def test_the_front_page_is_light(here: Running) -> None:
    answer = requests.get(here.url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=5)
    size = len(answer.raw.read(decode_content=False))
    for name in ("planet.css", "planet.js", "planet.svg"):
        found = requests.get(f"{here.url}static/{name}", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=5)
        size += len(found.raw.read(decode_content=False))

    assert size < 20_000  # without posts; each adds less than a kilobyte
    assert len(here.get("static/planet.js").content) < 3_000


def test_known_pages_may_be_named_on_several_lines(here: Running) -> None:
    tag = here.get("about/").headers["ETag"]
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=5)
    connection.putrequest("GET", "/about/")
    connection.putheader("Accept-Encoding", "gzip")
    for each in ('W/"other"', tag):
        connection.putheader("If-None-Match", each)
    connection.endheaders()
    assert connection.getresponse().status == 304
    connection.close()

"""From publication to page, with the real processes: by a push, by a weblog ping, by a pingback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aggregator import clock
from tests.builders import rss
from tests.farm import Farm, Reply, eventually, farm
from tests.hub import Hub
from tests.test_processes import ME, Running

PATIENCE = 60.0  # a machine with much else to do is no fault of the planet


@pytest.fixture
def running(tmp_path: Path, web: Farm) -> Iterator[Running]:
    made = Running(tmp_path, web)
    yield made
    made.end()


def publish(web: Farm, *posts: str, head: str = "") -> bytes:
    """Put posts of this moment into the blog's feed."""
    body = rss([(f"{web.url}/{post}", f"Post {post}", "x") for post in posts], at=clock.now(), home=f"{web.url}/")
    body = body.replace(b"<description/>", f"<description/>{head}".encode())
    web.routes["/feed"] = Reply(body)
    return body


def seconds_until(has: object) -> float:
    began = clock.seconds()
    eventually(has, PATIENCE)  # type: ignore[arg-type]
    return clock.seconds() - began


def told(here: Running, url: str) -> dict[str, object]:
    command = [*ME, "status", "--json", "--config", str(here.config)]
    feeds = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["feeds"]
    return next(feed for feed in feeds if feed["url"] == url)


def test_from_publication_to_page_by_push(tmp_path: Path, web: Farm, elsewhere: Farm) -> None:
    hub = Hub(elsewhere)
    space = 'xmlns:a="http://www.w3.org/2005/Atom"'
    with farm("127.0.0.5") as blog:
        head = f'<a:link {space} rel="hub" href="{hub.url}"/><a:link {space} rel="self" href="{blog.url}/feed"/>'
        publish(blog, "1", head=head)
        here = Running(tmp_path, web, more=f'[[feeds]]\nurl = "{blog.url}/feed"\n')
        try:
            eventually(lambda: hub.asked, PATIENCE)
            assert hub.ask_back().text == "a <b>challenge</b>+&=ü"
            polls = len([seen for seen in blog.seen if seen.path == "/feed"])

            body = publish(blog, "2", "1", head=head)
            assert hub.bring(body).status_code == 202
            took = seconds_until(here.has("Post 2"))

            assert len([seen for seen in blog.seen if seen.path == "/feed"]) == polls
            status = told(here, f"{blog.url}/feed")
            assert (status["arrives"], status["push"]) == ("push", "trusted")
            secrets = (hub.asked[0]["hub.callback"].rpartition("/")[2], hub.asked[0]["hub.secret"])
            seen = here.logged() + json.dumps(status) + here.get("status/").text + here.get("metrics").text
            assert not [secret for secret in secrets if secret in seen]
            print(f"by push: {took:.2f} s, lag as told: {status['lag']:.2f} s")
        finally:
            here.end()


def test_from_publication_to_page_by_weblog_ping(running: Running, web: Farm) -> None:
    eventually(running.has("Question"), PATIENCE)

    publish(web, "2", "1")
    form = {"name": "A blog", "url": f"{web.url}/"}
    assert requests.get(f"{running.url}xmlrpc", params=form, timeout=5).text.startswith("Thanks")
    took = seconds_until(running.has("Post 2"))

    assert told(running, f"{web.url}/feed")["arrives"] == "ping"
    print(f"by weblog ping: {took:.2f} s")


def test_from_publication_to_page_by_pingback(running: Running, web: Farm) -> None:
    eventually(running.has("Question"), PATIENCE)
    member = running.member
    source = member.html("/answer", f'<title>The answer</title><a href="{running.post_url}">x</a>')
    body = rss([(source, "The answer itself", "x")], at=clock.now(), home=f"{member.url}/")
    member.routes["/feed"] = Reply(body)

    running.ping(source)
    took = seconds_until(running.has("The answer itself"))

    print(f"by pingback: {took:.2f} s")

"""A community that never rests, for tests of what a planet does under load: blogs that publish and edit, senders of
pings that remember which ones were acknowledged, readers that look whether each page is whole.
"""

from __future__ import annotations

import random
import threading
import xmlrpc.client
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import requests

from aggregator import clock
from tests.farm import Farm, Reply, Seen, farm

BLOGS = 6
IN_FEED = 15
PATHS = ("", "feed.atom", "feed.rss", "feed.json", "opml.xml", "blogs/", "archive/", "weekly/", "status/", "search?q=post",
         "sitemap.xml", "healthz", "metrics", "about/", "no/such/page")  # fmt: skip


@dataclass
class Blog:
    """One blog: its posts by path, oldest first."""

    web: Farm
    posts: dict[str, str] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: clock.now() - timedelta(days=1))

    def feed(self, _seen: Seen) -> Reply:
        items = "".join(
            f"<item><title>Post {escape(path)}</title><link>{self.web.url}{path}</link><guid>{self.web.url}{path}</guid>"
            f"<pubDate>{format_datetime(self.began + timedelta(seconds=n))}</pubDate><description>{escape(html)}</description></item>"
            for n, (path, html) in list(enumerate(self.posts.items()))[-IN_FEED:]
        )
        return Reply(
            f"<rss version='2.0'><channel><title>Blog at {self.web.url}</title>{items}</channel></rss>".encode(),
            headers={"Content-Type": "application/rss+xml"},
        )


class Crowd:
    """Blogs on loopback, and threads that publish, ping and read until told to stop."""

    def __init__(self, stack: ExitStack, planet_url: str, seed: int, blogs: int = BLOGS) -> None:
        self.url = planet_url
        self.blogs = [Blog(stack.enter_context(farm(f"127.0.0.{10 + n}"))) for n in range(blogs)]
        self.acknowledged: list[tuple[str, str]] = []
        self.halves: list[str] = []
        self.answers = 0
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        for blog in self.blogs:
            blog.web.routes["/feed"] = blog.feed
            for _ in range(8):
                self.publish(blog)

    def publish(self, blog: Blog) -> None:
        """Write a post, which now and then links to a post of another blog."""
        path = f"/{len(blog.posts) + 1}"
        other = self._random.choice(self.blogs)
        link = f'<a href="{other.web.url}/{self._random.randrange(1, 8)}">another</a>' if other is not blog else ""
        blog.posts[path] = f"<p>Words of post {path} {link}</p>"

    def edit(self, blog: Blog) -> None:
        """Edit a recent post."""
        path = self._random.choice([*blog.posts][-IN_FEED:])
        blog.posts[path] = f"{blog.posts[path].partition('<p>Edited')[0]}<p>Edited {self._random.random()}</p>"

    def start(self, senders: int, readers: int, *, pause: float = 0.02, grows: bool = True) -> None:
        """Begin."""
        jobs = [self._write(grows=grows)] + [self._send(n, pause, grows=grows) for n in range(senders)]
        jobs += [self._read(n, pause) for n in range(readers)]
        for job in jobs:
            thread = threading.Thread(target=self._repeat, args=(job,))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End, and wait for what is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, job: Iterator[float]) -> None:
        for pause in job:
            if self._over.wait(pause):
                return

    def _write(self, *, grows: bool) -> Iterator[float]:
        while True:
            blog = self._random.choice(self.blogs)
            if grows and self._random.random() < 0.6:
                self.publish(blog)
            else:
                self.edit(blog)
            yield 0.25

    def _send(self, sender: int, pause: float, *, grows: bool) -> Iterator[float]:
        chance, number = random.Random(sender), 0
        while True:
            number += 1
            if not grows:  # the same few again and again
                chance = random.Random(1_000 * sender + number % 20)
            target = f"{chance.choice(self.blogs).web.url}/{chance.randrange(1, 8)}"
            source = chance.choice([blog for blog in self.blogs if not target.startswith(f"{blog.web.url}/")])
            name = f"/answer-{sender}-{number if grows else number % 20}"
            page = source.web.html(name, f'<title>Answer {name}</title><p>See <a href="{target}">this</a>.</p>')
            with suppress(requests.RequestException, xmlrpc.client.Error):
                if number % 3:
                    body = xmlrpc.client.dumps((page, target), "pingback.ping").encode()
                    xmlrpc.client.loads(requests.post(f"{self.url}xmlrpc", data=body, timeout=10).content)
                    self.acknowledged.append((page, target))
                else:
                    answer = requests.post(f"{self.url}webmention", data={"source": page, "target": target}, timeout=10)
                    if answer.status_code == 201:
                        self.acknowledged.append((page, target))
            yield pause

    def _read(self, reader: int, pause: float) -> Iterator[float]:
        chance = random.Random(1_000 + reader)
        with requests.Session() as http:
            while True:
                path = chance.choice(PATHS)
                with suppress(requests.RequestException):
                    answer = http.get(f"{self.url}{path}", timeout=10)
                    self.answers += 1
                    if answer.headers.get("Content-Type", "").startswith("text/html") and not _is_whole_html(
                        answer.content
                    ):
                        self.halves.append(path)
                yield pause


@contextmanager
def crowd(planet_url: str, seed: int, blogs: int = BLOGS) -> Iterator[Crowd]:
    """A crowd that is stopped at the end."""
    with ExitStack() as stack:
        made = Crowd(stack, planet_url, seed, blogs)
        try:
            yield made
        finally:
            made.stop()


def half_files(public: Path) -> list[str]:
    """The files of a published site that are not whole."""
    return [str(path) for path in public.rglob("*") if path.is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return True  # it has gone meanwhile
    if path.name.startswith("."):
        return True  # never served
    if path.suffix == ".html":
        return _is_whole_html(body)
    if path.suffix in (".atom", ".rss", ".xml"):
        try:
            ElementTree.fromstring(body)
        except ElementTree.ParseError:
            return False
    return bool(body)


def _is_whole_html(body: bytes) -> bool:
    return body.startswith(b"<!") and body.rstrip().endswith(b"</html>")

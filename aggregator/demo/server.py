"""The web server of the demo's blogs, and the bloggers who press “publish” and ping."""

from __future__ import annotations

import hashlib
import threading
import xmlrpc.client
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from aggregator.demo.blogs import DemoBlog, DemoPost, Story, feed, home, page, remark
from aggregator.outbound import Guard
from aggregator.outbound.session import session

# A new post comes about this often; long enough to read what the last one brought.
PUBLISH_EVERY = 6.0
PING_EVERY = 0.5
# The oldest short posts go when there are more than this, so that a demo may run for days.
MOST_REMARKS = 60


class Community:
    """All blogs of the demo on one port, each in a folder of its own."""

    def __init__(self, story: Story, endpoint: str, clock: Callable[[], datetime]) -> None:
        self._story = story
        self._clock = clock
        self._blogs = {blog.slug: blog for blog in story.blogs}
        self._lock = threading.Lock()
        self._posts: dict[str, DemoPost] = {post.id: post for post in story.first}
        self._pings = [(post.id, link) for post in story.first for link in post.links]
        self._stop = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._answer, endpoint)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, daemon=True),
            threading.Thread(target=self._publish_now_and_then, daemon=True),
            threading.Thread(target=self._ping_until_heard, daemon=True),
        ]

    def start(self) -> None:
        """Begin to serve, to publish and to ping."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End all of it."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def publish(self, post: DemoPost) -> None:
        """Put a post on its blog, and have its author ping what it links to."""
        with self._lock:
            self._posts[post.id] = post
            self._pings += [(post.id, link) for link in post.links]
            remarks = [id for id in self._posts if "/remark-" in id]
            for id in remarks[:-MOST_REMARKS]:
                del self._posts[id]

    def _answer(self, path: str) -> tuple[str, str] | None:
        """The content type and the text at a path, or None."""
        with self._lock:
            posts = list(self._posts.values())
        slug, _, rest = path.strip("/").partition("/")
        blog = self._blogs.get(slug)
        if blog is None:
            return None
        own = [post for post in posts if post.blog == slug]
        if rest == "feed":
            return feed(blog, own, self.base)
        return self._html(blog, own, rest)

    def _html(self, blog: DemoBlog, own: list[DemoPost], rest: str) -> tuple[str, str] | None:
        if not rest:
            return "text/html; charset=utf-8", home(blog, own, self.base)
        for post in own:
            if post.id == f"{blog.slug}/{rest}":
                return "text/html; charset=utf-8", page(blog, post, self.base)
        return None

    def _publish_now_and_then(self) -> None:
        number = 0
        while not self._stop.wait(PUBLISH_EVERY):
            if number < len(self._story.later):
                post = self._story.later[number]
            else:
                with self._lock:
                    written = [post for post in self._posts.values() if "/remark-" not in post.id]
                post = remark(self._story, number - len(self._story.later), written, self._clock())
            self.publish(_dated(post, self._clock()))
            number += 1

    def _ping_until_heard(self) -> None:
        """Send the pings that wait; one that the planet can't place yet is sent again, as its post gets polled."""
        web = session(Guard.of(["127.0.0.0/8"], []), "planet-demo/1 (a blog of the demo)")
        while not self._stop.wait(PING_EVERY):
            with self._lock:
                waiting, self._pings = self._pings, []
            unheard = [ping for ping in waiting if not self._stop.is_set() and not self._ping(web, *ping)]
            with self._lock:
                self._pings = unheard + self._pings

    def _ping(self, web: requests.Session, source: str, target: str) -> bool:
        """Find the target's endpoint and send pingback.ping; True when nothing is left to do."""
        target_url = f"{self.base}{target}/"
        try:
            endpoint = web.head(target_url).headers.get("X-Pingback", "")
            if not endpoint:
                return True
            body = xmlrpc.client.dumps((f"{self.base}{source}/", target_url), "pingback.ping")
            answer = web.post(endpoint, data=body.encode(), headers={"Content-Type": "text/xml"})
            xmlrpc.client.loads(answer.content)
        except xmlrpc.client.Fault as fault:
            return fault.faultCode == 48
        except (requests.RequestException, OSError):
            return False
        return True


def _dated(post: DemoPost, now: datetime) -> DemoPost:
    return DemoPost(post.id, post.title, post.html, post.tags, post.links, now)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], answer: Callable[[str], tuple[str, str] | None], endpoint: str
    ) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.endpoint = endpoint


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        found = self.server.answer(self.path.partition("?")[0])
        if found is None:
            self.send_error(404)
            return
        content_type, text = found
        body = text.encode()
        etag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
        if self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        if content_type.startswith("text/html"):
            self.send_header("X-Pingback", self.server.endpoint)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the planet's own log is what a demo shows."""

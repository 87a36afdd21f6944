"""Values in, pages and feeds out. It reads its own templates and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aggregator import __version__
from aggregator.markup import without_controls
from aggregator.model import Blog, Masthead, Mention, Post, Status, Thought
from aggregator.site import words

_HERE = Path(str(files("aggregator.site")))
_MOST_DISCUSSED = 5
_LONGEST_ROLL = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One wording for every reason why a link was not found: the page is no port scanner (research, attack A2).
_OUTCOMES = {
    Status.PENDING: (
        "This linkback is being verified",
        "The planet is going to fetch the source and look for the link.",
    ),
    Status.PUBLISHED: (
        "This linkback is published",
        "The link was found; it is shown under the post.",
    ),
    Status.HELD: (
        "This linkback waits for the operator",
        "The link was found. It comes from a blog that is not on this planet, so a person decides whether it is shown.",
    ),
    Status.REJECTED: (
        "This linkback could not be verified",
        "The planet did not find the link on the source page."
        " Publish the page, check that it links to the target, and ping again.",
    ),
    Status.RETRACTED: (
        "This linkback was withdrawn",
        "The source no longer links to the target.",
    ),
}


@dataclass(frozen=True, slots=True)
class Fold:
    """Posts of one prolific blog on one day that the river keeps behind a line."""

    blog: Blog
    posts: tuple[Post, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the river."""

    date: date
    posts: tuple[Post, ...]
    folds: tuple[Fold, ...]


class Renderer:
    """Renders every page of one planet."""

    def __init__(
        self,
        masthead: Masthead,
        *,
        content: Literal["full", "excerpt"] = "full",
        per_feed_per_day: int = 3,
        entries: int = 40,
    ) -> None:
        self.entries = entries
        self._masthead = masthead
        self._content = content
        self._per_feed_per_day = per_feed_per_day
        self._zone = ZoneInfo(masthead.timezone)
        self._root = urlsplit(masthead.url).path or "/"
        self._static = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
        self._environment = self._new_environment()
        # What every page depends on beside its values; when it changes, all are rendered again.
        self.fingerprint = self._fingerprint()

    def static(self) -> dict[str, bytes]:
        """Return the stylesheet and the icon."""
        return {f"static/{name}": content for name, content in self._static.items()}

    def river(
        self, posts: Sequence[Post], thoughts: Mapping[int, Sequence[Thought]], blogs: Sequence[Blog]
    ) -> dict[str, bytes]:
        """Return the front page, the Atom feed, the blogroll and the about page; posts come newest first."""
        discussed = sorted((post for post in posts if post.thoughts), key=lambda post: -post.thoughts)
        updated = max((post.updated_at or post.shown_at for post in posts), default=_EPOCH)
        return {
            "index.html": self._page(
                "river.html",
                here="river",
                days=_days(posts, self._zone, self._per_feed_per_day),
                echoes=thoughts,
                young=sum(blog.enabled for blog in blogs),
                failing=sum(blog.enabled and blog.is_failing for blog in blogs),
                blogs=blogs,
                roll=_roll(blogs, posts),
                discussed=discussed[:_MOST_DISCUSSED],
            ),
            "feed.atom": self._page("feed.atom", posts=posts, updated=updated),
            "opml.xml": self._page("opml.xml", blogs=[blog for blog in blogs if blog.enabled]),
            "about/index.html": self._page("about.html", here="about", blogs=blogs),
        }

    def post(self, post: Post, thoughts: Sequence[Thought]) -> dict[str, bytes]:
        """Return the page of one post with its thoughts."""
        page = self._page("post.html", pingable=True, post=post, thoughts=thoughts, shows_text=self._shows_text(post))
        return {f"{post.path[1:]}index.html": page}

    def mention(self, mention: Mention) -> bytes:
        """Return the page that tells the sender of a ping what became of it."""
        headline, explanation = _OUTCOMES[mention.status]
        return self._page("mention.html", mention=mention, headline=headline, explanation=explanation)

    def notice(self, headline: str, explanation: str) -> bytes:
        """Return a page that says one thing, such as that there is no such page."""
        return self._page("notice.html", headline=headline, explanation=explanation)

    def _fingerprint(self) -> str:
        settings = (__version__, self._masthead, self._content, self._per_feed_per_day, self.entries)
        digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
        for path in sorted((_HERE / "templates").iterdir()):
            digest.update(path.read_bytes())
        for content in self._static.values():
            digest.update(content)
        return digest.hexdigest()

    def _page(self, template: str, **values: Any) -> bytes:
        text = self._environment.get_template(template).render(
            {"here": "", "pingable": False, **values, "planet": self._masthead, "root": self._root}
        )
        return text.encode("utf-8")

    def _shows_text(self, post: Post) -> bool:
        return (post.content or self._content) == "full" and bool(post.html)

    def _new_environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_without_controls,
            keep_trailing_newline=True,
        )
        environment.globals["css_version"] = hashlib.blake2b(self._static["planet.css"], digest_size=6).hexdigest()
        environment.filters.update(
            day_name=words.day_name,
            clock_time=partial(words.clock_time, zone=self._zone),
            full_time=partial(words.full_time, zone=self._zone),
            rfc3339=words.rfc3339,
            headline=words.headline,
            file_name=words.file_name,
            minutes=words.minutes,
            quoted=words.quoted,
            initials=words.initials,
            hue=words.hue,
            kind_name=words.kind_name,
            urn=words.urn,
            without_blog=words.without_blog,
            shows_text=self._shows_text,
        )
        return environment


def _roll(blogs: Sequence[Blog], posts: Sequence[Post]) -> Sequence[Blog]:
    """The blogs beside the river: all of a small planet, those that have just written of a large one."""
    if len(blogs) <= _LONGEST_ROLL:
        return blogs
    writing = {post.blog.id for post in posts}
    return [blog for blog in blogs if blog.id in writing]


def _without_controls(value: Any) -> Any:
    """No page and no feed may hold a control character, wherever a value came from."""
    return without_controls(value) if type(value) is str else value


def _days(posts: Sequence[Post], zone: ZoneInfo, per_feed: int) -> list[Day]:
    days = []
    for day, group in groupby(posts, key=lambda post: post.shown_at.astimezone(zone).date()):
        shown: list[Post] = []
        surplus: dict[int, list[Post]] = {}
        count: dict[int, int] = {}
        for post in group:
            count[post.blog.id] = count.get(post.blog.id, 0) + 1
            if count[post.blog.id] <= per_feed:
                shown.append(post)
            else:
                surplus.setdefault(post.blog.id, []).append(post)
        folds = tuple(Fold(rest[0].blog, tuple(rest)) for rest in surplus.values())
        days.append(Day(day, tuple(shown), folds))
    return days

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
from aggregator.model import Answer, Blog, Conversation, ListedMention, Masthead, Mention, Post, Status, Thought
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
    Status.HIDDEN: (
        "This linkback is not shown",
        "The operator of this planet has decided so, or it is a blog's link to a post of its own,"
        " which is nobody else's thought.",
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


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a ping: what it is called, what came of it, and lines to be shown as they are."""

    name: str
    words: str
    is_good: bool
    lines: tuple[str, ...] = ()
    link: str = ""
    link_words: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry of a feed of linkbacks."""

    id: str
    kind: str
    title: str
    url: str
    author: str
    blog: str
    text: str
    at: datetime
    post: str
    post_url: str


class Renderer:
    """Renders every page of one planet."""

    def __init__(
        self,
        masthead: Masthead,
        *,
        content: Literal["full", "excerpt"] = "full",
        per_feed_per_day: int = 3,
        entries: int = 40,
        accepts: Sequence[str] = ("pingback", "trackback", "webmention"),
    ) -> None:
        self.entries = entries
        self._accepts = tuple(accepts)
        self._masthead = masthead
        self._content = content
        self.per_feed_per_day = per_feed_per_day
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
                days=_days(posts, self._zone, self.per_feed_per_day),
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

    def post(
        self, post: Post, thoughts: Sequence[Thought], conversation: Conversation | None = None
    ) -> dict[str, bytes]:
        """Return the page of one post with its thoughts, and the feed of these."""
        page = self._page(
            "post.html",
            pingable=True,
            post=post,
            thoughts=thoughts,
            conversation=conversation,
            shows_text=self._shows_text(post),
        )
        folder = post.path[1:]
        return {f"{folder}index.html": page, f"{folder}thoughts.atom": self.thoughts_feed(post, thoughts)}

    def conversation(self, conversation: Conversation) -> dict[str, bytes]:
        """Return the page of one conversation: its posts in order of time, and who answers whom."""
        numbers = {post.id: number for number, post in enumerate(conversation.posts, 1)}
        answers: dict[int, list[Answer]] = {}
        for answer in conversation.answers:
            answers.setdefault(answer.post, []).append(answer)
        page = self._page(
            "conversation.html",
            pingable=True,
            conversation=conversation,
            numbers=numbers,
            answers=answers,
            titles={post.id: words.headline(post) for post in conversation.posts},
            blogs={post.id: post.blog.name for post in conversation.posts},
        )
        return {f"{conversation.path[1:]}index.html": page}

    def mention(self, mention: Mention) -> bytes:
        """Return the page that tells the sender of a ping what became of it."""
        headline, explanation = _OUTCOMES[mention.status]
        return self._page("mention.html", mention=mention, headline=headline, explanation=explanation)

    def thoughts_feed(self, post: Post, thoughts: Sequence[Thought]) -> bytes:
        """Return the Atom feed of the thoughts under a post."""
        url = f"{self._masthead.url}{post.path[1:]}"
        items = [
            _Item(
                words.item_urn(post.guid, thought.url), thought.kind, thought.title, thought.url, thought.author,
                thought.blog, "".join(thought.excerpt), thought.at, words.headline(post), url,
            )
            for thought in reversed(thoughts)
        ]  # fmt: skip
        title = f"Thoughts on {words.quoted(words.headline(post))}"
        return self._mentions_feed(title, f"{url}thoughts.atom", url, items)

    def blog_mentions(self, blog: Blog, mentions: Sequence[ListedMention]) -> dict[str, bytes]:
        """Return the Atom feed of what is linked to a blog's posts."""
        name = f"blogs/{blog.slug}/mentions.atom"
        items = [self._item(each) for each in mentions]
        return {name: self._mentions_feed(f"Mentions of {blog.name}", f"{self._masthead.url}{name}", blog.home, items)}

    def held_mentions(self, path: str, mentions: Sequence[ListedMention]) -> bytes:
        """Return the Atom feed of linkbacks that wait for the operator."""
        title = f"Linkbacks that wait at {self._masthead.title}"
        items = [self._item(each) for each in mentions]
        return self._mentions_feed(title, f"{self._masthead.url}{path}", self._masthead.url, items)

    def _item(self, each: ListedMention) -> _Item:
        id, post_url = f"{self._masthead.url}mentions/{each.token}", f"{self._masthead.url}{each.post_path[1:]}"
        text = f"{''.join(each.excerpt)} → {each.post}"
        return _Item(
            id, each.kind, each.title, each.source, each.author, each.blog, text, each.received_at, each.post, post_url
        )

    def _mentions_feed(self, title: str, url: str, about_url: str, items: Sequence[_Item]) -> bytes:
        updated = max((item.at for item in items), default=_EPOCH)
        return self._page(
            "mentions.atom", title=title, id=url, self_url=url, about_url=about_url, updated=updated, items=items
        )

    def webmention_form(self, target: str = "") -> bytes:
        """Return the form by which a person sends a webmention."""
        return self._page("webmention.html", target=target)

    def ping_test(self, source: str = "", target: str = "", steps: Sequence[Step] = ()) -> bytes:
        """Return the form by which a blogger sends a ping, with what happened to the one that was sent."""
        return self._page("ping_test.html", source=source, target=target, steps=steps)

    def notice(self, headline: str, explanation: str, link: str = "") -> bytes:
        """Return a page that says one thing, such as that there is no such page; and leads to another one."""
        return self._page("notice.html", headline=headline, explanation=explanation, link=link)

    def _fingerprint(self) -> str:
        settings = (__version__, self._masthead, self._content, self.per_feed_per_day, self.entries, self._accepts)
        digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
        for path in sorted((_HERE / "templates").iterdir()):
            digest.update(path.read_bytes())
        for content in self._static.values():
            digest.update(content)
        return digest.hexdigest()

    def _page(self, template: str, **values: Any) -> bytes:
        text = self._environment.get_template(template).render(
            {
                "here": "",
                "pingable": False,
                **values,
                "planet": self._masthead,
                "root": self._root,
                "accepts": self._accepts,
            }
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
            called=words.called,
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

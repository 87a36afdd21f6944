"""The files of posts, conversations and the front page: what readers wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Blog, Post
from aggregator.overview import Census, Front
from aggregator.site import Renderer
from jobs.gather import PULSE_DAYS, Gathering

MOST_MENTIONS = 50
MOST_DISCUSSED = 5
LONGEST_ROLL = 60


class Pages:
    """The files of posts, conversations and the front page."""

    def __init__(self, database: Database, renderer: Renderer, gathering: Gathering) -> None:
        self._database = database
        self._renderer = renderer
        self._gathering = gathering

    def posts(self, ids: Sequence[int]) -> dict[str, bytes]:
        """Return the pages of posts, and the feeds of what is linked to their blogs."""
        thoughts = store.mentions.thoughts(self._database, ids)
        shown = store.entries.by_ids(self._database, ids)
        topics = self._gathering.topics(shown)
        files: dict[str, bytes] = {}
        blogs: dict[int, Blog] = {}
        for post in shown:
            part_of = self._gathering.talk(store.conversations.around(self._database, post.id))
            files |= self._renderer.post(post, thoughts.get(post.id, []), part_of, topics.get(post.id, []))
            blogs[post.blog.id] = post.blog
        for blog in blogs.values():
            mentions = store.moderation.of_blog(self._database, blog.id, MOST_MENTIONS)
            files |= self._renderer.blog_mentions(blog, mentions)
        return files

    def conversations(self, ids: Iterable[int]) -> tuple[dict[str, bytes], list[str]]:
        """Return the conversations that posts are part of, or were; and the pages of those that are no more."""
        files: dict[str, bytes] = {}
        named: set[int] = set()
        around = {id for each in ids for id in (each, *store.conversations.beside(self._database, each))}
        while around:
            id = around.pop()
            posts = store.conversations.around(self._database, id)
            named |= {id, *posts}
            around -= set(posts)
            if found := self._gathering.talk(posts):
                files |= self._renderer.conversation(found)
        names = store.pages.digests(self._database, (f"conversations/{id}/index.html" for id in named))
        return files, [name for name, digest in names.items() if digest and name not in files]

    def river(self, posts: Sequence[Post]) -> dict[str, bytes]:
        """Return the front page, the feeds and what belongs to them."""
        thoughts = store.mentions.thoughts(self._database, [post.id for post in posts])
        return self._renderer.river(_front(self._gathering, posts), thoughts, self._gathering.topics(posts))


def _front(of: Gathering, posts: Sequence[Post]) -> Front:
    """Gather what the front page shows around its posts, newest first."""
    since = of.now - timedelta(days=PULSE_DAYS)
    pulse = of.pulse()
    census = store.feeds.census(of.database)
    return Front(
        posts=tuple(posts),
        roll=tuple(_roll(of, posts, census)),
        census=census,
        pulse=tuple(pulse) if any(count.posts for count in pulse) else (),
        discussed=of.discussed(since, of.now, MOST_DISCUSSED),
        talks=_talks(of, posts),
        earlier=_earlier(of, posts),
    )


def _roll(of: Gathering, posts: Sequence[Post], census: Census) -> list[Blog]:
    """The blogs beside the river: all of a small planet, those that have just written of a large one."""
    if census.blogs <= LONGEST_ROLL:
        return store.feeds.blogs(of.database)
    writing = {post.blog.id: post.blog for post in posts}
    return list(writing.values())[:LONGEST_ROLL]


def _talks(of: Gathering, posts: Sequence[Post]) -> dict[int, str]:
    """The conversation of each post that has one whose page is there."""
    found = {}
    for post in posts:
        around = store.conversations.around(of.database, post.id)
        path = f"/conversations/{around[0]}/" if len(around) > 1 else ""
        if path and store.pages.is_published(of.database, f"{path[1:]}index.html"):
            found[post.id] = path
    return found


def _earlier(of: Gathering, posts: Sequence[Post]) -> str:
    """Where the river goes on below these posts, as far as that page is there."""
    last = posts[-1] if posts else None
    older = last and store.chapters.older_than(of.database, last.shown_at, last.id)
    if not older:
        return ""
    id, shown_at = older
    for number in store.chapters.at(of.database, [shown_at]):
        path = f"page/{number}/"
        if store.pages.is_published(of.database, f"{path}index.html"):
            return f"{path}#post-{id}"
    return ""

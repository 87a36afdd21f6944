"""The files of posts, conversations and the front page: what readers wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Blog, Conversation, Post
from aggregator.overview import Census, Front
from aggregator.site import Renderer
from jobs.gather import PULSE_DAYS, Gathering

MOST_DISCUSSED = 5
LONGEST_ROLL = 60


class Pages:
    """The files of posts, conversations and the front page; what they tell of conversations is looked up once."""

    def __init__(self, database: Database, renderer: Renderer, gathering: Gathering) -> None:
        self._database = database
        self._renderer = renderer
        self._gathering = gathering
        self._talks: dict[int, Conversation | None] = {}

    def company(self, ids: Sequence[int]) -> set[int]:
        """Return the posts whose pages tell of a conversation that is another one by now, because of these posts.

        What pages told is kept with them: a post that has gone can't be asked whom it talked with.
        """
        beside = store.conversations.told(self._database, ids)
        for id in (*ids, *beside):
            self._talk(id)
        told = beside | store.conversations.told(self._database, list(self._talks))
        return {id for id in self._talks if self.tells(id) != told.get(id)} - set(ids)

    def tells(self, id: int) -> tuple[int, int] | None:
        """Return of which conversation a post's page tells, and of how many posts."""
        talk = self._talk(id)
        return (talk.id, len(talk.posts)) if talk else None

    def posts(self, ids: Sequence[int]) -> dict[str, bytes]:
        """Return the pages of posts, each with its thoughts."""
        thoughts = store.mentions.thoughts(self._database, ids)
        shown = store.entries.by_ids(self._database, ids)
        topics = self._gathering.topics(shown)
        files: dict[str, bytes] = {}
        for post in shown:
            talk = self._talk(post.id)
            files |= self._renderer.post(post, thoughts.get(post.id, []), talk, topics.get(post.id, []))
        return files

    def conversations(self, ids: Iterable[int]) -> tuple[dict[str, bytes], list[str]]:
        """Return the conversations that posts are part of; and the pages of those that they were part of."""
        talks = {talk.id: talk for id in ids if (talk := self._talk(id))}
        told = store.conversations.told(self._database, list(self._talks)).values()
        over = {f"conversations/{id}/index.html" for id, _ in told if id not in talks}
        files: dict[str, bytes] = {}
        for talk in talks.values():
            files |= self._renderer.conversation(talk)
        return files, sorted(over)

    def river(self, posts: Sequence[Post]) -> dict[str, bytes]:
        """Return the front page, the feeds and what belongs to them."""
        thoughts = store.mentions.thoughts(self._database, [post.id for post in posts])
        return self._renderer.river(_front(self._gathering, posts), thoughts, self._gathering.topics(posts))

    def _talk(self, id: int) -> Conversation | None:
        if id not in self._talks:
            around = store.conversations.around(self._database, id)
            talk = self._gathering.talk(around)
            self._talks |= dict.fromkeys((id, *around), talk)
        return self._talks[id]


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

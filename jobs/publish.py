"""Render what changed, replace its files, and only then note that it is published.

Posts and the front page come first; the sections that show the same posts (months, blogs, topics …) follow, and take
no more than a share of the time.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Post
from aggregator.overview import Week
from aggregator.site import Renderer, folder
from aggregator.store.search import Indexed
from aggregator.store.stale import Section, Spot, Stale, StaleSections
from jobs import purges
from jobs.gather import Gathering
from jobs.pages import Pages
from jobs.sections import ALWAYS, dependents, section
from jobs.weeks import beside as weeks_beside

log = logging.getLogger("planet.publish")

# Pages rendered in one go: small enough that the newest posts are up before a large rebuild is over.
BATCH = 200
SECTIONS = 50
# Sections rest three times as long as they took: a flood of changes must not keep the planet busy with lists.
REST = 3
# How old the pages that tell how feeds are doing may be: of all of them, and of each one.
STATUS_EVERY = timedelta(minutes=10)
BLOGS_EVERY = timedelta(hours=6)
_POSTS_FOLDER = "posts/"


class Publisher:
    """Keeps a published folder up to date with the store."""

    def __init__(self, database: Database, renderer: Renderer, public: Path, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._renderer = renderer
        self._public = public
        self._clock = clock
        self._rest_until = self._status_at = datetime.min.replace(tzinfo=UTC)
        self._blogs_at = clock()
        self._weeks: dict[str, Week] = {}
        self._is_new = True

    def publish(self, until: Callable[[], bool] = lambda: False) -> int:
        """Publish what is stale, or go on until told to stop; return how many files changed.

        May be killed anywhere: what is stale stays noted until its files are written, and writing them twice is
        harmless.

        Raises: StoreFailed, ThemeBroken.
        """
        if self._is_new:  # an earlier one may have been killed while it wrote
            folder.remove_unfinished(self._public)
            self._tell_caches()
            self._is_new = False
        self._notice_new_templates()
        changed = self._publish_faces() + self._publish_posts(until)
        began = self._clock()
        if began >= self._rest_until and not until():
            changed += self._publish_sections(until)
            changed += self._publish_posts(until)  # the front page leads to sections that are there
            self._rest_until = self._clock() + REST * (self._clock() - began)
        return changed

    def publish_all(self) -> None:
        """Publish what is stale, and bring back files that somebody has removed.

        Raises: StoreFailed, ThemeBroken.
        """
        if store.pages.all_paths(self._database) - folder.names(self._public):
            with store.transaction(self._database):
                store.pages.set_note(self._database, "fingerprint", "")
        self.publish()

    def _publish_posts(self, until: Callable[[], bool]) -> int:
        changed = 0
        while not until():
            shown = store.entries.river(
                self._database, self._renderer.look.entries, self._renderer.look.per_feed_per_day
            )
            # The front page must not lead to pages that are not there yet.
            stale = store.stale.some(self._database, BATCH, first=[post.id for post in shown])
            if not stale.posts and not stale.river:
                break
            changed += self._publish_batch(stale, shown)
        return changed

    def _publish_batch(self, stale: Stale, shown: Sequence[Post]) -> int:
        gathering = self._gathering()
        if stale.posts:
            prepared = store.search.prepare(self._database, stale.posts)  # it takes long, and pings want to be stored
            with store.transaction(self._database):
                take_in(self._database, gathering, prepared, stale.posts, stale.spots)
        pages = Pages(self._database, self._renderer, gathering)
        ids = [*stale.posts, *pages.company(stale.posts)]
        files, over = pages.conversations(ids)
        others = bool(over) or not all(store.pages.is_published(self._database, name) for name in files)
        files |= pages.posts(ids)
        gone = [*over] + [
            path
            for id in stale.posts
            for path in store.pages.paths_under(self._database, f"{_POSTS_FOLDER}{id}-")
            if path not in files
        ]
        if stale.river:
            files |= pages.river(shown)

        def settle() -> None:
            store.stale.settle(self._database, stale)
            store.conversations.tell(self._database, {id: pages.tells(id) for id in ids})
            if others:  # the front page leads to conversations that are there, and so does the map
                store.stale.mark_river(self._database)
                store.stale.mark_sections(self._database, [("maps", 0)])

        return self._replace(files, gone, settle)

    def _publish_faces(self) -> int:
        """Pictures come before the pages that show them."""
        if not store.stale.is_marked(self._database, ("faces", 0)):
            return 0
        files = section(self._gathering(), "faces", 0).files
        return self._replace(files, [], lambda: None)

    def _publish_sections(self, until: Callable[[], bool]) -> int:
        changed = 0
        self._notice_time()
        while not until():
            stale = store.stale.some_sections(self._database, SECTIONS)
            if not stale.sections:
                break
            gathered = [section(self._gathering(), kind, number) for kind, number in stale.sections]
            files = {name: content for each in gathered for name, content in each.files.items()}
            gone = [name for each in gathered for name in each.gone]
            new = [name for name in files if not store.pages.is_published(self._database, name)]
            changed += self._replace(files, gone, partial(self._settle_sections, stale, [*new, *gone]))
        return changed

    def _settle_sections(self, stale: StaleSections, names: Sequence[str]) -> None:
        store.stale.settle_sections(self._database, stale)
        store.stale.mark_sections(self._database, _lists_of(self._database, names))

    def _notice_time(self) -> None:
        """Note the pages that tell of polls: most of these change nothing else."""
        now = self._clock()
        if now - self._status_at > STATUS_EVERY:
            self._status_at = now
            with store.transaction(self._database):
                store.stale.mark_sections(self._database, [("status", 0), ("blogs", 0)])
        if now - self._blogs_at > BLOGS_EVERY:
            self._blogs_at = now
            blogs = [("blog", blog.id) for blog in store.feeds.blogs(self._database)]
            with store.transaction(self._database):
                store.stale.mark_sections(self._database, blogs)

    def _gathering(self) -> Gathering:
        return Gathering(self._database, self._renderer, self._clock(), self._weeks)

    def _notice_new_templates(self) -> None:
        fingerprint = self._renderer.fingerprint
        is_known = store.pages.note(self._database, "fingerprint") == fingerprint
        if is_known and (self._public / "index.html").exists():
            return
        log.info("the whole site is rendered anew: its templates, its settings or its folder changed")
        static = self._renderer.static()
        folder.write(self._public, static)
        self._list_for_caches(static)
        with store.transaction(self._database):
            store.topics.define(self._database, self._renderer.look.topics, self._renderer.templates.speech.zone)
            store.pages.forget(self._database)
            store.stale.mark_everything(self._database)
            store.stale.mark_sections(self._database, _everything(self._database))
            store.pages.record(self._database, {name: _digest(content) for name, content in static.items()}, ())
            store.pages.set_note(self._database, "fingerprint", fingerprint)
        self._tell_caches()

    def _replace(self, files: dict[str, bytes], gone: Sequence[str], settle: Callable[[], None]) -> int:
        published = store.pages.digests(self._database, files)
        gone = [name for name, digest in store.pages.digests(self._database, gone).items() if digest]
        digests = {name: _digest(content) for name, content in files.items()}
        changed = {name: digest for name, digest in digests.items() if published.get(name) != digest}
        # Permalinks first: the front page must never lead to a page that isn't there yet.
        order = sorted(changed, key=lambda name: not name.startswith(_POSTS_FOLDER))
        if changed:
            with store.transaction(self._database):
                store.pages.announce(self._database, changed)
        folder.write(self._public, {name: files[name] for name in order})
        folder.remove(self._public, gone)
        self._list_for_caches([*order, *gone])
        with store.transaction(self._database):
            if changed or gone:
                store.pages.record(self._database, changed, gone)
            settle()
        self._tell_caches()
        return len(changed) + len(gone)

    def _tell_caches(self) -> None:
        """Say what has changed, once it is noted as published: the list of a crash in between, too."""
        purges.tell(self._public.parent, store.pages.generation(self._database))

    def _list_for_caches(self, names: Iterable[str]) -> None:
        """Write down what has changed before it is noted as published: afterwards, nobody might come to it."""
        number = store.pages.generation(self._database) + 1
        purges.write(self._public.parent, number, self._renderer.look.masthead.url, names)


def take_in(
    database: Database, gathering: Gathering, prepared: Sequence[Indexed], ids: Sequence[int], spots: Sequence[Spot]
) -> None:
    """Bring search index, topics and numbered pages up to date with posts that came, changed or went.

    Inside a transaction, which notes the sections that show these posts, or did: once a post has left a topic,
    nothing else tells that it was there.
    """
    store.search.index(database, prepared)
    touched = {("topic", topic) for topic in store.topics.assign(database, ids)}
    moved = {("chapter", number) for number in store.chapters.extend(database, gathering.look.entries)}
    store.stale.mark_sections(database, touched | moved | dependents(gathering, ids, spots) | set(ALWAYS))


def _everything(database: Database) -> list[Section]:
    """All sections that don't come from posts, and the pages of the river that there are."""
    chapters = [("chapter", number) for number in range(1, store.chapters.last(database) + 1)]
    topics = [("topic", id) for id in store.topics.ids(database).values()]
    return [*chapters, *topics, ("faces", 0), *ALWAYS, ("months", 0), ("maps", 0)]


# What must be made again because pages in a folder are new or gone.
_LISTS: dict[str, tuple[Section, ...]] = {
    "archive": (("months", 0), ("maps", 0)),
    "weekly": (("weeks", 0), ("maps", 0)),
    "blogs": (("maps", 0),),
    "topics": (("maps", 0),),
    "sitemaps": (("maps", 0),),
    "page": (("river", 0), ("maps", 0)),
}


def _lists_of(database: Database, names: Iterable[str]) -> set[Section]:
    """The lists that must be made again because some of these pages are new or gone; and the weeks beside a week."""
    found: set[Section] = set()
    for name in names:
        kind, _, rest = name.partition("/")
        if rest not in ("", "index.html", "pages.xml"):
            found |= set(_LISTS.get(kind, ()))
            if kind == "weekly":
                found |= {("week", number) for number in weeks_beside(database, rest.partition("/")[0])}
    return found


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()

"""Render what changed, replace its files, and only then note that it is published."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Blog, Conversation, Post
from aggregator.site import Renderer, folder
from aggregator.threads import conversation

log = logging.getLogger("planet.publish")

# Pages rendered in one go: small enough that the newest posts are up before a large rebuild is over.
BATCH = 200
MOST_MENTIONS = 50
_POSTS_FOLDER = "posts/"
_BLOGS_FOLDER = "blogs/"
_FOLDERS = (_POSTS_FOLDER, _BLOGS_FOLDER, "conversations/")


def publish(database: Database, renderer: Renderer, public: Path, *, until: Callable[[], bool] = lambda: False) -> int:
    """Bring the published folder up to date with the store, or go on until told to stop; return how many files changed.

    May be killed anywhere: what is stale stays noted until its files are written, and writing them twice is harmless.

    Raises: StoreFailed.
    """
    changed = 0
    _notice_new_templates(database, renderer, public)
    while not until():
        shown = store.entries.river(database, renderer.entries, renderer.per_feed_per_day)
        # The front page must not lead to pages that are not there yet.
        stale = store.stale.some(database, BATCH, first=[post.id for post in shown])
        if not stale.posts and not stale.river:
            break
        files, gone = _rendered(database, renderer, stale, shown)
        changed += _replace(database, public, files, gone, stale)
    return changed


def build(database: Database, renderer: Renderer, out: Path) -> int:
    """Write the whole site into `out`, and remove posts that are no more; return how many files were written."""
    files = {
        **renderer.static(),
        **_river(database, renderer, store.entries.river(database, renderer.entries, renderer.per_feed_per_day)),
    }
    written = set(files)
    last = 0
    while ids := store.entries.shown_ids(database, after=last, limit=BATCH):
        pages = _posts(database, renderer, ids) | _conversations(database, renderer, ids)[0]
        folder.write(out, pages)
        written |= set(pages)
        last = ids[-1]
    folder.write(out, files)
    for below in _FOLDERS:
        folder.remove(out, folder.names(out, below) - written)
    return len(written)


def _notice_new_templates(database: Database, renderer: Renderer, public: Path) -> None:
    fingerprint = renderer.fingerprint
    if store.pages.note(database, "fingerprint") == fingerprint and (public / "index.html").exists():
        return
    log.info("the whole site is rendered anew: its templates, its settings or its folder changed")
    folder.write(public, renderer.static())
    with store.transaction(database):
        store.pages.forget(database)
        store.stale.mark_everything(database)
        store.pages.record(database, {name: _digest(content) for name, content in renderer.static().items()}, ())
        store.pages.set_note(database, "fingerprint", fingerprint)


def _rendered(
    database: Database, renderer: Renderer, stale: store.stale.Stale, shown: list[Post]
) -> tuple[dict[str, bytes], list[str]]:
    files = _posts(database, renderer, stale.posts)
    conversations, over = _conversations(database, renderer, stale.posts)
    files |= conversations
    gone = [*over] + [
        path
        for id in stale.posts
        for path in store.pages.paths_under(database, f"{_POSTS_FOLDER}{id}-")
        if path not in files
    ]
    if stale.river:
        files |= _river(database, renderer, shown)
        slugs = {blog.slug for blog in store.feeds.blogs(database)}
        blogs = store.pages.paths_under(database, _BLOGS_FOLDER)
        gone += [path for path in blogs if path.split("/")[1] not in slugs]
    return files, gone


def _posts(database: Database, renderer: Renderer, ids: tuple[int, ...] | list[int]) -> dict[str, bytes]:
    thoughts = store.mentions.thoughts(database, ids)
    files: dict[str, bytes] = {}
    blogs: dict[int, Blog] = {}
    for post in store.entries.by_ids(database, ids):
        part_of = _conversation(database, store.conversations.around(database, post.id))
        files |= renderer.post(post, thoughts.get(post.id, []), part_of)
        blogs[post.blog.id] = post.blog
    for blog in blogs.values():
        files |= renderer.blog_mentions(blog, store.moderation.of_blog(database, blog.id, MOST_MENTIONS))
    return files


def _conversations(database: Database, renderer: Renderer, ids: Iterable[int]) -> tuple[dict[str, bytes], list[str]]:
    """The conversations that these posts are part of, or were; and the pages of those that are no more."""
    files: dict[str, bytes] = {}
    named: set[int] = set()
    around = {id for each in ids for id in (each, *store.conversations.beside(database, each))}
    while around:
        id = around.pop()
        posts = store.conversations.around(database, id)
        named |= {id, *posts}
        around -= set(posts)
        if found := _conversation(database, posts):
            files |= renderer.conversation(found)
    names = store.pages.digests(database, (f"conversations/{id}/index.html" for id in named))
    return files, [name for name, digest in names.items() if digest and name not in files]


def _conversation(database: Database, ids: Sequence[int]) -> Conversation | None:
    if len(ids) < 2:
        return None
    return conversation(store.entries.by_ids(database, ids), store.conversations.answers(database, ids))


def _river(database: Database, renderer: Renderer, posts: list[Post]) -> dict[str, bytes]:
    thoughts = store.mentions.thoughts(database, [post.id for post in posts])
    return renderer.river(posts, thoughts, store.feeds.blogs(database))


def _replace(
    database: Database, public: Path, files: dict[str, bytes], gone: list[str], stale: store.stale.Stale
) -> int:
    published = store.pages.digests(database, files)
    digests = {name: _digest(content) for name, content in files.items()}
    changed = {name: digest for name, digest in digests.items() if published.get(name) != digest}
    # Permalinks first: the front page must never lead to a page that isn't there yet.
    order = sorted(changed, key=lambda name: not name.startswith(_POSTS_FOLDER))
    folder.write(public, {name: files[name] for name in order})
    folder.remove(public, gone)
    with store.transaction(database):
        if changed or gone:
            store.pages.record(database, changed, gone)
        store.stale.settle(database, stale)
    return len(changed) + len(gone)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()

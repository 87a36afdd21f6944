"""What the planet gives to feed readers: Atom, RSS 2.0 and JSON Feed of one list of items.

Source: RFC 4287, RFC 4685 (threading); RSS 2.0 and its profile (rssboard.org); JSON Feed 1.1 (jsonfeed.org).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aggregator.markup import without_controls
from aggregator.model import Blog, Enclosure, ListedMention, Post, Thought
from aggregator.site import prose, words
from aggregator.site.templating import Templates

FORMATS = ("atom", "rss", "json")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Channel:
    """A feed as a whole: `base` is where it is, without "feed.atom"; `about` the page that it belongs to."""

    title: str
    base: str
    about: str
    description: str = ""
    query: str = ""
    name: str = "feed"

    def url(self, format: str) -> str:
        """Return the feed's own address in one format."""
        return f"{self.base}{self.name}.{format}{f'?{self.query}' if self.query else ''}"


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a feed, whatever it is made of; `related` is an address and its title."""

    id: str
    title: str
    url: str
    author: str
    published_at: datetime
    updated_at: datetime
    html: str = ""
    text: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    replies_url: str = ""
    replies: int = 0
    related: tuple[str, str] | None = None
    blog: Blog | None = None


def of_posts(templates: Templates, posts: Sequence[Post]) -> list[Item]:
    """Return posts as items; those whose text is not shown have only how they begin."""
    root = templates.look.masthead.url
    untitled = templates.speech.translations.gettext("Untitled")
    return [_of_post(post, root, untitled, shows_text=templates.shows_text(post)) for post in posts]


def _of_post(post: Post, root: str, untitled: str, *, shows_text: bool) -> Item:
    page = f"{root}{post.path[1:]}"
    # A date that lies ahead would pin the post to the top of every reader for as long.
    published_at = min(post.published_at or post.shown_at, post.shown_at)
    edited_at = post.updated_at if post.updated_at != post.published_at else None
    return Item(
        id=words.urn(post),
        title=words.headline(post) or untitled,
        url=post.url or page,
        author=post.author or post.blog.name,
        published_at=published_at,
        updated_at=max(edited_at or published_at, published_at),
        html=prose.for_feeds(post.html) if shows_text else "",
        text=post.lede,
        language=post.language,
        tags=post.tags,
        enclosures=post.enclosures,
        replies_url=f"{page}#thoughts",
        replies=post.thoughts,
        blog=post.blog,
    )


def of_thought(templates: Templates, post: Post, thought: Thought) -> Item:
    """Return a thought under a post as an item."""
    page = f"{templates.look.masthead.url}{post.path[1:]}"
    id = words.item_urn(post.guid, thought.url)
    related = (page, words.headline(post) or templates.speech.translations.gettext("Untitled"))
    title = templates.text("thought_title.txt", kind=thought.kind, title=thought.title or thought.url)
    author, text = thought.author or thought.blog, "".join(thought.excerpt)
    return Item(id, title, thought.url, author, thought.at, thought.at, text=text, related=related)


def of_mention(templates: Templates, each: ListedMention) -> Item:
    """Return a linkback as an item."""
    root = templates.look.masthead.url
    text = f"{''.join(each.excerpt)} → {each.post}"
    title = templates.text("thought_title.txt", kind=each.kind, title=each.title or each.source)
    return Item(
        f"{root}mentions/{each.token}", title, each.source, each.author or each.blog, each.received_at,
        each.received_at, text=text, related=(f"{root}{each.post_path[1:]}", each.post),
    )  # fmt: skip


def rendered(templates: Templates, channel: Channel, items: Sequence[Item], format: str) -> bytes:
    """Return one feed in one format."""
    if format == "json":
        return _json(templates, channel, items)
    updated = max((item.updated_at for item in items), default=_EPOCH)
    return templates.page(f"feed.{format}", channel=channel, items=_with_distinct_ids(items), updated=updated)


def files(templates: Templates, path: str, channel: Channel, items: Sequence[Item]) -> dict[str, bytes]:
    """Return one feed in all formats, as files below a folder of the site."""
    return {f"{path}{channel.name}.{format}": rendered(templates, channel, items, format) for format in FORMATS}


def _with_distinct_ids(items: Sequence[Item]) -> list[Item]:
    """Two entries of one id would be one entry to a reader (RFC 4287 section 4.1.1)."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        seen[item.id] = seen.get(item.id, 0) + 1
        found.append(item if seen[item.id] == 1 else replace(item, id=f"{item.id}#{seen[item.id]}"))
    return found


def _json(templates: Templates, channel: Channel, items: Sequence[Item]) -> bytes:
    look = templates.look
    document: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.about,
        "feed_url": channel.url("json"),
        "language": look.masthead.language,
        "icon": f"{look.masthead.url}static/planet.svg",
    }
    if channel.description:
        document["description"] = channel.description
    if look.hub:
        document["hubs"] = [{"type": "WebSub", "url": look.hub}]
    document["items"] = [_json_item(item) for item in _with_distinct_ids(items)]
    return without_controls(json.dumps(document, ensure_ascii=False, indent=1)).encode()


def _json_item(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        "date_published": words.rfc3339(item.published_at),
        "date_modified": words.rfc3339(item.updated_at),
        "authors": [{"name": item.author}],
    }
    found |= {"content_html": item.html} if item.html else {"content_text": item.text}
    if item.html and item.text:
        found["summary"] = item.text
    if item.tags:
        found["tags"] = list(item.tags)
    if item.language:
        found["language"] = item.language
    if item.enclosures:
        found["attachments"] = [_attachment(file) for file in item.enclosures]
    return found


def _attachment(file: Enclosure) -> dict[str, Any]:
    found: dict[str, Any] = {
        "url": file.url,
        "mime_type": file.kind if "/" in file.kind else "application/octet-stream",
    }
    return found | ({"size_in_bytes": file.bytes} if file.bytes else {})

"""The blogs of the demo as values: posts, pages, and one feed in each format. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from importlib.resources import files
from itertools import count
from typing import Literal

MOST_IN_A_FEED = 15
_PLACEHOLDER = re.compile(r"\{([a-z-]+/[a-z0-9-]+)\}")


@dataclass(frozen=True, slots=True)
class DemoBlog:
    """A blog and the format of its feed."""

    slug: str
    name: str
    author: str
    format: Literal["rss", "atom", "rdf", "json"]


@dataclass(frozen=True, slots=True)
class DemoPost:
    """A post; `id` is its blog's slug and its own, `links` are the ids of the posts that it links to."""

    id: str
    title: str
    html: str
    tags: tuple[str, ...]
    links: tuple[str, ...]
    published_at: datetime

    @property
    def blog(self) -> str:
        """The slug of its blog."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Story:
    """The whole demo: who blogs, what is there at the start, and what comes later."""

    blogs: tuple[DemoBlog, ...]
    first: tuple[DemoPost, ...]
    later: tuple[DemoPost, ...]
    remarks: tuple[tuple[str, str], ...]


def story(now: datetime) -> Story:
    """Read the story; posts of the start are dated back from `now`."""
    text = (files("aggregator.demo") / "community.toml").read_text("utf-8")
    document = tomllib.loads(text)
    return Story(
        blogs=tuple(DemoBlog(**blog) for blog in document["blogs"]),
        first=tuple(_post(post, now - timedelta(hours=int(post["age"][:-1]))) for post in document["posts"]),
        later=tuple(_post(post, now) for post in document["later"]),
        remarks=tuple((remark["title"], remark["text"]) for remark in document["remarks"]),
    )


def remark(told: Story, number: int, posts: Sequence[DemoPost], now: datetime) -> DemoPost:
    """Return the next of endlessly many short posts: one blog answers a post of another."""
    blog = told.blogs[number % len(told.blogs)]
    others = [post for post in posts if post.blog != blog.slug]
    about = next(others[-1 - (number * 5 + step) % len(others)] for step in count())
    title, text = told.remarks[number % len(told.remarks)]
    link = f'<a href="{{{about.id}}}">{escape(about.title)}</a>'
    return DemoPost(
        id=f"{blog.slug}/remark-{number + 1}",
        title=title,
        html=f"<p>{text.replace('{link}', link)}</p>",
        tags=about.tags[:1],
        links=(about.id,),
        published_at=now,
    )


def feed(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> tuple[str, str]:
    """Return the content type and the text of a blog's feed, newest post first."""
    newest = sorted(posts, key=lambda post: post.published_at, reverse=True)[:MOST_IN_A_FEED]
    return {"rss": _rss, "atom": _atom, "rdf": _rdf, "json": _json}[blog.format](blog, newest, base)


def page(blog: DemoBlog, post: DemoPost, base: str) -> str:
    """Return the web page of a post."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(post.title)} – {escape(blog.name)}'
        f"</title></head><body><h1>{escape(post.title)}</h1><p>{escape(blog.author)}, {post.published_at:%d %B %Y}</p>"
        f"{linked(post.html, base)}</body></html>"
    )


def home(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> str:
    """Return the front page of a blog."""
    items = "".join(f'<li><a href="{base}{post.id}/">{escape(post.title)}</a></li>' for post in reversed(posts))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(blog.name)}</title></head>'
        f"<body><h1>{escape(blog.name)}</h1><ul>{items}</ul></body></html>"
    )


def linked(html: str, base: str) -> str:
    """Return a text with the addresses of posts in place of their ids."""
    return _PLACEHOLDER.sub(lambda match: f"{base}{match[1]}/", html)


def _post(post: Mapping[str, object], published_at: datetime) -> DemoPost:
    html, tags = str(post["html"]), post["tags"]
    assert isinstance(tags, list)
    return DemoPost(
        id=str(post["id"]),
        title=str(post["title"]),
        html=html.strip(),
        tags=tuple(tags),
        links=tuple(dict.fromkeys(_PLACEHOLDER.findall(html))),
        published_at=published_at,
    )


def _rss(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> tuple[str, str]:
    items = "".join(
        f"<item><title>{escape(post.title)}</title><link>{base}{post.id}/</link>"
        f'<guid isPermaLink="true">{base}{post.id}/</guid><pubDate>{format_datetime(post.published_at)}</pubDate>'
        f"<dc:creator>{escape(blog.author)}</dc:creator>"
        + "".join(f"<category>{escape(tag)}</category>" for tag in post.tags)
        + f"<description>{escape(linked(post.html, base))}</description></item>"
        for post in posts
    )
    return "application/rss+xml", (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{escape(blog.name)}</title><link>{base}{blog.slug}/</link><description>{escape(blog.name)}"
        f"</description>{items}</channel></rss>"
    )


def _atom(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> tuple[str, str]:
    entries = "".join(
        f"<entry><title>{escape(post.title)}</title><id>{base}{post.id}/</id>"
        f'<link rel="alternate" href="{base}{post.id}/"/><published>{post.published_at.isoformat()}</published>'
        f"<updated>{post.published_at.isoformat()}</updated><author><name>{escape(blog.author)}</name></author>"
        + "".join(f'<category term="{escape(tag)}"/>' for tag in post.tags)
        + f'<content type="html">{escape(linked(post.html, base))}</content></entry>'
        for post in posts
    )
    return "application/atom+xml", (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f'<title>{escape(blog.name)}</title><id>{base}{blog.slug}/</id><link href="{base}{blog.slug}/"/>'
        f"<updated>{posts[0].published_at.isoformat()}</updated>{entries}</feed>"
    )


def _rdf(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> tuple[str, str]:
    listed = "".join(f'<rdf:li rdf:resource="{base}{post.id}/"/>' for post in posts)
    items = "".join(
        f'<item rdf:about="{base}{post.id}/"><title>{escape(post.title)}</title><link>{base}{post.id}/</link>'
        f"<dc:date>{post.published_at.isoformat()}</dc:date><dc:creator>{escape(blog.author)}</dc:creator>"
        + "".join(f"<dc:subject>{escape(tag)}</dc:subject>" for tag in post.tags)
        + f"<content:encoded>{escape(linked(post.html, base))}</content:encoded></item>"
        for post in posts
    )
    return "application/rdf+xml", (
        '<?xml version="1.0" encoding="utf-8"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:content="http://purl.org/rss/1.0/modules/content/">'
        f'<channel rdf:about="{base}{blog.slug}/"><title>{escape(blog.name)}</title><link>{base}{blog.slug}/</link>'
        f"<description>{escape(blog.name)}</description><items><rdf:Seq>{listed}</rdf:Seq></items></channel>"
        f"{items}</rdf:RDF>"
    )


def _json(blog: DemoBlog, posts: Sequence[DemoPost], base: str) -> tuple[str, str]:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": blog.name,
        "home_page_url": f"{base}{blog.slug}/",
        "authors": [{"name": blog.author}],
        "items": [
            {
                "id": f"{base}{post.id}/",
                "url": f"{base}{post.id}/",
                "title": post.title,
                "content_html": linked(post.html, base),
                "date_published": post.published_at.isoformat(),
                "tags": list(post.tags),
            }
            for post in posts
        ],
    }
    return "application/feed+json", json.dumps(document)

"""Blogs as rows: the columns that a query needs to name the blog of a post."""

from __future__ import annotations

import json
from typing import Any

from aggregator.model import Blog
from aggregator.store.connection import to_instant
from aggregator.urls import host_of

BLOG_COLUMNS = (
    "feed.id AS blog_id, feed.slug AS blog_slug, feed.url AS blog_url, feed.site AS blog_site,"
    " feed.territory AS blog_territory, feed.name AS blog_name, feed.title AS blog_title, feed.home AS blog_home,"
    " feed.tags AS blog_tags, feed.failures AS blog_failures, feed.enabled AS blog_enabled,"
    " feed.author AS blog_author, feed.content AS blog_content, feed.posted_at AS blog_posted_at,"
    " (SELECT face.name FROM face WHERE face.feed_id = feed.id) AS blog_face"
)


def blog_of(row: dict[str, Any]) -> Blog:
    """Build a Blog from a row that has BLOG_COLUMNS."""
    return Blog(
        id=row["blog_id"],
        slug=row["blog_slug"],
        name=row["blog_name"] or row["blog_title"] or host_of(row["blog_url"]),
        url=row["blog_url"],
        home=row["blog_site"] or row["blog_home"] or row["blog_territory"],
        tags=tuple(json.loads(row["blog_tags"])),
        is_failing=row["blog_failures"] > 0,
        enabled=bool(row["blog_enabled"]),
        face=row["blog_face"] or "",
        posted_at=to_instant(row["blog_posted_at"]),
    )

"""What pages show: blogs, posts, thoughts under them, and conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.model.feeds import Enclosure


@dataclass(frozen=True, slots=True)
class Masthead:
    """What every page says about the planet itself."""

    title: str
    url: str
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Blog:
    """A member as the pages name it; `face` is the file of its picture, or ""."""

    id: int
    slug: str
    name: str
    url: str
    home: str
    tags: tuple[str, ...] = ()
    is_failing: bool = False
    enabled: bool = True
    face: str = ""
    posted_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where the blog's page is on the planet."""
        return f"/blogs/{self.slug}/"


@dataclass(frozen=True, slots=True)
class Twin:
    """Another blog that has brought the same story, and where it did."""

    blog: str
    url: str


@dataclass(frozen=True, slots=True)
class Post:
    """A stored entry, ready to be shown."""

    id: int
    slug: str
    blog: Blog
    guid: str
    url: str
    title: str
    author: str
    html: str
    lede: str
    words: int
    language: str
    tags: tuple[str, ...]
    shown_at: datetime
    published_at: datetime | None
    updated_at: datetime | None
    thoughts: int = 0
    content: Literal["full", "excerpt"] = "full"
    enclosures: tuple[Enclosure, ...] = ()
    also: tuple[Twin, ...] = ()

    @property
    def path(self) -> str:
        """Where the post lives on the planet, frozen when it was first stored."""
        return f"/posts/{self.id}-{self.slug}/"


@dataclass(frozen=True, slots=True)
class Thought:
    """One line of the conversation under a post; `place` is the blog at which somebody commented."""

    number: int
    kind: str
    url: str
    title: str
    blog: str
    at: datetime
    excerpt: tuple[str, str, str]
    author: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One post of a conversation answers another: their ids, and the words around the link."""

    post: int
    answered: int
    excerpt: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Posts of several blogs that link to each other, in order of time; it is named by its oldest post's id."""

    id: int
    posts: tuple[Post, ...]
    answers: tuple[Answer, ...]

    @property
    def path(self) -> str:
        """Where the conversation lives on the planet."""
        return f"/conversations/{self.id}/"

    @property
    def blogs(self) -> int:
        """How many blogs take part."""
        return len({post.blog.home for post in self.posts})

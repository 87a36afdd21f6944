"""How values read on a page, whatever its language: initials, titles, ids of feeds. Pure."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from markupsafe import Markup

from aggregator.markup import shortened, without_controls
from aggregator.model import Enclosure, Post
from aggregator.urls import host_of

__all__ = [
    "file_name", "headline", "host", "hue", "initials", "item_urn", "minutes", "quoted", "rfc822",
    "rfc3339", "rss_title", "urn", "without_blog",
]  # fmt: skip

HUES = 12
_WORDS_PER_MINUTE = 230


def rfc3339(instant: datetime) -> str:
    """Return an instant as Atom writes it (RFC 3339, whole seconds)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc822(instant: datetime) -> str:
    """Return an instant as RSS writes it, whatever the language: "Sat, 21 Nov 2026 08:40:00 GMT"."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def rss_title(text: str) -> Markup:
    """Return a text for a title of RSS, which some programs read as HTML and some as text: these escapes suit both."""
    return Markup(without_controls(text).replace("&", "&#x26;").replace("<", "&#x3C;").replace(">", "&#x3E;"))  # noqa: S704


def host(url: str) -> str:
    """Return the host of an address without "www."."""
    return host_of(url).removeprefix("www.")


def headline(post: Post) -> str:
    """Return the title of a post, or how it begins when it has none; "" when it has no words at all."""
    return post.title or shortened(post.lede, 70)


def quoted(text: str) -> str:
    """Return a text in quotation marks; those inside it become single ones."""
    return f"“{text.replace('“', '‘').replace('”', '’')}”"


def file_name(file: Enclosure) -> str:
    """Return the name of a file, and how large it is: "episode-7.mp3 (12 MB)"."""
    name = unquote(urlsplit(file.url).path.rpartition("/")[2]) or file.url
    size = f" ({max(1, round(file.bytes / 1_000_000))} MB)" if file.bytes >= 500_000 else ""
    return f"{shortened(name, 60)}{size}"


def minutes(post: Post) -> int:
    """Return the time that reading takes."""
    return max(1, round(post.words / _WORDS_PER_MINUTE))


def initials(name: str) -> str:
    """Return up to two letters that stand for a name."""
    words = [word for word in re.findall(r"\w+", name) if word.lower() not in ("the", "a", "an", "of", "and")]
    return "".join(word[0] for word in words[:2]).upper() or "•"


def hue(name: str) -> str:
    """Return the class of the colour by which a blog is recognised."""
    return f"hue-{hashlib.blake2b(name.encode(), digest_size=2).digest()[0] % HUES}"


def without_blog(title: str, blog: str) -> str:
    """Return the title of a page without its blog's name at either end ("A post – The Blog")."""
    if not blog:
        return title
    name = re.escape(blog)
    shorter = re.sub(rf"\s+[-–—|·»:]\s+{name}$|^{name}\s+[-–—|·»:]\s+", "", title, flags=re.IGNORECASE)
    return shorter or title


def urn(post: Post) -> str:
    """Return an Atom id that neither the planet's address nor the post's can change."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{post.blog.url} {post.guid}')}"


def item_urn(guid: str, url: str) -> str:
    """Return an Atom id for what somebody links to a post."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{guid} {url}')}"

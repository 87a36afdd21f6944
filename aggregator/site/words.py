"""How values read on a page: dates, initials, kinds of thoughts. Pure."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, date, datetime
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from aggregator.markup import shortened
from aggregator.model import Enclosure, Post, Thought

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_KINDS = {"pingback": "Pingback", "trackback": "Trackback", "webmention": "Webmention", "feed": "Links here",
          "comment": "Comment", "reply": "Reply", "like": "Like", "repost": "Repost",
          "bookmark": "Bookmark"}  # fmt: skip
HUES = 12
_WORDS_PER_MINUTE = 230


def day_name(day: date) -> str:
    """Return "Saturday, 21 November 2026"."""
    return f"{_DAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]} {day.year}"


def clock_time(instant: datetime, zone: ZoneInfo) -> str:
    """Return "08:40"."""
    return instant.astimezone(zone).strftime("%H:%M")


def full_time(instant: datetime, zone: ZoneInfo) -> str:
    """Return "21 November 2026, 08:40"."""
    local = instant.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def rfc3339(instant: datetime) -> str:
    """Return an instant as Atom writes it (RFC 3339, whole seconds)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def headline(post: Post) -> str:
    """Return the title of a post, or how it begins when it has none."""
    return post.title or shortened(post.lede, 70) or "Untitled"


def quoted(text: str) -> str:
    """Return a text in quotation marks; those inside it become single ones."""
    return f"“{text.replace('“', '‘').replace('”', '’')}”"


def file_name(file: Enclosure) -> str:
    """Return what a file is, and how large: "Audio: episode-7.mp3 (12 MB)"."""
    kinds = {"audio": "Audio", "video": "Video", "image": "Picture"}
    kind = kinds.get(file.kind.partition("/")[0].lower(), "File")
    name = unquote(urlsplit(file.url).path.rpartition("/")[2]) or file.url
    size = f" ({max(1, round(file.bytes / 1_000_000))} MB)" if file.bytes >= 500_000 else ""
    return f"{kind}: {shortened(name, 60)}{size}"


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


def kind_name(protocol: str) -> str:
    """Return how the way in of a thought is named."""
    return _KINDS[protocol]


def without_blog(title: str, blog: str) -> str:
    """Return the title of a page without its blog's name at either end ("A post – The Blog")."""
    if not blog:
        return title
    name = re.escape(blog)
    shorter = re.sub(rf"\s+[-–—|·»:]\s+{name}$|^{name}\s+[-–—|·»:]\s+", "", title, flags=re.IGNORECASE)
    return shorter or title


def called(thought: Thought) -> str:
    """Return what the link to a thought says: how its page is called, or at which blog somebody commented."""
    return f"at {thought.place}" if thought.place else without_blog(thought.title, thought.blog)


def urn(post: Post) -> str:
    """Return an Atom id that neither the planet's address nor the post's can change."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{post.blog.url} {post.guid}')}"


def item_urn(guid: str, url: str) -> str:
    """Return an Atom id for what somebody links to a post."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{guid} {url}')}"

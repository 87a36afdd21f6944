"""What an import finds. Pure: no clock, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import unescape

from aggregator.filters import Filter
from aggregator.urls import canonical, web_url


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed as another program lists it; empty where that says nothing."""

    url: str
    name: str = ""
    site: str = ""
    author: str = ""
    face: str = ""
    tags: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds: its kind in words, what it says of the planet, its feeds, and what could not be kept.

    Every feed is there once; `twice` is how many more times feeds were listed.
    """

    kind: str
    feeds: tuple[Listed, ...]
    notes: tuple[str, ...] = ()
    title: str = ""
    url: str = ""
    contact: str = ""
    twice: int = 0


class Finding:
    """Gathers the feeds of one file, each once, and notes what is left behind."""

    def __init__(self) -> None:
        self._feeds: dict[str, Listed] = {}
        self._notes: dict[str, None] = {}
        self._options: Counter[str] = Counter()
        self._twice = 0

    def add(self, feed: Listed) -> None:
        """Take a feed with whatever address it has; of one that is listed again only new tags are taken."""
        url = address(feed.url)
        if not url:
            self.note(f"{feed.url or feed.name!r} is no web address")
            return
        key = canonical(url)
        if (known := self._feeds.get(key)) is not None:
            self._twice += 1
            self._feeds[key] = replace(known, tags=tuple(dict.fromkeys(known.tags + feed.tags)))
            return
        name, site, face = " ".join(unescape(feed.name).split()), site_of(feed.site, url), address(feed.face)
        if feed.face and not face:
            self.note(f"the face {feed.face} of {url}: its web address is needed")
        self._feeds[key] = replace(feed, url=url, name=name, site=site, face=face, tags=tidy(feed.tags))

    def note(self, words: str) -> None:
        """Note once, in one line, what could not be kept."""
        self._notes[" ".join(words.split())] = None

    def leave(self, option: str) -> None:
        """Count an option of a feed that has no counterpart here."""
        self._options[option] += 1

    def result(self, kind: str, *, title: str = "", url: str = "", contact: str = "") -> Imported:
        """Return all of it."""
        options = [
            f"the option {name} of {count} feeds" if count > 1 else f"the option {name} of one feed"
            for name, count in self._options.most_common()
        ]
        feeds, notes = tuple(self._feeds.values()), (*self._notes, *options)
        return Imported(kind, feeds, notes, " ".join(title.split()), web_url(url), contact, self._twice)


def address(text: str) -> str:
    """Return the web address that a list means, or ""; ampersands may have been escaped once too often."""
    return web_url(text.strip().removeprefix("feed:").replace("&amp;", "&"))


def site_of(text: str, feed: str) -> str:
    """Return the address of a blog as its feed's list has it, or "" when that can't be one.

    Some programs write the feed's own address, or a page of theirs that shows the feed.
    """
    site = address(text)
    is_readers_own = "/reader/view/" in site
    return "" if is_readers_own or canonical(site) == canonical(feed) else site


def tidy(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without empty and double ones."""
    return tuple(dict.fromkeys(filter(None, (" ".join(unescape(tag).split()) for tag in tags))))


def as_filter(written: str) -> str:
    """Return a filter that can be read here, or ""."""
    try:
        Filter.of(written)
    except ValueError:
        return ""
    return written

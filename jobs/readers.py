"""What runs in child processes. Their parsers are loaded there: who only hands work out needs none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from aggregator.filters import NO_FILTERS, Filters
from aggregator.model import Evidence, Reading

if TYPE_CHECKING:
    from aggregator.evidence import Link


def read_feed(
    body: bytes,
    coding: str,
    content_type: str,
    url: str,
    known: Mapping[str, bytes],
    max_bytes: int,
    filters: Filters = NO_FILTERS,
) -> Reading:
    """Read a feed, as `aggregator.feeds.read` does."""
    from aggregator.feeds import read

    return read(body, coding, content_type, url, known, max_bytes, filters)


def examine_page(
    body: bytes, coding: str, content_type: str, url: str, targets: Collection[str], max_bytes: int
) -> Evidence | None:
    """Look for a link on a page, as `aggregator.evidence.examine` does."""
    from aggregator.evidence import examine

    return examine(body, coding, content_type, url, targets, max_bytes)


def does_vouch(body: bytes, coding: str, content_type: str, url: str, host: str, max_bytes: int) -> bool:
    """Tell whether a page vouches for a host, as `aggregator.evidence.vouches` does."""
    from aggregator.evidence import vouches

    return vouches(body, coding, content_type, url, host, max_bytes)


def links_of(html: str, base: str) -> list[Link]:
    """Return where a post links to, as `aggregator.evidence.links` does."""
    from aggregator.evidence import links

    return links(html, base)

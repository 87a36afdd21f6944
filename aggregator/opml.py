"""Write blogs as OPML 2.0: grouped by their first tag, all tags in `category`. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from aggregator.model import Masthead, Subscription


def written(masthead: Masthead, subscriptions: Sequence[Subscription]) -> str:
    """Return the document; feeds that are not enabled are left out.

    Source: opml.org/spec2.opml (subscription lists; category).
    """
    groups: defaultdict[str, list[Subscription]] = defaultdict(list)
    for feed in subscriptions:
        if feed.enabled:
            groups[feed.tags[0] if feed.tags else ""].append(feed)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        f"  <head><title>{_text(masthead.title)}</title></head>",
        "  <body>",
    ]
    for group in sorted(groups, key=lambda name: (name != "", name.casefold())):
        outlines = [_outline(feed) for feed in groups[group]]
        if group:
            lines.append(f"    <outline text={_quoted(group)} title={_quoted(group)}>")
            lines += [f"      {outline}" for outline in outlines]
            lines.append("    </outline>")
        else:
            lines += [f"    {outline}" for outline in outlines]
    return "\n".join([*lines, "  </body>", "</opml>", ""])


def _outline(feed: Subscription) -> str:
    name = feed.name or feed.url
    attributes = {"type": "rss", "text": name, "title": name, "xmlUrl": feed.url, "htmlUrl": feed.site}
    if feed.tags:
        attributes["category"] = ",".join(tag.replace(",", " ") for tag in feed.tags)
    return f"<outline {' '.join(f'{key}={_quoted(value)}' for key, value in attributes.items() if value)}/>"


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": " ", "\r": " ", "\t": " "})


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

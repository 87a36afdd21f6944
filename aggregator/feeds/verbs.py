"""What the words of RSS, RSS 1.0 and Atom do to what is being read, in feedparser's terms; for the quick reader. Pure.

Each verb is called with the reader: `begin_…` where an element begins, with its attributes; `end_…` where it ends,
with its text. `keep_…` make such verbs. Whatever feedparser would take in another way raises Unusual.

Source: RFC 4287; RSS 2.0 (rssboard.org); RSS 1.0 and its modules (web.resource.org); Media RSS 1.5; feedparser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import feedparser

from aggregator.feeds.dates import SHORT_ISO
from aggregator.feeds.quick import Attributes, Reader, Unusual

_KINDS = {"text": "text/plain", "plain": "text/plain", "html": "text/html"}
_LOOSE_REFERENCE = re.compile("&([A-Za-z0-9_]+);")


def begin_rss(reader: Reader, _: Attributes) -> None:
    reader.version = reader.version if reader.version.startswith("rss") else "rss20"
    _document_language(reader)


def begin_rdf(reader: Reader, _: Attributes) -> None:
    if reader.version != "rss10":
        raise Unusual


def begin_atom(reader: Reader, _: Attributes) -> None:
    if reader.version != "atom10":
        raise Unusual
    _document_language(reader)


def _document_language(reader: Reader) -> None:
    if reader.language:
        reader.feed["language"] = reader.language.replace("_", "-")


def begin_channel(_: Reader, given: Attributes) -> None:
    if "lastmod" in given or "href" in given:  # CDF
        raise Unusual


def begin_entry(reader: Reader, given: Attributes) -> None:
    begin_channel(reader, given)
    entry: dict[str, Any] = {}
    reader.into = entry
    reader.entries.append(entry)
    if about := given.get("rdf:about"):
        entry["id"] = about


def end_entry(reader: Reader, _: str) -> None:
    entry, reader.into = reader.into, reader.feed
    entry["enclosures"] = [link for link in entry.get("links", ()) if link.get("rel") == "enclosure"]


def keep_as(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        reader.into[key] = text

    return end


def keep_address_as(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        reader.into[key] = reader.resolved(text)

    return end


def begin_bare(_: Reader, given: Attributes) -> None:
    """feedparser takes a word of no meaning to it for a text only where it has no attributes."""
    if given:
        raise Unusual


def keep_date_as(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        if len(text) < 11 and SHORT_ISO.fullmatch(text):
            raise Unusual
        reader.into[key] = text

    return end


def begin_text(default: str) -> Callable[[Reader, Attributes], None]:
    def begin(reader: Reader, given: Attributes) -> None:
        kind = given.get("type", default)
        reader.kind = _KINDS.get(kind, kind)
        if not reader.kind.startswith("text/") or "mode" in given or "src" in given:
            raise Unusual

    return begin


def _detail(reader: Reader, text: str) -> dict[str, Any]:
    if reader.kind == "text/plain" and not reader.version.startswith("atom") and ("</" in text or "&" in text):
        reader.kind = "text/html" if feedparser.mixin._FeedParserMixin.looks_like_html(text) else reader.kind
    language = reader.language.replace("_", "-") if reader.language else reader.language
    return {"type": reader.kind, "language": language, "base": reader.base, "value": text}


def _has_title(reader: Reader) -> bool:
    if not reader.into.get("title"):
        return False
    if "source" in reader.into or reader.into is reader.feed:  # where feedparser takes the later title
        raise Unusual
    return True


def end_title(reader: Reader, text: str) -> None:
    if not _has_title(reader):
        reader.into["title_detail"] = _detail(reader, text)
        reader.into["title"] = text


def end_further_title(reader: Reader, _: str) -> None:
    if not _has_title(reader):
        raise Unusual


def begin_summary(default: str) -> Callable[[Reader, Attributes], None]:
    kind = begin_text(default)

    def begin(reader: Reader, given: Attributes) -> None:
        if "summary" in reader.into and "is_full" not in reader.into:  # feedparser takes it for the content
            raise Unusual
        kind(reader, given)

    return begin


def end_summary(reader: Reader, text: str) -> None:
    reader.into["summary_detail"] = _detail(reader, text)
    reader.into["summary"] = text


def end_deep_summary(reader: Reader, text: str) -> None:
    if "summary" in reader.into:
        raise Unusual
    end_summary(reader, text)


def end_content(reader: Reader, text: str) -> None:
    entry = reader.into
    entry["is_full"] = True
    entry.setdefault("content", []).append(_detail(reader, text))
    entry.setdefault("summary", text)


def begin_link(reader: Reader, given: Attributes) -> None:
    link = dict(given)
    link.setdefault("rel", "alternate")
    link.setdefault("type", "application/atom+xml" if link["rel"] == "self" else "text/html")
    if address := link.pop("url", None) or link.pop("uri", None):
        link["href"] = address
    reader.into.setdefault("links", []).append(link)
    if "href" not in link:
        return
    link["href"] = reader.resolved(link["href"])
    if link["rel"] == "alternate" and link["type"] in ("text/html", "html", "application/xhtml+xml", "xhtml"):
        reader.into["link"] = link["href"]


def end_link(reader: Reader, text: str) -> None:
    link = reader.into["links"][-1]
    if "href" in link:
        return
    address = reader.resolved(text)
    if "&" in address:
        if reader.into is not reader.feed:
            address = address.replace("&amp;", "&")
        address = _LOOSE_REFERENCE.sub(r"&\1", address)
    reader.into["link"] = address
    if address or reader.into is reader.feed:
        link["href"] = address


def begin_id(reader: Reader, given: Attributes) -> None:
    reader.is_permalink = given.get("ispermalink", "true") == "true"


def end_id(reader: Reader, text: str) -> None:
    into, is_link = reader.into, reader.is_permalink
    into["id"] = reader.resolved(text) if is_link else text
    into.setdefault("guidislink", is_link and "link" not in into)
    if is_link:
        into.setdefault("link", into["id"])


def begin_author(reader: Reader, _: Attributes) -> None:
    reader.into.setdefault("authors", []).append({})


def end_author(reader: Reader, text: str) -> None:
    reader.into["author"] = text
    _sync_author(reader)


def keep_of_author(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        _sync_author(reader)
        authors = reader.into.setdefault("authors", [{}])
        if "is_written" in reader.into and len(authors) > 1:
            raise Unusual  # feedparser gives this part to the one before, too
        authors[-1][key] = text if key == "href" else reader.written

    return end


def _sync_author(reader: Reader) -> None:
    """Keep the last author's parts and the author as one text in step, as feedparser does."""
    into = reader.into
    authors = into.get("authors", [{}])
    author = authors[-1]
    name, mail = author.get("name"), author.get("email")
    if author:
        into["author"] = f"{name} ({mail})" if name and mail else name or mail or into.get("author", "")
        return
    text = into.get("author", "")
    if "@" in text:
        into["has_mail"] = True
    elif text:
        author["name"] = text
        into["is_written"] = True
    if "has_mail" in into and len(authors) > 1:
        raise Unusual


def begin_tag(reader: Reader, given: Attributes) -> None:
    _tag(reader, given.get("term"), given.get("scheme", given.get("domain")), given.get("label"))


def end_tag(reader: Reader, text: str) -> None:
    tags = reader.into["tags"]
    if text and tags and not tags[-1]["term"]:
        tags[-1]["term"] = text
    elif text:
        _tag(reader, text, None, None)


def _tag(reader: Reader, term: str | None, scheme: str | None, label: str | None) -> None:
    tags = reader.into.setdefault("tags", [])
    tag = {"term": term, "scheme": scheme, "label": label}
    if (term or scheme or label) and tag not in tags:
        tags.append(tag)


def keep_keywords(scheme: str | None) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        for term in filter(None, map(str.strip, text.split(","))):
            _tag(reader, term, scheme, None)

    return end


def begin_enclosure(reader: Reader, given: Attributes) -> None:
    file = dict(given)
    if address := file.pop("url", None) or file.pop("uri", None) or file.get("href"):
        file["href"] = address
    reader.into.setdefault("links", []).append({**file, "rel": "enclosure"})


def begin_source(reader: Reader, _: Attributes) -> None:
    reader.into["source"] = {}


def begin_media(key: str) -> Callable[[Reader, Attributes], None]:
    def begin(reader: Reader, given: Attributes) -> None:
        reader.into.setdefault(key, []).append(dict(given))

    return begin


def end_thumbnail(reader: Reader, text: str) -> None:
    if text:
        reader.into["media_thumbnail"][-1].setdefault("url", text)


def begin_image(reader: Reader, _: Attributes) -> None:
    reader.into = reader.feed.setdefault("image", {})


def end_image(reader: Reader, _: str) -> None:
    reader.into = reader.feed


def begin_shown_image(reader: Reader, given: Attributes) -> None:
    if address := given.get("href") or given.get("url"):
        reader.feed["image"] = {"href": address}


def begin_generator(reader: Reader, given: Attributes) -> None:
    reader.feed["generator_detail"] = dict(given)


def end_generator(reader: Reader, text: str) -> None:
    reader.feed["generator"] = reader.feed["generator_detail"]["name"] = text


def end_hour(reader: Reader, text: str) -> None:
    reader.hours.append(text)


def end_day(reader: Reader, text: str) -> None:
    reader.days.append(text)


def begin_cloud(reader: Reader, given: Attributes) -> None:
    reader.feed["cloud"] = dict(given)

"""What the elements of RSS, RSS 1.0 and Atom mean, in feedparser's terms; for the quick reader. Pure.

Source: RFC 4287; RSS 2.0 (rssboard.org); RSS 1.0 and its modules (web.resource.org); Media RSS 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers import expat

import feedparser

from aggregator.feeds.dates import SHORT_ISO
from aggregator.feeds.elements import TOMBSTONES, Elements
from aggregator.feeds.quick import Attributes, Reader, Unusual, Word

_KINDS = {"text": "text/plain", "plain": "text/plain", "html": "text/html"}
_LOOSE_REFERENCE = re.compile("&([A-Za-z0-9_]+);")


def quickly(text: str) -> Elements | None:
    """Return a feed in feedparser's terms, or None when it is for feedparser to read."""
    reader = Reader(_DOCUMENT)
    try:
        reader.read(text)
    except (Unusual, expat.ExpatError):
        return None
    may_withdraw = TOMBSTONES in reader.namespaces
    return Elements(reader.version, reader.feed, reader.entries, reader.hours, reader.days, may_withdraw)


def _rss(reader: Reader, _: Attributes) -> None:
    reader.version = reader.version if reader.version.startswith("rss") else "rss20"
    _document_language(reader)


def _rdf(reader: Reader, _: Attributes) -> None:
    if reader.version != "rss10":
        raise Unusual


def _atom(reader: Reader, _: Attributes) -> None:
    if reader.version != "atom10":
        raise Unusual
    _document_language(reader)


def _document_language(reader: Reader) -> None:
    if reader.language:
        reader.feed["language"] = reader.language.replace("_", "-")


def _channel(_: Reader, given: Attributes) -> None:
    if "lastmod" in given or "href" in given:  # CDF
        raise Unusual


def _entry(reader: Reader, given: Attributes) -> None:
    _channel(reader, given)
    entry: dict[str, Any] = {}
    reader.into = entry
    reader.entries.append(entry)
    if about := given.get("rdf:about"):
        entry["id"] = about


def _end_entry(reader: Reader, _: str) -> None:
    entry, reader.into = reader.into, reader.feed
    entry["enclosures"] = [link for link in entry.get("links", ()) if link.get("rel") == "enclosure"]


def _into(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        reader.into[key] = text

    return end


def _address_into(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        reader.into[key] = reader.resolved(text)

    return end


def _bare(_: Reader, given: Attributes) -> None:
    """feedparser takes a word of no meaning to it for a text only where it has no attributes."""
    if given:
        raise Unusual


def _date_into(key: str) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        if len(text) < 11 and SHORT_ISO.fullmatch(text):
            raise Unusual
        reader.into[key] = text

    return end


def _content_kind(default: str) -> Callable[[Reader, Attributes], None]:
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


def _title(reader: Reader, text: str) -> None:
    if not _has_title(reader):
        reader.into["title_detail"] = _detail(reader, text)
        reader.into["title"] = text


def _further_title(reader: Reader, _: str) -> None:
    if not _has_title(reader):
        raise Unusual


def _begin_summary(default: str) -> Callable[[Reader, Attributes], None]:
    kind = _content_kind(default)

    def begin(reader: Reader, given: Attributes) -> None:
        if "summary" in reader.into and "is_full" not in reader.into:  # feedparser takes it for the content
            raise Unusual
        kind(reader, given)

    return begin


def _summary(reader: Reader, text: str) -> None:
    reader.into["summary_detail"] = _detail(reader, text)
    reader.into["summary"] = text


def _deep_summary(reader: Reader, text: str) -> None:
    if "summary" in reader.into:
        raise Unusual
    _summary(reader, text)


def _content(reader: Reader, text: str) -> None:
    entry = reader.into
    entry["is_full"] = True
    entry.setdefault("content", []).append(_detail(reader, text))
    entry.setdefault("summary", text)


def _begin_link(reader: Reader, given: Attributes) -> None:
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


def _link(reader: Reader, text: str) -> None:
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


def _begin_id(reader: Reader, given: Attributes) -> None:
    reader.is_permalink = given.get("ispermalink", "true") == "true"


def _id(reader: Reader, text: str) -> None:
    into, is_link = reader.into, reader.is_permalink
    into["id"] = reader.resolved(text) if is_link else text
    into.setdefault("guidislink", is_link and "link" not in into)
    if is_link:
        into.setdefault("link", into["id"])


def _begin_author(reader: Reader, _: Attributes) -> None:
    reader.into.setdefault("authors", []).append({})


def _author(reader: Reader, text: str) -> None:
    reader.into["author"] = text
    _sync_author(reader)


def _of_author(key: str) -> Callable[[Reader, str], None]:
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


def _begin_tag(reader: Reader, given: Attributes) -> None:
    _tag(reader, given.get("term"), given.get("scheme", given.get("domain")), given.get("label"))


def _end_tag(reader: Reader, text: str) -> None:
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


def _keywords(scheme: str | None) -> Callable[[Reader, str], None]:
    def end(reader: Reader, text: str) -> None:
        for term in filter(None, map(str.strip, text.split(","))):
            _tag(reader, term, scheme, None)

    return end


def _enclosure(reader: Reader, given: Attributes) -> None:
    file = dict(given)
    if address := file.pop("url", None) or file.pop("uri", None) or file.get("href"):
        file["href"] = address
    reader.into.setdefault("links", []).append({**file, "rel": "enclosure"})


def _source(reader: Reader, _: Attributes) -> None:
    reader.into["source"] = {}


def _media(key: str) -> Callable[[Reader, Attributes], None]:
    def begin(reader: Reader, given: Attributes) -> None:
        reader.into.setdefault(key, []).append(dict(given))

    return begin


def _thumbnail(reader: Reader, text: str) -> None:
    if text:
        reader.into["media_thumbnail"][-1].setdefault("url", text)


def _begin_image(reader: Reader, _: Attributes) -> None:
    reader.into = reader.feed.setdefault("image", {})


def _end_image(reader: Reader, _: str) -> None:
    reader.into = reader.feed


def _show_image(reader: Reader, given: Attributes) -> None:
    if address := given.get("href") or given.get("url"):
        reader.feed["image"] = {"href": address}


def _begin_generator(reader: Reader, given: Attributes) -> None:
    reader.feed["generator_detail"] = dict(given)


def _generator(reader: Reader, text: str) -> None:
    reader.feed["generator"] = reader.feed["generator_detail"]["name"] = text


def _hour(reader: Reader, text: str) -> None:
    reader.hours.append(text)


def _day(reader: Reader, text: str) -> None:
    reader.days.append(text)


def _cloud(reader: Reader, given: Attributes) -> None:
    reader.feed["cloud"] = dict(given)


def _words(*groups: str | Mapping[str, Word]) -> dict[str, Word]:
    """A vocabulary: of names that mean nothing to us, and of words."""
    words: dict[str, Word] = {"*": _FOREIGN}
    for group in groups:
        words |= dict.fromkeys(group.split(), _UNREAD) if isinstance(group, str) else group
    return words


_NOTHING: dict[str, Word] = {}
_FOREIGN = Word(None, None, _NOTHING)
_NOTHING["*"] = _FOREIGN
_UNREAD = Word(None, None, _NOTHING)


def _text(end: Callable[[Reader, str], None] | None, begin: Callable[[Reader, Attributes], None] | None = None) -> Word:
    return Word(begin, end, {}, has_text=True)


_PERSON = {
    "name": _text(_of_author("name")),
    "email": _text(_of_author("email")),
    "uri": _text(_of_author("href")),
}
_OWNER = Word(
    None, None, _words({"itunes:name": _text(_of_author("name")), "itunes:email": _text(_of_author("email"))})
)
_AUTHOR = _text(_author, _begin_author)
_PERSON_WITH_PARTS = Word(_begin_author, _author, _words(_PERSON), has_text=True)
_LINK = _text(_link, _begin_link)
_CATEGORY = _text(_end_tag, _begin_tag)
_TITLE = _text(_title, _content_kind("text/plain"))
_LANGUAGE = _text(_into("language"))
_SUMMARY = _text(_summary, _begin_summary("text/plain"))
_DESCRIPTION = _text(_summary, _begin_summary("text/html"))
_UPDATED, _PUBLISHED = _text(_date_into("updated")), _text(_date_into("published"))

# Inside media:group and media:content; feedparser takes what is there as if it stood in the entry.
_IN_MEDIA = _words(
    "media:credit media:rating media:copyright media:player media:text media:hash media:adult",
    {
        "media:title": _text(_further_title),
        "media:thumbnail": _text(_thumbnail, _media("media_thumbnail")),
        "media:description": _text(_deep_summary, _begin_summary("text/html")),
        "media:keywords": _text(_keywords(None), _bare),
        "media:community": Word(None, None, _words("media:starrating media:statistics")),
    },
)
_CONTENT = Word(_media("media_content"), None, _IN_MEDIA)
_IN_GROUP = _IN_MEDIA | {"media:content": _CONTENT}
_OF_MODULES = {
    **_IN_GROUP,
    "media:group": Word(None, None, _IN_GROUP),
    "media:description": _DESCRIPTION,
    "content:encoded": _text(_content, _content_kind("text/html")),
    "dc:title": _TITLE,
    "dc:creator": _AUTHOR,
    "dc:subject": _CATEGORY,
    "dc:date": _UPDATED,
    "dc:language": _LANGUAGE,
    "dc:description": _DESCRIPTION,
    "dcterms:modified": _UPDATED,
    "dcterms:issued": _PUBLISHED,
    "dcterms:created": _text(_date_into("created")),
    "feedburner:origlink": _text(_into("feedburner_origlink"), _bare),
    "itunes:author": _AUTHOR,
    "itunes:summary": _SUMMARY,
    "itunes:keywords": _text(_keywords("http://www.itunes.com/"), _bare),
    "slash:comments": _text(_into("slash_comments"), _bare),
    "thr:total": _text(_into("thr_total"), _bare),
    "wfw:commentrss": _text(_address_into("wfw_commentrss"), _bare),
}
_UNREAD_OF_MODULES = (
    "dc:contributor dc:format dc:identifier dc:publisher dc:rights dc:source dc:type"
    " itunes:block itunes:duration itunes:episode itunes:episodetype itunes:explicit itunes:image itunes:order"
    " itunes:season itunes:subtitle itunes:title slash:department slash:hit_parade slash:section"
    " trackback:about trackback:ping wfw:comment pingback:server pingback:target thr:in-reply-to"
)
_ITEM = Word(
    _entry,
    _end_entry,
    _words(
        _UNREAD_OF_MODULES,
        "comments site post-id",
        _OF_MODULES,
        {
            "title": _TITLE,
            "link": _LINK,
            "guid": _text(_id, _begin_id),
            "description": _DESCRIPTION,
            "pubdate": _PUBLISHED,
            "updated": _UPDATED,
            "author": _AUTHOR,
            "category": _CATEGORY,
            "enclosure": Word(_enclosure, None, _NOTHING),
            "source": _text(None, _source),
        },
    ),
)
_ENTRY = Word(
    _entry,
    _end_entry,
    _words(
        _UNREAD_OF_MODULES,
        "rights",
        _OF_MODULES,
        {
            "title": _TITLE,
            "link": _LINK,
            "id": _text(_id, _begin_id),
            "summary": _SUMMARY,
            "content": _text(_content, _content_kind("text/plain")),
            "published": _PUBLISHED,
            "updated": _UPDATED,
            "author": _PERSON_WITH_PARTS,
            "contributor": Word(None, None, _words("name email uri")),
            "category": _CATEGORY,
        },
    ),
)
_IMAGE = Word(
    _begin_image,
    _end_image,
    _words("title link width height description", {"url": _text(_address_into("href"))}),
)
_OF_FEED = _words(
    "updated rights copyright subtitle dc:contributor dc:date dc:format dc:identifier dc:publisher dc:rights"
    " dc:source dc:subject dc:type feedburner:info feedburner:feedburnerhostname feedburner:emailserviceid"
    " feedburner:feedflare feedburner:browserfriendly itunes:block itunes:explicit itunes:keywords"
    " itunes:new-feed-url itunes:subtitle itunes:summary itunes:title itunes:type media:copyright media:credit"
    " media:keywords media:rating media:thumbnail admin:errorreportsto"
    " admin:generatoragent geo:lat geo:long sy:updatebase",
    {
        "title": _TITLE,
        "link": _LINK,
        "language": _LANGUAGE,
        "dc:language": _LANGUAGE,
        "dc:creator": _AUTHOR,
        "itunes:author": _AUTHOR,
        "itunes:owner": _OWNER,
        "itunes:image": Word(_show_image, None, _NOTHING),
        "itunes:category": Word(None, None, _words("itunes:category")),
        "media:category": _UNREAD,
        "generator": _text(_generator, _begin_generator),
        "sy:updateperiod": _text(_into("sy_updateperiod"), _bare),
        "sy:updatefrequency": _text(_into("sy_updatefrequency"), _bare),
    },
)
_CHANNEL = Word(
    _channel,
    None,
    _OF_FEED
    | _words(
        "description pubdate lastbuilddate docs category webmaster rating site",
        {
            "item": _ITEM,
            "image": _IMAGE,
            "ttl": _text(_into("ttl"), _bare),
            "managingeditor": _AUTHOR,
            "cloud": Word(_cloud, None, _NOTHING),
            "items": Word(None, None, _words({"rdf:seq": Word(None, None, _words("rdf:li"))})),
            "textinput": Word(None, None, _words("title description name link")),
            "skiphours": Word(None, None, _words("hours", {"hour": _text(_hour)})),
            "skipdays": Word(None, None, _words({"day": _text(_day)})),
        },
    ),
)
_FEED = Word(
    _atom,
    None,
    _OF_FEED
    | _words(
        {
            "entry": _ENTRY,
            "id": _text(_id, _begin_id),
            "author": _PERSON_WITH_PARTS,
            "category": _UNREAD,
            "contributor": Word(None, None, _words("name email uri")),
            "icon": _text(_address_into("icon"), _bare),
            "logo": _text(_address_into("logo"), _bare),
        },
    ),
)
_OF_RDF = _words(
    {
        "channel": _CHANNEL,
        "item": _ITEM,
        "image": Word(None, None, _words("title link url description")),
        "textinput": Word(None, None, _words("title description name link")),
    }
)
_DOCUMENT = {
    "rss": Word(_rss, None, _words({"channel": _CHANNEL})),
    "rdf:rdf": Word(_rdf, None, _OF_RDF),
    "feed": _FEED,
}

"""The words of RSS, RSS 1.0 and Atom: which elements are known where, and what each does; for the quick reader. Pure.

Source: RFC 4287; RSS 2.0 (rssboard.org); RSS 1.0 and its modules (web.resource.org); Media RSS 1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from aggregator.feeds import verbs
from aggregator.feeds.elements import TOMBSTONES, Elements
from aggregator.feeds.quick import Attributes, Reader, Unusual, Word


def quickly(text: str) -> Elements | None:
    """Return a feed in feedparser's terms, or None when it is for feedparser to read."""
    reader = Reader(_DOCUMENT)
    try:
        reader.read(text)
    except (Unusual, expat.ExpatError):
        return None
    may_withdraw = TOMBSTONES in reader.namespaces
    return Elements(reader.version, reader.feed, reader.entries, reader.hours, reader.days, may_withdraw)


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
    "name": _text(verbs.keep_of_author("name")),
    "email": _text(verbs.keep_of_author("email")),
    "uri": _text(verbs.keep_of_author("href")),
}
_OWNER = Word(
    None,
    None,
    _words({"itunes:name": _text(verbs.keep_of_author("name")), "itunes:email": _text(verbs.keep_of_author("email"))}),
)
_AUTHOR = _text(verbs.end_author, verbs.begin_author)
_PERSON_WITH_PARTS = Word(verbs.begin_author, verbs.end_author, _words(_PERSON), has_text=True)
_LINK = _text(verbs.end_link, verbs.begin_link)
_CATEGORY = _text(verbs.end_tag, verbs.begin_tag)
_TITLE = _text(verbs.end_title, verbs.begin_text("text/plain"))
_LANGUAGE = _text(verbs.keep_as("language"))
_SUMMARY = _text(verbs.end_summary, verbs.begin_summary("text/plain"))
_DESCRIPTION = _text(verbs.end_summary, verbs.begin_summary("text/html"))
_UPDATED, _PUBLISHED = _text(verbs.keep_date_as("updated")), _text(verbs.keep_date_as("published"))

# Inside media:group and media:content; feedparser takes what is there as if it stood in the entry.
_IN_MEDIA = _words(
    "media:credit media:rating media:copyright media:player media:text media:hash media:adult",
    {
        "media:title": _text(verbs.end_further_title),
        "media:thumbnail": _text(verbs.end_thumbnail, verbs.begin_media("media_thumbnail")),
        "media:description": _text(verbs.end_deep_summary, verbs.begin_summary("text/html")),
        "media:keywords": _text(verbs.keep_keywords(None), verbs.begin_bare),
        "media:community": Word(None, None, _words("media:starrating media:statistics")),
    },
)
_CONTENT = Word(verbs.begin_media("media_content"), None, _IN_MEDIA)
_IN_GROUP = _IN_MEDIA | {"media:content": _CONTENT}
_OF_MODULES = {
    **_IN_GROUP,
    "media:group": Word(None, None, _IN_GROUP),
    "media:description": _DESCRIPTION,
    "content:encoded": _text(verbs.end_content, verbs.begin_text("text/html")),
    "dc:title": _TITLE,
    "dc:creator": _AUTHOR,
    "dc:subject": _CATEGORY,
    "dc:date": _UPDATED,
    "dc:language": _LANGUAGE,
    "dc:description": _DESCRIPTION,
    "dcterms:modified": _UPDATED,
    "dcterms:issued": _PUBLISHED,
    "dcterms:created": _text(verbs.keep_date_as("created")),
    "feedburner:origlink": _text(verbs.keep_as("feedburner_origlink"), verbs.begin_bare),
    "itunes:author": _AUTHOR,
    "itunes:summary": _SUMMARY,
    "itunes:keywords": _text(verbs.keep_keywords("http://www.itunes.com/"), verbs.begin_bare),
    "slash:comments": _text(verbs.keep_as("slash_comments"), verbs.begin_bare),
    "thr:total": _text(verbs.keep_as("thr_total"), verbs.begin_bare),
    "wfw:commentrss": _text(verbs.keep_address_as("wfw_commentrss"), verbs.begin_bare),
}
_UNREAD_OF_MODULES = (
    "dc:contributor dc:format dc:identifier dc:publisher dc:rights dc:source dc:type"
    " itunes:block itunes:duration itunes:episode itunes:episodetype itunes:explicit itunes:image itunes:order"
    " itunes:season itunes:subtitle itunes:title slash:department slash:hit_parade slash:section"
    " trackback:about trackback:ping wfw:comment pingback:server pingback:target thr:in-reply-to"
)
_ITEM = Word(
    verbs.begin_entry,
    verbs.end_entry,
    _words(
        _UNREAD_OF_MODULES,
        "comments site post-id",
        _OF_MODULES,
        {
            "title": _TITLE,
            "link": _LINK,
            "guid": _text(verbs.end_id, verbs.begin_id),
            "description": _DESCRIPTION,
            "pubdate": _PUBLISHED,
            "updated": _UPDATED,
            "author": _AUTHOR,
            "category": _CATEGORY,
            "enclosure": Word(verbs.begin_enclosure, None, _NOTHING),
            "source": _text(None, verbs.begin_source),
        },
    ),
)
_ENTRY = Word(
    verbs.begin_entry,
    verbs.end_entry,
    _words(
        _UNREAD_OF_MODULES,
        "rights",
        _OF_MODULES,
        {
            "title": _TITLE,
            "link": _LINK,
            "id": _text(verbs.end_id, verbs.begin_id),
            "summary": _SUMMARY,
            "content": _text(verbs.end_content, verbs.begin_text("text/plain")),
            "published": _PUBLISHED,
            "updated": _UPDATED,
            "author": _PERSON_WITH_PARTS,
            "contributor": Word(None, None, _words("name email uri")),
            "category": _CATEGORY,
        },
    ),
)
_IMAGE = Word(
    verbs.begin_image,
    verbs.end_image,
    _words("title link width height description", {"url": _text(verbs.keep_address_as("href"))}),
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
        "itunes:image": Word(verbs.begin_shown_image, None, _NOTHING),
        "itunes:category": Word(None, None, _words("itunes:category")),
        "media:category": _UNREAD,
        "generator": _text(verbs.end_generator, verbs.begin_generator),
        "sy:updateperiod": _text(verbs.keep_as("sy_updateperiod"), verbs.begin_bare),
        "sy:updatefrequency": _text(verbs.keep_as("sy_updatefrequency"), verbs.begin_bare),
    },
)
_CHANNEL = Word(
    verbs.begin_channel,
    None,
    _OF_FEED
    | _words(
        "description pubdate lastbuilddate docs category webmaster rating site",
        {
            "item": _ITEM,
            "image": _IMAGE,
            "ttl": _text(verbs.keep_as("ttl"), verbs.begin_bare),
            "managingeditor": _AUTHOR,
            "cloud": Word(verbs.begin_cloud, None, _NOTHING),
            "items": Word(None, None, _words({"rdf:seq": Word(None, None, _words("rdf:li"))})),
            "textinput": Word(None, None, _words("title description name link")),
            "skiphours": Word(None, None, _words("hours", {"hour": _text(verbs.end_hour)})),
            "skipdays": Word(None, None, _words({"day": _text(verbs.end_day)})),
        },
    ),
)
_FEED = Word(
    verbs.begin_atom,
    None,
    _OF_FEED
    | _words(
        {
            "entry": _ENTRY,
            "id": _text(verbs.end_id, verbs.begin_id),
            "author": _PERSON_WITH_PARTS,
            "category": _UNREAD,
            "contributor": Word(None, None, _words("name email uri")),
            "icon": _text(verbs.keep_address_as("icon"), verbs.begin_bare),
            "logo": _text(verbs.keep_address_as("logo"), verbs.begin_bare),
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
    "rss": Word(verbs.begin_rss, None, _words({"channel": _CHANNEL})),
    "rdf:rdf": Word(verbs.begin_rdf, None, _OF_RDF),
    "feed": _FEED,
}

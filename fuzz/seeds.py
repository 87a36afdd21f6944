"""Where a fuzzer begins: one small body of every kind that each reader knows."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from fuzz.targets import PLANET, TARGET

_CALL = (
    '<?xml version="1.0"?><methodCall><methodName>%s</methodName><params>%s</params></methodCall>',
    "<param><value><string>%s</string></value></param>",
)
_VALUES = (
    "<int>1</int>", "<i4>-1</i4>", "<boolean>1</boolean>", "<double>1.5</double>", "<nil/>", "<base64>YQ==</base64>",
    "<dateTime.iso8601>20261122T12:00:00</dateTime.iso8601>", "<array><data><value>x</value></data></array>",
    "<struct><member><name>a</name><value>b</value></member></struct>",
)  # fmt: skip
_ITEM = (
    "<item><title>A &amp; b</title><link>https://blog.example/1/</link><guid>1</guid>"
    "<pubDate>Sun, 22 Nov 2026 12:00:00 GMT</pubDate><category>x</category>"
    '<enclosure url="https://blog.example/a.mp3" length="1" type="audio/mpeg"/>'
    "<description>&lt;p onclick=x&gt;Text &lt;a href='/y'&gt;y&lt;/a&gt;&lt;/p&gt;</description></item>"
)
_RSS = f"<rss version='2.0'><channel><title>T</title><link>https://blog.example/</link><ttl>60</ttl>{_ITEM}</channel></rss>"
_ATOM = (
    "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://blog.example/'><title type='html'>T</title>"
    "<entry xml:lang='en'><id>urn:x</id><title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>t</div></title>"
    "<link rel='alternate' href='1'/><link rel='replies' href='c'/><author><name>A</name></author>"
    "<updated>2026-11-22T12:00:00Z</updated><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>x</p></div>"
    "</content></entry></feed>"
)
_RDF = (
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'"
    " xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>T</title></channel>"
    "<item rdf:about='https://blog.example/1'><title>a</title><dc:date>2026-11-22</dc:date></item></rdf:RDF>"
)
_JSON = '{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":1,"url":"/1","content_html":"<p>x"}]}'
_HTML = (
    f'<!doctype html><meta charset=utf-8><base href="/"><title>T</title><div class="h-entry"><p class="p-author h-card">A</p>'
    f'<div class="e-content">before <a class="u-in-reply-to" href="{TARGET}">the link</a> after</div></div>'
)


def seeds(target: str) -> Iterable[bytes]:
    """Return bodies for one of the targets."""
    return {"xmlrpc": _calls, "trackback": _forms, "feeds": _feeds, "evidence": _pages, "urls": _urls}[target]()


def _calls() -> Iterable[bytes]:
    frame, param = _CALL
    two = param % "https://a.example/x?y=1&amp;z" + param % TARGET
    for method in ("pingback.ping", "pingback.extensions.getPingbacks", "weblogUpdates.ping", "rssCloud.notify",
                   "system.listMethods", "system.methodHelp", "system.multicall"):  # fmt: skip
        yield (frame % (method, two)).encode()
    for value in _VALUES:
        yield (frame % ("system.methodHelp", f"<param><value>{value}</value></param>")).encode()
    yield (frame % ("pingback.ping", two)).encode("utf-16")
    yield (frame % ("pingback.ping", two)).replace('"1.0"', '"1.0" encoding="windows-1252"').encode()
    yield b"<methodResponse><params><param><value><string>ok</string></value></param></params></methodResponse>"
    yield (
        b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>17</int></value></member>"
        b"<member><name>faultString</name><value>no</value></member></struct></value></fault></methodResponse>"
    )


def _forms() -> Iterable[bytes]:
    yield b"title=A+%26%23038%3B&url=https%3A%2F%2Fa.example%2Fx&blog_name=B&excerpt=E&charset=utf-8"
    yield f"source=https://a.example/x&target={TARGET}&vouch=https://v.example/".encode()
    yield b"url=http%3A%2F%2Fa%2E%65/%ff%fe&charset=shift_jis"


def _feeds() -> Iterable[bytes]:
    for text in (_RSS, _ATOM, _RDF, _JSON, _HTML, _RSS.replace("&amp;", "&"), _RSS[:300]):
        yield text.encode()
    yield f"<?xml version='1.0' encoding='iso-8859-15'?>{_RSS}".encode()
    yield _ATOM.encode("utf-16")
    yield gzip.compress(_RSS.encode(), mtime=0)


def _pages() -> Iterable[bytes]:
    yield _HTML.encode()
    yield f'<p>x</p><img class="u-photo" src="{TARGET}"><!-- {TARGET} --><template><a href="{TARGET}">y</a></template>'.encode()
    yield f'<title>x</title><link rel=canonical href="{PLANET}"><meta http-equiv=status content="410 Gone">'.encode()
    yield f'{{"a": ["{TARGET}", {{"b": "{TARGET}"}}]}}'.encode()
    yield gzip.compress(_HTML.encode(), mtime=0)


def _urls() -> Iterable[bytes]:
    for text in ("http://a.example:80/x/../y?utm_source=1&b#c", "HTTPS://Ünï.example/日本?q=ü", "http://[::ffff:127.0.0.1]:8080/",
                 "http://0x7f.1/%7e", "http://user:pw@a.example/", "//a.example/", "http://127。0。0。1/", TARGET):  # fmt: skip
        yield text.encode()

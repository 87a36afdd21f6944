"""Published pages as bytes in memory: identity, gzip, ETag, and the headers of both."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from aggregator.serve.again import Again
from aggregator.serve.exchange import Headers, head_of
from aggregator.site import folder

MOST_BYTES = 64_000_000
SMALLEST_TO_COMPRESS = 600

_PINGABLE = ("posts/", "conversations/")
_LISTS = ("conversations/index.html",)
_FROZEN = ("static/", "faces/")
_NAME = re.compile(r"(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".xml": "text/xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
    ".rdf": "application/rdf+xml; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".svg": "image/svg+xml",
    ".json": "application/json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

_UNKNOWN = "application/octet-stream"

SAFETY: Headers = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src http: https: data:; media-src http: https:; script-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
]


@dataclass(frozen=True, slots=True)
class Page:
    """One published file, ready to be sent: with the beginnings of its answers, whole and unchanged, packed or not."""

    body: bytes
    compressed: bytes
    etag: str
    headers: Headers
    head: bytes
    compressed_head: bytes
    unchanged_head: bytes
    unchanged_compressed_head: bytes

    def is_known_to(self, if_none_match: str) -> bool:
        """Tell whether a client that sends this If-None-Match has the page already (RFC 9110, 13.1.2)."""
        if if_none_match in (self.etag, _compressed_tag(self.etag)):
            return True
        known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return "*" in known or self.etag in known or _compressed_tag(self.etag) in known


def page_of(name: str, body: bytes, *, extra: Headers = (), is_frozen: bool = False) -> Page:
    """Make a page of a file's content."""
    compressed = gzip.compress(body, 6, mtime=0) if len(body) >= SMALLEST_TO_COMPRESS else b""
    if len(compressed) >= len(body):
        compressed = b""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    caching = "public, max-age=31536000, immutable" if is_frozen else "public, max-age=0, must-revalidate"
    always: Headers = [("cache-control", caching), ("vary", "accept-encoding"), *SAFETY, *extra]
    kind = "application/feed+json" if name.endswith("feed.json") else _TYPES.get(Path(name).suffix, _UNKNOWN)
    described: Headers = [("content-type", kind), *always]
    headers: Headers = [*described, ("etag", etag), ("content-length", str(len(body)))]
    tag, size = _compressed_tag(etag), str(len(compressed))
    packed: Headers = [*described, ("content-encoding", "gzip"), ("etag", tag), ("content-length", size)]
    return Page(
        body=body,
        compressed=compressed,
        etag=etag,
        headers=headers,
        head=head_of(200, headers),
        compressed_head=head_of(200, packed),
        unchanged_head=head_of(304, [("etag", etag), *always]),
        unchanged_compressed_head=head_of(304, [("etag", tag), *always]),
    )


def endpoint_headers(planet_url: str, accepts: Collection[str]) -> Headers:
    """Return the headers by which a page that may be pinged names the endpoints."""
    headers = []
    if "pingback" in accepts:
        headers.append(("x-pingback", f"{planet_url}xmlrpc"))
    if "webmention" in accepts:
        headers.append(("link", f'<{planet_url}webmention>; rel="webmention"'))
    return headers


class Pages:
    """The published folder, read when asked for and kept until it changes. For one thread.

    `again` holds answers that were made of pages as they are: it is emptied whenever one of them may be another.
    """

    def __init__(self, public: Path, endpoints: Headers, again: Again) -> None:
        self._public = public
        self._endpoints = endpoints
        self._again = again
        again.clear()
        self._kept: OrderedDict[str, Page] = OrderedDict()
        self._bytes = 0

    def find(self, path: str) -> Page | None:
        """Return the page at a path below the site's root, without its first slash; or None."""
        name = f"{path}index.html" if not path or path.endswith("/") else path
        page = self._kept.get(name)
        if page is not None:
            self._kept.move_to_end(name)
            return page
        if not _NAME.fullmatch(name):
            return None
        body = folder.read(self._public, name)
        if body is None:
            return None
        # Every page that may be pinged says so; the front page may not be.
        page = page_of(name, body, extra=self.endpoints_of(name), is_frozen=name.startswith(_FROZEN))
        self._keep(name, page)
        return page

    def endpoints_of(self, name: str) -> Headers:
        """Return the headers that name the endpoints, for a page that may be pinged."""
        may_be_pinged = name.startswith(_PINGABLE) and name.endswith("/index.html") and name not in _LISTS
        return self._endpoints if may_be_pinged else ()

    def drop(self, names: Iterable[str]) -> None:
        """Forget files that have changed."""
        self._again.clear()
        for name in names:
            page = self._kept.pop(name, None)
            if page is not None:
                self._bytes -= _weight(page)

    def drop_all(self) -> None:
        """Forget every file: something must not be shown any more, and not even be named."""
        self._again.clear()
        self._kept.clear()
        self._bytes = 0

    def _keep(self, name: str, page: Page) -> None:
        self._kept[name] = page
        self._bytes += _weight(page)
        while self._bytes > MOST_BYTES and len(self._kept) > 1:
            self._again.clear()  # it would hold on to the page
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _weight(oldest)


def _weight(page: Page) -> int:
    return len(page.body) + len(page.compressed) + 1_000


def _compressed_tag(etag: str) -> str:
    return f'{etag[:-1]}-gz"'

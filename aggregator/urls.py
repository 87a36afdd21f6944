"""Compare, resolve and shorten web addresses. Pure: no network, no lookup of names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import idna

LONGEST = 2_000
# One ping has its two addresses compared a dozen times.
_MOST_REMEMBERED = 1_024
_NEVER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HOST = re.compile(r"[a-z0-9._~-]+|\[[0-9a-f:.]+\]")
_NUMBER = re.compile(r"0x[0-9a-f]{0,12}|[0-9]{1,16}")
# What most addresses look like: nothing to escape, to resolve or to drop, and a name as host, never a number.
_PLAIN = re.compile(
    r"https?://((?:[a-z0-9-]++\.)*[a-z][a-z0-9-]*+)(:(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)*+)/?"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TRACKING = re.compile(r"(?:utm_[a-z_]+|fbclid|gclid|mc_cid|mc_eid)=", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """An address as it is fetched, as it is compared (see `canonical`), and its host."""

    url: str
    key: str
    host: str


def address(text: str) -> Address | None:
    """Return an absolute address in all its forms, or None for what is no web address."""
    plain = _PLAIN.fullmatch(text) if len(text) <= LONGEST else None
    if plain and plain[2] not in (":80", ":443"):
        return Address(text, f"//{plain[1]}{plain[2] or ''}{plain[3]}", plain[1])
    url = web_url(text)
    return Address(url, canonical(url), host_of(url)) if url else None


def web_url(text: str, base: str = "") -> str:
    """Return the absolute http(s) URL that `text` stands for, or "" when it is none.

    White space around it, and tabs and line ends inside, are dropped as browsers do; what is not ASCII
    is escaped. Credentials, control characters and other schemes make it none.
    Source: WHATWG URL, section 4.4 (stripping); RFC 3986 section 5 (resolution).
    """
    return _web_url(text, base) if len(text) <= 2 * LONGEST else ""  # what is longer is not remembered


@lru_cache(_MOST_REMEMBERED)
def _web_url(text: str, base: str) -> str:
    if len(text) <= LONGEST and _PLAIN.fullmatch(text):
        return text
    text = re.sub(r"[\t\r\n]", "", text.strip(" \t\r\n\x0c\x00"))
    if not text or len(text) > LONGEST or _NEVER.search(text):
        return ""
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in _DEFAULT_PORTS or port == 0 or "@" in parts.netloc:
        return ""
    host = _ascii_host(parts.hostname or "")
    if not host or not _HOST.fullmatch(host):
        return ""
    place = host if port is None else f"{host}:{port}"
    url = urlunsplit((parts.scheme.lower(), place, *map(_ascii, (parts.path, parts.query, parts.fragment))))
    return url if len(url) <= LONGEST else ""  # escaped it is longer, and must be an address itself


@lru_cache(_MOST_REMEMBERED)
def canonical(url: str) -> str:
    """Return the key under which two spellings of one address are equal, or "" for what is no web address.

    The key is for comparing, not for fetching: http and https are one, so are a missing and a present
    trailing slash; the fragment, default ports and tracking parameters are gone.
    Source: RFC 3986 section 6.2.2; research on linkback spam by variants (`#1..#n`, `?utm=`, `%7e`).
    """
    plain = _PLAIN.fullmatch(url) if len(url) <= LONGEST else None
    if plain and plain[2] not in (":80", ":443"):
        return f"//{plain[1]}{plain[2] or ''}{plain[3]}"
    url = web_url(url)
    if not url:
        return ""
    parts = urlsplit(url)
    host = _ascii_host(parts.hostname or "")
    if parts.port is not None and parts.port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{parts.port}"
    path = _without_dots(_normal_escapes(parts.path)).rstrip("/")
    query = "&".join(p for p in _normal_escapes(parts.query).split("&") if p and not _TRACKING.match(p))
    return f"//{host}{path}?{query}" if query else f"//{host}{path}"


@lru_cache(_MOST_REMEMBERED)
def host_of(url: str) -> str:
    """Return the host name as compared (ASCII, lower case), or ""."""
    if plain := _PLAIN.fullmatch(url):
        return plain[1]
    try:
        return _ascii_host(urlsplit(url).hostname or "")
    except ValueError:
        return ""


def is_under(url: str, territory: str) -> bool:
    """Tell whether `url` lies under `territory`, on segment boundaries."""
    return is_key_under(canonical(url), territory)


def is_key_under(key: str, territory: str) -> bool:
    """Tell the same of an address as it is compared."""
    outside = canonical(territory)
    return bool(key and outside) and f"{key.partition('?')[0]}/".startswith(f"{outside.partition('?')[0]}/")


def is_blocked(url: str, patterns: Iterable[str]) -> bool:
    """Tell whether the host of `url`, one above it, or a prefix of `url` is among the patterns."""
    host = ""
    for pattern in patterns:
        host = host or host_of(url)
        if "/" in pattern:
            prefix = pattern if "://" in pattern else f"https://{pattern}"
            if is_under(url if urlsplit(prefix).port else _without_port(url), prefix):
                return True
        elif host == pattern.lower() or host.endswith(f".{pattern.lower()}"):
            return True
    return False


def is_pattern(text: str) -> bool:
    """Tell whether a text is a host or a prefix of addresses that can be blocked, and no more than is meant."""
    host, slash, rest = text.partition("://")[2].partition("/") if "://" in text else text.partition("/")
    name = host.partition(":")[0].lower()
    is_network = bool(slash) and rest.isdigit() and int(rest) <= 128 and name.replace(".", "").isdigit()
    return bool(_HOST.fullmatch(name)) and ("." in name or name == "localhost") and not is_network


def _without_port(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, host_of(url), parts.path, parts.query, ""))


def origin(url: str) -> str:
    """Return scheme, host and port of `url` with a final slash."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def slug(text: str, longest: int = 60) -> str:
    """Return `text` as lower-case ASCII words joined by hyphens, at most `longest` characters."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")
    if len(words) > longest:
        words = words[: longest + 1].rpartition("-")[0] or words[:longest]
    return words


def _ascii_host(host: str) -> str:
    host = host.rstrip(".").lower()
    if host.isascii():
        return f"[{host}]" if ":" in host else _dotted(host)
    try:
        return _dotted(idna.encode(host, uts46=True).decode().rstrip("."))
    except idna.IDNAError:
        return ""


def _dotted(host: str) -> str:
    """An IPv4 address in its one spelling, whatever numbers it is written in. Source: WHATWG URL section 3.5."""
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return host
    try:
        *first, last = (int(part, 16) if "x" in part else int(part, 8 if part[:1] == "0" else 10) for part in parts)
    except ValueError:  # 08 is no number
        return host
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return host
    number = sum(each << 8 * (3 - index) for index, each in enumerate(first)) + last
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _ascii(text: str) -> str:
    return quote(text, safe="/%:@!$&'()*+,;=?~-._[]|")


def _normal_escapes(text: str) -> str:
    def unescape(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(unescape, text)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)

"""Undo a Content-Encoding within bounds. Pure: bytes in, bytes out."""

from __future__ import annotations

import zlib

import brotli

from aggregator.errors import BodyRefused

ACCEPTED = "gzip, br"
_STEP = 1 << 16
_GZIP = b"\x1f\x8b"


def decode(body: bytes, coding: str, max_bytes: int) -> bytes:
    """Return `body` without its coding.

    One coding only: a chain of them is how decompression bombs multiply. A body that ends
    in the middle of its stream gives what could be read of it.

    Raises: BodyRefused for an unknown coding, a damaged stream, or more than `max_bytes` of output.
    Source: RFC 9110 section 8.4; RFC 7932; urllib3 advisories CVE-2025-66418 and -66471.
    """
    plain = _undone(body, coding, max_bytes)
    if len(plain) > max_bytes:
        after = "" if plain is body else " after decompression"
        raise BodyRefused(f"larger than {max_bytes:,} bytes{after}")
    return plain


def beginning(body: bytes, coding: str, max_bytes: int) -> bytes:
    """Return at most `max_bytes` of `body` without its coding, for who needs no more than its beginning.

    Raises: BodyRefused for an unknown coding or a damaged stream.
    """
    return _undone(body, coding, max_bytes)[:max_bytes]


def _undone(body: bytes, coding: str, max_bytes: int) -> bytes:
    """What comes out of a body: all of it, or a little more than `max_bytes`."""
    coding = coding.strip().lower()
    if coding in ("gzip", "x-gzip", "", "identity") and body.startswith(_GZIP):
        return _inflate(body, max_bytes, wbits=31)  # also where nobody said so: a file feed.xml.gz
    if coding == "br":
        return _unbrotli(body, max_bytes)
    if coding == "deflate" and not _looks_like_text(body):
        # Not asked for; and two things are sent under this name, zlib's format and the bare one.
        return _inflate(body, max_bytes, wbits=15 if body[:1] == b"\x78" else -15)
    if coding in ("gzip", "x-gzip") and body and not _looks_like_text(body):
        raise BodyRefused("not in the gzip coding that it claims")
    if coding not in ("gzip", "x-gzip", "deflate", "", "identity"):
        raise BodyRefused(f"sent with Content-Encoding {coding[:40]!r}, which was not asked for")
    return body


def _looks_like_text(body: bytes) -> bool:
    """Some servers claim a coding and send plain text."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{")


def _unbrotli(body: bytes, max_bytes: int) -> bytes:
    plain = bytearray()
    stream = brotli.Decompressor()
    try:
        part = stream.process(body, output_buffer_limit=_STEP)
        while part and len(plain) <= max_bytes:
            plain += part
            part = b"" if stream.is_finished() else stream.process(b"", output_buffer_limit=_STEP)
    except brotli.error as error:
        if not plain:
            raise BodyRefused("not in the brotli coding that it claims") from error
    if not plain and not stream.is_finished():
        raise BodyRefused("not in the brotli coding that it claims")
    return bytes(plain)


def _inflate(body: bytes, max_bytes: int, *, wbits: int) -> bytes:
    plain = bytearray()
    while body:
        stream = zlib.decompressobj(wbits)
        try:
            while body and not stream.eof:
                plain += stream.decompress(body, _STEP)
                body = stream.unconsumed_tail
                if len(plain) > max_bytes:
                    return bytes(plain)
        except zlib.error as error:
            if plain:  # trailing rubbish after a complete member is common
                break
            raise BodyRefused("not in the coding that it claims") from error
        body = stream.unused_data.lstrip(b"\0")
    return bytes(plain)

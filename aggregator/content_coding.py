"""Undo a Content-Encoding within bounds. Pure: bytes in, bytes out."""

from __future__ import annotations

import zlib

import brotli

from aggregator.errors import BodyRefused

ACCEPTED = "gzip, br"
_STEP = 1 << 16


def decode(body: bytes, coding: str, max_bytes: int) -> bytes:
    """Return `body` without its coding.

    One coding only: a chain of them is how decompression bombs multiply. A body that ends
    in the middle of its stream gives what could be read of it.

    Raises: BodyRefused for an unknown coding, a damaged stream, or more than `max_bytes` of output.
    Source: RFC 9110 section 8.4; RFC 7932; urllib3 advisories CVE-2025-66418 and -66471.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        if len(body) > max_bytes:
            raise BodyRefused(f"larger than {max_bytes:,} bytes")
        return body
    if coding in ("gzip", "x-gzip"):
        return _gunzip(body, max_bytes)
    if coding == "br":
        return _unbrotli(body, max_bytes)
    raise BodyRefused(f"sent with Content-Encoding {coding[:40]!r}, which was not asked for")


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
    if len(plain) > max_bytes:
        raise BodyRefused(f"larger than {max_bytes:,} bytes after decompression")
    if not plain and not stream.is_finished():
        raise BodyRefused("not in the brotli coding that it claims")
    return bytes(plain)


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    plain = bytearray()
    while body:
        stream = zlib.decompressobj(31)
        try:
            while body and not stream.eof:
                plain += stream.decompress(body, _STEP)
                body = stream.unconsumed_tail
                if len(plain) > max_bytes:
                    raise BodyRefused(f"larger than {max_bytes:,} bytes after decompression")
        except zlib.error as error:
            if plain:  # trailing rubbish after a complete member is common
                break
            raise BodyRefused("not in the gzip coding that it claims") from error
        body = stream.unused_data.lstrip(b"\0")
    return bytes(plain)

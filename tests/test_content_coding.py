from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest

from aggregator.content_coding import decode
from aggregator.errors import BodyRefused


def test_gzip_is_undone() -> None:
    assert decode(gzip.compress(b"hello"), "gzip", 100) == b"hello"
    assert decode(b"hello", "", 100) == b"hello"


def test_several_gzip_members_are_one_body() -> None:
    assert decode(gzip.compress(b"a") + gzip.compress(b"b"), "x-gzip", 100) == b"ab"


def test_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    with pytest.raises(BodyRefused, match="larger than"):
        decode(bomb, "gzip", 1_000_000)


def test_a_chain_of_codings_is_refused() -> None:
    with pytest.raises(BodyRefused, match="gzip, gzip"):
        decode(b"x", "gzip, gzip", 100)


def test_rubbish_that_claims_to_be_gzip_is_refused() -> None:
    with pytest.raises(BodyRefused, match="not in the gzip coding"):
        decode(b"\x00\x01rubbish", "gzip", 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_plain_text_that_claims_a_coding_is_read(coding: str) -> None:
    assert decode(b"\xef\xbb\xbf <rss/>", coding, 100) == b"\xef\xbb\xbf <rss/>"


@pytest.mark.parametrize("coding", ["", "identity"])
def test_a_packed_file_is_unpacked_though_nobody_says_so(coding: str) -> None:
    assert decode(gzip.compress(b"<rss/>"), coding, 100) == b"<rss/>"


def test_deflate_is_undone_in_both_of_its_forms() -> None:
    bare = zlib.compressobj(wbits=-15)

    assert decode(zlib.compress(b"<rss/>"), "deflate", 100) == b"<rss/>"
    assert decode(bare.compress(b"<rss/>") + bare.flush(), "deflate", 100) == b"<rss/>"


def test_brotli_is_undone_in_steps() -> None:
    text = random.Random(1).randbytes(300_000)

    assert decode(brotli.compress(text), "br", 1_000_000) == text
    assert decode(brotli.compress(b""), "br", 100) == b""
    assert decode(brotli.compress(text)[:200_000], "br", 1_000_000)


def test_a_brotli_bomb_stops_at_the_limit() -> None:
    with pytest.raises(BodyRefused, match="larger than"):
        decode(brotli.compress(b"\0" * 50_000_000), "br", 1_000_000)


@pytest.mark.parametrize("body", [b"", b"rubbish", b"<rss/>"])
def test_rubbish_that_claims_to_be_brotli_is_refused(body: bytes) -> None:
    with pytest.raises(BodyRefused, match="brotli"):
        decode(body, "br", 100)


def test_a_stream_cut_short_gives_what_there_is() -> None:
    whole = gzip.compress(bytes(range(256)) * 400)

    assert decode(whole[: len(whole) // 2], "gzip", 1_000_000)


def test_rubbish_after_the_stream_is_ignored() -> None:
    assert decode(gzip.compress(b"hello") + b"\n\n", "gzip", 100) == b"hello"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate"])
def test_a_bomb_takes_no_more_memory_than_may_come_of_it(coding: str) -> None:
    encode = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress}[coding]
    bomb = encode(bytes(60_000_000))

    tracemalloc.start()
    with pytest.raises(BodyRefused, match="after decompression"):
        decode(bomb, coding, 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5_000_000

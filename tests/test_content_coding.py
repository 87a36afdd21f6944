from __future__ import annotations

import gzip

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
        decode(b"<rss/>", "gzip", 100)


def test_a_stream_cut_short_gives_what_there_is() -> None:
    whole = gzip.compress(bytes(range(256)) * 400)

    assert decode(whole[: len(whole) // 2], "gzip", 1_000_000)


def test_rubbish_after_the_stream_is_ignored() -> None:
    assert decode(gzip.compress(b"hello") + b"\n\n", "gzip", 100) == b"hello"

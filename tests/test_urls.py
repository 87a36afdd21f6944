from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.urls import canonical, host_of, is_blocked, is_pattern, is_under, slug, web_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://a.example/x", "https://a.example/x"),
        (" \thttps://a.example/x\n", "https://a.example/x"),
        ("https://a.example/x\ny", "https://a.example/xy"),
        ("HTTP://A.Example/x", "http://a.example/x"),
        ("https://a.example/ü b", "https://a.example/%C3%BC%20b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_web_url_reads_an_address_as_a_browser_does(text: str, url: str) -> None:
    assert web_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "javascript:alert(1)", "JaVaScRiPt:x", "java\nscript:x", "data:text/html,x", "file:///etc/passwd", "//h/x",
     "http://", "http://user:pw@h/", "http://h:0/", "http://h:99999/", "http://h/a\x00b", 'http://h"x/', "http://a b/",
     "http://h/" + "x" * 3000, "mailto:a@b", "http://[::1/"],
)  # fmt: skip
def test_web_url_drops_what_is_no_web_address(text: str) -> None:
    assert web_url(text) == ""


def test_web_url_resolves_against_its_base() -> None:
    assert web_url("../b", "https://a.example/x/y/") == "https://a.example/x/b"


@pytest.mark.parametrize(
    "spelling",
    ["http://a.example/x/?p=1", "https://a.example/x?p=1", "https://A.EXAMPLE:443/x/?p=1#top",
     "https://a.example/./y/../x/?p=1&utm_source=feed", "https://a.example/%78/?p=1", "https://a.example./x/?p=1"],
)  # fmt: skip
def test_canonical_is_one_for_all_spellings_of_an_address(spelling: str) -> None:
    assert canonical(spelling) == "//a.example/x?p=1"


@pytest.mark.parametrize(
    "other",
    ["https://a.example/xevil", "https://a.example/x/evil?p=1", "https://a.example/x?p=2", "https://a.example:8443/x?p=1",
     "https://evil.example/?u=https://a.example/x?p=1", "https://a.example.evil.example/x?p=1"],
)  # fmt: skip
def test_canonical_keeps_different_addresses_apart(other: str) -> None:
    assert canonical(other) != canonical("https://a.example/x?p=1")


@given(st.text(max_size=300))
def test_canonical_of_any_text_is_stable(text: str) -> None:
    for url in (text, f"http://h.example/{text}"):
        key = canonical(url)
        assert key.isascii()
        assert key == "" or canonical(f"https:{key}") == key


@given(st.text(max_size=200), st.sampled_from(["", "http://h.example/a/b"]))
def test_web_url_gives_http_or_nothing(text: str, base: str) -> None:
    url = web_url(text, base)

    assert url == "" or url.startswith(("http://", "https://"))
    assert url == web_url(url)
    assert not set(url) & set(' "<>\\\n\r\t')


@pytest.mark.parametrize(
    ("url", "territory", "inside"),
    [
        ("https://a.example/blog/x", "http://a.example/blog/", True),
        ("https://a.example/blog", "https://a.example/blog/", True),
        ("https://a.example/blogger/x", "https://a.example/blog", False),
        ("https://a.example:8443/blog/x", "https://a.example/blog/", False),
        ("https://b.a.example/x", "https://a.example/", False),
        ("nonsense", "https://a.example/", False),
    ],
)
def test_territory_ends_at_segment_boundaries(url: str, territory: str, inside: bool) -> None:
    assert is_under(url, territory) is inside


def test_slug_is_short_ascii() -> None:
    assert slug("Überblick: “naïve” HL7 & FHIR!") == "uberblick-naive-hl7-fhir"
    assert len(slug("word " * 100)) <= 60
    assert slug("日本語") == ""


@pytest.mark.parametrize("spelling", ["127.5", "2130706437", "0x7f.0.0.5", "0x7f000005", "0177.0.0.05", "127.0.0.5."])
def test_an_address_in_numbers_has_one_spelling(spelling: str) -> None:
    assert web_url(f"http://{spelling}:8700/x") == "http://127.0.0.5:8700/x"
    assert is_blocked(f"http://{spelling}:8700/x", ["127.0.0.5"])


@pytest.mark.parametrize("host", ["1.2.3.4.5", "256.1.1.1", "08.1.1.1", "1.2.3.blog.test", "99999999999"])
def test_what_is_no_address_in_numbers_stays_a_name(host: str) -> None:
    assert web_url(f"http://{host}/x") == f"http://{host}/x"


def test_a_blocked_prefix_without_a_port_is_blocked_at_every_port() -> None:
    assert is_blocked("http://spam.test:8080/x/1", ["spam.test/x"])
    assert not is_blocked("http://spam.test:8080/y", ["spam.test/x"])
    assert is_blocked("http://spam.test:8080/x", ["http://spam.test:8080/x"])
    assert not is_blocked("http://spam.test/x", ["http://spam.test:8080/x"])


@pytest.mark.parametrize(
    "text", ["spam.test", "spam.test/x/", "https://spam.test/x", "127.0.0.5", "127.0.0.5/x", "localhost"]
)
def test_a_host_or_a_prefix_can_be_blocked(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["*", "com", "127.0.0.0/8", "10.0.0.0/8", "*.spam.test", "", "/", "spam test"])
def test_what_would_block_nothing_or_half_the_web_can_not(text: str) -> None:
    assert not is_pattern(text)


_PIECES = ["http://", "https://", "a", "B", "-", ".", "..", "~", "_", "/", "//", ":", "80", "443", "8080", "0", "99999",
           "?", "p=1", "#", "%7e", "@", "a.example", "192.0.2.1", "[::1]", " ", "\n", "ü", "x" * 1_990]  # fmt: skip


@given(st.sampled_from(_PIECES[:2]), st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
def test_a_plain_address_is_read_as_any_other(scheme: str, rest: str) -> None:
    url = f"{scheme}a{rest}"

    unusual = f"\t{url}"  # a tab is dropped, and nobody takes it for a plain address

    assert web_url(url) == web_url(unusual)
    assert canonical(url) == canonical(unusual)
    assert host_of(url) == host_of(unusual)


@pytest.mark.parametrize(
    ("spelling", "host"), [("1.2.3", "1.2.0.3"), ("1.2", "1.0.0.2"), ("0x10.0.0.1", "16.0.0.1"), ("1.2.3.4", "1.2.3.4")]
)
def test_numbers_of_an_address_stand_in_their_places(spelling: str, host: str) -> None:
    assert host_of(f"http://{spelling}/") == host


@pytest.mark.parametrize(("url", "key"), [("https://a.example:80/", "//a.example:80"), ("http://a.example:443/", "//a.example:443"),
                                          ("http://a.example:79/", "//a.example:79"), ("http://a.example:80/", "//a.example")])  # fmt: skip
def test_only_the_port_of_its_own_scheme_goes_without_saying(url: str, key: str) -> None:
    assert canonical(url) == key


def test_slug_ends_with_a_whole_word_within_sixty_characters() -> None:
    assert slug("a" * 60) == "a" * 60
    assert slug("a" * 61) == "a" * 60
    assert slug(f"{'a' * 55} bbbb") == f"{'a' * 55}-bbbb"
    assert slug(f"{'a' * 55} bbbbb") == "a" * 55

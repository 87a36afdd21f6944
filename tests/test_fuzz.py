"""What fuzzers have found, and what their targets promise of any bytes. `just fuzz` looks for more."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.seeds import seeds
from fuzz.targets import TARGETS, web_address

FOUND = [
    # An ideographic full stop made numbers of a host that nobody read as numbers.
    ("urls", "http://127。0/".encode()),
    ("urls", "http://０x7f.1/".encode()),
    # Escaped, an address was longer than an address may be.
    ("urls", f"http://a.example/{'ü' * 1_000}".encode()),
    # A server's fault whose code is no number.
    ("xmlrpc", b"<methodResponse><fault><value><struct><member><name>faultCode</name><value>x</value></member><member>"
               b"<name>faultString</name><value>no</value></member></struct></value></fault></methodResponse>"),
    # A feed with an element that is called as feedparser calls its own lists.
    *(
        ("feeds", f"<rss version='2.0'><channel><title>T</title><{name}>x</{name}><item><{name}>y</{name}></item></channel></rss>".encode())
        for name in ("links", "tags", "authors", "enclosures", "content", "source", "media_content", "title_detail", "summary_detail")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("target", "data"), FOUND)
def test_what_was_found_breaks_nothing_any_more(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_where_fuzzers_begin_nothing_is_broken(target: str) -> None:
    examples = list(seeds(target))

    assert len(examples) >= 3
    for data in examples:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_a_reader(target: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(list(seeds(target))))
    cut = data.draw(st.integers(0, len(seed)))

    TARGETS[target](seed[:cut] + data.draw(st.binary(max_size=60)) + seed[data.draw(st.integers(0, len(seed))) :])


@pytest.mark.parametrize("host", ["127。0", "０x7f.1", "①②⑦.⓪.⓪.①", "127.0.0.1。"])
def test_numbers_in_other_digits_are_numbers(host: str) -> None:
    from aggregator.urls import is_blocked, web_url

    assert web_url(f"http://{host}/").startswith("http://127.0.0.")
    assert is_blocked(f"http://{host}/", ["127.0.0.1", "127.0.0.0"])
    web_address(f"http://{host}/".encode())


def test_a_feed_with_an_element_links_is_read() -> None:
    from aggregator import feeds

    item = "<item><title>A</title><link>https://b.example/1</link><enclosure url='https://b.example/a.mp3' type='audio/mpeg'/></item>"
    body = f"<rss version='2.0'><channel><title>T</title><links>more</links>{item}</channel></rss>".encode()

    [entry] = feeds.read(body, "", "", "https://b.example/feed", {}, 100_000).entries

    assert (entry.title, entry.url, len(entry.enclosures)) == ("A", "https://b.example/1", 1)

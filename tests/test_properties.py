"""What holds for every value: guard, addresses, what is the same entry, the configuration as it is written and read."""

from __future__ import annotations

import ipaddress
import tomllib
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aggregator import config
from aggregator.config.editing import with_addresses, with_feeds, without_feed
from aggregator.importing import Listed
from aggregator.model import ReadEntry
from aggregator.outbound import Guard
from aggregator.outbound.guard import is_public
from aggregator.sameness import Old, known_again, places, vanished
from aggregator.urls import canonical, is_under, web_url
from tests.builders import NOON, entry

V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
# The registries' special ranges are a sliver of all addresses, so these are asked for by name.
SPECIAL_V4 = st.sampled_from(
    ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
     "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"]
).flatmap(lambda network: st.ip_addresses(network=network))  # fmt: skip
SPECIAL_V6 = st.sampled_from(
    ["::/96", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
     "fec0::/10", "ff00::/8"]
).flatmap(lambda network: st.ip_addresses(network=network))  # fmt: skip


def wrapped(inner: IPv4Address) -> list[IPv6Address]:
    """An address of the old kind inside of one of the new kind: mapped, 6to4, NAT64."""
    number = int(inner)
    return [IPv6Address(0xFFFF << 32 | number), IPv6Address(0x2002 << 112 | number << 80), IPv6Address(0x64FF9B << 96 | number)]  # fmt: skip


@given(V4 | V6 | SPECIAL_V4 | SPECIAL_V6)
def test_guard_lets_through_what_is_the_internets_only(ip: IPv4Address | IPv6Address) -> None:
    if is_public(ip):
        assert ip.is_global or ip in ipaddress.ip_network("64:ff9b::/96")
        assert not ip.is_multicast
        assert Guard().refusal(str(ip), 443) == ""
    else:
        assert "not a public address" in Guard().refusal(str(ip), 443)


@given(SPECIAL_V4 | SPECIAL_V6)
def test_guard_refuses_every_address_of_a_special_range(ip: IPv4Address | IPv6Address) -> None:
    assert not is_public(ip)


@given(V4 | SPECIAL_V4)
def test_guard_judges_a_wrapped_address_as_what_is_inside(inner: IPv4Address) -> None:
    assert {is_public(outer) for outer in wrapped(inner)} == {is_public(inner)}


@given(V4 | V6, st.integers(1, 65_535))
def test_guard_lets_no_other_port_through(ip: IPv4Address | IPv6Address, port: int) -> None:
    assert port in (80, 443, 8080, 8443) or Guard().refusal(str(ip), port)
    assert [Guard().refusal("8.8.8.8", usual) for usual in (80, 443, 8080, 8443)] == [""] * 4


@given(st.text(max_size=40))
def test_guard_takes_no_text_for_an_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert "is no address" in Guard().refusal(text, 80) or "%" in text


URLS = st.builds(
    lambda host, path, query: f"https://{host}.example/{'/'.join(path)}{'?' + query if query else ''}",
    st.text("abc", min_size=1, max_size=3),
    st.lists(st.text("ab.~%7e-ü", max_size=4), max_size=4),
    st.text("a=1&utm_source", max_size=12),
)


@given(URLS)
def test_an_address_is_under_itself_and_its_parents_only(url: str) -> None:
    key = canonical(url)

    assert canonical(f"http:{key}") == key
    assert is_under(url, url)
    assert is_under(f"{web_url(url).partition('?')[0].rstrip('/')}/more", url.partition("?")[0])
    assert not is_under(url.replace(".example", ".example.evil"), url)


TITLES = st.sampled_from(["", "Hello", "hello!", "Another"])
DATES = st.none() | st.timedeltas(timedelta(days=-700), timedelta(days=700)).map(lambda span: NOON + span)
ENTRIES = st.lists(
    st.builds(
        lambda guid, title, path, at, mark: entry(guid, title=title, url=path and f"http://b.test/{path}", published_at=at,
                                                  fingerprint=mark, content_hash=mark or guid.encode()),
        st.text("abcd", min_size=1, max_size=2), TITLES, st.sampled_from(["", "1", "2"]), DATES, st.sampled_from([b"", b"x", b"y"]),
    ),
    max_size=6, unique_by=lambda each: each.guid,
)  # fmt: skip


def stored(entries: list[ReadEntry]) -> list[Old]:
    return [
        Old(number, each.guid, canonical(each.url), each.title, each.published_at, each.fingerprint, each.content_hash)
        for number, each in enumerate(entries)
    ]


@given(ENTRIES, ENTRIES)
def test_an_old_entry_is_known_again_under_one_new_name_only(before: list[ReadEntry], after: list[ReadEntry]) -> None:
    old, present = stored(before), {each.guid for each in after}
    fresh = [each for each in after if each.guid not in {one.guid for one in old}]

    found = known_again(fresh, old, present)

    ids = [alias.entry_id for alias in found.values()]
    assert len(set(ids)) == len(ids)
    assert set(found) <= {each.guid for each in fresh}
    assert not {old[id].guid for id in ids} & present
    assert known_again(fresh, [], present) == {}


@given(ENTRIES)
def test_a_feed_that_renames_all_its_entries_makes_no_entry_new_that_is_unlike_all_others(
    before: list[ReadEntry],
) -> None:
    renamed = [entry(f"new {each.guid}", title=each.title, url=each.url, published_at=each.published_at,
                     fingerprint=each.fingerprint, content_hash=each.content_hash) for each in before]  # fmt: skip

    found = known_again(renamed, stored(before), {each.guid for each in renamed})

    unlike = [each for each in renamed if [one.content_hash for one in renamed].count(each.content_hash) == 1]
    for each in unlike:
        assert before[found[each.guid].entry_id].content_hash == each.content_hash


@given(ENTRIES, st.none() | st.integers(1, 5))
def test_every_entry_has_a_place_that_is_not_in_the_future(entries: list[ReadEntry], first_import: int | None) -> None:
    standing = places(entries, NOON, first_import=first_import)

    assert len(standing) == len(entries)
    assert all(place.shown_at <= NOON for place in standing)
    if first_import is None:
        assert not any(place.hidden for place in standing)
    else:
        assert sum(not place.hidden for place in standing) == min(first_import, len(entries))


@given(ENTRIES, st.sets(st.text("abcd", min_size=1, max_size=2)))
def test_what_a_feed_holds_or_can_hold_no_more_has_not_vanished(entries: list[ReadEntry], present: set[str]) -> None:
    old = stored(entries)

    gone = vanished(old, present)

    dates = [one.written_at for one in old if one.guid in present and one.written_at]
    for id in gone:
        assert old[id].guid not in present
        assert min(dates) < (old[id].written_at or min(dates))


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30).map(str.strip)
LISTED = st.lists(
    st.builds(
        Listed,
        url=st.text("abc", min_size=1, max_size=6).map(lambda name: f"https://{name}.example/feed"),
        name=WORDS, author=WORDS, tags=st.lists(WORDS, max_size=3).map(tuple), enabled=st.booleans(),
        site=st.sampled_from(["", "https://blog.example/x/"]),
    ),
    min_size=1, max_size=5, unique_by=lambda each: each.url,
)  # fmt: skip
HEAD = '# ours\n[planet]\ntitle = "T"  # a name\nurl = "https://planet.example/"\n'


@given(LISTED)
def test_feeds_that_are_written_down_are_read_as_they_were(feeds: list[Listed]) -> None:
    text = with_feeds(HEAD, feeds)

    read = config.parse(text, Path("feeds.toml")).subscriptions

    assert [(s.url, s.name, s.site, s.author, s.tags, s.enabled) for s in read] == [
        (f.url, f.name, f.site, f.author, f.tags, f.enabled) for f in feeds
    ]
    assert text.startswith(HEAD)


@given(LISTED, st.data())
def test_a_feed_that_is_taken_out_leaves_all_others_and_the_comments(feeds: list[Listed], data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(feeds))
    text = with_feeds(HEAD, feeds)

    rest = without_feed(text, one.url)

    assert [feed["url"] for feed in tomllib.loads(rest).get("feeds", [])] == [f.url for f in feeds if f is not one]
    assert rest.startswith(HEAD)


@given(LISTED)
def test_a_feed_that_moves_changes_its_address_and_nothing_else(feeds: list[Listed]) -> None:
    text = with_feeds(HEAD, feeds)

    moved = with_addresses(text, {feeds[0].url: "https://moved.example/feed"})

    assert moved == text.replace(f'"{feeds[0].url}"', '"https://moved.example/feed"')


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=300)).map(lambda span: int(span.total_seconds())))
def test_a_time_is_read_as_it_is_written(seconds: int) -> None:
    text = f'{HEAD}[poll]\nat_most = "36500d"\nevery = "{seconds}s"\nat_least = "1s"\n[[feeds]]\nurl = "https://a.example/"\n'

    assert config.parse(text, Path("feeds.toml")).poll.every == timedelta(seconds=seconds)

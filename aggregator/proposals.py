"""Decide what to propose for feeds that have been looked at: moved, dead, twice there, insecure. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aggregator.urls import canonical

GONE = 410


@dataclass(frozen=True, slots=True)
class Seen:
    """What one address of a feed was found to be.

    `address` is where its feed is for good: the url itself, where permanent redirects lead, or what a web page names;
    `is_page` tells that the url is a web page. `secure` is the https address that brings the same entries, "" for none.
    """

    url: str
    problem: str = ""
    status: int = 0
    address: str = ""
    is_page: bool = False
    ends_at: str = ""
    guids: tuple[str, ...] = ()
    secure: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What had better be done about one feed; `address` is the new one of a feed that is to be moved."""

    url: str
    kind: Literal["dead", "moved", "page", "insecure", "twice", "trouble"]
    words: str
    action: Literal["", "move", "remove", "disable"] = ""
    address: str = ""


def of_moves(moves: Sequence[tuple[str, str, str]], configured: Mapping[str, str]) -> Iterator[Proposal]:
    """Say the same of what polls have found: (url, address, "moved" or "found"); `configured` is canonical to url."""
    owners = dict(configured)
    for url, address, why in moves:
        twin = owners.get(canonical(address), url)
        if twin != url:  # written into the file, it would be there twice
            yield Proposal(url, "twice", f"leads to the same feed as {twin}; remove one of the two")
        else:
            owners[canonical(address)] = url
            words = f"has moved to {address}" if why == "moved" else f"is a web page; its feed is {address}"
            yield Proposal(url, "moved" if why == "moved" else "page", words, "move", address)


def propose(seen: Sequence[Seen], *, long_dead: Collection[str] = ()) -> Iterator[Proposal]:
    """Say for each feed that isn't as it should be what to do; `long_dead` are urls that have failed for two weeks."""
    by_address: dict[str, str] = {}
    by_entries: dict[tuple[str, ...], str] = {}
    # Of two that lead to one address the one that is there already stays.
    for one in sorted(seen, key=lambda one: canonical(one.url) != canonical(one.ends_at)):
        if one.problem:
            yield _trouble(one, is_long_dead=one.url in long_dead)
        elif twin := by_address.get(canonical(one.ends_at)):
            yield Proposal(one.url, "twice", f"leads to the same feed as {twin}", "remove")
        elif one.guids and (twin := by_entries.get(one.guids)):
            yield Proposal(one.url, "twice", f"brings the same entries as {twin}; remove one of the two")
        else:
            by_address[canonical(one.ends_at)] = one.url
            by_entries[one.guids] = one.url
            if moved := _moved(one):
                yield moved


def _trouble(one: Seen, *, is_long_dead: bool) -> Proposal:
    if one.status == GONE:
        return Proposal(one.url, "dead", f"is gone for good: {one.problem}", "disable")
    if is_long_dead:
        words = f"has not worked for two weeks: {one.problem}"
        return Proposal(one.url, "dead", words, "disable")
    return Proposal(one.url, "trouble", f"does not work now: {one.problem}")


def _moved(one: Seen) -> Proposal | None:
    if one.is_page:
        return Proposal(one.url, "page", f"is a web page; its feed is {one.address}", "move", one.address)
    if one.address != one.url and canonical(one.address) != canonical(one.url):
        return Proposal(one.url, "moved", f"has moved to {one.address}", "move", one.address)
    if one.address.startswith("https:") and one.url.startswith("http:"):
        return Proposal(one.url, "insecure", f"has moved to {one.address}", "move", one.address)
    if one.secure:
        words = f"brings the same by https: {one.secure}"
        return Proposal(one.url, "insecure", words, "move", one.secure)
    return None

"""Decide what to propose for feeds that have been looked at: moved, dead, twice there, insecure. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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


def propose(seen: Sequence[Seen], *, long_dead: Collection[str] = ()) -> Iterator[Proposal]:
    """Say for each feed that isn't as it should be what to do; `long_dead` are urls that have failed for two weeks."""
    owners: dict[str, str] = {}
    for one in seen:
        if one.problem:
            yield _trouble(one, is_long_dead=one.url in long_dead)
            continue
        twin = next((owners[key] for key in _identities(one) if key in owners), "")
        owners |= dict.fromkeys(_identities(one), one.url)
        if twin:
            words = f"it brings the same as {twin}; keep one of the two"
            yield Proposal(one.url, "twice", words, "remove")
        elif moved := _moved(one):
            yield moved


def _identities(one: Seen) -> list[str]:
    return [canonical(one.ends_at or one.url), "\n".join(one.guids)] if one.guids else [canonical(one.ends_at)]


def _trouble(one: Seen, *, is_long_dead: bool) -> Proposal:
    if one.status == GONE:
        return Proposal(one.url, "dead", f"{one.problem}; --fix disables it, planet remove takes it out", "disable")
    if is_long_dead:
        words = f"{one.problem}, and it has not been read for two weeks; --fix disables it, planet remove takes it out"
        return Proposal(one.url, "dead", words, "disable")
    return Proposal(one.url, "trouble", f"{one.problem}; look at the blog, it may be there again tomorrow")


def _moved(one: Seen) -> Proposal | None:
    if one.is_page:
        return Proposal(one.url, "page", f"it is a web page; its feed is {one.address}", "move", one.address)
    if one.address != one.url and canonical(one.address) != canonical(one.url):
        return Proposal(one.url, "moved", f"it has moved to {one.address}", "move", one.address)
    if one.address.startswith("https:") and one.url.startswith("http:"):
        return Proposal(one.url, "insecure", f"it has moved to {one.address}", "move", one.address)
    if one.secure:
        words = f"it can be read without anybody listening, at {one.secure}"
        return Proposal(one.url, "insecure", words, "move", one.secure)
    return None

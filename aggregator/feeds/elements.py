"""A feed between its document and what is made of it: the terms that both readers of XML speak. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"


@dataclass(frozen=True, slots=True)
class Elements:
    """A feed and its entries under feedparser's names; version "": none; `problem`: why it isn't well-formed.

    `hours` and `days` are what its skipHours and skipDays hold; without `may_withdraw` no entry is withdrawn.

    Source: feedparser's documentation, "Reference".
    """

    version: str
    feed: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    hours: Sequence[str]
    days: Sequence[str]
    may_withdraw: bool
    problem: Exception | None = None

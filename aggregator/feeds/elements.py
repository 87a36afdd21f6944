"""A feed between its document and what is made of it: the terms that both readers of XML speak. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Elements:
    """A feed and its entries under feedparser's names; version "": none; `problem`: why it isn't well-formed.

    `namespaces` are the addresses that the document declares, in lower case, `hours` and `days` what its skipHours and
    skipDays hold: None where the reader doesn't tell.

    Source: feedparser's documentation, "Reference".
    """

    version: str
    feed: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    namespaces: Collection[str] | None = None
    hours: Sequence[str] | None = None
    days: Sequence[str] | None = None
    problem: Exception | None = None

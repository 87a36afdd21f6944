"""What may be said to a claim. Pure values, shared by all protocols."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Refusal(Enum):
    """Why a claim is not taken."""

    NOT_ACCEPTED = "this planet takes no linkbacks of this kind"
    SOURCE_INVALID = "the source is not a web address"
    SAME = "the source and the target are the same page"
    TARGET_UNKNOWN = "the target is not a post of this planet"
    TARGET_GONE = "the target was a post of this planet and is gone"
    SOURCE_DENIED = "the source may not be shown here"
    ALREADY_THERE = "this linkback has already been registered"
    TOO_MANY = "there are too many at the moment; send it again in some minutes"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A claim that is stored: `token` names its status page."""

    token: str


Decision = Accepted | Refusal

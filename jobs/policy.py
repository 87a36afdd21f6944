"""What the operator wants to happen to linkbacks that turn out to be true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aggregator.model import Status


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a link that was found, and who we say that we are."""

    planet_url: str
    members: Literal["publish", "hold"] = "publish"
    strangers: Literal["publish", "hold", "refuse"] = "hold"
    block: tuple[str, ...] = ()
    user_agent: str = ""  # "{client}" stands for the address that a ping came from

    def status(self, *, is_member: bool) -> Status:
        """Return what becomes of a linkback whose link was found."""
        rule = self.members if is_member else self.strangers
        return {"publish": Status.PUBLISHED, "hold": Status.HELD, "refuse": Status.REJECTED}[rule]

"""weblogUpdates and rssCloud: a blog says that it has changed. Parameters to addresses, a yes or no to an answer. Pure.

It is a hint and nothing else: what is polled and looked at again is what the planet knows already (attack A28).
Source: weblogs.com/api.html; blo.gs/ping.php; rsscloud (research, 1.6 and 1.7).
"""

from __future__ import annotations

import html
from typing import Any

from aggregator.urls import web_url
from linkbacks.calls import INVALID_PARAMETERS, Fault

METHODS = ("weblogUpdates.ping", "weblogUpdates.extendedPing")
NOTIFY = "rssCloud.notify"
THANKS = "Thanks for the ping."
UNKNOWN = "Sorry, this blog is not on this planet."
_MOST = 6


def urls(params: tuple[Any, ...]) -> list[str]:
    """Return the addresses among one to six parameters, in whatever order real callers write them.

    Raises: Fault.
    """
    if not 1 <= len(params) <= _MOST or not all(isinstance(param, str) for param in params):
        raise Fault(INVALID_PARAMETERS, "send one to six strings: the name of the blog, its address, its feed")
    return [url for url in (web_url(html.unescape(param)) for param in params) if url]


def reply(method: str, *, is_known: bool) -> dict[str, object] | bool:
    """Return the answer: an unknown blog is no fault, which would make WordPress ask once more."""
    if method == NOTIFY:
        return is_known
    return {"flerror": not is_known, "message": THANKS if is_known else UNKNOWN}

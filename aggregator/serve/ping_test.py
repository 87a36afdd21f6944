"""What happens to a ping, step by step, for a blogger who wonders why none has arrived.

Nothing is fetched here: the page that is looked at is the planet's own, the answer is the endpoint's, and what became
of the link is told by the status page, as to everybody (research, attack A2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linkbacks.decisions import Accepted, Decision
from linkbacks.pingback import fault_of

from aggregator.serve.pages import Page
from aggregator.site import Step
from aggregator.urls import is_under, web_url

if TYPE_CHECKING:
    from aggregator.discovery import Endpoint

MAX_BYTES = 2_000_000


def steps(planet_url: str, target: str, page: Page | None, decision: Decision) -> list[Step]:
    """Return the three steps: discovery, answer, verification."""
    return [_discovered(planet_url, target, page), _answered(decision, planet_url), _verified(decision, planet_url)]


def _discovered(planet_url: str, target: str, page: Page | None) -> Step:
    name = "Discovery: what your blog finds on the page that you link to"
    if page is not None:
        from aggregator import discovery  # with a parser of HTML, for which nobody else here has a use

        found = discovery.endpoints(page.body, "", dict(page.headers), web_url(target), MAX_BYTES)
        if found:
            words = "The page names these endpoints; your blog takes the first kind that it speaks."
            return Step(name, words, True, tuple(_line(endpoint) for endpoint in found))
        return Step(name, "This page can't be answered: it names no endpoint. Link to a single post.", False)
    if is_under(target, planet_url):
        return Step(name, "There is no such page on this planet. Copy the address of a post's own page.", False)
    words = (
        "This page is not on the planet's own host, so your blog pings whatever endpoint that page names."
        " To reach the planet, link to the post's page here, or send the ping from this form."
    )
    return Step(name, words, True)


def _answered(decision: Decision, planet_url: str) -> Step:
    name = "Answer: what the planet says to the ping"
    if isinstance(decision, Accepted):
        words = "The ping is stored. Its sender reads a line of thanks and the address of its status page."
        return Step(name, words, True, (f"{planet_url}mentions/{decision.token}",))
    code = fault_of(decision)
    return Step(name, f"Sorry, {decision.value}.", code == 48, (f"fault {code}",))


def _verified(decision: Decision, planet_url: str) -> Step:
    name = "Verification: whether the link is found"
    if isinstance(decision, Accepted):
        words = "The planet fetches your post in a moment and looks for the link. Its status page tells what it found."
        link = f"{planet_url}mentions/{decision.token}"
        return Step(name, words, True, link=link, link_words="What became of it")
    if fault_of(decision) == 48:
        words = "It has been verified, or is being verified; the status page was named to whoever sent it first."
        return Step(name, words, True)
    return Step(name, "It came to nothing: the ping was not taken.", False)


def _line(endpoint: Endpoint) -> str:
    return f"{endpoint.protocol}: {endpoint.url}"

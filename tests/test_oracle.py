"""The planet is no port scanner: what it says of a ping does not depend on what the source's host does."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from linkbacks import endpoint, trackback, webmention
from linkbacks.claims import Rules
from linkbacks.decisions import Decision

from aggregator import standing, store
from aggregator.model import Claim, Status
from jobs import rendering
from tests.builders import NOON, accept
from tests.farm import Farm, Reply
from tests.world import World, feed_at

KINDS = ("closed port", "no such host", "inside", "metadata", "not found", "broken", "no link", "gone", "redirects inside", "loop",
         "mailto", "huge", "picture", "hangs up")  # fmt: skip


class Desk:
    """Decides as the intake does, in one transaction."""

    def __init__(self, here: World) -> None:
        self._here = here

    async def accept(self, claim: Claim) -> Decision:
        with store.transaction(self._here.database):
            return accept(self._here.database, claim, Rules(self._here.planet.masthead.url))

    async def notice(self, urls: object, now: object) -> bool:
        raise NotImplementedError

    async def sources(self, target: str) -> list[str]:
        raise NotImplementedError


@pytest.fixture
def closed() -> Iterator[int]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def sources(elsewhere: Farm, closed: int) -> dict[str, str]:
    """One address for each thing that may be behind an address."""
    elsewhere.routes["/broken"] = Reply(b"", 500)
    elsewhere.html("/nolink", "<title>x</title>")
    elsewhere.routes["/gone"] = Reply(b"", 410)
    elsewhere.routes["/inside"] = Reply(status=302, headers={"Location": "http://10.0.0.1/"})
    elsewhere.routes["/loop"] = Reply(status=302, headers={"Location": "/loop"})
    elsewhere.routes["/mailto"] = Reply(status=302, headers={"Location": "mailto:x@y"})
    elsewhere.routes["/huge"] = Reply(b"x" * 3_000_000, headers={"Content-Type": "text/html"})
    elsewhere.routes["/picture"] = Reply(b"\x89PNG", headers={"Content-Type": "image/png"})
    elsewhere.raw["/hangup"] = lambda connection, _over: connection.close()
    found = dict(zip(KINDS, ("", "http://no-such-host.invalid/", "http://10.0.0.1/", "http://169.254.169.254/latest/", *(
        f"{elsewhere.url}/{path}" for path in ("none", "broken", "nolink", "gone", "inside", "loop", "mailto", "huge", "picture", "hangup")
    )), strict=True))  # fmt: skip
    return {**found, "closed port": f"http://127.0.0.1:{closed}/"}


def said(here: World, source: str, target: str, protocol: str) -> str:
    """What the sender of a ping reads, without the name of its status page."""
    desk = Desk(here)
    if protocol == "pingback":
        strings = "".join(f"<param><value><string>{each}</string></value></param>" for each in (source, target))
        body = f"<methodCall><methodName>pingback.ping</methodName><params>{strings}</params></methodCall>".encode()
        answer = asyncio.run(endpoint.respond(body, desk, here.planet.masthead.url, here.now)).decode()  # type: ignore[arg-type]
    else:
        made = Claim(source, target, protocol, here.now)  # type: ignore[arg-type]
        decision = asyncio.run(desk.accept(made))
        if protocol == "trackback":
            answer = trackback.reply(decision)
        else:
            reply = webmention.reply(decision, here.planet.masthead.url)
            answer = f"{reply.status} {reply.text}"
    return re.sub(r"mentions/[\w-]+", "mentions/ID", answer)


def told(here: World, source: str) -> tuple[str, str]:
    """What the status page says at this time, for people and for programs, without what the sender wrote."""
    token = here.database.execute("SELECT token FROM linkback WHERE source = ?", [source]).fetchone()[0]
    mention = store.mentions.mention(here.database, token)
    assert mention is not None
    seems = standing.seems(mention.status, mention.asked_at, here.now)
    page = rendering.renderer_for(here.planet).mention(replace(mention, status=seems)).decode()
    return re.sub(r"<dl>.*?</dl>", "", page), str(seems)


@pytest.mark.parametrize("protocol", ["pingback", "webmention", "trackback"])
def test_answers_and_status_are_the_same_whatever_is_behind_the_source(
    world: Callable[..., World], web: Farm, elsewhere: Farm, closed: int, protocol: str
) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")), more='[linkbacks]\nstrangers = "publish"\n')
    here.poll()
    all_of_them = sources(elsewhere, closed)
    seen: dict[str, list[object]] = {kind: [] for kind in all_of_them}

    for minutes in (0, 1, 4, 30, 61, 5, 10, 60, 121, 130):
        here.later(minutes=minutes)
        for kind, source in all_of_them.items():
            if minutes in (0, 4, 61, 130):  # asked for again and again, while it waits, is tried again, and is refused
                seen[kind].append(said(here, source, f"{web.url}/1", protocol))
        for _ in range(len(all_of_them) + 2):  # one of a host at a time
            here.verify()
            here.later(seconds=2)
        for kind, source in all_of_them.items():
            seen[kind].append(told(here, source))

    first = seen["closed port"]
    assert {kind: told for kind, told in seen.items() if told != first} == {}
    assert first[-1][1] == "pending"
    for _ in range(8 * 20):
        here.verify()
        here.later(minutes=1)
    assert {told(here, source)[1] for source in all_of_them.values()} == {"rejected"}
    assert len({told(here, source) for source in all_of_them.values()}) == 1


def test_a_no_is_told_at_its_time_whenever_it_was_found() -> None:
    almost, then = NOON + standing.REVEAL_AFTER - timedelta(seconds=1), NOON + standing.REVEAL_AFTER

    assert standing.seems(Status.REJECTED, NOON, almost) is Status.PENDING
    assert standing.seems(Status.REJECTED, NOON, then) is Status.REJECTED
    assert standing.seems(Status.PUBLISHED, NOON, NOON) is Status.PUBLISHED

"""Find what posts of the planet's blogs link to each other: linkbacks that nobody needs to send."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import datetime

from linkbacks.register import post_at
from sqlite_utils import Database

from aggregator import standing, store
from aggregator.errors import ChildStopped, NoVerdict
from aggregator.logs import counted
from aggregator.model import Claim, Evidence, PendingLinkback
from aggregator.store.mentions import Arrival
from aggregator.store.outlinks import Excerpt, Source
from aggregator.urls import Address, canonical, host_of, is_blocked
from jobs.children import Children, result
from jobs.policy import Policy
from jobs.readers import links_of

log = logging.getLogger("planet.link")

BATCH = 200
# Posts that one child reads in a row.
TOGETHER = 20
_HOSTS = re.compile(r"""://(\[[^\]]*\]|[^/?#:"'<>\s]+)""")

Link = tuple[str, Excerpt]


class Linking:
    """One run over the posts whose links have not been read."""

    def __init__(
        self,
        database: Database,
        children: Children,
        policy: Policy,
        clock: Callable[[], datetime],
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._children = children
        self._policy = policy
        self._clock = clock
        self._until = until

    def run(self) -> int:
        """Read the links of every post that is new or changed; return how many linkbacks they made.

        Raises: StoreFailed. A post that was not finished is read again.
        """
        made = 0
        here: set[str] = set()
        while not self._until() and (sources := store.outlinks.unread(self._database, BATCH)):
            here = here or store.outlinks.hosts(self._database) | {host_of(self._policy.planet_url)}
            # Most posts name nobody here: it takes no parser to see that.
            named = [source for source in sources if _names(source, here)]
            links = self._links(named)
            if links is None:
                return made  # there are no children at the moment
            with store.transaction(self._database):
                made += self._record([(source, _near(links.get(source.id, []), here)) for source in sources])
        if made:
            log.info("%s between posts found", counted(made, "link"))
        return made

    def _links(self, sources: Sequence[Source]) -> dict[int, list[Link]] | None:
        """Where each of some posts, by id, links to; None when there are no children to read them."""
        tasks = [(source.html, source.url) for source in sources]
        groups = [tasks[at : at + TOGETHER] for at in range(0, len(tasks), TOGETHER)]
        futures = [future for group in groups for future in self._children.submit_together(links_of, group)]
        try:
            return {
                source.id: _result(self._children.again(future) or future)
                for source, future in zip(sources, futures, strict=True)
            }
        except NoVerdict:
            return None

    def _record(self, read: Sequence[tuple[Source, Sequence[Link]]]) -> int:
        """Store the links of posts, and the linkbacks that they, and older links to these very posts, make."""
        store.outlinks.replace(self._database, read)
        addresses = [source.url for source, _ in read if source.url]
        # What was found on their pages before may have changed with them.
        store.mentions.recheck_sources(self._database, addresses, self._clock())
        pairs = [(source, url, excerpt) for source, near in read for url, excerpt in near]
        pairs += store.outlinks.to(self._database, addresses)
        return sum(self._link(*pair) for pair in pairs)

    def _link(self, source: Source, url: str, excerpt: Excerpt) -> bool:
        target = post_at(self._database, url, self._policy.planet_url)
        if target is None or not self._may_link(source, target, url):
            return False
        claim = Claim(source.url, url, "feed", min(source.published_at or self._clock(), self._clock()))
        if known := store.mentions.find(self._database, source.url, target):
            store.mentions.announce(self._database, known.id, claim)
            return False
        where = Address(source.url, canonical(source.url), host_of(source.url))
        arrival = Arrival(claim, where, target, source.feed_id, secrets.token_urlsafe(12))
        store.mentions.add(self._database, [arrival])
        made = store.mentions.find(self._database, source.url, target)
        assert made is not None
        pending = PendingLinkback(made.id, source.url, (url,), source.feed_id, 0)
        stands = standing.after_found(pending, self._policy.status(is_member=True), self._clock())
        evidence = Evidence(source.title, excerpt, author=source.author)
        store.mentions.settle(self._database, made.id, stands, evidence, self._clock())
        return True

    def _may_link(self, source: Source, target: int, url: str) -> bool:
        """A blog's links to its own posts are no answers; a post that isn't shown says nothing."""
        if not source.url or not source.is_shown or canonical(source.url) == canonical(url):
            return False
        ground = store.members.territory(self._database, source.feed_id)
        if store.members.territory(self._database, store.entries.feed_of(self._database, target)) == ground:
            return False
        # A feed may claim any address for its entries: but not one on another blog's ground.
        owner = store.members.at(self._database, source.url)
        if owner is not None and store.members.territory(self._database, owner) != ground:
            return False
        if store.gone.is_named_on_a_grave(self._database, canonical(source.url)):
            return False
        blocked = (*self._policy.block, *store.blocks.patterns(self._database))
        return not is_blocked(source.url, blocked)


def _near(links: Sequence[Link], hosts: Collection[str]) -> list[Link]:
    return [link for link in links if host_of(link[0]) in hosts]


def _names(source: Source, hosts: Collection[str]) -> bool:
    """Tell whether a post, sanitised as it is stored, may link to one of the hosts."""
    return any(host_of(f"http://{found.lower()}") in hosts for found in _HOSTS.findall(source.html))


def _result(future: Future[list[Link]]) -> list[Link]:
    try:
        return result(future)
    except ChildStopped as error:  # its links can't be read; it is not tried again until it changes
        log.warning("the links of a post can't be read: %s", error)
        return []

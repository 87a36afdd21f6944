"""Say in words why a post or a linkback is or isn't shown, and how a feed is doing. Pure: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aggregator.model import EntryFacts, FeedHealth, LinkbackFacts, Poll, Status

_OK, _LARGE = 200, 1_000_000
# Fewer polls tell nothing of a server's habits.
_ENOUGH = 5


def of_entry(facts: EntryFacts, per_feed_per_day: int) -> str:
    """Say whether a stored entry is shown, where, and if not, why not and what would change that."""
    if facts.is_removed:
        return f"not shown: its feed {facts.feed_url} is not in feeds.toml any more"
    if facts.story_of:
        return f"shown once for two blogs, at {facts.story_of}, which names {facts.blog} as well"
    if facts.hidden:
        return f"not shown: {facts.hidden}"
    folded = ""
    if facts.fold >= per_feed_per_day:
        folded = f"; on the front page it is folded, because {facts.fold} newer posts of {facts.blog} are of that day"
    missing = f"; its feed has not held it since {_day(facts.missing_at)}" if facts.missing_at else ""
    return f"shown at {facts.path}{folded}{missing}"


def of_dates(facts: EntryFacts) -> str:
    """Say which dates an entry has: its own, when it was first seen, and where it stands in the river."""
    own = _day(facts.published_at) if facts.published_at else "no date of its own"
    parts = [f"dated {own}" if facts.published_at else own, f"first seen {_day(facts.first_seen_at)}"]
    if facts.published_at and abs((facts.shown_at - facts.published_at).total_seconds()) > 60:
        parts.append(f"standing at {_day(facts.shown_at)} in the river")
    return ", ".join(parts)


def of_feed(health: FeedHealth, now: datetime) -> list[str]:
    """Say how a feed is doing, a line for each thing that is to be known."""
    lines = [f"{health.name} <{health.url}>: {health.health}, {health.entries} entries stored"]
    if health.problem:
        lines.append(f"Problem: {health.problem}")
    if health.advice:
        lines.append(f"To do: {health.advice}")
    if health.last_poll:
        lines.append(f"Last polled {_day(health.last_poll)}" + (f", status {health.status}" if health.status else ""))
    if health.next_poll:
        when = _day(health.next_poll) if health.next_poll > now else "now"
        lines.append(f"Next poll: {when}")
    if health.newest_post:
        lines.append(f"Newest post: {_day(health.newest_post)}")
    return lines + _of_news(health)


def _of_news(health: FeedHealth) -> list[str]:
    lines = []
    if health.arrives:
        how = {"push": "was pushed", "ping": "came after a ping", "poll": "was found by a poll"}[health.arrives]
        lag = f", {in_span(health.lag)} after its publication" if health.lag is not None else ""
        lines.append(f"Its newest post {how}{lag}")
    if health.push:
        lines.append(f"Push: {_PUSH[health.push]}")
    if health.push_problem:
        lines.append(f"No push: {health.push_problem}")
    return lines


_PUSH = {
    "trusted": "what its hub or cloud sends is relied on, so it is polled once a day",
    "active": "its hub or cloud has promised to tell of news",
    "asked": "its hub or cloud has been asked to tell of news",
}


def in_span(seconds: float) -> str:
    """Say how long something took, in the largest unit that fits."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds / size:.0f} {unit}"


_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def for_author(health: FeedHealth, polls: Sequence[Poll], entries: Sequence[EntryFacts]) -> list[str]:
    """Say to a blog's author what would make the feed better, a sentence for each thing; nothing when all is well."""
    lines = []
    if health.health == "healthy" and health.problem:
        lines.append(f"The feed can be read, but {health.problem}. A validator for feeds shows where.")
    whole = [poll for poll in polls if poll.status == _OK]
    if len(whole) >= _ENOUGH and sum(poll.outcome == "unchanged" for poll in whole) * 2 > len(polls):
        lines.append(
            "Your server sends the whole feed each time, although nothing has changed. If it answered conditional"
            " requests (ETag or Last-Modified), that would cost you almost nothing."
        )
    if any(poll.bytes > _LARGE for poll in whole):
        lines.append("The feed is larger than a megabyte. Fewer entries, or excerpts, make it faster for everybody.")
    if health.url.startswith("http://") and not health.address:
        lines.append("The feed is fetched without encryption. If your site has https, tell the planet's operator.")
    undated = [entry for entry in entries if entry.published_at is None]
    if entries and len(undated) * 2 > len(entries):
        lines.append("Most entries have no date that can be read, so they stand where they were first seen.")
    if any(not entry.title and not entry.hidden for entry in entries):
        lines.append("Some entries have no title. They are shown by how they begin.")
    return lines


def of_unseen(url: str, health: FeedHealth, newest: EntryFacts | None, oldest: EntryFacts | None) -> list[str]:
    """Say why an address under a member's site may be unknown."""
    lines = [f"{url} lies under the site of {health.name}, but no poll of {health.url} has brought it."]
    if health.health in ("failing", "quarantined", "retired", "disabled"):
        lines.append(f"That feed is {health.health}" + (f": {health.problem}" if health.problem else ""))
    elif newest and oldest:
        lines.append(
            f"The feed is read without trouble. What it has brought goes from {_written(oldest)} to {_written(newest)}."
            " A post outside of that has left the feed before it was first polled, or is not in it yet;"
            " some blogs leave posts out of their feed on purpose (a category, a page, a password), and of a feed"
            " with more than 200 entries the newest 200 are read."
        )
    else:
        lines.append("The feed is read without trouble, but holds no entries.")
    return lines


def of_linkback(facts: LinkbackFacts, now: datetime, rule: str, most_returns: int) -> list[str]:
    """Say what became of a linkback and why; `rule` is the operator's for such, returns are let pass up to a number."""
    lines = [f"{facts.source} links to {facts.target}: {facts.status}, {_why(facts, rule, most_returns)}"]
    whose = f"from {facts.member}" if facts.member else "from a blog that is not on this planet"
    lines.append(f"  number {facts.id}, {whose}; came by {', '.join(facts.ways)}, first {_day(facts.received_at)}")
    if facts.failing_since:
        lines.append(f"  its page could not be read {_times(facts.failures)} since {_day(facts.failing_since)}")
    if facts.status is Status.PENDING and facts.attempts:
        lines.append(f"  its page was asked for {_times(facts.attempts)}")
    if facts.retractions:
        lines.append(f"  its link was gone {_times(facts.retractions)}")
    if facts.next_at:
        when = _day(facts.next_at) if facts.next_at > now else "now, as soon as its host may be asked again"
        lines.append(f"  it is looked at next {when}")
    elif facts.ways == ("comment",):
        lines.append("  it is a comment: no page is looked at")
    else:
        lines.append("  it is not looked at again by itself")
    return lines


def _why(facts: LinkbackFacts, rule: str, most_returns: int) -> str:
    if facts.problem and facts.status not in (Status.HELD, Status.PUBLISHED, Status.HIDDEN):
        return f"because {facts.problem}" if facts.status is not Status.PENDING else f"so far {facts.problem}"
    match facts.status:
        case Status.PENDING:
            return "its page has not been read yet"
        case Status.HELD:
            return _why_held(facts, rule, most_returns)
        case Status.HIDDEN:
            return f"because {facts.problem or 'the operator hid it'}"
        case Status.PUBLISHED if facts.decision == "approved":
            return "because the operator approved it" + _trouble(facts)
        case Status.PUBLISHED:
            return "because the link was found" + _trouble(facts)
    return "because there is no link to the target on its page"


def _why_held(facts: LinkbackFacts, rule: str, most_returns: int) -> str:
    if facts.retractions > most_returns:
        return "because its link went and came back too often" + _trouble(facts)
    if rule == "publish" and not facts.member:
        return "because its host has enough links under that post already" + _trouble(facts)
    if rule == "publish":
        return f"because it was not found on a page of {facts.member} itself" + _trouble(facts)
    whom = "members" if facts.member else "strangers"
    return f"because links of {whom} wait for the operator ([linkbacks] {whom} in feeds.toml)" + _trouble(facts)


def _trouble(facts: LinkbackFacts) -> str:
    return f"; at the last look {facts.problem}" if facts.problem else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _written(facts: EntryFacts) -> str:
    return _day(facts.published_at or facts.first_seen_at)


def _day(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%d %H:%M UTC") if instant else "never"

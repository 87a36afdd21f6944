"""Say in words why a post is or isn't shown, and how a feed is doing. Pure: facts in, sentences out."""

from __future__ import annotations

from datetime import datetime

from aggregator.model import EntryFacts, FeedHealth


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


def _written(facts: EntryFacts) -> str:
    return _day(facts.published_at or facts.first_seen_at)


def _day(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%d %H:%M UTC") if instant else "never"

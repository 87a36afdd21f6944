"""What pages are gathered with: the store, a renderer and an instant; and what several kinds of pages show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.model import Conversation, Post
from aggregator.overview import Count, Discussed, Topic, Week
from aggregator.site import Renderer, topics_of
from aggregator.threads import conversation

PULSE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Gathered:
    """Files of a section, and those that it had and has no more."""

    files: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


class Gathering:
    """Reads the store for one renderer at one instant; `weeks` are kept from one instant to the next."""

    def __init__(
        self, database: Database, renderer: Renderer, now: datetime, weeks: dict[str, Week] | None = None
    ) -> None:
        self.database = database
        self.renderer = renderer
        self.sections = renderer.sections
        self.look = renderer.look
        self.zone = renderer.templates.speech.zone
        self.now = now
        self.today = now.astimezone(self.zone).date()
        self.weeks = {} if weeks is None else weeks  # as they were when their pages were made

    def topics(self, posts: Sequence[Post]) -> dict[int, list[Topic]]:
        """Return the topics of each post."""
        if not self.look.topics:
            return {}
        slugs = store.topics.of_posts(self.database, [post.id for post in posts])
        return {id: topics_of(self.look, found) for id, found in slugs.items()}

    def talk(self, ids: Sequence[int]) -> Conversation | None:
        """Gather the conversation of some posts, or None when they are none."""
        if len(ids) < 2:
            return None
        answers = store.conversations.answers(self.database, ids)
        return conversation(store.entries.by_ids(self.database, ids), answers)

    def discussed(self, since: datetime, until: datetime, most: int) -> tuple[Discussed, ...]:
        """Return the posts that received most thoughts in a time."""
        rows = {
            id: (thoughts, blogs) for id, thoughts, blogs in store.activity.discussed(self.database, since, until, most)
        }
        return tuple(Discussed(post, *rows[post.id]) for post in self.briefs(list(rows)))

    def briefs(self, ids: Sequence[int]) -> list[Post]:
        """Return posts without their texts, in this order."""
        return store.entries.briefs(self.database, ids)

    def between(self, first: date, after_last: date, limit: int) -> list[Post]:
        """Return the newest posts of some days, without their texts, newest first."""
        since, until = self.midnight(first), self.midnight(after_last)
        return self.briefs(store.chapters.between(self.database, since, until, limit))

    def day(self, instant: datetime) -> date:
        """Return the day on which an instant falls here."""
        return instant.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Return the instant at which a day begins here."""
        return datetime.combine(day, time(), self.zone)

    def pulse(self, topic: int | None = None, first: date | None = None, last: date | None = None) -> list[Count]:
        """Return what each of some days brought, the last thirty of all: of all posts, or of a topic's."""
        last = last or self.today
        first = first or last - timedelta(days=PULSE_DAYS - 1)
        shift = self.now.astimezone(self.zone).utcoffset() or timedelta(0)
        return store.activity.pulse(self.database, first, (last - first).days + 1, shift, topic)


def newest_first(posts: Sequence[Post]) -> list[Post]:
    """Return posts in the order of the river."""
    return sorted(posts, key=lambda post: (post.shown_at, post.id), reverse=True)


def as_number(week: str) -> int:
    """Return the number by which a week is noted: 202648 for "2026-48"."""
    return int(week.replace("-", ""))


def as_week(number: int) -> str:
    """Return the week that is noted by a number."""
    return f"{number // 100}-{number % 100:02}"

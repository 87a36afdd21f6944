"""Gather what each section of the site shows, and have it rendered: a kind and a number in, files out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from sqlite_utils import Database

from aggregator import diagnosis, store
from aggregator.digest import first_day_of, most_cited, week_of
from aggregator.model import Post
from aggregator.overview import Cited, Count, Discussed, Doctor, Front, Portrait, Return, Roundup, Topic, Week
from aggregator.site import Renderer, topics_of
from aggregator.store.stale import Section, Spot

MOST_OF_A_MONTH = 1_000
MOST_OF_A_BLOG = 20
MOST_EXPLAINED = 20
MOST_DISCUSSED, MOST_CITED, MOST_NEW = 10, 10, 12
WEEKS_TOLD = 8
PULSE_DAYS = 30
LONGEST_PULSE = timedelta(days=90)
SILENCE = timedelta(days=180)
MAP_SIZE = 10_000
# What a section's page depends on beside its posts: rendered whenever any post changed.
ALWAYS: tuple[Section, ...] = (("blogs", 0), ("weeks", 0), ("topics", 0), ("status", 0))


@dataclass(frozen=True, slots=True)
class Gathered:
    """Files of a section, and those that it had and has no more."""

    files: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


class Gathering:
    """Reads the store for one renderer at one instant."""

    def __init__(self, database: Database, renderer: Renderer, now: datetime) -> None:
        self._database = database
        self._renderer = renderer
        self._sections = renderer.sections
        self._look = renderer.look
        self._zone = renderer.templates.speech.zone
        self._now = now
        self._today = now.astimezone(self._zone).date()

    def section(self, kind: str, number: int) -> Gathered:
        """Gather one section."""
        gather: dict[str, Callable[[int], Gathered]] = {
            "chapter": self._chapter, "month": self._month, "months": self._months, "week": self._week,
            "weeks": self._weeks, "blog": self._blog, "blogs": self._blogs, "topic": self._topic,
            "topics": self._topics, "map": self._map, "maps": self._maps, "status": self._status, "faces": self._faces,
        }  # fmt: skip
        return gather[kind](number)

    def dependents(self, spots: Iterable[Spot]) -> set[Section]:
        """Return the sections that show posts which stand, or stood, at these spots."""
        found: set[Section] = {("week", _as_number(week_of(self._today)))}
        for spot in spots:
            day = spot.shown_at.astimezone(self._zone).date()
            found |= {
                ("blog", spot.feed_id), ("month", day.year * 100 + day.month), ("week", _as_number(week_of(day))),
                ("map", spot.id // MAP_SIZE),
            }  # fmt: skip
        found |= {
            ("chapter", number) for number in store.chapters.at(self._database, (spot.shown_at for spot in spots))
        }
        return found

    # -- the front page ------------------------------------------------------------------------------

    def front(self, posts: Sequence[Post]) -> Front:
        """Gather what the front page shows around its posts, newest first."""
        first = self._today - timedelta(days=PULSE_DAYS - 1)
        since = self._now - timedelta(days=PULSE_DAYS)
        pulse = store.activity.pulse(self._database, first, PULSE_DAYS, self._shift())
        return Front(
            posts=tuple(posts),
            blogs=tuple(store.feeds.blogs(self._database)),
            pulse=tuple(pulse) if any(count.posts for count in pulse) else (),
            discussed=self._discussed(since, self._now, 5),
            talks=self._talks(posts),
            earlier=self._earlier(posts),
        )

    def topics(self, posts: Sequence[Post]) -> dict[int, list[Topic]]:
        """Return the topics of each post."""
        if not self._look.topics:
            return {}
        slugs = store.topics.of_posts(self._database, [post.id for post in posts])
        return {id: topics_of(self._look, found) for id, found in slugs.items()}

    def _talks(self, posts: Sequence[Post]) -> dict[int, str]:
        """The conversation of each post that has one whose page is there."""
        found = {}
        for post in posts:
            around = store.conversations.around(self._database, post.id) if post.thoughts else []
            path = f"/conversations/{around[0]}/" if len(around) > 1 else ""
            if path and store.pages.is_published(self._database, f"{path[1:]}index.html"):
                found[post.id] = path
        return found

    def _earlier(self, posts: Sequence[Post]) -> str:
        """Where the river goes on below these posts, as far as that page is there."""
        last = posts[-1] if posts else None
        older = last and store.chapters.older_than(self._database, last.shown_at, last.id)
        if not older:
            return ""
        id, shown_at = older
        for number in store.chapters.at(self._database, [shown_at]):
            path = f"page/{number}/"
            if store.pages.is_published(self._database, f"{path}index.html"):
                return f"{path}#post-{id}"
        return ""

    # -- by time -------------------------------------------------------------------------------------

    def _chapter(self, number: int) -> Gathered:
        chapter = store.chapters.get(self._database, number)
        if chapter is None:
            return Gathered()
        posts = self._briefs(store.chapters.posts(self._database, chapter))
        has_newer = number < store.chapters.last(self._database)
        return Gathered(self._sections.chapter(chapter, posts, self.topics(posts), has_newer=has_newer))

    def _month(self, number: int) -> Gathered:
        month = date(number // 100, number % 100, 1)
        after = (month + timedelta(days=32)).replace(day=1)
        posts = self._between(month, after, MOST_OF_A_MONTH + 1)
        if not posts:
            return Gathered(gone=[f"archive/{month:%Y/%m}/index.html"])
        is_cut = len(posts) > MOST_OF_A_MONTH
        return Gathered(self._sections.month(month, posts[:MOST_OF_A_MONTH], is_cut=is_cut))

    def _months(self, _: int) -> Gathered:
        names = store.pages.paths_under(self._database, "archive/")
        months = [date(int(name[8:12]), int(name[13:15]), 1) for name in names if name.count("/") == 3]
        return Gathered(self._sections.months(sorted(months, reverse=True)))

    def week(self, number: str) -> Week:
        """Gather one week."""
        first = first_day_of(number)
        since, until = self._midnight(first), self._midnight(first + timedelta(days=7))
        posts, blogs, thoughts = store.activity.volume(self._database, since, until)
        seen_until = min(until, self._now)
        cited = most_cited(store.activity.citations(self._database, since, until), seen_until, MOST_CITED)
        newcomers = store.activity.newcomers(self._database, since, until, MOST_NEW)
        by_id = store.activity.named(self._database, newcomers)
        return Week(
            number,
            first,
            first + timedelta(days=6),
            posts,
            thoughts,
            blogs,
            discussed=self._discussed(since, until, MOST_DISCUSSED),
            cited=cited,
            new=tuple(by_id[id] for id in newcomers if id in by_id),
            back=self._returned(since, until),
            updated_at=until,
        )

    def _week(self, number: int) -> Gathered:
        name = _as_week(number)
        week = self.week(name)
        if not week.posts and not week.thoughts:
            folder = f"weekly/{name}/"
            return Gathered(gone=store.pages.paths_under(self._database, folder))
        texts = store.entries.by_ids(self._database, [post.id for post in self._of_week(week)])
        known = [each for each in self._known_weeks() if each != name]
        earlier = max((each for each in known if each < name), default="")
        later = min((each for each in known if each > name), default="")
        return Gathered(self._sections.week(week, _newest_first(texts), earlier=earlier, later=later))

    def _weeks(self, _: int) -> Gathered:
        known = sorted(self._known_weeks(), reverse=True)
        weeks = [self.week(number) for number in known[:WEEKS_TOLD]]
        return Gathered(self._sections.weeks(weeks, known[WEEKS_TOLD:]))

    def _known_weeks(self) -> list[str]:
        names = store.pages.paths_under(self._database, "weekly/")
        return [name.split("/")[1] for name in names if name.count("/") == 2 and name.endswith("/index.html")]

    def _of_week(self, week: Week) -> list[Post]:
        return self._between(week.first_day, week.last_day + timedelta(days=1), self._look.entries)

    def _returned(self, since: datetime, until: datetime) -> tuple[Return, ...]:
        rows = dict(store.activity.returned(self._database, since, until, SILENCE))
        return tuple(Return(post.blog, post, rows[post.id]) for post in self._briefs(list(rows)))

    # -- by blog -------------------------------------------------------------------------------------

    def _blog(self, id: int) -> Gathered:
        blog = store.activity.named(self._database, [id]).get(id)
        if blog is None:
            slug = store.feeds.slug_of(self._database, id)
            return Gathered(gone=store.pages.paths_under(self._database, f"blogs/{slug}/") if slug else [])
        posts = self._briefs(store.feeds.newest_posts(self._database, id, MOST_OF_A_BLOG))
        portrait = Portrait(
            blog=blog,
            posts=tuple(posts),
            weeks=tuple(store.activity.weeks_of(self._database, id, self._now, 52)),
            answers=tuple(store.activity.answers_of(self._database, id)),
            answered_by=tuple(store.activity.answers_to(self._database, id)),
            doctor=self._doctor(id),
        )
        texts = _newest_first(store.entries.by_ids(self._database, [post.id for post in posts]))
        return Gathered(self._sections.blog(portrait, texts, self.topics(posts)))

    def _doctor(self, id: int) -> Doctor:
        entries = store.health.newest_entries(self._database, id, MOST_EXPLAINED)
        per_day = self._look.per_feed_per_day
        return Doctor(
            health=store.health.of_feed(self._database, id),
            polls=tuple(store.polls.history(self._database, id)),
            entries=tuple((entry, diagnosis.of_entry(entry, per_day)) for entry in entries),
            seen_at=self._now,
        )

    def _blogs(self, _: int) -> Gathered:
        blogs = store.feeds.blogs(self._database)
        slugs = {blog.slug for blog in blogs}
        names = store.pages.paths_under(self._database, "blogs/")
        gone = [name for name in names if name.count("/") > 1 and name.split("/")[1] not in slugs]
        return Gathered(self._sections.blogs(blogs, self._now), gone)

    # -- by topic ------------------------------------------------------------------------------------

    def _topic(self, id: int) -> Gathered:
        slugs = {number: slug for slug, number in store.topics.ids(self._database).items()}
        [*found] = topics_of(self._look, [slugs.get(id, "")])
        if not found:
            return Gathered()
        topic = found[0]
        posts = self._briefs(store.topics.newest(self._database, id, self._look.entries))
        roundup = Roundup(
            topic=topic,
            total=store.topics.size(self._database, id),
            posts=tuple(posts),
            pulse=tuple(self._pulse_of(topic, id)),
            cited=self._cited_in(topic, id),
            ties=tuple(store.activity.ties_in(self._database, id)),
        )
        ids = [post.id for post in posts]
        texts = _newest_first(store.entries.by_ids(self._database, ids))
        return Gathered(self._sections.topic(roundup, texts, store.mentions.thoughts(self._database, ids)))

    def _topics(self, _: int) -> Gathered:
        ids = store.topics.ids(self._database)
        listed = []
        for topic in self._look.topics:
            id = ids.get(topic.slug, 0)
            newest = self._briefs(store.topics.newest(self._database, id, 1))
            total = store.topics.size(self._database, id)
            listed.append((topic, total, newest[0].shown_at if newest else None))
        slugs = {topic.slug for topic in self._look.topics}
        names = store.pages.paths_under(self._database, "topics/")
        gone = [name for name in names if name.count("/") > 1 and name.split("/")[1] not in slugs]
        if not listed:
            return Gathered(gone=[*gone, "topics/index.html"] if names else [])
        return Gathered(self._sections.topics(listed), gone)

    def _span(self, topic: Topic) -> tuple[date, date]:
        """The days that a topic's chart and links are about: its own, or the last of all."""
        last = min(topic.ends or self._today, self._today)
        first = max(topic.begins or last - timedelta(days=PULSE_DAYS - 1), last - LONGEST_PULSE)
        return min(first, last), last

    def _pulse_of(self, topic: Topic, id: int) -> list[Count]:
        first, last = self._span(topic)
        return store.activity.pulse(self._database, first, (last - first).days + 1, self._shift(), id)

    def _cited_in(self, topic: Topic, id: int) -> tuple[Cited, ...]:
        first, last = self._span(topic)
        until = self._midnight(last + timedelta(days=1))
        citations = store.activity.citations(self._database, self._midnight(first), until, id)
        window = (last - first) + timedelta(days=1)
        return most_cited(citations, min(until, self._now), MOST_CITED, max(window, timedelta(days=7)))

    # -- the rest ------------------------------------------------------------------------------------

    def _map(self, number: int) -> Gathered:
        after = number * MAP_SIZE - 1
        paths = store.entries.paths(self._database, after, after + MAP_SIZE)
        return Gathered(self._sections.sitemap(number, paths))

    def _maps(self, _: int) -> Gathered:
        names = store.pages.paths_under(self._database, "sitemaps/")
        return Gathered(self._sections.sitemaps(names))

    def _status(self, _: int) -> Gathered:
        first = self._today - timedelta(days=PULSE_DAYS - 1)
        pulse = store.activity.pulse(self._database, first, PULSE_DAYS, self._shift())
        health, blogs = store.health.health(self._database), store.feeds.blogs(self._database)
        return Gathered(self._sections.status(health, blogs, pulse, self._now))

    def _faces(self, _: int) -> Gathered:
        files = {f"faces/{name}": image for name, image in store.faces.images(self._database).items()}
        return Gathered(
            files, [name for name in store.pages.paths_under(self._database, "faces/") if name not in files]
        )

    # -- what several share --------------------------------------------------------------------------

    def _discussed(self, since: datetime, until: datetime, most: int) -> tuple[Discussed, ...]:
        rows = {
            id: (thoughts, blogs)
            for id, thoughts, blogs in store.activity.discussed(self._database, since, until, most)
        }
        return tuple(Discussed(post, *rows[post.id]) for post in self._briefs(list(rows)))

    def _briefs(self, ids: Sequence[int]) -> list[Post]:
        return store.entries.briefs(self._database, ids)

    def _between(self, first: date, after_last: date, limit: int) -> list[Post]:
        since, until = self._midnight(first), self._midnight(after_last)
        return self._briefs(store.chapters.between(self._database, since, until, limit))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone)

    def _shift(self) -> timedelta:
        return self._now.astimezone(self._zone).utcoffset() or timedelta(0)


def _newest_first(posts: Sequence[Post]) -> list[Post]:
    return sorted(posts, key=lambda post: (post.shown_at, post.id), reverse=True)


def _as_number(week: str) -> int:
    return int(week.replace("-", ""))


def _as_week(number: int) -> str:
    return f"{number // 100}-{number % 100:02}"

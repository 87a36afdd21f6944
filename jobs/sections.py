"""The sections of the site, each a kind and a number: what a section shows is gathered and rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from aggregator import diagnosis, store
from aggregator.digest import most_cited, week_of
from aggregator.overview import Cited, Doctor, Portrait, Roundup, Topic
from aggregator.site import topics_of
from aggregator.store.stale import Section, Spot
from jobs import weeks
from jobs.gather import PULSE_DAYS, Gathered, Gathering, as_number, newest_first

MOST_OF_A_MONTH = 1_000
MOST_OF_A_BLOG = 20
MOST_EXPLAINED = 20
MOST_MENTIONS = 50
MOST_CITED = 10
LONGEST_PULSE = timedelta(days=90)
# The newest of so many conversations that changed last are listed.
MOST_TALKS, MOST_COMPARED = 30, 60
MAP_SIZE = 10_000
# What shows something of all posts: rendered whenever any post changed.
ALWAYS: tuple[Section, ...] = (("talks", 0), ("blogs", 0), ("weeks", 0), ("topics", 0), ("status", 0))


def section(of: Gathering, kind: str, number: int) -> Gathered:
    """Render one section."""
    return _KINDS[kind](of, number)


def dependents(of: Gathering, ids: Sequence[int], spots: Sequence[Spot]) -> set[Section]:
    """Return the sections that show posts which stand, or stood, at these spots, or that were talked about."""
    days = [of.today, *map(of.day, store.activity.talked_about(of.database, ids))]
    found: set[Section] = {("week", as_number(week_of(day))) for day in days}
    for spot in spots:
        day = of.day(spot.shown_at)
        found |= {
            ("blog", spot.feed_id), ("month", day.year * 100 + day.month), ("week", as_number(week_of(day))),
            ("map", spot.id // MAP_SIZE),
        }  # fmt: skip
    found |= {("chapter", number) for number in store.chapters.at(of.database, (spot.shown_at for spot in spots))}
    return found


def _chapter(of: Gathering, number: int) -> Gathered:
    chapter = store.chapters.get(of.database, number)
    if chapter is None:
        return Gathered()
    posts = of.briefs(store.chapters.posts(of.database, chapter))
    has_newer = number < store.chapters.last(of.database)
    return Gathered(of.sections.chapter(chapter, posts, of.topics(posts), has_newer=has_newer))


def _month(of: Gathering, number: int) -> Gathered:
    month = date(number // 100, number % 100, 1)
    after = (month + timedelta(days=32)).replace(day=1)
    posts = of.between(month, after, MOST_OF_A_MONTH + 1)
    if not posts:
        return Gathered(gone=[f"archive/{month:%Y/%m}/index.html"])
    is_cut = len(posts) > MOST_OF_A_MONTH
    return Gathered(of.sections.month(month, posts[:MOST_OF_A_MONTH], is_cut=is_cut))


def _day(of: Gathering, number: int) -> Gathered:
    """The weeks in which a day of UTC lies here: something was talked about then that is gone."""
    noon = datetime.strptime(f"{number}12+0000", "%Y%m%d%H%z")
    days = {of.day(noon - timedelta(hours=12)), of.day(noon + timedelta(hours=12))}
    gathered = [weeks.section(of, number) for number in {as_number(week_of(day)) for day in days}]
    files = {name: content for each in gathered for name, content in each.files.items()}
    return Gathered(files, [name for each in gathered for name in each.gone])


def _months(of: Gathering, _: int) -> Gathered:
    names = store.pages.paths_under(of.database, "archive/")
    months = [date(int(name[8:12]), int(name[13:15]), 1) for name in names if name.count("/") == 3]
    return Gathered(of.sections.months(sorted(months, reverse=True)))


def _blog(of: Gathering, id: int) -> Gathered:
    blog = store.activity.named(of.database, [id]).get(id)
    if blog is None:
        slug = store.feeds.slug_of(of.database, id)
        return Gathered(gone=store.pages.paths_under(of.database, f"blogs/{slug}/") if slug else [])
    posts = of.briefs(store.feeds.newest_posts(of.database, id, MOST_OF_A_BLOG))
    portrait = Portrait(
        blog=blog,
        posts=tuple(posts),
        weeks=tuple(store.activity.weeks_of(of.database, id, of.now, 52)),
        answers=tuple(store.activity.answers_of(of.database, id)),
        answered_by=tuple(store.activity.answers_to(of.database, id)),
        doctor=_doctor(of, id),
    )
    texts = newest_first(store.entries.by_ids(of.database, [post.id for post in posts]))
    files = of.sections.blog(portrait, texts, of.topics(posts))
    mentions = store.moderation.of_blog(of.database, id, MOST_MENTIONS)
    return Gathered(files | of.renderer.blog_mentions(blog, mentions))


def _doctor(of: Gathering, id: int) -> Doctor:
    entries = store.health.newest_entries(of.database, id, MOST_EXPLAINED)
    health, polls = store.health.of_feed(of.database, id), store.polls.history(of.database, id)
    return Doctor(
        health=health,
        polls=tuple(polls),
        entries=tuple((entry, diagnosis.of_entry(entry, of.look.per_feed_per_day)) for entry in entries),
        advice=tuple(diagnosis.for_author(health, polls, entries)),
        seen_at=of.now,
    )


def _blogs(of: Gathering, _: int) -> Gathered:
    blogs = store.feeds.blogs(of.database)
    slugs = {blog.slug for blog in blogs}
    names = store.pages.paths_under(of.database, "blogs/")
    gone = [name for name in names if name.count("/") > 1 and name.split("/")[1] not in slugs]
    return Gathered(of.sections.blogs(blogs, of.now), gone)


def _topic(of: Gathering, id: int) -> Gathered:
    slugs = {number: slug for slug, number in store.topics.ids(of.database).items()}
    [*found] = topics_of(of.look, [slugs.get(id, "")])
    if not found:
        return Gathered()
    topic = found[0]
    posts = of.briefs(store.topics.newest(of.database, id, of.look.entries))
    roundup = Roundup(
        topic=topic,
        total=store.topics.size(of.database, id),
        posts=tuple(posts),
        pulse=tuple(of.pulse(id, *_span(of, topic))),
        cited=_cited_in(of, topic, id),
        ties=tuple(store.activity.ties_in(of.database, id)),
    )
    ids = [post.id for post in posts]
    texts = newest_first(store.entries.by_ids(of.database, ids))
    return Gathered(of.sections.topic(roundup, texts, store.mentions.thoughts(of.database, ids)))


def _topics(of: Gathering, _: int) -> Gathered:
    ids = store.topics.ids(of.database)
    listed = []
    for topic in of.look.topics:
        id = ids.get(topic.slug, 0)
        newest = of.briefs(store.topics.newest(of.database, id, 1))
        total = store.topics.size(of.database, id)
        listed.append((topic, total, newest[0].shown_at if newest else None))
    slugs = {topic.slug for topic in of.look.topics}
    names = store.pages.paths_under(of.database, "topics/")
    gone = [name for name in names if name.count("/") > 1 and name.split("/")[1] not in slugs]
    if not listed:
        return Gathered(gone=[*gone, "topics/index.html"] if names else [])
    return Gathered(of.sections.topics(listed), gone)


def _span(of: Gathering, topic: Topic) -> tuple[date, date]:
    """The days that a topic's chart and links are about: its own, or the last of all."""
    last = min(topic.ends or of.today, of.today)
    first = max(topic.begins or last - timedelta(days=PULSE_DAYS - 1), last - LONGEST_PULSE)
    return min(first, last), last


def _cited_in(of: Gathering, topic: Topic, id: int) -> tuple[Cited, ...]:
    first, last = _span(of, topic)
    until = of.midnight(last + timedelta(days=1))
    citations = store.activity.citations(of.database, of.midnight(first), until, id)
    window = (last - first) + timedelta(days=1)
    return most_cited(citations, min(until, of.now), MOST_CITED, max(window, timedelta(days=7)))


def _conversations(of: Gathering, _: int) -> Gathered:
    names = store.pages.newest_under(of.database, "conversations/", MOST_COMPARED)
    ids = [int(name.split("/")[1]) for name in names if name.count("/") == 2]
    found = [of.talk(store.conversations.around(of.database, id)) for id in ids]
    talks = [talk for talk in found if talk]
    talks.sort(key=lambda talk: max((post.shown_at, post.id) for post in talk.posts), reverse=True)
    return Gathered(of.sections.conversations(talks[:MOST_TALKS]))


def _map(of: Gathering, number: int) -> Gathered:
    after = number * MAP_SIZE - 1
    paths = store.entries.paths(of.database, after, after + MAP_SIZE)
    return Gathered(of.sections.sitemap(str(number), paths))


def _maps(of: Gathering, _: int) -> Gathered:
    pages = [""] + [
        name.removesuffix("index.html")
        for folder in _MAPPED
        for name in store.pages.paths_under(of.database, folder)
        if name.endswith("/index.html")
    ]
    names = {*store.pages.paths_under(of.database, "sitemaps/"), f"sitemaps/{_PAGES_MAP}.xml"}
    return Gathered(of.sections.sitemap(_PAGES_MAP, pages) | of.sections.sitemaps(sorted(names)))


_PAGES_MAP = "pages"
_MAPPED = ("about/", "archive/", "blogs/", "conversations/", "page/", "topics/", "weekly/")


def _status(of: Gathering, _: int) -> Gathered:
    health, blogs = store.health.health(of.database), store.feeds.blogs(of.database)
    return Gathered(of.sections.status(health, blogs, of.pulse(), of.now))


def _faces(of: Gathering, _: int) -> Gathered:
    files = {f"faces/{name}": image for name, image in store.faces.images(of.database).items()}
    return Gathered(files, [name for name in store.pages.paths_under(of.database, "faces/") if name not in files])


_KINDS: dict[str, Callable[[Gathering, int], Gathered]] = {
    "chapter": _chapter,
    "day": _day,
    "month": _month,
    "months": _months,
    "week": weeks.section,
    "weeks": weeks.weeks,
    "talks": _conversations,
    "blog": _blog,
    "blogs": _blogs,
    "topic": _topic,
    "topics": _topics,
    "map": _map,
    "maps": _maps,
    "status": _status,
    "faces": _faces,
}

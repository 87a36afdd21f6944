"""The pages that gather posts: by time, blog, topic and week, what was searched for, and how the feeds are doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode

from markupsafe import Markup

from aggregator.model import Blog, Conversation, FeedHealth, Post, Thought
from aggregator.overview import Chapter, Count, Portrait, Roundup, Topic, Week
from aggregator.site import feeds
from aggregator.site.days import days
from aggregator.site.feeds import Channel, Item
from aggregator.site.templating import Templates

QUIET = timedelta(days=180)
MOST_LISTED = 1_000

Topics = Mapping[int, Sequence[Topic]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader searches for, as the form has it; pages count from 1."""

    words: str = ""
    blog: str = ""
    topic: str = ""
    time: str = ""
    best_first: bool = False
    page: int = 1

    @property
    def as_query(self) -> str:
        """Return it as the query of an address, without the page."""
        parts = {"q": self.words, "blog": self.blog, "topic": self.topic, "in": self.time}
        parts["sort"] = "best" if self.best_first else ""
        return urlencode({name: value for name, value in parts.items() if value})


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A post that was found; of the snippet every second part holds the words that were searched for."""

    post: Post
    snippet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchHits:
    """One page of what was found, and how much there is."""

    found: tuple[SearchHit, ...]
    total: int


class Sections:
    """Renders these pages with one set of templates."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._page = templates.page
        self._masthead = templates.look.masthead
        self._zone = templates.speech.zone

    def chapter(self, chapter: Chapter, posts: Sequence[Post], topics: Topics, *, has_newer: bool) -> dict[str, bytes]:
        """Return one of the numbered pages of the river."""
        groups = days(posts, self._zone, self._templates.look.per_feed_per_day)
        page = self._page("chapter.html", here="river", chapter=chapter, groups=groups, topics=topics, newer=has_newer)
        return {f"{chapter.path[1:]}index.html": page}

    def month(self, month: date, posts: Sequence[Post], *, is_cut: bool) -> dict[str, bytes]:
        """Return the titles of one month, by day."""
        more = len(posts) if is_cut else 0
        page = self._page("month.html", month=month, groups=days(posts, self._zone), more=more)
        return {f"archive/{month:%Y/%m}/index.html": page}

    def months(self, months: Sequence[date]) -> dict[str, bytes]:
        """Return the page that leads to all months, newest first."""
        years = [(year, list(group)) for year, group in groupby(months, key=lambda month: month.year)]
        return {"archive/index.html": self._page("months.html", years=years)}

    def blog(self, portrait: Portrait, texts: Sequence[Post], topics: Topics) -> dict[str, bytes]:
        """Return a blog's page and its feeds; `texts` are its newest posts with their texts."""
        blog = portrait.blog
        folder = blog.path[1:]
        page = self._page(
            "blog.html",
            here="blogs",
            portrait=portrait,
            groups=days(portrait.posts, self._zone),
            topics=topics,
            feeds=[(folder, blog.name)],
        )
        base = f"{self._masthead.url}{folder}"
        channel = Channel(f"{blog.name} · {self._masthead.title}", base, base)
        items = feeds.of_posts(self._templates, texts)
        return {f"{folder}index.html": page, **feeds.files(self._templates, folder, channel, items)}

    def blogs(self, blogs: Sequence[Blog], now: datetime) -> dict[str, bytes]:
        """Return the list of all blogs, the blogrolls for programs, and the about page."""
        groups: dict[str, list[Blog]] = {"lately": [], "quiet": [], "off": []}
        for blog in blogs:
            is_quiet = blog.posted_at is not None and now - blog.posted_at > QUIET
            groups["off" if not blog.enabled else "quiet" if is_quiet else "lately"].append(blog)
        enabled = [*groups["lately"], *groups["quiet"]]
        return {
            "blogs/index.html": self._page("blogs.html", here="blogs", blogs=blogs, groups=groups),
            "opml.xml": self._page("opml.xml", blogs=enabled),
            "foaf.rdf": self._page("foaf.rdf", blogs=enabled),
            "about/index.html": self._page("about.html", here="about", blogs=blogs),
        }

    def conversations(self, talks: Sequence[Conversation]) -> dict[str, bytes]:
        """Return the list of conversations, and who takes part in each."""
        voices = {talk.id: list({post.blog.id: post.blog for post in talk.posts}.values()) for talk in talks}
        page = self._page("conversations.html", here="talks", talks=talks, voices=voices)
        return {"conversations/index.html": page}

    def topic(
        self, roundup: Roundup, texts: Sequence[Post], thoughts: Mapping[int, Sequence[Thought]]
    ) -> dict[str, bytes]:
        """Return a topic's page and its feeds; `texts` are its newest posts with their texts."""
        topic = roundup.topic
        folder = topic.path[1:]
        page = self._page(
            "topic.html",
            here="topics",
            roundup=roundup,
            groups=days(roundup.posts, self._zone, self._templates.look.per_feed_per_day),
            echoes=thoughts,
            feeds=[(folder, topic.name)],
        )
        base = f"{self._masthead.url}{folder}"
        channel = Channel(f"{topic.name} · {self._masthead.title}", base, base)
        items = feeds.of_posts(self._templates, texts)
        return {f"{folder}index.html": page, **feeds.files(self._templates, folder, channel, items)}

    def topics(self, topics: Sequence[tuple[Topic, int, datetime | None]]) -> dict[str, bytes]:
        """Return the list of topics, each with how many posts it has and when the newest came."""
        return {"topics/index.html": self._page("topics.html", here="topics", topics=topics)}

    def week(self, week: Week, texts: Sequence[Post], *, earlier: str, later: str) -> dict[str, bytes]:
        """Return a week's page, its mail, and the feeds of its posts."""
        folder = week.path[1:]
        page = self._page(
            "week.html",
            here="weekly",
            week=week,
            earlier=earlier,
            later=later,
            feeds=[("weekly/", self._weekly_title())],
        )
        html, text = self.mail(week)
        base = f"{self._masthead.url}{folder}"
        channel = Channel(f"{self._week_title(week)} · {self._masthead.title}", base, base)
        items = feeds.of_posts(self._templates, texts)
        return {
            f"{folder}index.html": page,
            f"{folder}mail.html": html.encode(),
            f"{folder}mail.txt": text.encode(),
            **feeds.files(self._templates, folder, channel, items),
        }

    def mail(self, week: Week) -> tuple[str, str]:
        """Return a week as the body of a mail: HTML and text."""
        html = self._templates.text("mail.html", week=week, digest=self._digest(week))
        return html, self._templates.text("mail.txt", week=week)

    def weeks(self, weeks: Sequence[Week], older: Sequence[str]) -> dict[str, bytes]:
        """Return the list of weeks, newest first, and the feed that has an item for each week that is over."""
        title = self._weekly_title()
        page = self._page("weeks.html", here="weekly", weeks=weeks, older=older, feeds=[("weekly/", title)])
        base = f"{self._masthead.url}weekly/"
        items = [self._week_item(week) for week in weeks[1:]]
        return {
            "weekly/index.html": page,
            **feeds.files(self._templates, "weekly/", Channel(title, base, base), items),
        }

    def _week_item(self, week: Week) -> Item:
        at = week.updated_at or datetime.combine(week.last_day, datetime.min.time(), self._zone)
        title = self._week_title(week)
        url = f"{self._masthead.url}{week.path[1:]}"
        html = str(self._digest(week)) or f"<p>{title}</p>"
        return Item(f"{url}#digest", title, url, self._masthead.title, at, at, html=html)

    def _digest(self, week: Week) -> str:
        return Markup(self._templates.text("digest.html", week=week, base=self._masthead.url))  # noqa: S704

    def _week_title(self, week: Week) -> str:
        gettext = self._templates.speech.translations.gettext
        return gettext("Week of %(day)s") % {"day": self._templates.speech.short_day(week.first_day)}

    def _weekly_title(self) -> str:
        return self._templates.speech.translations.gettext("%(planet)s, week by week") % {
            "planet": self._masthead.title
        }

    def status(
        self, feeds_health: Sequence[FeedHealth], blogs: Sequence[Blog], pulse: Sequence[Count], now: datetime
    ) -> dict[str, bytes]:
        """Return the page that tells how all feeds are doing, those with problems first."""
        counted = Counter(_at_a_glance(health, now) for health in feeds_health)
        shown = [replace(health, health=_at_a_glance(health, now)) for health in feeds_health[:MOST_LISTED]]
        by_url = {blog.url: blog for blog in blogs}
        page = self._page(
            "status.html",
            feeds_health=[(health, by_url.get(health.url)) for health in shown],
            counts=counted.most_common(),
            more=len(feeds_health) - len(shown),
            pulse=pulse,
            seen_at=now,
        )
        return {"status/index.html": page}

    def sitemap(self, name: str, paths: Sequence[str]) -> dict[str, bytes]:
        """Return one part of the sitemap."""
        return {f"sitemaps/{name}.xml": self._page("sitemap.xml", paths=paths)}

    def sitemaps(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the list of the parts of the sitemap."""
        return {"sitemap.xml": self._page("sitemaps.xml", names=names)}

    def search(
        self,
        asked: Asked,
        hits: SearchHits | None,
        blogs: Sequence[Blog],
        *,
        per_page: int,
        most: int,
        problem: str = "",
    ) -> bytes:
        """Return the search form, with what was found."""
        has_more = hits is not None and asked.page * per_page < hits.total
        return self._page(
            "search.html", asked=asked, hits=hits, blogs=blogs, has_more=has_more, most=most, problem=problem
        )

    def search_feed(self, asked: Asked, posts: Sequence[Post], format: str) -> bytes:
        """Return what was found as a feed in one of `feeds.FORMATS`."""
        title = f"{asked.words} · {self._masthead.title}"
        base = f"{self._masthead.url}search"
        channel = Channel(title, f"{base}/", f"{base}?{asked.as_query}", query=asked.as_query)
        return feeds.rendered(self._templates, channel, feeds.of_posts(self._templates, posts), format)


def _at_a_glance(health: FeedHealth, now: datetime) -> str:
    """What a page calls the health of a feed: "moved" and "silent" are kinds of being well."""
    if health.health != "healthy":
        return health.health
    if health.address:
        return "moved"
    return "silent" if health.newest_post and now - health.newest_post > QUIET else "healthy"

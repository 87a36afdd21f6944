"""Gather a week: what was discussed, linked to and new, and who came back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator import store
from aggregator.digest import first_day_of, most_cited
from aggregator.model import Post
from aggregator.overview import Return, Week
from jobs.gather import Gathered, Gathering, as_number, as_week, newest_first

MOST_DISCUSSED, MOST_CITED, MOST_NEW = 10, 10, 12
WEEKS_TOLD = 8
SILENCE = timedelta(days=180)


def gathered(of: Gathering, number: str) -> Week:
    """Gather one week."""
    first = first_day_of(number)
    since, until = of.midnight(first), of.midnight(first + timedelta(days=7))
    posts, blogs, thoughts = store.activity.volume(of.database, since, until)
    seen_until = min(until, of.now)
    cited = most_cited(store.activity.citations(of.database, since, until), seen_until, MOST_CITED)
    newcomers = store.activity.newcomers(of.database, since, until, MOST_NEW)
    by_id = store.activity.named(of.database, newcomers)
    return Week(
        number,
        first,
        first + timedelta(days=6),
        posts,
        thoughts,
        blogs,
        discussed=of.discussed(since, until, MOST_DISCUSSED),
        cited=cited,
        new=tuple(by_id[id] for id in newcomers if id in by_id),
        back=_returned(of, since, until),
        updated_at=until,
    )


def section(of: Gathering, number: int) -> Gathered:
    """Render one week's pages."""
    name = as_week(number)
    week = of.weeks[name] = gathered(of, name)
    if not week.posts and not week.thoughts:
        folder = f"weekly/{name}/"
        return Gathered(gone=store.pages.paths_under(of.database, folder))
    texts = store.entries.by_ids(of.database, [post.id for post in _of_week(of, week)])
    known = [each for each in _known_weeks(of.database) if each != name]
    earlier = max((each for each in known if each < name), default="")
    later = min((each for each in known if each > name), default="")
    return Gathered(of.sections.week(week, newest_first(texts), earlier=earlier, later=later))


def weeks(of: Gathering, _: int) -> Gathered:
    """Render the list of weeks."""
    known = sorted(_known_weeks(of.database), reverse=True)
    for number in known[:WEEKS_TOLD]:
        if number not in of.weeks:
            of.weeks[number] = gathered(of, number)
    weeks = [of.weeks[number] for number in known[:WEEKS_TOLD]]
    return Gathered(of.sections.weeks(weeks, known[WEEKS_TOLD:]))


def beside(database: Database, name: str) -> list[int]:
    """Return the numbers of the weeks whose pages lead to a week's, or should."""
    known = _known_weeks(database)
    earlier, later = [each for each in known if each < name], [each for each in known if each > name]
    return [as_number(each) for each in (max(earlier, default=""), min(later, default="")) if each]


def _known_weeks(database: Database) -> list[str]:
    names = store.pages.paths_under(database, "weekly/")
    return [name.split("/")[1] for name in names if name.count("/") == 2 and name.endswith("/index.html")]


def _of_week(of: Gathering, week: Week) -> list[Post]:
    return of.between(week.first_day, week.last_day + timedelta(days=1), of.look.entries)


def _returned(of: Gathering, since: datetime, until: datetime) -> tuple[Return, ...]:
    rows = dict(store.activity.returned(of.database, since, until, SILENCE))
    return tuple(Return(post.blog, post, rows[post.id]) for post in of.briefs(list(rows)))

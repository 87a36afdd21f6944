"""The newsletter: signed up for by two steps, sent once, left by one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlite_utils import Database

from aggregator import store
from aggregator.config import parse
from aggregator.errors import ConfigBroken, MailFailed
from aggregator.model import Masthead
from aggregator.outbound import MailServer, conversation
from jobs.newsletter import PAUSES, Issue, Letters, Newsletter, newest_issue
from tests.builders import NOON
from tests.farm import Farm, eventually
from tests.mailbox import Mailbox, mailbox
from tests.test_processes import Running

ISSUE = Issue("2026-47", "Planet: the week", "The week.\n", "<html><body><p>The week.</p></body></html>")
LETTERS = Letters(Masthead("Planet Test", "https://planet.test/"), "news@planet.test")


@pytest.fixture
def post() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made


def newsletter(database: Database, box: Mailbox) -> Newsletter:
    connect = partial(conversation, MailServer("127.0.0.1", box.port, tls=False))
    return Newsletter(database, LETTERS, connect, {ISSUE.name: ISSUE}.get)


def count(here: Running, what: str) -> int:
    with closing(sqlite3.connect(here.folder / "data" / "planet.db")) as database:
        return int(database.execute(f"SELECT count(*) FROM {what}").fetchone()[0])


def signed_up(database: Database, *addresses: str, at: datetime = NOON) -> None:
    with store.transaction(database):
        for address in addresses:
            store.newsletter.sign_up(database, address, f"token of {address}", at)


def confirmed(database: Database, *addresses: str) -> None:
    signed_up(database, *addresses)
    with store.transaction(database):
        for address in addresses:
            store.newsletter.confirm(database, f"token of {address}", NOON)


def state(database: Database) -> dict[str, str]:
    return dict(database.execute("SELECT address, state FROM delivery").fetchall())


def test_who_signs_up_is_asked_once_and_gets_nothing_before_they_confirm(database: Database, post: Mailbox) -> None:
    signed_up(database, "ann@a.test")
    signed_up(database, "ann@a.test", at=NOON + timedelta(hours=1))

    sent = [newsletter(database, post).run(ISSUE.name, NOON) for _ in range(2)]

    [mail] = post.mails
    assert sent == [1, 0]
    assert mail["To"] == "ann@a.test"
    assert "https://planet.test/newsletter/confirm/token of ann@a.test" in mail.get_content()


def test_who_asks_again_and_again_gets_three_mails_in_all(database: Database, post: Mailbox) -> None:
    for days in range(6):
        signed_up(database, "ann@a.test", at=NOON + timedelta(days=days))
        newsletter(database, post).run(ISSUE.name, NOON + timedelta(days=days))

    assert len(post.mails) == 3


def test_who_does_not_confirm_is_forgotten_within_a_week(database: Database, post: Mailbox) -> None:
    signed_up(database, "ann@a.test")
    confirmed(database, "bob@b.test")

    newsletter(database, post).run("", NOON + timedelta(days=8))

    assert store.newsletter.counts(database) == (1, 0)


def test_issue_goes_once_to_each_with_a_way_to_leave(database: Database, post: Mailbox) -> None:
    confirmed(database, "ann@a.test", "bob@b.test")

    sent = [newsletter(database, post).run(ISSUE.name, NOON + timedelta(hours=hours)) for hours in range(3)]

    assert sent == [2, 0, 0]
    assert sorted(post.recipients) == ["ann@a.test", "bob@b.test"]
    mail = next(mail for mail in post.mails if mail["To"] == "ann@a.test")
    leave = "https://planet.test/newsletter/leave/token of ann@a.test"
    assert mail["List-Unsubscribe"] == f"<{leave}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["From"] == "Planet Test <news@planet.test>"
    text, html = mail.iter_parts()
    assert text.get_content().splitlines() == ["The week.", "", f"No more of this: {leave}"]
    assert f'<a href="{leave}">No more of this</a></p></body>' in html.get_content()


def test_who_joins_after_an_issue_has_begun_gets_the_next(database: Database, post: Mailbox) -> None:
    newsletter(database, post).run(ISSUE.name, NOON)
    confirmed(database, "ann@a.test")

    newsletter(database, post).run(ISSUE.name, NOON)

    assert post.mails == []


def test_who_leaves_is_forgotten_and_gets_nothing_more(database: Database, post: Mailbox) -> None:
    confirmed(database, "ann@a.test")
    with store.transaction(database):
        store.newsletter.begin_issue(database, ISSUE.name, NOON)
        store.newsletter.sign_off(database, "token of ann@a.test")

    newsletter(database, post).run(ISSUE.name, NOON)

    assert post.mails == []
    assert "ann@a.test" not in str([*database.query("SELECT * FROM reader"), *database.query("SELECT * FROM delivery")])


def test_mail_server_that_is_down_loses_nothing(database: Database, post: Mailbox) -> None:
    confirmed(database, "ann@a.test")
    signed_up(database, "bob@b.test")
    down = Newsletter(
        database, LETTERS, lambda: conversation(MailServer("127.0.0.1", 9, tls=False)), {ISSUE.name: ISSUE}.get
    )

    with pytest.raises(MailFailed):
        down.run(ISSUE.name, NOON)
    with pytest.raises(MailFailed):
        down.run(ISSUE.name, NOON)
    newsletter(database, post).run(ISSUE.name, NOON + PAUSES[0])

    assert sorted(post.recipients) == ["ann@a.test", "bob@b.test"]


def test_address_that_is_refused_for_now_is_tried_with_growing_pauses_and_given_up(
    database: Database, post: Mailbox
) -> None:
    post.refused["ann@a.test"] = "450 come again"
    confirmed(database, "ann@a.test", "bob@b.test")
    now = NOON

    for pause in (*PAUSES, timedelta(0)):
        assert newsletter(database, post).run(ISSUE.name, now - timedelta(seconds=1)) == 0 or now == NOON
        newsletter(database, post).run(ISSUE.name, now)
        now += pause

    assert state(database) == {"ann@a.test": "given up", "bob@b.test": "sent"}
    assert post.recipients == ["bob@b.test"]


def test_address_that_refuses_three_issues_is_off_the_list(database: Database, post: Mailbox) -> None:
    post.refused["ann@a.test"] = "550 no such user"
    confirmed(database, "ann@a.test", "bob@b.test")
    connect = partial(conversation, MailServer("127.0.0.1", post.port, tls=False))
    issues = {name: Issue(name, "s", "t", "") for name in ("1", "2", "3")}
    made = Newsletter(database, LETTERS, connect, issues.get)

    left = []
    for name in issues:
        made.run(name, NOON)
        left.append(store.newsletter.counts(database)[0])

    assert left == [2, 2, 1]


def test_planet_that_is_killed_while_it_sends_sends_nothing_twice(database: Database, post: Mailbox) -> None:
    confirmed(database, "ann@a.test")

    with store.transaction(database):
        store.newsletter.begin_issue(database, ISSUE.name, NOON)
        store.newsletter.take(database, ISSUE.name, NOON, 10)  # and then the power is cut

    newsletter(database, post).run(ISSUE.name, NOON + timedelta(days=1))

    assert post.mails == []


@pytest.mark.parametrize(
    ("now", "issue"),
    [
        (datetime(2026, 11, 23, 5, 59, tzinfo=UTC), "2026-46"),
        (datetime(2026, 11, 23, 6, 0, tzinfo=UTC), "2026-47"),
        (datetime(2026, 11, 29, 23, 0, tzinfo=UTC), "2026-47"),
        (datetime(2027, 1, 4, 12, 0, tzinfo=UTC), "2026-53"),
    ],
)
def test_issue_of_a_week_goes_out_on_the_monday_after(now: datetime, issue: str) -> None:
    assert newest_issue(now, "UTC") == issue


def test_newsletter_without_a_mail_server_is_a_mistake() -> None:
    planet = '[planet]\ntitle = "T"\nurl = "http://p.test/"\n'
    text = f'{planet}[newsletter]\nfrom = "a@p.test"\n[[feeds]]\nurl = "http://a.test/"\n'

    with pytest.raises(ConfigBroken, match=r"needs a server: add \[smtp\] with its host"):
        parse(text, Path("feeds.toml"))


def test_reader_signs_up_confirms_and_leaves_on_a_planet_at_work(tmp_path: Path, web: Farm, post: Mailbox) -> None:
    more = f'[newsletter]\nfrom = "news@planet.test"\n[smtp]\nhost = "127.0.0.1"\nport = {post.port}\ntls = false\n'
    here = Running(tmp_path, web, more=more)
    try:
        eventually(here.has("Question"))
        form = here.get("newsletter")
        wrong = requests.post(f"{here.url}newsletter", data={"address": "no address"}, timeout=5)
        answers = [
            requests.post(f"{here.url}newsletter", data={"address": "ann@A.Test"}, timeout=5).text for _ in range(2)
        ]
        eventually(lambda: post.mails, 20)
        link = re.search(r"http\S+/newsletter/confirm/\S+", post.mails[0].get_content())
        assert link is not None
        looked = requests.get(link[0], timeout=5)
        before = count(here, "reader WHERE confirmed_at IS NOT NULL")
        requests.post(link[0], timeout=5)
        after = count(here, "reader WHERE confirmed_at IS NOT NULL")
        left = requests.post(link[0].replace("/confirm/", "/leave/"), data={"List-Unsubscribe": "One-Click"}, timeout=5)

        assert 'type="email"' in form.text
        assert (wrong.status_code, "This is no mail address." in wrong.text) == (400, True)
        assert answers[0] == answers[1]
        assert post.recipients == ["ann@a.test"]
        assert ("<button>Confirm</button>" in looked.text, before, after) == (True, 0, 1)
        assert (left.status_code, count(here, "reader")) == (200, 0)
        assert here.get("newsletter/leave/unknown").status_code == 404
    finally:
        here.end()


def test_planet_without_a_newsletter_has_no_form(tmp_path: Path, web: Farm) -> None:
    here = Running(tmp_path, web, "serve")
    try:
        eventually(here.has("waking up"))

        assert here.get("newsletter").status_code == 503
    finally:
        here.end()

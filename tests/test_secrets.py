"""Addresses that are secrets, of the operator and of who reads the newsletter, and who these are: nothing tells them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlite_utils import Database

from aggregator import store
from aggregator.errors import MailFailed
from aggregator.model import Masthead
from aggregator.outbound import MailServer, conversation
from jobs.newsletter import Letters, Newsletter
from tests.builders import NOON
from tests.farm import Farm, eventually
from tests.mailbox import Mailbox, mailbox
from tests.test_processes import ME, Running

COMMANDS = (["status"], ["status", "--json"], ["mentions", "list"], ["check"], ["export"], ["poll", "--json"])


@pytest.fixture
def post() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made


def told(here: Running, *words: str) -> str:
    done = subprocess.run(
        [*ME, *words, "--config", str(here.config)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def ask(here: Running, *addresses: str) -> list[requests.Response]:
    """Ask in every way for addresses, and for what looks like them."""
    return [
        requests.request(method, f"{address}{more}", timeout=10, headers={"Referer": address})
        for address in addresses
        for more in ("", "/", "?x=1", "x")
        for method in ("GET", "HEAD", "PUT")
    ]


def test_no_secret_address_is_in_logs_pages_figures_or_what_commands_say(
    tmp_path: Path, web: Farm, elsewhere: Farm, post: Mailbox
) -> None:
    more = f'[newsletter]\nfrom = "news@planet.test"\n[smtp]\nhost = "127.0.0.1"\nport = {post.port}\ntls = false\n'
    here = Running(tmp_path, web, "run --verbose", more=more)
    try:
        eventually(here.has("Question"))
        here.ping(elsewhere.html("/stranger", f'<title>Stranger</title><a href="{here.post_url}">x</a>'))
        held = told(here, "mentions", "feed").strip()
        eventually(lambda: "Stranger" in requests.get(held, timeout=10).text, 30)
        for address in ("ann@a.test", "bob@b.test"):
            requests.post(f"{here.url}newsletter", data={"address": address}, timeout=10)
        eventually(lambda: len(post.mails) == 2, 30)
        links = [
            found[0]
            for mail in post.mails
            if (found := re.search(r"http\S+/newsletter/confirm/\S+", mail.get_content()))
        ]
        secrets = [held.split("/")[-2], *(link.rpartition("/")[2] for link in links)]

        for link in links:
            ask(here, link)
            requests.post(link, timeout=10)
        ask(here, held, *(link.replace("/confirm/", "/leave/") for link in links))
        with closing(sqlite3.connect(tmp_path / "data" / "planet.db")) as database:  # trouble is told, too
            database.execute("BEGIN IMMEDIATE")
            in_trouble = requests.post(links[0].replace("/confirm/", "/leave/"), timeout=20)
        pages = [here.get(path).text for path in ("", "status/", "metrics", "healthz", "newsletter", "search?q=x")]
        said = [told(here, *words) for words in COMMANDS]
        confidential = [requests.get(address, timeout=10) for address in (held, links[1])]
    finally:
        here.end()

    published = [
        path.read_text("utf-8", "replace") for path in (tmp_path / "data" / "public").rglob("*") if path.is_file()
    ]
    assert len(set(secrets)) == 3
    assert in_trouble.status_code == 503
    assert len(published) > 20
    for private in (*secrets, "ann@a.test", "bob@b.test"):
        assert private not in here.logged()
        assert not [text for text in (*pages, *said, *published) if private in text]
    for answer in confidential:  # nor does a browser tell it to the next page, or keep it
        assert answer.status_code == 200
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", ["554 5.7.1", "421 4.7.0"])
def test_a_mail_server_that_repeats_a_mail_tells_nobody_of_it(
    database: Database, post: Mailbox, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    def refuse(mail: EmailMessage) -> str:
        link = re.search(r"http\S+", mail.get_content())
        assert link is not None
        return f"{status} to {mail['To']}: {'this is spam ' * 8}{link[0]} {link[0]}"

    post.refuses = refuse
    letters = Letters(Masthead("Planet Test", "https://planet.test/"), "news@planet.test")
    connect = partial(conversation, MailServer("127.0.0.1", post.port, tls=False))
    caplog.set_level("DEBUG", "planet")
    with store.transaction(database):
        store.newsletter.sign_up(database, "ann@a.test", "T" * 24, NOON)

    words = ""
    try:
        Newsletter(database, letters, connect, lambda _: None).run("", NOON)
    except MailFailed as error:
        words = str(error)
    # The mail server of this test logs in the same process, whatever the level that another test has left.
    words += "".join(record.getMessage() for record in caplog.records if record.name.startswith("planet"))

    assert "this is spam" in words
    for private in ("ann@a.test", "TT"):
        assert private not in words

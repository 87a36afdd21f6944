"""What the operator is told, once, by a real mail server and a real webhook."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from aggregator import notices, store
from aggregator.cli import main
from aggregator.config import parse
from aggregator.errors import ConfigBroken, NoticeFailed, StoreReadOnly
from aggregator.model import Masthead, Notice
from jobs import equipment
from jobs.notify import channels, notify
from tests.farm import Farm, Reply
from tests.mailbox import PASSWORD, Mailbox, mailbox
from tests.world import World, feed_at

Worlds = Callable[..., World]


@pytest.fixture
def post() -> Iterator[Mailbox]:
    with mailbox() as made:
        yield made


def by_mail(box: Mailbox, more: str = "tls = false\n") -> str:
    return f'[notify]\nmail = "op@planet.test"\n[smtp]\nhost = "127.0.0.1"\nport = {box.port}\n{more}'


def told(here: World) -> int:
    with equipment.engine_for(here.planet) as engine:
        return notify(here.database, channels(here.planet, engine), here.now)


def failing(world: Worlds, web: Farm, more: str) -> World:
    web.routes["/feed"] = Reply(status=500)
    here = world(f"{web.url}/feed", more=more)
    here.poll()
    return here


def test_feed_that_breaks_is_told_after_three_days_and_once(world: Worlds, web: Farm, post: Mailbox) -> None:
    here = failing(world, web, by_mail(post))

    counts = [told(here), told(here.later(days=2)), told(here.later(days=2)), told(here.later(days=30))]

    assert counts == [0, 0, 1, 0]
    [mail] = post.mails
    assert mail["To"] == "op@planet.test"
    assert mail["From"] == "planet@planet.test"
    assert mail["Subject"] == "Planet Test: 1 feed is broken"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"has not been read since 2026-11-22: the server answers with status 500. planet explain {web.url}/feed" in (
        " ".join(mail.get_content().split())
    )


def test_nothing_is_told_where_it_cannot_be_noted_that_it_was(world: Worlds, web: Farm, post: Mailbox) -> None:
    here = failing(world, web, by_mail(post))
    here.later(days=4)
    here.database.execute("PRAGMA query_only = ON")

    for _ in range(3):
        with pytest.raises(StoreReadOnly):
            told(here)
    here.database.execute("PRAGMA query_only = OFF")

    assert not post.mails
    assert told(here) == 1


def test_feed_that_breaks_again_is_told_again(world: Worlds, web: Farm, post: Mailbox) -> None:
    here = failing(world, web, by_mail(post))
    told(here.later(days=4))
    feed_at(web, ("/1", "One", "x"))
    here.later(days=8).poll()
    told(here)
    web.routes["/feed"] = Reply(status=500)
    here.later(days=2).poll()

    assert told(here.later(days=4)) == 1
    assert len(post.mails) == 2


def test_moved_quarantined_and_retired_feeds_are_told_with_what_to_do(world: Worlds, web: Farm, post: Mailbox) -> None:
    here = world(*(f"{web.url}/{n}" for n in range(3)), more=by_mail(post))
    with store.transaction(here.database):
        here.database.execute(
            "UPDATE feed SET address = 'http://new.test/', address_why = 'moved' WHERE url LIKE '%/0'"
        )
        here.database.execute("UPDATE feed SET quarantine = 'strange words' WHERE url LIKE '%/1'")
        here.database.execute("UPDATE feed SET retired_at = '2026-11-20T00:00:00.000000Z' WHERE url LIKE '%/2'")

    assert told(here) == 3

    [mail] = post.mails
    text = " ".join(mail.get_content().split())
    subject = "Planet Test: 1 feed has moved, 1 feed is in quarantine, 1 feed is gone for good"
    assert " ".join(mail["Subject"].split()) == subject
    for said in ("planet check --fix", f"planet release {web.url}/1", f"planet remove {web.url}/2"):
        assert said in text


def test_linkbacks_that_wait_are_told_daily_at_most_and_only_when_new(world: Worlds, web: Farm, post: Mailbox) -> None:
    here = world(feed_at(web, ("/1", "One", "x")), more=by_mail(post))
    here.poll()

    def linked(name: str) -> None:
        with store.transaction(here.database):
            here.database.execute(
                "INSERT INTO linkback (token, entry_id, source, source_key, source_host, target, protocols, status,"
                " received_at, asked_at, settled_at) VALUES (?, 1, ?, ?, 's.test', '', '[]', 'held', '', '', ?)",
                [name, name, name, here.now.strftime("%Y-%m-%dT%H:%M:%S.000000Z")],
            )

    linked("a")
    counts = [told(here)]
    here.later(minutes=1)
    linked("b")
    counts += [told(here.later(hours=1)), told(here.later(hours=24)), told(here.later(hours=48))]

    assert counts == [1, 0, 1, 0]
    assert ["1 linkback waits" in post.mails[0].get_content(), "2 linkbacks wait" in post.mails[1].get_content()] == [
        True,
        True,
    ]


def test_webhook_gets_the_same_as_json(world: Worlds, web: Farm) -> None:
    web.routes["/hook"] = Reply(status=204)
    here = failing(world, web, f'[notify]\nwebhook = "{web.url}/hook"\n')

    assert told(here.later(days=4)) == 1

    [seen] = [seen for seen in web.seen if seen.path == "/hook"]
    said = json.loads(seen.body)
    assert (seen.method, seen.headers["content-type"]) == ("POST", "application/json")
    assert said["notices"][0]["what"] == "broken"
    assert said["notices"][0]["about"] == f"{web.url}/feed"
    assert said["text"].startswith("Planet Test: 1 feed is broken\n")


def test_channel_that_fails_is_tried_again_and_the_other_is_not_told_twice(
    world: Worlds, web: Farm, post: Mailbox
) -> None:
    more = by_mail(post).replace("[notify]\n", f'[notify]\nwebhook = "{web.url}/hook"\n')
    here = failing(world, web, more).later(days=4)

    with pytest.raises(NoticeFailed, match="the webhook answers with status 404"):
        told(here)
    web.routes["/hook"] = Reply()
    again = told(here)

    assert again == 1
    assert len(post.mails) == 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("tls = true\n", "can't do what .smtp. asks for: STARTTLS"),
        ('tls = false\nuser = "op"\npassword_file = "secret"\n', "does not take user and password: 535"),
        ('tls = false\npassword_file = "nowhere"\n', "password_file: .*nowhere can't be read"),
    ],
)
def test_mail_that_cannot_leave_says_why(
    world: Worlds, web: Farm, post: Mailbox, tmp_path: Path, more: str, why: str
) -> None:
    (tmp_path / "secret").write_text("wrong")
    here = failing(world, web, by_mail(post, more)).later(days=4)

    with pytest.raises(NoticeFailed, match=why):
        told(here)


def test_server_that_is_down_or_refuses_the_address_is_named(world: Worlds, web: Farm, post: Mailbox) -> None:
    post.refused["op@planet.test"] = "550 no such user"
    here = failing(world, web, by_mail(post)).later(days=4)

    with pytest.raises(NoticeFailed, match="does not take mail for this address: 550 no such user"):
        told(here)
    down = by_mail(post).replace(f"port = {post.port}", "port = 9")
    here.planet = parse(here.planet.path.read_text("utf-8").replace(by_mail(post), down), here.planet.path)
    with pytest.raises(NoticeFailed, match=r"127\.0\.0\.1:9 can't be reached"):
        told(here)


def test_notify_test_logs_in_over_tls_and_tells(tmp_path: Path, world: Worlds, web: Farm) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *names],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    (tmp_path / "secret").write_bytes(PASSWORD + b"\n")
    with mailbox(context) as box:
        config = world(f"{web.url}/feed", more=by_mail(box, 'user = "op"\npassword_file = "secret"\n')).planet.path
        command = [sys.executable, "-m", "aggregator", "notify", "--test", "--config", str(config)]

        trusted = subprocess.run(
            command, env={**os.environ, "SSL_CERT_FILE": str(certificate)}, capture_output=True, text=True, check=True
        )
        distrusted = subprocess.run(command, capture_output=True, text=True, check=False)

    assert trusted.stdout == "mail: sent to op@planet.test\n"
    assert (box.logins, box.recipients) == (["op"], ["op@planet.test"])
    assert distrusted.returncode == 1
    assert "certificate verify failed" in distrusted.stderr


def test_notify_without_anybody_to_tell_says_what_to_add(world: Worlds) -> None:
    here = world("http://127.0.0.1:9/feed")

    result = CliRunner().invoke(main, ["notify", "--config", str(here.planet.path)])

    assert result.exit_code == 1
    assert "add [notify] with mail (and [smtp]) or webhook" in result.output


def test_mail_without_a_server_is_a_mistake() -> None:
    text = '[planet]\ntitle = "T"\nurl = "http://p.test/"\n[notify]\nmail = "{}"\n[[feeds]]\nurl = "http://a.test/"\n'

    with pytest.raises(ConfigBroken) as lacking:
        parse(text.format("op@p.test"), Path("feeds.toml"))
    with pytest.raises(ConfigBroken) as wrong:
        parse(text.format("a@b.test, c@d.test"), Path("feeds.toml"))

    assert lacking.value.problems == ["feeds.toml:5:1: notify.mail: mail needs a server: add [smtp] with its host"]
    assert "feeds.toml:5:1: notify.mail: write one mail address, like you@example.org" in wrong.value.problems


def test_nothing_that_a_stranger_wrote_forges_a_header() -> None:
    masthead, evil = Masthead("T\r\nBcc: x@y.test", "http://p.test/"), Notice("broken", "u", "a\r\n.\r\nb\x1b[31m")

    assert notices.subject(masthead, [evil]) == "T Bcc: x@y.test: 1 feed is broken"
    assert notices.text(masthead, [evil]).startswith("a . b [31m\n")

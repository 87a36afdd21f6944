"""`planet purge` leaves nothing of a text: not in rows, pages, feeds or files; and nobody brings it back."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from linkbacks.decisions import Accepted, Refusal

from aggregator.store.backup import REPLACED, STAGING
from jobs import equipment
from jobs.comments import poll_comments
from jobs.link import Linking
from tests.builders import rss
from tests.farm import Farm, Reply
from tests.world import World

Worlds = Callable[..., World]
# What is to go: in every field that a post has, and in what others say about it.
SECRETS = ("xyzzytitle", "xyzzytext", "xyzzyauthor", "xyzzytag", "xyzzyguid", "xyzzypath", "xyzzysound", "xyzzycomment", "xyzzyfeed")  # fmt: skip
MORE = '[linkbacks]\nstrangers = "publish"\n[[topics]]\nname = "Health"\nmatch = ["health"]\n'


def run(config: Path, *words: str) -> Result:
    from aggregator.cli import main

    return CliRunner().invoke(main, [*words, "--config", str(config)])


def left_in(folder: Path, secrets: tuple[str, ...] = SECRETS) -> set[str]:
    """Where any of them is found: in the bytes of any file, as they are or unpacked, or in its name."""
    found = set()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        body = path.read_bytes().lower() if path.is_file() else b""
        found |= {f"{secret} in {name}" for secret in secrets if secret.encode() in body or secret in name}
    return found


@pytest.fixture
def here(world: Worlds, web: Farm, elsewhere: Farm) -> World:
    """A post that is everywhere: rows, index, topics, weeks, conversations, comments, thoughts and others' excerpts."""
    secret = (
        f"<item><title>XyzzyTitle of the day</title><link>{web.url}/xyzzypath</link><guid isPermaLink='false'>xyzzyguid</guid>"
        f"<author>Xyzzyauthor</author><category>xyzzytag</category><enclosure url='{web.url}/xyzzysound.mp3' type='audio/mpeg'/>"
        f"<wfw:commentRss xmlns:wfw='http://wellformedweb.org/CommentAPI/'>{web.url}/comments/xyzzyfeed</wfw:commentRss>"
        f'<description>{"xyzzytext " * 3_000} on health, see &lt;a href="{elsewhere.url}/2"&gt;another&lt;/a&gt;</description></item>'
    )
    body = rss([(f"{web.url}/1", "Harmless", "about health")], home=f"{web.url}/")
    web.routes["/feed"] = Reply(body.replace(b"</channel>", f"{secret}</channel>".encode()))
    comment = f"<item><title>Ann</title><link>{web.url}/xyzzypath#c1</link><guid>c1</guid><description>xyzzycomment</description></item>"
    web.routes["/comments/xyzzyfeed"] = Reply(f"<rss><channel><title>c</title>{comment}</channel></rss>".encode())
    elsewhere.routes["/feed"] = Reply(
        rss([(f"{elsewhere.url}/2", "The other", "Nothing special")], home=f"{elsewhere.url}/")
    )
    answer = f'<title>An answer</title><p>They said <a href="{web.url}/xyzzypath">xyzzytitle</a> and more</p>'
    elsewhere.html("/answer", answer)
    made = world(f"{web.url}/feed", f"{elsewhere.url}/feed", more=MORE)
    made.poll()
    policy = equipment.policy_for(made.planet)
    with equipment.engine_for(made.planet) as engine:
        poll_comments(made.database, engine, made.children, policy, made.clock)
    Linking(made.database, made.children, policy, made.clock).run()
    made.ping(f"{elsewhere.url}/answer", f"{web.url}/xyzzypath")
    made.verify()
    for _ in range(3):
        made.publish()
    return made


def test_a_purged_post_is_in_no_file_whatever_it_was_shown_in(here: World, web: Farm, elsewhere: Farm) -> None:
    before = left_in(here.planet.data)
    assert {secret for secret in SECRETS if any(each.startswith(secret) for each in before)} == set(SECRETS)
    shown_in = {re.sub(r"\d+", "N", each.partition(" in ")[2].partition("/")[2].partition("/")[0]) for each in before}
    assert shown_in >= {
        "posts",
        "topics",
        "weekly",
        "archive",
        "blogs",
        "feed.atom",
        "feed.json",
        "feed.rss",
        "conversations",
    }
    here.database.close()

    result = run(here.planet.path, "purge", f"{web.url}/xyzzypath")

    assert result.exit_code == 0, result.output
    assert "1 post and" in result.output
    assert left_in(here.planet.data) == set()
    # Some builds of SQLite overwrite what is deleted, others leave it in free pages: there are none.
    with closing(sqlite3.connect(here.planet.data / "planet.db")) as database:
        assert database.execute("PRAGMA freelist_count").fetchone()[0] == 0
    assert not (here.planet.data / "planet.db-wal").exists() or not (here.planet.data / "planet.db-wal").stat().st_size


def test_a_purged_post_comes_back_by_no_feed(here: World, web: Farm) -> None:
    assert run(here.planet.path, "purge", f"{web.url}/xyzzypath").exit_code == 0

    here.later(hours=30).poll()
    here.publish()

    assert here.titles().count("Harmless") == 1
    assert left_in(here.planet.data / "public") == set()
    rows = here.database.execute("SELECT digest FROM tombstone").fetchall()
    assert rows
    assert all(len(digest) == 16 for (digest,) in rows)


def test_a_purged_linkback_comes_back_by_no_ping_link_or_comment(here: World, web: Farm, elsewhere: Farm) -> None:
    source = f"{elsewhere.url}/answer"
    assert "1 linkback" in run(here.planet.path, "purge", source).output
    assert "1 linkback" in run(here.planet.path, "purge", f"{web.url}/xyzzypath#c1").output

    with equipment.engine_for(here.planet) as engine:
        here.later(days=2)
        poll_comments(here.database, engine, here.children, equipment.policy_for(here.planet), here.clock)

    assert here.ping(source, f"{web.url}/xyzzypath") is Refusal.SOURCE_DENIED
    assert here.ping(f"{source}?utm_source=again#x", f"{web.url}/xyzzypath") is Refusal.SOURCE_DENIED
    assert isinstance(here.ping(f"{elsewhere.url}/another", f"{web.url}/xyzzypath"), Accepted)
    said = here.database.execute("SELECT count(*) FROM linkback WHERE protocols LIKE '%comment%'").fetchone()[0]
    assert said == 0


def test_what_a_restore_has_replaced_is_purged_too(here: World, web: Farm, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "planet.backup"
    copy.parent.mkdir()
    assert run(here.planet.path, "backup", str(copy)).exit_code == 0
    here.database.close()
    assert run(here.planet.path, "restore", str(copy)).exit_code == 0
    shutil.copytree(here.planet.data / "public", here.planet.data / STAGING, dirs_exist_ok=True) if (
        here.planet.data / "public"
    ).exists() else (here.planet.data / STAGING).mkdir()
    (here.planet.data / STAGING / "planet.db").write_bytes(b"xyzzytext")

    result = run(here.planet.path, "purge", f"{web.url}/xyzzypath")

    assert f"gone from {here.planet.data / REPLACED}, too" in result.output
    assert left_in(here.planet.data) == set()
    with closing(sqlite3.connect(here.planet.data / REPLACED)) as replaced:
        assert replaced.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert replaced.execute("SELECT title FROM entry ORDER BY title").fetchall() == [("Harmless",), ("The other",)]


def test_what_a_killed_planet_left_half_written_is_purged_too(here: World, web: Farm) -> None:
    (here.planet.public / "posts" / ".index.html.4711").write_text("xyzzytext")
    (here.planet.public / ".well-known").mkdir()
    (here.planet.public / ".well-known" / "mine").write_text("the operator's own")

    run(here.planet.path, "purge", f"{web.url}/xyzzypath")

    assert left_in(here.planet.data) == set()
    assert (here.planet.public / ".well-known" / "mine").exists()


def test_purge_of_an_unknown_address_says_so(here: World) -> None:
    result = run(here.planet.path, "purge", "http://nobody.test/")

    assert result.exit_code == 1
    assert "nothing is stored of http://nobody.test/" in result.output

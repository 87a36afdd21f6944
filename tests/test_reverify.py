"""Links that were found are looked at again; the operator has the last word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import feedparser
import pytest
from click.testing import CliRunner
from linkbacks import hints
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Refusal

from aggregator import store
from aggregator.cli import main
from aggregator.model import Claim, Status
from jobs import equipment, rendering
from jobs.verify import Pace, Verification, forget_blocked
from tests.builders import accept
from tests.farm import Farm, Reply, farm
from tests.world import World, feed_at


@pytest.fixture
def member() -> object:
    with farm("127.0.0.2") as made:
        yield made


@pytest.fixture
def here(world: Callable[..., World], web: Farm, member: Farm) -> World:
    """A planet of two blogs; the second one has linked to a post of the first, and the link is published."""
    made = world(feed_at(web, ("/1", "Question", "x")), feed_at(member, ("/0", "Zero", "x")))
    made.poll()
    link(member, web)
    made.ping(f"{member.url}/answer", f"{web.url}/1")
    made.verify()
    made.publish()
    assert "The answer" in made.post("Question")
    return made


def link(member: Farm, web: Farm, title: str = "The answer") -> None:
    member.html("/answer", f'<title>{title}</title><p>On <a href="{web.url}/1">the question</a>.</p>')


def counts(here: World) -> dict[str, int]:
    return {status: count for status, count in store.mentions.counts(here.database).items() if count}


def fetches(member: Farm) -> int:
    return len([seen for seen in member.seen if seen.path == "/answer"])


def test_a_link_is_looked_at_again_after_an_hour_a_day_a_week_and_then_monthly(here: World, member: Farm) -> None:
    seen = []
    for pause in ({"hours": 1}, {"days": 1}, {"days": 7}, {"days": 30}, {"days": 30}, {"days": 30}):
        here.later(**pause).later(minutes=-1).verify()
        early = fetches(member)
        here.later(minutes=1).verify()
        seen.append((early, fetches(member)))

    assert seen == [(n, n + 1) for n in range(1, 7)]
    assert counts(here) == {"published": 1}


def test_an_edited_source_is_shown_as_it_is_now(here: World, web: Farm, member: Farm) -> None:
    link(member, web, "The better answer")

    here.later(hours=1).verify()
    here.publish()

    assert "The better answer" in here.post("Question")


@pytest.mark.parametrize(
    "now",
    [
        Reply(b"<p>no link any more</p>", headers={"Content-Type": "text/html"}),
        Reply(b"", 410),
        Reply(
            b'<meta http-equiv="Status" content="410 Gone"><a href="TARGET">x</a>',
            headers={"Content-Type": "text/html"},
        ),
    ],
    ids=["no link", "410", "410 in the head"],
)
def test_a22_a_link_that_is_gone_is_hidden_at_once(here: World, web: Farm, member: Farm, now: Reply) -> None:
    member.routes["/answer"] = Reply(now.body.replace(b"TARGET", f"{web.url}/1".encode()), now.status, now.headers)

    here.later(hours=1).verify()
    here.publish()

    assert counts(here) == {"retracted": 1}
    assert "The answer" not in here.post("Question")
    assert "The answer" not in json.dumps(
        [list(row) for row in here.database.execute("SELECT * FROM linkback").fetchall()]
    )


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_a22_a_page_that_fails_for_a_while_stays_and_one_that_fails_for_days_goes(
    here: World, web: Farm, member: Farm, status: int
) -> None:
    member.routes["/answer"] = Reply(b"", status)
    here.later(hours=1).verify()
    once = counts(here)
    link(member, web)
    here.later(days=2).verify()
    back = counts(here)
    member.routes["/answer"] = Reply(b"", status)
    for _ in range(12):
        here.later(days=1).verify()

    assert once == back == {"published": 1}
    assert counts(here) == {"retracted": 1}


def test_a22_a_link_that_comes_and_goes_ends_with_a_person(here: World, web: Farm, member: Farm) -> None:
    stood = []
    for _ in range(3):
        member.html("/answer", "<p>gone</p>")
        here.later(days=40).verify()
        link(member, web)
        here.later(days=40).verify()  # nobody says that it is back
        stood.append(counts(here))
        assert isinstance(here.ping(f"{member.url}/answer", f"{web.url}/1"), Accepted)
        here.verify()
        stood.append(counts(here))

    assert stood == [{"retracted": 1}, {"published": 1}, {"retracted": 1}, {"held": 1}, {"retracted": 1}, {"held": 1}]


def test_a_weblog_ping_has_the_blogs_links_looked_at_again(here: World, member: Farm) -> None:
    member.html("/answer", "<p>gone</p>")
    with store.transaction(here.database):
        hints.take(here.database, [f"{member.url}/"], here.later(minutes=1).now)

    here.verify()

    assert counts(here) == {"retracted": 1}


def test_a_ping_again_after_an_edit_shows_the_edit_later(here: World, web: Farm, member: Farm) -> None:
    link(member, web, "Edited")

    assert here.later(minutes=1).ping(f"{member.url}/answer", f"{web.url}/1") is Refusal.ALREADY_THERE
    here.later(minutes=10).verify()
    here.publish()

    assert "Edited" in here.post("Question")


def test_a1_a_thousand_sources_of_one_host_cost_that_host_its_budget(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.9") as victim:
        here = world(feed_at(web, *((f"/{n}", f"Post {n}", "x") for n in range(5))))
        here.poll()
        for number in range(1_000):
            assert isinstance(here.ping(f"{victim.url}/?r={number}", f"{web.url}/{number % 5}"), Accepted)
        pace = Pace()
        with equipment.verifier_for(here.planet) as engine:
            for _ in range(300):
                policy = equipment.policy_for(here.planet)
                Verification(here.database, engine, here.children, policy, here.clock, pace=pace).run()
                here.later(seconds=1)

        assert len(victim.seen) <= 30 + 300 / 10  # a burst at one a second, and one in ten seconds
        assert store.mentions.counts(here.database)["pending"] == 1_000 - len(victim.seen)


def test_a1_whoever_is_pinged_at_reads_for_whom(world: Callable[..., World], web: Farm) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    made = Claim(web.html("/x", "x"), f"{web.url}/1", "pingback", here.now, client="192.0.2.7")
    with store.transaction(here.database):
        accept(here.database, made, Rules(here.planet.masthead.url))

    here.verify()

    assert "verifying linkback from 192.0.2.7" in web.seen[-1].headers["user-agent"]
    assert web.seen[-1].headers["x-pingback-forwarded-for"] == "192.0.2.7"
    assert here.database.execute("SELECT client FROM linkback").fetchone() == ("",)


# -- vouch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "status"),
    [('<a href="http://127.0.0.3:PORT/other">a friend</a>', "published"), ("<p>nobody</p>", "held"), ("", "held")],
)
def test_a_members_page_speaks_for_a_stranger(world: Callable[..., World], web: Farm, page: str, status: str) -> None:
    with farm("127.0.0.3") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        vouch = web.html("/friends", page.replace("PORT", stranger.url.rpartition(":")[2]))
        source = stranger.html("/x", f'<title>Vouched</title><a href="{web.url}/1">x</a>')
        made = Claim(source, f"{web.url}/1", "webmention", here.now, vouch=vouch)
        with store.transaction(here.database):
            accept(here.database, made, Rules(here.planet.masthead.url))

        here.verify()

    assert counts(here) == {status: 1}


def test_a_strangers_page_speaks_for_nobody(world: Callable[..., World], web: Farm) -> None:
    with farm("127.0.0.3") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        source = stranger.html("/x", f'<a href="{web.url}/1">x</a><a href="{stranger.url}/x">me</a>')
        made = Claim(source, f"{web.url}/1", "webmention", here.now, vouch=source)
        with store.transaction(here.database):
            accept(here.database, made, Rules(here.planet.masthead.url))

        here.verify()

    assert counts(here) == {"held": 1}


# -- moderation --------------------------------------------------------------------------------------


@pytest.fixture
def held(world: Callable[..., World], web: Farm) -> object:
    """A planet on which a stranger's link waits."""
    with farm("127.0.0.3") as stranger:
        here = world(feed_at(web, ("/1", "Question", "x")))
        here.poll()
        source = stranger.html("/x", f'<title>Stranger</title><a href="{web.url}/1">x</a>')
        here.ping(source, f"{web.url}/1")
        here.verify()
        here.publish()
        yield here


def planet_cli(here: World, *words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--config", str(here.planet.path)])
    assert result.exit_code == 0, result.output
    return result.output


def listed(here: World) -> dict[str, list[dict[str, object]]]:
    found = json.loads(planet_cli(here, "mentions", "list", "--json"))
    assert isinstance(found, dict)
    return found


def test_an_operator_approves_what_is_held(held: World) -> None:
    [waiting] = listed(held)["mentions"]
    assert (waiting["status"], waiting["title"]) == ("held", "Stranger")

    assert planet_cli(held, "mentions", "approve", str(waiting["id"])) == "1 linkback approved\n"
    held.publish()

    assert "Stranger" in held.post("Question")
    held.later(days=2).verify()
    assert counts(held) == {"published": 1}


def test_an_operator_always_allows_a_host(held: World, web: Farm) -> None:
    planet_cli(held, "mentions", "approve", "127.0.0.3", "--always")
    with farm("127.0.0.3") as stranger:
        held.ping(stranger.html("/y", f'<title>Y</title><a href="{web.url}/1">x</a>'), f"{web.url}/1")
        held.verify()

    assert counts(held) == {"published": 2}
    assert listed(held)["allowed"] == ["127.0.0.3"]


def test_what_an_operator_hides_stays_hidden(here: World, web: Farm, member: Farm) -> None:
    planet_cli(here, "mentions", "hide", "1")
    here.publish()
    hidden = here.post("Question")
    here.ping(f"{member.url}/answer", f"{web.url}/1")
    here.later(days=60).verify()
    here.publish()

    assert "The answer" not in hidden + here.post("Question")
    assert counts(here) == {"hidden": 1}
    planet_cli(here, "mentions", "approve", "1")
    assert counts(here) == {"published": 1}


@pytest.mark.parametrize("pattern", ["127.0.0.2", "1", "PREFIX"])
def test_a_block_removes_what_is_stored_and_refuses_what_comes(
    here: World, web: Farm, member: Farm, pattern: str
) -> None:
    source, target = f"{member.url}/answer", f"{web.url}/1"
    pattern = pattern.replace("PREFIX", member.url.removeprefix("http://") + "/answer")

    planet_cli(here, "mentions", "block", pattern)
    here.publish()

    assert counts(here) == {}
    assert "The answer" not in here.post("Question")
    assert here.ping(source, target) is Refusal.SOURCE_DENIED
    [blocked] = listed(here)["blocked"]
    planet_cli(here, "mentions", "unblock", str(blocked))
    here.later(days=1).verify()
    here.publish()
    assert "The answer" not in here.post("Question")
    assert isinstance(here.ping(source, target), Accepted)


def test_a_block_in_the_configuration_removes_what_is_stored(here: World) -> None:
    assert forget_blocked(here.database, ["127.0.0.9", "nobody.test/x"]) == 0
    assert forget_blocked(here.database, ["127.0.0.2"]) == 1
    here.publish()

    assert "The answer" not in here.post("Question")


def test_a_source_is_listed_whole_in_a_narrow_terminal(held: World, web: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with farm("127.0.0.4") as other:
        source = f"{other.url}/{'long/' * 12}answer"
        held.ping(source, f"{web.url}/1")
        held.verify()
        output = re.sub(r"\x1b\[[0-9;]*m", "", planet_cli(held, "mentions", "list", "--status", "rejected"))
    [listed_source] = [each for each in listed(held)["mentions"] if each["source"] == source]

    column = output.splitlines()[0].index("Source")
    assert max(map(len, output.splitlines())) <= 80
    assert source in "".join(line[column:].strip() for line in output.splitlines())
    assert "because its server answers with status 404" in " ".join(output.split())
    assert listed_source["ways"] == ["pingback"]
    assert listed_source["problem"] == "its server answers with status 404"


@pytest.mark.parametrize("verb", ["approve", "hide"])
def test_what_cannot_be_decided_is_told_with_the_reason(held: World, web: Farm, verb: str) -> None:
    with farm("127.0.0.4") as other:
        held.ping(other.html("/x", "nothing"), f"{web.url}/1")
        held.verify()
    result = CliRunner().invoke(main, ["mentions", verb, "2", "--config", str(held.planet.path)])

    assert result.exit_code == 1
    assert "linkback 2 is rejected because there is no link to the target on the page" in result.output
    assert result.output.count("\n") == 1


def test_hiding_what_is_still_verified_says_when_it_is_hidden(held: World, web: Farm) -> None:
    with farm("127.0.0.4") as other:
        held.ping(other.html("/x", f'<a href="{web.url}/1">x</a>'), f"{web.url}/1")
        output = planet_cli(held, "mentions", "hide", "2")
        held.verify()

    assert output == "1 linkback hidden; 1 still being verified: hidden as soon as the link is found\n"
    assert counts(held) == {"held": 1, "hidden": 1}


def test_a_host_is_always_allowed_before_it_has_sent_anything(held: World) -> None:
    planet_cli(held, "mentions", "approve", "New.Test", "--always")

    assert listed(held)["allowed"] == ["new.test"]


def test_mistakes_of_an_operator_are_named(here: World) -> None:
    for words in (["approve", "99"], ["hide", "nobody.test"], ["unblock", "nobody.test"], ["block", "https://"]):
        result = CliRunner().invoke(main, ["mentions", *words, "--config", str(here.planet.path)])
        assert result.exit_code == 1
        assert result.output.startswith("planet: ")
        assert result.output.count("\n") == 1


def test_the_list_is_a_table_for_people_and_lines_for_scripts(held: World) -> None:
    lines = planet_cli(held, "mentions", "list").splitlines()

    assert lines[0].split("\t") == ["Id", "Status", "Received", "Kind", "Source", "Title", "Post", "Ways", "Why"]
    assert lines[1].split("\t")[1] == "held"
    assert len(planet_cli(held, "mentions", "list", "--status", "published").splitlines()) == 1


def test_held_linkbacks_have_a_feed_at_a_secret_address(held: World) -> None:
    address = planet_cli(held, "mentions", "feed").strip()
    found = re.fullmatch(rf"{held.planet.masthead.url}held/([\w-]{{20,}})/feed\.atom", address)

    assert found is not None
    assert planet_cli(held, "mentions", "feed").strip() == address
    renderer = rendering.renderer_for(held.planet)
    feed = feedparser.parse(
        renderer.held_mentions("x", store.moderation.listed(held.database, Status.HELD, 10)).decode()
    )
    assert [entry.title for entry in feed.entries] == ["Pingback: Stranger"]
    assert not feed.bozo


def test_what_is_linked_to_a_blog_and_to_a_post_is_a_feed(here: World, web: Farm, member: Farm) -> None:
    path = re.search(r'href="/(posts/[^"#]+)">Question<', here.page())
    assert path is not None
    [slug] = [blog.slug for blog in store.feeds.blogs(here.database) if blog.url.startswith(web.url)]

    of_blog = feedparser.parse(here.page(f"blogs/{slug}/mentions.atom"))
    of_post = feedparser.parse(here.page(f"{path[1]}thoughts.atom"))

    for feed in (of_blog, of_post):
        assert not feed.bozo
        assert [(entry.title, entry.link) for entry in feed.entries] == [
            ("Pingback: The answer", f"{member.url}/answer")
        ]
    assert f'href="/{path[1]}thoughts.atom"' in here.post("Question")


def test_a_pending_link_that_is_hidden_is_never_shown(world: Callable[..., World], web: Farm, tmp_path: Path) -> None:
    here = world(feed_at(web, ("/1", "Question", "x")))
    here.poll()
    here.ping(web.html("/answer", f'<a href="{web.url}/1">x</a>'), f"{web.url}/1")

    planet_cli(here, "mentions", "hide", "1")
    here.later(seconds=1).verify()

    assert counts(here) == {"hidden": 1}


def test_a_number_is_never_used_again(here: World, web: Farm, member: Farm) -> None:
    def numbers() -> list[int]:
        return [row[0] for row in here.database.execute("SELECT id FROM linkback ORDER BY id").fetchall()]

    before = numbers()
    with store.transaction(here.database):
        store.moderation.remove(here.database, before)
    here.ping(f"{member.url}/other", f"{web.url}/1")

    assert not {*before} & {*numbers()}


def test_a_post_is_no_thought_on_itself(here: World, web: Farm) -> None:
    page = re.search(r"posts/(\d+)-question/", here.page())

    assert page
    assert here.ping(f"{web.url}/1", f"http://planet.test/{page[0]}") is Refusal.SAME


def test_a_link_at_the_beginning_of_an_endless_page_is_found(here: World, web: Farm, member: Farm) -> None:
    member.html("/long", f'<title>Long</title><p>On <a href="{web.url}/1">it</a></p>{"<p>and on</p>" * 100_000}')

    here.ping(f"{member.url}/long", f"{web.url}/1")
    here.verify()
    here.publish()

    assert "Long</a>" in here.post("Question")


def test_a_post_that_was_removed_at_its_source_is_a_target_no_more(here: World, web: Farm, member: Farm) -> None:
    with store.transaction(here.database):
        ids = [here.database.execute("SELECT id FROM entry WHERE title = 'Question'").fetchone()[0]]
        store.gone.remove(here.database, ids, "removed at its source")

    assert here.ping(f"{member.url}/late", f"{web.url}/1") is Refusal.TARGET_GONE


@pytest.mark.parametrize("what", ["*", "com", "10.0.0.0/8"])
def test_what_can_not_be_blocked_is_said_to_be_so(here: World, tmp_path: Path, what: str) -> None:
    result = CliRunner().invoke(main, ["mentions", "block", "--config", str(tmp_path / "feeds.toml"), what])

    assert result.exit_code == 1
    assert "can't be blocked" in result.output

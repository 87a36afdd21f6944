from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.config import ConfigFile, load, parse
from aggregator.errors import ConfigBroken

PATH = Path("feeds.toml")
SMALLEST = '[planet]\ntitle = "T"\nurl = "https://planet.example"\n[[feeds]]\nurl = "https://a.example/feed"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigBroken) as broken:
        parse(text, PATH)
    return broken.value.problems


def test_smallest_configuration_has_the_defaults_of_the_contract() -> None:
    planet = parse(SMALLEST, PATH)

    assert planet.masthead.url == "https://planet.example/"
    assert planet.page.entries == 40
    assert planet.poll.every == timedelta(hours=1)
    assert planet.poll.max_bytes == 10_000_000
    assert planet.linkbacks.strangers == "hold"
    assert planet.network.allow_ports == [80, 443, 8080, 8443]


def test_every_key_of_the_contract_is_known() -> None:
    planet = parse(
        """
        [planet]
        title = "T"
        url = "https://planet.example/x/"
        description = "d"
        language = "pt-BR"
        timezone = "Europe/Berlin"
        contact = "c"
        data = "elsewhere"
        theme = "t"
        hub = "https://hub.example/"
        [page]
        entries = 10
        per_feed_per_day = 2
        first_import = 1
        content = "excerpt"
        images = "link"
        embeds = ["video.example"]
        [poll]
        every = "30m"
        at_least = "10s"
        at_most = "2 days"
        at_once = 10
        per_host = 1
        timeout = "5s"
        max_bytes = "500kB"
        [linkbacks]
        accept = ["pingback"]
        members = "publish"
        strangers = "refuse"
        block = ["spam.example"]
        [network]
        allow_addresses = ["127.0.0.0/8", "::1"]
        allow_ports = [80]
        proxies = ["10.0.0.1"]
        [keep]
        entries = "2 years"
        polls = 10
        [workers]
        processes = 1
        dask = "tls://scheduler:8786"
        [notify]
        mail = "a@b.example"
        webhook = "https://hook.example/"
        [newsletter]
        from = "a@b.example"
        [smtp]
        host = "h"
        port = 25
        user = "u"
        password_file = "p"
        tls = false
        [[topics]]
        name = "HIMSS"
        match = ["HIMSS"]
        from = 2026-03-01
        to = 2026-03-05
        [[feeds]]
        url = "https://a.example/feed"
        name = "A"
        site = "https://a.example/blog/"
        author = "Ann"
        face = "https://blog.example/face.png"
        tags = ["x"]
        include = ["FHIR"]
        exclude = ["ads"]
        content = "full"
        every = "2h"
        enabled = false
        """,
        Path("/somewhere/feeds.toml"),
    )

    assert planet.data == Path("/somewhere/elsewhere")
    assert planet.subscriptions[0].every == timedelta(hours=2)
    assert planet.workers.dask == "tls://scheduler:8786"
    assert planet.topics[0].path == "/topics/himss/"
    assert planet.theme == Path("/somewhere/t")
    assert planet.subscriptions[0].face == "https://blog.example/face.png"
    assert planet.subscriptions[0].include == ("FHIR",)


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    found = problems(
        '[planet]\ntitel = "x"\n  url = "nope"\n[poll]\nevery = "soon"\nat_least = "2h"\n'
        '[linkbacks]\nstrangers = "welcome"\n[nonsense]\n[[feeds]]\nname = "x"\n[[feeds]]\nurl = "ftp://x/"\n'
    )

    assert found == [
        "feeds.toml:1:1: planet.title: it is missing; add it",
        "feeds.toml:2:1: planet.titel: there is no such key; did you mean 'title'?",
        "feeds.toml:3:3: planet.url: write a whole address, like https://blog.example/feed/",
        'feeds.toml:5:1: poll.every: write a time like "30s", "15m", "1h" or "2 days"',
        "feeds.toml:8:1: linkbacks.strangers: write one of 'hold', 'publish' or 'refuse'",
        "feeds.toml:9:1: nonsense: there is no such key; there are planet, page, poll, linkbacks, network, keep,"
        " workers, notify, newsletter, smtp, topics, feeds",
        "feeds.toml:10:1: feeds[1].url: it is missing; add it",
        "feeds.toml:13:1: feeds[2].url: write a whole address, like https://blog.example/feed/",
    ]


def test_places_are_right_behind_statements_of_several_lines() -> None:
    text = SMALLEST + 'tags = [\n  "a",  # "]"\n  "b",\n]\nname = """\nx\n"""\nbad = 1\n'

    assert problems(text) == [
        "feeds.toml:13:1: feeds[1].bad: there is no such key; there are url, name, site, author, face, tags, include,"
        " exclude, content, every, enabled"
    ]


def test_the_same_feed_twice_is_a_mistake() -> None:
    [problem] = problems(SMALLEST + '[[feeds]]\nurl = "http://a.example/feed/"\n')

    assert problem == "feeds.toml:7:1: feeds[2].url: the same feed as number 1; remove one of the two"


def test_bounds_in_the_wrong_order_are_a_mistake() -> None:
    [problem] = problems(SMALLEST + '[poll]\nat_least = "2h"\nat_most = "1h"\n')

    assert "at_least is longer than at_most" in problem


def test_what_is_no_toml_has_a_place() -> None:
    [problem] = problems('[planet]\ntitle = "x\n')

    assert problem.startswith("feeds.toml:2:")
    assert "not TOML" in problem


@pytest.mark.parametrize("text", ["", "feeds = 3\nplanet = []\n", "[[planet]]\n[feeds]\n", "feeds = [1]\n[planet]\n"])
def test_a_document_of_another_shape_is_a_list_of_mistakes(text: str) -> None:
    assert all(problem.startswith("feeds.toml:") for problem in problems(text))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigBroken, match="planet init writes one, --config names another"):
        load(tmp_path / "none.toml")


def test_the_shipped_configuration_is_valid() -> None:
    planet = load(Path(__file__).parents[1] / "feeds.toml")

    assert sum(feed.enabled for feed in planet.subscriptions) == 34


def test_an_edit_takes_effect_and_a_broken_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(SMALLEST)
    file = ConfigFile(path)

    assert not file.refresh()
    path.write_text(SMALLEST.replace('"T"', '"Other title"'))
    assert file.refresh()
    path.write_text(path.read_text().replace("[[feeds]]", 'data = "elsewhere"\n[[feeds]]'))
    assert file.refresh()
    assert file.current.data == tmp_path / "data"  # another folder takes effect at the next start
    path.write_text("broken")
    with pytest.raises(ConfigBroken):
        file.refresh()

    assert not file.refresh()
    assert file.current.masthead.title == "Other title"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('[[feeds]]\nurl = "https://b.example/"\nsite = "zzz"', "8:1: feeds[2].site: write a whole address"),
        ("[page]\nentries = 0", "7:1: page.entries: write a number from 1"),
        ('[page]\nentries = "x"', "7:1: page.entries: write a whole number, without quotes"),
        ("[network]\nallow_ports = [70000]", "7:1: network.allow_ports[1]: write a number up to 65535"),
        ('[linkbacks]\nblock = "x"', "7:1: linkbacks.block: write a list"),
        ('[[feeds]]\nurl = "https://b.example/"\nenabled = "yes"', "8:1: feeds[2].enabled: write true or false"),
        ('[[topics]]\nname = "x"\nmatch = []', "8:1: topics[1].match: it is empty"),
        ('[[feeds]]\nurl = "https://b.example/"\ntags = "x"', "8:1: feeds[2].tags: write a list"),
        ('[poll]\nevery = "999999999999 days"', "7:1: poll.every: write a time like"),
        (f'[poll]\nmax_bytes = "1{"0" * 400}MB"', "7:1: poll.max_bytes: write a size like"),
        ("[smtp]\nhost = 3", "7:1: smtp.host: write a text in quotes"),
    ],
)
def test_a_mistake_is_one_line_in_our_own_words(line: str, problem: str) -> None:
    found = problems(f"{SMALLEST}{line}\n")

    assert len(found) == 1
    assert f"feeds.toml:{problem}" in found[0]


def test_a_section_of_the_wrong_shape_says_how_to_write_it() -> None:
    found = problems('planet = "x"\nfeeds = ["y"]\n')

    assert found == [
        "feeds.toml:1:1: planet: write a table, like [planet] on a line of its own",
        "feeds.toml:2:1: feeds[1]: write tables, each under [[feeds]]",
    ]


def test_topics_have_pages_of_their_own_and_days_in_order() -> None:
    text = """
        [planet]
        title = "T"
        url = "https://p.example/"
        [[topics]]
        name = "HIMSS 27"
        match = ["x"]
        [[topics]]
        name = "himss-27"
        match = ["y"]
        from = 2026-03-02
        to = 2026-03-01
        [[feeds]]
        url = "https://a.example/feed"
        """

    with pytest.raises(ConfigBroken) as broken:
        parse(text, Path("feeds.toml"))

    assert "feeds.toml:9:9: topics[2].name: its page would be that of topic number 1; rename it" in str(broken.value)
    assert "from lies after to" in str(broken.value)

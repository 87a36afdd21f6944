"""Nothing that strangers write acts anywhere that it is shown: pages, feeds, lists, status, logs, terminals, headers."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
from click.testing import CliRunner

from aggregator import opml, store
from aggregator.cli import main
from aggregator.logs import JsonLine, Line
from jobs import rendering
from tests.community import HOSTILE
from tests.farm import Farm, Reply
from tests.world import World

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "hostile-html"
CONTROLS = ("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\rb\nplanet: forged", "\u202egnp.exe", "\x00nul", "\u2028line", "\x08\x08")  # fmt: skip
TRICKS = (
    "]]><script>alert(1)</script>", "</title><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
    "--><script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;lt;script&amp;gt;alert(1)", "{{7*7}}{% raw %}", "${7*7}",
    "javascript:alert(1)", "=cmd|' /C calc'!A0", "</textarea><svg onload=alert(1)>", '\\"};alert(1);//', "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
)  # fmt: skip
URLS = ("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x",
        "//evil.test/\"onclick=alert(1)", "http://evil.test/\"><script>alert(1)</script>", "http://evil.test/\r\nSet-Cookie:x", "file:///etc/passwd",
        "http://user:pw@evil.test/", "blob:x", "http://evil.test/'onmouseover='alert(1)")  # fmt: skip
OURS = ("0 0 20 20", "0 0 32 32", "0 0 260 36", "0 0 260 64")  # the pictures of our own templates
ACTS = {
    "script",
    "iframe",
    "object",
    "embed",
    "applet",
    "frame",
    "frameset",
    "base",
    "form",
    "svg",
    "math",
    "style",
    "foreignobject",
    "portal",
}


def own() -> list[str]:
    """The fragments that everybody has."""
    return [*HOSTILE, *TRICKS, *CONTROLS]


def corpus() -> list[str]:
    """Every fragment of every corpus that is here: lists of texts, or of objects with an input, and text files of lines."""
    found: list[str] = []
    for path in sorted(CORPUS.rglob("*")) if CORPUS.is_dir() else ():
        if path.suffix == ".json":
            items = json.loads(path.read_text("utf-8"))
            found += [item if isinstance(item, str) else str(item.get("input", "")) for item in items]
        elif path.suffix in (".txt", ".html"):
            found += [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    return found


SOURCES = [
    pytest.param(own, id="own"),
    pytest.param(corpus, id="corpus", marks=pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus ../shared/corpus/hostile-html is not here")),
]  # fmt: skip


def for_xml(text: str) -> str:
    """As it can stand in XML: XML itself forbids most controls."""
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text))


def hostile_feed(web: Farm, fragments: list[str]) -> bytes:
    """Each fragment in each field of an entry of its own, and each address where one may stand."""
    items = []
    for number, each in enumerate(fragments):
        text, url = for_xml(each), for_xml(URLS[number % len(URLS)])
        items.append(
            f"<item><title>{text}</title><link>{web.url}/{number}</link><guid isPermaLink='false'>{text}{number}</guid><author>{text}</author>"
            f'<category>{text}</category><description>{text} &lt;a href="{for_xml(url)}"&gt;x&lt;/a&gt;</description>'
            f'<enclosure url="{url}" type="{text}" length="{text}"/><comments>{url}</comments></item>'
        )
        items.append(f"<item><title>Link {number}</title><link>{url}</link><description>x</description></item>")
    head = f"<title>{for_xml(fragments[0])}</title><link>{for_xml(URLS[0])}</link><generator>{for_xml(fragments[0])}</generator><language>{for_xml(fragments[0])}</language>"
    return f"<rss version='2.0'><channel>{head}{''.join(items)}</channel></rss>".encode("utf-8", "replace")


@pytest.fixture(params=SOURCES)
def here(request: pytest.FixtureRequest, world: Callable[..., World], web: Farm, elsewhere: Farm) -> World:
    """A planet of hostile blogs, and of a hostile page that answers a post."""
    fragments = request.param()
    feeds = []
    for number in range(0, len(fragments), 60):
        web.routes[f"/feed{number}"] = Reply(hostile_feed(web, fragments[number : number + 60]))
        feeds.append(f"{web.url}/feed{number}")
    broken = "".join(fragments[:20])
    web.routes["/broken"] = Reply(broken.encode("utf-8", "replace"), 200, {"Content-Type": "text/html"})
    feeds.append(f"{web.url}/broken")
    more = '[page]\nentries = 500\nper_feed_per_day = 500\nfirst_import = 500\n[linkbacks]\nstrangers = "publish"\n[[topics]]\nname = "X"\nmatch = ["x", "alert"]\n'
    made = world(*feeds, more=more)
    made.poll()
    for number, each in enumerate(fragments[:8]):
        text = for_xml(each)
        page = f'<title>{text}</title><div class="h-entry"><p class="p-author h-card">{text}</p>{text} <a href="{web.url}/1">{text}</a></div>'
        made.ping(elsewhere.html(f"/answer{number}", page), f"{web.url}/1")
        made.ping(f"{elsewhere.url}/answer{number}?{text}", f"{web.url}/2")
    for _ in range(20):
        made.verify()
        made.later(seconds=2)
    for _ in range(4):
        made.publish()
    return made


def is_harmless(html: bytes) -> Iterator[str]:
    """Say what of a page would act in a browser that is not the planet's own."""
    tree = html5lib.parse(html.decode("utf-8"), namespaceHTMLElements=False)
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        name = element.tag.rpartition("}")[2].lower()
        if name == "script" and re.fullmatch(
            r"(?:https?://[^/]+)?/static/planet\.js(?:\?\w+)?", element.get("src", "")
        ):
            continue
        if name == "form" and element.get("action", "").startswith(("/", "http://planet.test/")):
            continue
        if name == "svg" and element.get("viewBox", element.get("viewbox")) in OURS:
            continue
        if name in ACTS:
            yield f"<{name}>"
        for attribute, value in element.attrib.items():
            if attribute.lower().startswith("on") or attribute.lower() in ("style", "srcdoc", "formaction", "ping"):
                yield f"{name} {attribute}"
            if attribute.lower() in ("href", "src", "action", "poster", "cite", "data") and re.match(
                r"[\s\x00-\x20]*(?:javascript|vbscript|data|file|blob):", value, re.IGNORECASE
            ):
                yield f"{name} {attribute}={value[:40]}"


def test_no_page_feed_or_list_holds_anything_that_acts(here: World) -> None:
    pages = [path for path in here.planet.public.rglob("*") if path.is_file() and "static" not in path.parts]
    assert len(pages) > 30
    assert len({path.suffix for path in pages}) >= 5

    for path in pages:
        body = path.read_bytes()
        if path.suffix == ".html":
            assert list(is_harmless(body)) == [], path
            assert not set(body.decode("utf-8")) & set("\x00\x07\x08\x1b\x9b\u202e\u2028"), path
        elif path.suffix in (".atom", ".rss", ".xml"):
            tree = ElementTree.fromstring(body)
            links = [
                e.get("href") or e.text or ""
                for e in tree.iter()
                if e.tag.rpartition("}")[2] in ("link", "url", "uri", "enclosure", "comments")
            ]
            assert not [link for link in links if re.match(r"\s*(?!https?:|mailto:)[a-z]+:", link, re.IGNORECASE)], path
            for element in tree.iter():  # HTML in feeds is as clean as on pages
                if element.get("type") == "html" or element.tag.endswith(("encoded", "description")):
                    assert list(is_harmless(f"<body>{element.text or ''}".encode())) == [], path
        elif path.suffix == ".json":
            for item in json.loads(body)["items"]:
                assert list(is_harmless(f"<body>{item.get('content_html', '')}".encode())) == []
                assert re.match(r"https?://", item["url"]), path


def test_status_pages_and_what_the_operator_sees_are_harmless(here: World) -> None:
    renderer = rendering.renderer_for(here.planet)
    rows = here.database.execute("SELECT token FROM linkback").fetchall()
    assert rows
    for (token,) in rows:
        mention = store.mentions.mention(here.database, token)
        assert mention is not None
        assert list(is_harmless(renderer.mention(mention))) == []
    listed = store.moderation.listed(here.database, None, 100)
    ElementTree.fromstring(renderer.held_mentions("held/x/", listed))
    for text in (*own(), *URLS):
        assert list(is_harmless(renderer.webmention_form(text))) == []
        assert list(is_harmless(renderer.ping_test(text, text))) == []
        assert list(is_harmless(renderer.notice(text, text, ""))) == []


def test_opml_holds_no_markup_of_names(here: World) -> None:
    blogs = store.feeds.blogs(here.database)

    exported = CliRunner().invoke(main, ["export", "--config", str(here.planet.path)]).output

    tree = ElementTree.fromstring(exported)
    assert {element.tag for element in tree.iter()} <= {
        "opml",
        "head",
        "title",
        "body",
        "outline",
        "dateCreated",
        "ownerName",
        "docs",
    }
    assert len(blogs) >= 1
    assert opml


COMMANDS = (["status"], ["status", "--json"], ["mentions", "list"], ["check"], ["export"], ["poll", "--all", "--json"], ["check", "--online"])  # fmt: skip


def test_no_command_writes_what_a_terminal_obeys(here: World, web: Farm) -> None:
    addresses = [row[0] for row in here.database.execute("SELECT url FROM entry WHERE url <> '' LIMIT 40").fetchall()]
    sources = [row[0] for row in here.database.execute("SELECT source FROM linkback LIMIT 20").fetchall()]
    commands = [*COMMANDS, *(["explain", each] for each in (*addresses, *sources, f"{web.url}/feed0", "\x1b[31mred"))]

    for words in commands:
        output = CliRunner().invoke(main, [*words, "--config", str(here.planet.path)]).output

        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", output), (words, output)
        assert "planet: forged" not in output.splitlines(), words


@pytest.mark.parametrize("formatter", [Line(), JsonLine()], ids=["text", "json"])
def test_no_record_is_more_than_a_line_or_obeyed_by_a_terminal(
    world: Callable[..., World], web: Farm, caplog: pytest.LogCaptureFixture, formatter: logging.Formatter
) -> None:
    caplog.set_level(logging.DEBUG, "planet")
    for number, each in enumerate(own()):
        web.routes[f"/{number}"] = Reply(each.encode("utf-8", "replace"), 200, {"Content-Type": "text/html"})
        web.routes[f"/{number + 100}"] = Reply(
            status=302,
            headers={
                "Location": f"http://{for_xml(each)[:40].encode('ascii', 'replace').decode()}/".replace(
                    "\n", ""
                ).replace("\r", "")
            },
        )
    here = world(*(f"{web.url}/{number + more}" for number in range(len(own())) for more in (0, 100)))
    here.poll()
    for each in (*own(), *URLS):
        here.ping(f"http://evil.test/{each}", f"{web.url}/1")
    assert len(caplog.records) > len(own())
    caplog.records.append(
        logging.makeLogRecord(
            {"name": "planet.x", "msg": "\x1b[2J %s", "args": ("a\r\nb",), "source": "http://a/\n\x9b"}
        )
    )

    for record in caplog.records:
        line = formatter.format(record)
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", line.replace("\n    ", "")), line


def test_what_was_written_into_feeds_toml_is_as_it_was(tmp_path: Path) -> None:
    """`planet import` writes names of strangers into the operator's file: they must not become tables."""
    names = [
        each
        for each in (*own(), '"]\n[planet]\ntitle = "evil"', "'''", '"""\n[[feeds]]\nurl="http://evil.test/"')
        if each
    ]
    outlines = "".join(
        f'<outline type="rss" text="{for_xml(name)}" xmlUrl="https://b{n}.example/feed"/>'
        for n, name in enumerate(names)
    )
    (tmp_path / "list.opml").write_text(f"<opml version='2.0'><body>{outlines}</body></opml>", "utf-8")
    config = tmp_path / "feeds.toml"
    config.write_text('[planet]\ntitle = "Mine"\nurl = "https://p.example/"\n', "utf-8")

    done = CliRunner().invoke(main, ["import", str(tmp_path / "list.opml"), "--config", str(config)])

    assert done.exit_code == 0, done.output
    read = tomllib.loads(config.read_text("utf-8"))
    assert read["planet"] == {"title": "Mine", "url": "https://p.example/"}
    assert [feed["url"] for feed in read["feeds"]] == [f"https://b{n}.example/feed" for n in range(len(names))]

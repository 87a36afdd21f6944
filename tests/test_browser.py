"""The pages in a real browser: what is seen, what can be used, and that nothing of a stranger's runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest

from tests.community import ANSWERS, HOSTILE, community, every_kind_of_page, path_of, publish
from tests.farm import eventually
from tests.test_processes import Running

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CORPUS = Path(__file__).parents[2] / "shared/corpus/hostile-html"
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium (apt-get install chromium)")
# It asks nobody but us, and needs no sandbox in a container.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--no-first-run"]  # fmt: skip
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desktop": (1440, 900)}


def corpus() -> tuple[str, ...]:
    """Hostile HTML that others have collected, where it is at hand."""
    files = sorted(CORPUS.glob("*.json")) if CORPUS.is_dir() else []
    return tuple(case["input"] for path in files for case in json.loads(path.read_text("utf-8")))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with community(tmp_path_factory.mktemp("planet"), (*HOSTILE, *corpus())) as made:
        yield made


@pytest.fixture(scope="module")
def paths(here: Running) -> dict[str, str]:
    return every_kind_of_page(here)


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: object, here: Running) -> Iterator[object]:
    context = chromium.new_context(base_url=here.url, viewport={"width": 1440, "height": 900})  # type: ignore[attr-defined]
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    yield opened
    context.close()


# -- markup ------------------------------------------------------------------------------------------


def test_every_page_is_valid_html(here: Running, paths: dict[str, str]) -> None:
    for name, path in paths.items():
        text = here.get(path).text

        tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)

        assert tree.find(".//style") is None, name
        for element in tree.iter():
            attributes = {str(each).lower() for each in element.attrib}
            assert not {each for each in attributes if each == "style" or each.startswith("on")}, name
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), name
        assert text.count("<h1") == 1, name
        assert len(re.findall(r"<main\b", text)) == 1, name


def test_every_link_inside_leads_somewhere(here: Running, paths: dict[str, str]) -> None:
    links = {
        link.partition("#")[0].replace("&amp;", "&")
        for path in paths.values()
        for link in re.findall(r'(?:href|src)="(/[^"]*)"', here.get(path).text)
    }

    broken = {link for link in links if here.get(link[1:]).status_code != 200}

    assert broken == set()


# -- in the browser ----------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(chromium: object, here: Running, paths: dict[str, str], scheme: str) -> None:
    axe_package = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    context = chromium.new_context(base_url=here.url, color_scheme=scheme)  # type: ignore[attr-defined]
    page = context.new_page()
    found = {}
    for name, path in paths.items():
        page.goto(path or "/")
        for details in page.locator("details").all():
            details.evaluate("each => { each.open = true }")
        # What strangers put into a post is theirs; everything around it is ours.
        results = axe_package.Axe().run(page, context={"exclude": [[".prose"]]})
        assert results.response["passes"], name
        problems = [
            (each["id"], [node["html"][:160] for node in each["nodes"]][:3]) for each in results.response["violations"]
        ]
        if problems:
            found[name] = problems
    context.close()

    assert found == {}


@needs_browser
@pytest.mark.parametrize("size", SIZES)
def test_no_page_is_wider_than_its_window(chromium: object, here: Running, paths: dict[str, str], size: str) -> None:
    width, height = SIZES[size]
    context = chromium.new_context(base_url=here.url, viewport={"width": width, "height": height})  # type: ignore[attr-defined]
    page = context.new_page()
    wide = []
    for name, path in paths.items():
        page.goto(path or "/")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(name)
    context.close()

    assert wide == []


@needs_browser
def test_at_twice_the_size_nothing_is_lost(chromium: object, here: Running, paths: dict[str, str]) -> None:
    context = chromium.new_context(base_url=here.url, viewport={"width": 640, "height": 400}, device_scale_factor=2)  # type: ignore[attr-defined]
    page = context.new_page()
    for path in (paths["river"], paths["post"], paths["status"]):
        page.goto(path or "/")
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert page.locator("main").is_visible()
    context.close()


@needs_browser
def test_nothing_in_a_hostile_post_runs(page: object, here: Running, paths: dict[str, str]) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]
    page.on("request", lambda request: asked.append(f"{request.resource_type} {request.url}"))  # type: ignore[attr-defined]
    for name in ("hostile", "river", "month", "blog", "topic", "search"):
        path = "search?q=title" if name == "search" else paths[name]
        page.goto(path or "/", wait_until="load")  # type: ignore[attr-defined]
        page.mouse.move(200, 300)  # type: ignore[attr-defined]

    assert said == []
    ours = here.url.rstrip("/")
    strangers = [line for line in asked if not line.split(" ")[1].startswith((ours, "data:"))]
    assert [line for line in strangers if not line.startswith(("image ", "media "))] == []
    page.goto(paths["hostile"])  # type: ignore[attr-defined]
    assert page.locator("script:not([src])").count() == 0  # type: ignore[attr-defined]
    assert page.locator("main iframe, main object, main embed, main form, main style").count() == 0  # type: ignore[attr-defined]


@needs_browser
def test_a_post_shows_its_thoughts_numbered(page: object, paths: dict[str, str]) -> None:
    page.goto(paths["post"])  # type: ignore[attr-defined]

    assert page.locator(".thread li").count() == ANSWERS  # type: ignore[attr-defined]
    assert page.get_by_role("heading", name=f"{ANSWERS} thoughts on “Question”").is_visible()  # type: ignore[attr-defined]
    assert page.locator(".thread mark").first.inner_text() == "the question"  # type: ignore[attr-defined]
    assert "youtube.com" in page.locator("a.embed").inner_text()  # type: ignore[attr-defined]


@needs_browser
def test_a_search_from_the_keyboard(page: object) -> None:
    page.goto("/")  # type: ignore[attr-defined]

    page.keyboard.press("/")  # type: ignore[attr-defined]
    page.keyboard.type("interoperability")  # type: ignore[attr-defined]
    page.keyboard.press("Enter")  # type: ignore[attr-defined]

    page.wait_for_url("**/search?q=interoperability")  # type: ignore[attr-defined]
    assert page.locator("article mark").first.inner_text().lower() == "interoperability"  # type: ignore[attr-defined]


@needs_browser
def test_j_and_k_walk_through_the_river_and_o_opens(page: object) -> None:
    page.goto("/")  # type: ignore[attr-defined]
    focused = "document.activeElement.textContent"
    titles = page.locator("article[data-post] h3 > a").all_inner_texts()  # type: ignore[attr-defined]

    page.keyboard.press("j")  # type: ignore[attr-defined]
    page.keyboard.press("j")  # type: ignore[attr-defined]
    assert page.evaluate(focused) == titles[1]  # type: ignore[attr-defined]
    page.keyboard.press("k")  # type: ignore[attr-defined]
    assert page.evaluate(focused) == titles[0]  # type: ignore[attr-defined]
    page.keyboard.press("o")  # type: ignore[attr-defined]

    page.wait_for_url("**/posts/**")  # type: ignore[attr-defined]


@needs_browser
def test_keys_may_be_switched_off(page: object) -> None:
    page.goto("/")  # type: ignore[attr-defined]
    button = page.locator(".keys")  # type: ignore[attr-defined]
    assert button.inner_text() == "Keys: on"

    button.click()
    page.reload()  # type: ignore[attr-defined]
    page.keyboard.press("j")  # type: ignore[attr-defined]

    assert button.inner_text() == "Keys: off"
    assert page.evaluate("document.activeElement.tagName") == "BODY"  # type: ignore[attr-defined]


@needs_browser
def test_what_is_new_since_the_last_visit_is_marked_and_told_live(page: object, here: Running) -> None:
    page.goto("/")  # type: ignore[attr-defined]
    assert page.locator(".is-new").count() == 0  # type: ignore[attr-defined]

    publish(here, HOSTILE, ("/6", "Breaking news", "<p>It is here.</p>", 0))

    pill = page.locator(".live a")  # type: ignore[attr-defined]
    pill.wait_for(timeout=20_000)
    assert pill.inner_text() == "1 new post"
    pill.click()
    page.locator(".is-new").first.wait_for()  # type: ignore[attr-defined]
    assert page.locator(".is-new h3").all_inner_texts() == ["Breaking news"]  # type: ignore[attr-defined]
    page.reload()  # type: ignore[attr-defined]
    assert page.locator(".is-new h3").all_inner_texts() == ["Breaking news"]  # type: ignore[attr-defined]
    # Half an hour later it is another visit.
    page.evaluate("""() => {
        const kept = JSON.parse(localStorage.getItem("planet"));
        localStorage.setItem("planet", JSON.stringify({ ...kept, at: kept.at - 1800001 }));
    }""")  # type: ignore[attr-defined]
    page.reload()  # type: ignore[attr-defined]
    assert page.locator(".is-new").count() == 0  # type: ignore[attr-defined]
    assert page.locator(".live a").count() == 0  # type: ignore[attr-defined]


@needs_browser
def test_everything_works_without_javascript(chromium: object, here: Running) -> None:
    context = chromium.new_context(base_url=here.url, java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto("/")
    page.locator(".folded summary").first.click()
    assert page.locator(".folded li a").first.is_visible()
    page.locator(".search input").fill("question")
    page.locator(".search input").press("Enter")
    page.wait_for_url("**/search?q=question")
    page.locator("article h2 a").first.click()
    page.wait_for_url("**/posts/**")
    assert page.locator("#thoughts").is_visible()
    context.close()


@needs_browser
def test_focus_is_seen_and_the_first_stop_leads_to_the_content(page: object) -> None:
    page.goto("/")  # type: ignore[attr-defined]

    page.keyboard.press("Tab")  # type: ignore[attr-defined]

    assert page.evaluate("document.activeElement.className") == "skip"  # type: ignore[attr-defined]
    box = page.locator(".skip").bounding_box()  # type: ignore[attr-defined]
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Tab")  # type: ignore[attr-defined]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")  # type: ignore[attr-defined]
    assert outline == "solid"


@needs_browser
def test_right_to_left_texts_stand_on_the_right(page: object, here: Running) -> None:
    eventually(lambda: path_of(here, "مرحبا بالعالم"))
    page.goto(path_of(here, "مرحبا بالعالم"))  # type: ignore[attr-defined]

    assert page.locator(".prose").evaluate("each => getComputedStyle(each).direction") == "rtl"  # type: ignore[attr-defined]

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from aggregator.markup import clean, plain, shortened

BASE = "https://blog.example/2026/post/"
HOSTILE = Path(__file__).parents[2] / "shared" / "corpus" / "hostile-html" / "loofah.json"


def test_clean_makes_links_and_images_absolute() -> None:
    html = clean('<a href="../other">o</a><img src="a.png">', BASE)

    assert 'href="https://blog.example/2026/other"' in html
    assert 'src="https://blog.example/2026/post/a.png"' in html


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="java&#x09;script:alert(1)">x</a>',
        "<svg/onload=alert(1)>",
        '<iframe src="https://evil.example/"></iframe>',
        '<link rel="pingback" href="https://evil.example/" />',
        '<p style="position:fixed" class="masthead" id="thoughts">x</p>',
        '<form action="/newsletter"><input name="q"></form>',
        '<img srcset="javascript:alert(1) 2x">',
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    ],
)
def test_clean_leaves_nothing_that_acts(html: str) -> None:
    cleaned = clean(html, BASE).lower()

    for trace in (
        "script",
        "onerror",
        "onload",
        "<iframe",
        "<link",
        "<form",
        "<input",
        "style=",
        "class=",
        "id=",
        "<svg",
        "srcset",
    ):
        assert trace not in cleaned


@pytest.mark.skipif(not HOSTILE.exists(), reason="the corpus ../shared/corpus is not here")
def test_clean_disarms_the_hostile_corpus() -> None:
    texts = _strings(json.loads(HOSTILE.read_text("utf-8")))

    assert len(texts) > 90
    for text in texts:
        for element in BeautifulSoup(clean(text, BASE), "lxml").find_all(True):
            assert element.name not in ("script", "style", "iframe", "object", "svg", "math", "form", "input", "link")
            assert not {name for name in element.attrs if name.startswith("on") or name in ("style", "srcset", "id")}
            for name in ("href", "src"):
                assert str(element.get(name, "https://x")).startswith(("http://", "https://"))


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return []


def test_clean_without_a_base_drops_relative_links() -> None:
    assert "href" not in clean('<a href="/x">x</a>', "")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("A &amp; B", "A & B"),
        ("<p>one</p><p>two</p>", "one two"),
        ("<b>bold</b>ly", "boldly"),
        ("a < b", "a < b"),
        ("<script>x</script>y", "y"),
        ("  many\n\t spaces ", "many spaces"),
        ("gniw\u202eright", "gniwright"),
        ("nul\x00 esc\x1b[31m", "nul esc[31m"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
    ],
)
def test_plain_is_one_line_of_text(html: str, text: str) -> None:
    assert plain(html, is_html=True) == text


def test_plain_text_keeps_what_looks_like_markup() -> None:
    assert plain("Use <br> & be happy", is_html=False) == "Use <br> & be happy"


def test_shortened_cuts_at_a_word() -> None:
    assert shortened("one two three", 9) == "one two…"
    assert shortened("onetwothree", 5) == "onetw…"
    assert shortened("short", 5) == "short"

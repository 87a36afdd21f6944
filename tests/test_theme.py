from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.errors import ThemeBroken
from tests.test_site import blog, post, renderer, river


def theme(folder: Path, **files: str) -> Path:
    """A theme of files: "templates/x.html" is written templates__x_html."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_a_theme_overrides_file_by_file(tmp_path: Path) -> None:
    made = theme(tmp_path, static__planet_css="body { color: red }", templates__robots_txt="User-agent: *\n")

    files = {**river([post()], [blog()], renderer(theme=made)), **renderer(theme=made).static()}

    assert files["static/planet.css"] == b"body { color: red }"
    assert files["robots.txt"] == b"User-agent: *\n"
    assert b"Post 1" in files["index.html"]
    assert b"EventSource" in files["static/planet.js"]


def test_a_template_of_a_theme_may_build_on_ours(tmp_path: Path) -> None:
    made = theme(
        tmp_path,
        templates__about_html='{% extends "base.html" %}{% block body %}<p>Ours: {{ planet.title }}</p>{% endblock %}',
    )

    page = river([], [], renderer(theme=made))["about/index.html"]

    assert b"<p>Ours: Planet &amp; Test</p>" in page
    assert b'class="masthead"' in page


def test_a_template_may_build_on_ours_of_the_same_name(tmp_path: Path) -> None:
    made = theme(
        tmp_path,
        static__mine_css="p {}",
        templates__base_html='{% extends "planet/base.html" %}{% block theme %}'
        '<link rel="stylesheet" href="{{ static[\'mine.css\'] }}">{% endblock %}',
        templates__foot_html='{% include "planet/foot.html" %}<p>Ours.</p>',
    )

    page = river([post()], [blog()], renderer(theme=made))["index.html"].decode()

    assert '<link rel="stylesheet" href="/static/mine.css?' in page
    assert '<link rel="stylesheet" href="/static/planet.css?' in page
    assert "<p>Ours.</p>" in page
    assert page.count("<footer") == page.count("<article") + 1


def test_a_changed_theme_is_another_look(tmp_path: Path) -> None:
    made = theme(tmp_path, static__planet_css="a")
    before = renderer(theme=made).fingerprint

    theme(tmp_path, static__planet_css="b")

    assert renderer(theme=made).fingerprint != before


@pytest.mark.parametrize(
    ("template", "place"),
    [("{% if %}", "river.html:1"), ("\n\n{{ nobody.knows }}", "river.html"), ("{% extends 'no' %}", "no")],
)
def test_a_broken_template_is_named(tmp_path: Path, template: str, place: str) -> None:
    made = theme(tmp_path, templates__river_html=template)

    with pytest.raises(ThemeBroken, match=place):
        river([post()], [blog()], renderer(theme=made))


def test_a_theme_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThemeBroken, match="no folder"):
        renderer(theme=tmp_path / "none")

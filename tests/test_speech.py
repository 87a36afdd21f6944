from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from aggregator.site import templating
from aggregator.site.speech import CATALOGUES, Speech
from tests.builders import NOON
from tests.test_site import MASTHEAD, blog, post, renderer, river

TEMPLATES = Path(templating.__file__).parent / "templates"
# Words that are not written in a template but handed to one.
HANDED = re.compile(r'gettext\("([^"]+)"\)')
Message = str | tuple[str, ...]


def said_in_templates() -> Iterator[Message]:
    methods = [("**", "jinja2.ext:babel_extract")]
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    for _, _, message, _, _ in extract_from_dir(TEMPLATES, method_map=methods, keywords=keywords):
        yield message if isinstance(message, str) else message[:2]


def said_in_code() -> Iterator[str]:
    for path in TEMPLATES.parent.glob("*.py"):
        yield from HANDED.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted(CATALOGUES.glob("*.po")), ids=lambda path: path.stem)
def test_a_catalogue_translates_everything_that_is_said(path: Path) -> None:
    with path.open("rb") as source:
        catalogue = read_po(source, path.stem)

    said = {*said_in_templates(), *said_in_code()}
    known = {message.id if isinstance(message.id, str) else tuple(message.id) for message in catalogue}
    assert said - known == set()
    for message in catalogue:
        if message.id:
            texts = [message.string] if isinstance(message.string, str) else list(message.string)
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            assert all(texts), message.id
            for text, id in zip(texts, ids, strict=True):
                assert set(re.findall(r"%\(\w+\)s|\{\w+\}|<[^>]+>", text)) <= set(
                    re.findall(r"%\(\w+\)s|\{\w+\}|<[^>]+>", id)
                ), id


def test_dates_are_those_of_the_language_and_the_zone() -> None:
    english, german = Speech("en", "UTC"), Speech("de", "Europe/Berlin")

    assert english.day_name(date(2026, 11, 21)) == "Saturday, November 21, 2026"
    assert english.clock_time(NOON) == "12:00\u202fPM"
    assert german.day_name(date(2026, 11, 21)) == "Samstag, 21. November 2026"
    assert german.full_time(NOON) == "22.11.2026, 13:00"


def test_pages_speak_the_language_of_the_planet() -> None:
    german = renderer(type(MASTHEAD)(title="Planet", url="https://p.example/", language="de"))

    page = river([post(thoughts=2)], [blog()], german)["index.html"].decode()

    assert '<html lang="de" dir="ltr">' in page
    assert ">2 Gedanken</a>" in page
    assert "Sonntag, 22. November 2026" in page


@pytest.mark.parametrize("language", ["xx", "ar", "pt-BR"])
def test_a_language_without_a_catalogue_is_spoken_to_in_english(language: str) -> None:
    page = river([], [blog()], renderer(type(MASTHEAD)(title="P", url="https://p.example/", language=language)))

    assert b'<html lang="en" dir="ltr">' in page["index.html"]
    assert b"The first posts are on their way" in page["index.html"]

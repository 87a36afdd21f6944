"""The templates of the planet, and those of a theme in their place; every page goes through here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from markupsafe import Markup

from aggregator import __version__
from aggregator.errors import ThemeBroken
from aggregator.markup import without_controls
from aggregator.model import Masthead, Post
from aggregator.overview import Topic
from aggregator.site import charts, prose, words
from aggregator.site.speech import CATALOGUES, Speech

_HERE = Path(str(files("aggregator.site")))


@dataclass(frozen=True, slots=True)
class Look:
    """Everything in the configuration that shows on pages."""

    masthead: Masthead
    content: Literal["full", "excerpt"] = "full"
    manner: prose.Manner = field(default_factory=prose.Manner)
    per_feed_per_day: int = 3
    entries: int = 40
    accepts: tuple[str, ...] = ("pingback", "trackback", "webmention")
    topics: tuple[Topic, ...] = ()
    hub: str = ""
    theme: Path | None = None
    newsletter: bool = False
    first_address: str = ""


class Templates:
    """Renders one template after another for one look."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.speech = Speech(look.masthead.language, look.masthead.timezone)
        self.static = _static(look.theme)
        self._environment = self._new_environment()
        self._parts: dict[tuple[str, str], Markup] = {}
        # What every page depends on beside its values; when it changes, all are rendered again.
        self.fingerprint = self._fingerprint()

    def page(self, template: str, **values: Any) -> bytes:
        """Render a template. Raises: ThemeBroken."""
        return self.text(template, **values).encode("utf-8")

    def text(self, template: str, **values: Any) -> str:
        """Render a template as text. Raises: ThemeBroken."""
        masthead = self.look.masthead
        try:
            return self._environment.get_template(template).render(
                {"here": "", "pingable": False, "feeds": (), **values, "planet": masthead, "look": self.look}
            )
        except TemplateError as error:
            place = f":{error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
            name = (isinstance(error, TemplateSyntaxError) and error.name) or template
            raise ThemeBroken(f"the template {name}{place} of the theme can't be used: {error}") from error

    def check(self) -> None:
        """Read every template. Raises: ThemeBroken for the first one that can't be read."""
        for name in self._environment.list_templates():
            try:
                self._environment.get_template(name)
            except TemplateError as error:
                line = getattr(error, "lineno", 1)
                raise ThemeBroken(f"the template {name}:{line} of the theme can't be used: {error}") from error

    def shows_text(self, post: Post) -> bool:
        """Tell whether pages and feeds hold the text of a post, and not only how it begins."""
        return (post.content or self.look.content) == "full" and bool(post.html)

    def _part(self, template: str, here: str) -> Markup:
        """What many pages share, rendered once; `here` is the part of the site that is open."""
        if (template, here) not in self._parts:
            self._parts[template, here] = Markup(self.text(template, here=here))  # noqa: S704 (a template's own)
        return self._parts[template, here]

    def _prose(self, post: Post) -> Markup:
        gettext = self.speech.translations.gettext
        shown = prose.shown(
            post.html, self.look.manner, gettext("▶ Open at {host}"), gettext("Picture"), first_heading=2
        )
        return Markup(shown)  # noqa: S704 (sanitised before it was stored)

    def _new_environment(self) -> Environment:
        ours = FileSystemLoader(_HERE / "templates")
        theirs = [FileSystemLoader(self.look.theme / "templates")] if self.look.theme else []
        environment = Environment(
            # A theme's template may build on ours of the same name.
            loader=ChoiceLoader([*theirs, ours, PrefixLoader({"planet": ours})]),
            autoescape=_is_markup,  # noqa: S701 (text is no markup)
            undefined=StrictUndefined,
            finalize=_without_controls,
            keep_trailing_newline=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(self.speech.translations, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(
            root=urlsplit(self.look.masthead.url).path or "/",
            static=self._addresses(),
            speech=self.speech,
            part=self._part,
            direction="rtl" if self.speech.is_from_right else "ltr",
        )
        for module in (words, charts):
            environment.filters.update({name: getattr(module, name) for name in module.__all__})
        environment.filters.update(
            day_name=self.speech.day_name,
            short_day=self.speech.short_day,
            month_name=self.speech.month_name,
            clock_time=self.speech.clock_time,
            full_time=self.speech.full_time,
            number=self.speech.number,
            shows_text=self.shows_text,
            prose=self._prose,
            for_feeds=prose.for_feeds,
        )
        return environment

    def _addresses(self) -> dict[str, str]:
        """The address of each static file, with a version that changes when the file does."""
        root = urlsplit(self.look.masthead.url).path or "/"
        digests = {name: hashlib.blake2b(content, digest_size=6).hexdigest() for name, content in self.static.items()}
        return {name: f"{root}static/{name}?{digest}" for name, digest in digests.items()}

    def _fingerprint(self) -> str:
        digest = hashlib.blake2b(repr((__version__, self.look)).encode(), digest_size=16)
        for name in sorted(self._environment.list_templates()):
            source = self._environment.loader.get_source(self._environment, name)[0]  # type: ignore[union-attr]
            digest.update(source.encode())
        for path in sorted(CATALOGUES.glob("*.po")):
            digest.update(path.read_bytes())
        for content in self.static.values():
            digest.update(content)
        return digest.hexdigest()


def _static(theme: Path | None) -> dict[str, bytes]:
    """The static files, those of the theme in place of ours. Raises: ThemeBroken."""
    if theme and not theme.is_dir():
        raise ThemeBroken(f"there is no folder {theme}; [planet] theme names a folder beside feeds.toml")
    found: dict[str, bytes] = {}
    for folder in (_HERE / "static", *([theme / "static"] if theme else [])):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_file() and not path.name.startswith("."):
                found[path.name] = path.read_bytes()
    return found


def _is_markup(name: str | None) -> bool:
    """Only texts for mails and titles are not."""
    return not (name or "").endswith(".txt")


def _without_controls(value: Any) -> Any:
    """No page and no feed may hold a control character, wherever a value came from."""
    if isinstance(value, Markup):
        return Markup(without_controls(value))  # noqa: S704 (what was safe stays safe)
    return without_controls(value) if isinstance(value, str) else value


def topics_of(look: Look, slugs: Sequence[str]) -> list[Topic]:
    """Return the topics that have these slugs, in the order of the configuration."""
    return [topic for topic in look.topics if topic.slug in slugs]

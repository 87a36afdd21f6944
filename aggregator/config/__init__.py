"""feeds.toml in, a Planet out; or every mistake at once, each with its place and a hint."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from aggregator.cadence import Bounds
from aggregator.config import mistakes
from aggregator.config.sections import (
    File,
    KeepSection,
    LinkbacksSection,
    NetworkSection,
    NewsletterSection,
    NotifySection,
    PageSection,
    PollSection,
    SmtpSection,
    WorkersSection,
)
from aggregator.config.statements import Location
from aggregator.errors import ConfigBroken
from aggregator.model import Masthead, Subscription
from aggregator.overview import Topic


@dataclass(frozen=True, slots=True)
class Planet:
    """The whole configuration, valid."""

    path: Path
    masthead: Masthead
    data: Path
    page: PageSection
    poll: PollSection
    linkbacks: LinkbacksSection
    network: NetworkSection
    keep: KeepSection
    workers: WorkersSection
    notify: NotifySection
    smtp: SmtpSection | None
    newsletter: NewsletterSection | None
    subscriptions: tuple[Subscription, ...]
    topics: tuple[Topic, ...] = ()
    theme: Path | None = None
    hub: str = ""

    @property
    def public(self) -> Path:
        """The folder of the published site."""
        return self.data / "public"

    @property
    def bounds(self) -> Bounds:
        """How often feeds may be polled."""
        return Bounds(self.poll.every, self.poll.at_least, self.poll.at_most)


class ConfigFile:
    """A configuration file whose edits take effect; a broken edit leaves the last good one in effect."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises: ConfigBroken."""
        self.path = path
        self.mistakes: tuple[str, ...] = ()
        self._seen = _stamp(path)
        self.current = load(path)

    def refresh(self) -> bool:
        """Read the file again if it has changed; tell whether a new configuration is in effect.

        Raises: ConfigBroken, once for each broken edit; `current` stays as it is, and `mistakes` are what is wrong.
        """
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            fresh = load(self.path)
        except ConfigBroken as error:
            self.mistakes = tuple(error.problems)
            raise
        # The data folder is locked by whoever runs on it: another one takes effect at the next start.
        self.current, self.mistakes = replace(fresh, data=self.current.data), ()
        return True


def data_of(path: Path) -> Path:
    """Return the data folder of a configuration as far as it can be read, broken or not."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = ""
    match = re.search(r"""^\s*data\s*=\s*(["'])(.+?)\1""", text, re.MULTILINE)
    return (path.parent / (match[2] if match else "data")).resolve()


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def load(path: Path) -> Planet:
    """Read and validate a configuration.

    Raises: ConfigBroken with a line for every mistake.
    """
    return parse(read(path), path)


def read(path: Path) -> str:
    """Return the text of a configuration. Raises: ConfigBroken."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        words = f"{path}: there is no such file; planet init writes one, --config names another"
        raise ConfigBroken([words]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigBroken([f"{path}: it can't be read: {error}"]) from error


def draft(text: str, path: Path) -> Planet:
    """Validate the text of a configuration that may have no feeds yet.

    Raises: ConfigBroken with a line for every mistake.
    """
    if re.search(r"^\s*\[\[\s*feeds\s*\]\]|^\s*feeds\s*=", text, re.MULTILINE):
        return parse(text, path)
    return replace(parse(f'{text}\n[[feeds]]\nurl = "https://feed.invalid/"\n', path), subscriptions=())


def parse(text: str, path: Path) -> Planet:
    """Validate the text of a configuration; `path` is for messages and for finding the data folder.

    Raises: ConfigBroken with a line for every mistake.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigBroken([mistakes.syntax(path, error)]) from error
    found: list[tuple[Location, str]] = []
    file = None
    try:
        file = File.model_validate(document)
    except ValidationError as error:
        found += [(item["loc"], mistakes.in_words(dict(item))) for item in error.errors()]
    found += [*mistakes.twice(document), *mistakes.lacking(document)]
    if found or file is None:
        raise ConfigBroken(mistakes.located(text, path, found))
    return _planet(file, path)


def _planet(file: File, path: Path) -> Planet:
    about = file.planet
    return Planet(
        path=path,
        masthead=Masthead(
            title=about.title,
            url=about.url,
            description=about.description,
            language=about.language,
            timezone=about.timezone,
            contact=about.contact,
        ),
        data=(path.parent / about.data).resolve(),
        page=file.page,
        poll=file.poll,
        linkbacks=file.linkbacks,
        network=file.network,
        keep=file.keep,
        workers=file.workers,
        notify=file.notify,
        smtp=file.smtp,
        newsletter=file.newsletter,
        subscriptions=tuple(feed.subscription() for feed in file.feeds),
        topics=tuple(topic.topic() for topic in file.topics),
        theme=(path.parent / about.theme).resolve() if about.theme else None,
        hub=about.hub,
    )

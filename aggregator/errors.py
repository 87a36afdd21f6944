"""Everything that may go wrong in words an operator can act on.

PlanetError
├── ConfigBroken      feeds.toml has mistakes (all of them, with their places)
├── StartRefused      the planet can't start here: port, folder
│   └── AlreadyAtWork another planet holds the data folder
├── StoreFailed       the database can't be read or written
│   ├── StoreBusy     another process holds it for longer than we wait
│   └── StoreReadOnly it, or a page, may not be written
├── FeedUnreadable    no entry can be read from this body
│   └── PageInstead   it is a web page, which may name feeds
├── MailFailed        the mail server didn't take a mail
├── NoticeFailed      the operator could not be told
├── NothingKnown      a command names what isn't there
├── BackupUnusable    a file is no backup, or a damaged one
├── NothingToImport   a file holds no feeds that can be read
├── SearchTooBroad    a search would take too long
├── ThemeBroken       a template of the operator's own can't be used
├── NoVerdict         a child process is missing: nothing is known of its input
├── BodyRefused       a body is too large, or not in the coding it claims
└── ChildStopped      a child process was ended by its limits, or died

Expected outcomes of a fetch or a ping (not modified, refused, gone) are values, not errors.
"""

from __future__ import annotations

import errno


class PlanetError(Exception):
    """Base of all errors that the planet itself raises."""


class ConfigBroken(PlanetError):
    """The configuration has mistakes; `problems` holds one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StartRefused(PlanetError):
    """The planet can't start: the message says why and what to do."""


class AlreadyAtWork(StartRefused):
    """Another planet holds the data folder."""


class StoreFailed(PlanetError):
    """The database can't be used; nothing of the attempted change was kept."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StoreBusy(StoreFailed):
    """Another process is writing, and has been for longer than we wait."""


class StoreReadOnly(StoreFailed):
    """Rights, or the file system, forbid to write."""


UNWRITABLE = (
    "it can't be written; check the owner and the rights of the data folder, and whether its file system is read-only."
    " A planet that runs serves what is published, takes nothing, and goes on by itself when it can be written"
)
FULL = "the disk is full; nothing was stored. Make room, and the planet goes on by itself"


def unwritten(error: OSError, path: str) -> StoreFailed:
    """Return what the file system says of `path`, with what to do about it."""
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnly(path, UNWRITABLE)
    return StoreFailed(path, FULL if error.errno == errno.ENOSPC else f"it can't be written: {error.strerror or error}")


class FeedUnreadable(PlanetError):
    """No entry can be read from a body that should have been a feed."""


class PageInstead(FeedUnreadable):
    """A web page came where a feed was to be; `feeds` are the addresses of those that it names, best first.

    `topic` and `hubs` are what it offers beside (see `aggregator.offers`).
    """

    def __init__(self, feeds: tuple[str, ...] = (), topic: str = "", hubs: tuple[str, ...] = ()) -> None:
        super().__init__("this is a web page, not a feed; its feed's address is needed")
        self.feeds = feeds
        self.topic = topic
        self.hubs = hubs

    def __reduce__(self) -> tuple[type[PageInstead], tuple[tuple[str, ...], str, tuple[str, ...]]]:
        """It crosses from child to parent: an exception is rebuilt from its arguments."""
        return PageInstead, (self.feeds, self.topic, self.hubs)


class BodyRefused(PlanetError):
    """A body is larger than allowed, or not what its Content-Encoding claims."""


class ChildStopped(PlanetError):
    """A child process ran into its limits (time, CPU, memory) or died; the input is to blame."""


class NothingKnown(PlanetError):
    """A command names a feed, a post or a linkback that the planet doesn't know."""


class SearchTooBroad(PlanetError):
    """A search of too many texts was given up; a rarer word helps."""

    def __init__(self) -> None:
        super().__init__("this search takes too long; add a word that is rarer")


class ThemeBroken(PlanetError):
    """A file of the theme can't be used; what is published stays as it is."""


class NoVerdict(PlanetError):
    """A child process could not do its work, and its input is not to blame: try again later."""


class NothingToImport(PlanetError):
    """A file holds no list of feeds that can be read; the message says why."""


class BackupUnusable(PlanetError):
    """A file can't be restored: it is no planet's database, or it is damaged."""


class MailFailed(PlanetError):
    """The operator's mail server can't be reached, or doesn't take a mail.

    What `is_of_recipient` concerns one address, and the server takes others; what `is_permanent` won't pass.
    """

    def __init__(self, message: str, *, is_of_recipient: bool = False, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.is_of_recipient = is_of_recipient
        self.is_permanent = is_permanent


class NoticeFailed(PlanetError):
    """The operator could not be told something; it is tried again."""

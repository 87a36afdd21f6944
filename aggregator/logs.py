"""One line per event: when, how bad, who, what, and the keys that matter; as text, or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time

log = logging.getLogger("planet.run")

_KEYS = ("feed", "source", "target", "next", "half", "path")


class Line(logging.Formatter):
    """Writes a record as one line; control characters are escaped, so no title can forge another line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, with its keys at the end."""
        keys = "".join(f" {key}={getattr(record, key)}" for key in _KEYS if hasattr(record, key))
        text = f"{self.formatTime(record)} {record.levelname.lower():7} {record.name.removeprefix('planet.')}: "
        text += escaped(f"{record.getMessage()}{keys}")
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            text += "".join(f"\n    {escaped(line)}" for line in trace.split("\n"))
        return text


class JsonLine(logging.Formatter):
    """Writes a record as one JSON object in one line, with its keys beside its words."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        said = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "job": record.name.removeprefix("planet."),
            "event": record.getMessage(),
        }
        said |= {key: str(getattr(record, key)) for key in _KEYS if hasattr(record, key)}
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said)


def escaped(text: str) -> str:
    """Return `text` with everything that a terminal might obey made visible."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return "1 feed" or "2 feeds"."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def begin(*, verbose: bool = False, quiet: bool = False, as_json: bool = False) -> None:
    """Log to standard error: everything, what matters, or what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else Line())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("planet").setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.WARNING)

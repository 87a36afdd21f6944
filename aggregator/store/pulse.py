"""The jobs half's sign of life: when it was last at work, and what troubles it."""

from __future__ import annotations

import json

from sqlite_utils import Database

from aggregator.model import Pulse
from aggregator.store.connection import an_instant, to_text
from aggregator.store.pages import note, set_note

_NAME = "pulse"


def record(database: Database, pulse: Pulse) -> None:
    """Store it in place of the one before; inside a transaction."""
    value = {"at": to_text(pulse.at), "troubles": list(pulse.troubles)}
    set_note(database, _NAME, json.dumps(value))


def last(database: Database) -> Pulse | None:
    """Return the latest one, or None when no jobs half has ever been at work here."""
    if not (text := note(database, _NAME)):
        return None
    value = json.loads(text)
    return Pulse(an_instant(value["at"]), tuple(value["troubles"]))

"""How the planet speaks: its language, its catalogue of translations, its calendar and its clock.

Source of dates and plurals: Unicode CLDR, by Babel. Catalogues are gettext's (.po), read as they are.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

CATALOGUES = Path(__file__).parent / "translations"


class Speech:
    """One language and one time zone."""

    def __init__(self, language: str, timezone: str) -> None:
        self.language = language
        self.zone = ZoneInfo(timezone)
        self._locale = _locale(language)
        self.translations = _translations(self._locale.language)

    @property
    def spoken(self) -> str:
        """The language of the planet's own words: its own, or English where there is no catalogue."""
        name = self.language.partition("-")[0].lower()
        return self.language if name == "en" or (CATALOGUES / f"{name}.po").is_file() else "en"

    @property
    def is_from_right(self) -> bool:
        """Tell whether the language is written from right to left."""
        return bool(self._locale.text_direction == "rtl") and self.spoken == self.language

    def day(self, instant: datetime) -> date:
        """Return the day on which an instant falls here."""
        return instant.astimezone(self.zone).date()

    def day_name(self, day: date) -> str:
        """Return "Saturday, November 21, 2026", as the language writes it."""
        return format_date(day, "full", self._locale)

    def short_day(self, day: date) -> str:
        """Return "Nov 21, 2026"."""
        return format_date(day, "medium", self._locale)

    def month_name(self, day: date) -> str:
        """Return "November 2026"."""
        return format_skeleton("yMMMM", day, locale=self._locale)

    def clock_time(self, instant: datetime) -> str:
        """Return "8:40 AM"."""
        return format_time(instant, "short", tzinfo=self.zone, locale=self._locale)

    def full_time(self, instant: datetime) -> str:
        """Return "Nov 21, 2026, 8:40 AM"."""
        return f"{self.short_day(self.day(instant))}, {self.clock_time(instant)}"

    def number(self, number: int) -> str:
        """Return "18,204"."""
        return format_decimal(number, locale=self._locale)


def _locale(language: str) -> Locale:
    """The locale of a language tag, or what is known of it: its language, at last English."""
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@lru_cache(4)
def _translations(language: str) -> GNUTranslations:
    """The catalogue of a language; an empty one speaks English."""
    path = CATALOGUES / f"{language}.po"
    compiled = BytesIO()
    with path.open("rb") if path.is_file() else BytesIO() as source:
        write_mo(compiled, read_po(source, language))
    compiled.seek(0)
    return GNUTranslations(compiled)

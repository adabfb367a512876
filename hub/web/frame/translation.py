"""Sentences, numbers and times in the reader's language: sentences through gettext, the rest through Babel.

Catalogues are plain .po text, compiled in memory when first used. `make messages` collects the sentences to translate
in locale/messages.pot.
"""

import gettext
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_currency, format_decimal, get_currency_precision, parse_pattern

from hub.health.sentences import Moment, Said
from protocols.slots import SLOT_S, Slot, start_of

LOCALE_DIR: Final = Path(__file__).parents[1] / "locale"
SOURCE_LANGUAGE: Final = "en"
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
NANO_PER_UNIT: Final = 1_000_000_000
_BABEL_LOCALES: Final = {"en": "en_GB"}  # 24-hour clock and day before month, as in the charts


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that pages are available in, the source language first."""
    found = sorted(path.parent.name for path in LOCALE_DIR.glob("*/pages.po"))
    return (SOURCE_LANGUAGE, *found)


@lru_cache(maxsize=16)
def catalogue(language: str) -> gettext.NullTranslations:
    """The sentences of one language; a sentence without a translation is shown in the source language."""
    path = LOCALE_DIR / language / "pages.po"
    if language not in languages() or language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=16)
def _locale_of(language: str) -> Locale:
    """What Babel knows of the language. A page asks it for every number, and reading its name takes as long as one."""
    return Locale.parse(_BABEL_LOCALES.get(language, language))


@lru_cache(maxsize=16)
def _pattern(places: int) -> NumberPattern:
    """A number with this many decimals."""
    return parse_pattern(f"#,##0.{'0' * places}" if places else "#,##0")


def translatable(sentence: str) -> str:
    """Mark a sentence whose reader is not known yet; `Localizer.looked_up` translates it later."""
    return sentence


@dataclass(frozen=True, slots=True)
class Localizer:
    """One reader's language, time zone and currency."""

    language: str
    tz: str
    currency: str

    def text(self, sentence: str, **parts: object) -> str:
        """The sentence in the reader's language with its named parts filled in."""
        text = catalogue(self.language).gettext(sentence)
        return text % parts if parts else text

    def plural(self, one: str, many: str, n: int, **parts: object) -> str:
        """`one` or `many`, whichever the language uses for n; both may contain %(n)s."""
        return catalogue(self.language).ngettext(one, many, n) % {"n": self.number(n), **parts}

    def looked_up(self, sentence: str) -> str:
        """A sentence marked with `translatable`, in the reader's language; any other text unchanged."""
        return catalogue(self.language).gettext(sentence)

    def worded(self, said: Said) -> str:
        """A sentence of the hub's rooms in the reader's language, with its times as the reader tells them."""
        parts = {
            name: self.moment(part.at_s) if isinstance(part, Moment) else self.looked_up(part)
            for name, part in said.parts.items()
        }
        return self.plural(said.one, said.many, said.n, **parts) if said.many else self.text(said.one, **parts)

    def sentences(self, *whole: str) -> str:
        """Whole sentences, one after another; empty ones are left out."""
        return " ".join(filter(None, whole))

    def listed(self, items: Iterable[str]) -> str:
        """'a, b and c'."""
        return str(format_list(list(items), locale=self._locale))

    @property
    def _locale(self) -> Locale:
        return _locale_of(self.language)

    def number(self, value: float, places: int = 0) -> str:
        """A number with the language's decimal mark; never minus zero."""
        rounded = round(value, places) + 0.0
        return format_decimal(rounded, format=_pattern(places), locale=self._locale)

    def fraction(self, value: int, places: int) -> str:
        """An integer count of 10^-places, written with all its digits; it is never converted to a float."""
        return str(format_decimal(Decimal(value).scaleb(-places), format=_pattern(places), locale=self._locale))

    def kwh(self, energy_wh: float) -> str:
        """An amount of energy with one decimal."""
        return f"{self.number(energy_wh / 1000, 1)}{NO_BREAK}kWh"

    def kw(self, slot_energy_wh: float) -> str:
        """The mean power over a slot, with one decimal."""
        return f"{self.number(slot_energy_wh * 3600 / SLOT_S / 1000, 1)}{NO_BREAK}kW"

    def percent(self, share: float) -> str:
        return f"{self.number(100 * share)}{NO_BREAK}%"

    def money(self, amount_nano: int) -> str:
        """An amount in the co-op's currency, rounded to the currency's smallest unit, for display; never minus zero."""
        amount = round(Decimal(amount_nano).scaleb(-9), get_currency_precision(self.currency))
        return str(format_currency(amount or Decimal(0), self.currency, locale=self._locale))

    def cents(self, cents: int) -> str:
        """An amount of whole cents in the co-op's currency."""
        return self.money(cents * (NANO_PER_UNIT // 100))

    def exact_kwh(self, energy_wh: int) -> str:
        """An amount of energy to the watt-hour, so that sums add up."""
        return f"{self.fraction(energy_wh, 3)}{NO_BREAK}kWh"

    def local(self, unix_s: float) -> datetime:
        return datetime.fromtimestamp(unix_s, UTC).astimezone(ZoneInfo(self.tz))

    def clock(self, slot: Slot) -> str:
        """When a slot begins: '10:15'."""
        return self.clock_at(start_of(slot))

    def clock_at(self, unix_s: float) -> str:
        return format_time(self.local(unix_s).timetz(), "HH:mm", locale=self._locale)

    def hour(self, slot: Slot) -> str:
        """When a slot begins, as short as possible: '11', or '11:15' between full hours."""
        local = self.local(start_of(slot))
        return str(local.hour) if local.minute == 0 else f"{local.hour}:{local.minute:02}"

    def end_hour(self, slot: Slot) -> str:
        """Like `hour`, for the end of a period: midnight is 24."""
        local = self.local(start_of(slot))
        return "24" if (local.hour, local.minute) == (0, 0) else self.hour(slot)

    def day(self, day: date) -> str:
        """'Friday 21 November'."""
        return str(format_date(day, "EEEE d MMMM", locale=self._locale))

    def short_day(self, day: date) -> str:
        """'Fri 21 Nov'."""
        return str(format_date(day, "EEE d MMM", locale=self._locale))

    def full_day(self, day: date) -> str:
        """'21 Nov 2026'."""
        return str(format_date(day, "d MMM yyyy", locale=self._locale))

    def month(self, day: date) -> str:
        """'November 2026'."""
        return str(format_date(day, "LLLL yyyy", locale=self._locale))

    def moment(self, unix_s: float) -> str:
        """'21 November, 10:15'."""
        return str(format_datetime(self.local(unix_s), "d MMMM, HH:mm", locale=self._locale))

    def dated(self, unix_s: float) -> str:
        """'21 November 2026'."""
        return self.long_day(self.local(unix_s).date())

    def long_day(self, day: date) -> str:
        """'21 November 2026', from a date."""
        return str(format_date(day, "d MMMM yyyy", locale=self._locale))

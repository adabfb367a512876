"""One reader's words: sentences in their language, numbers with its decimal mark, times in the home's zone."""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from edge_agent.page.catalogs import Catalog, catalog
from protocols.slots import Slot, start_of

NO_BREAK = "\N{NO-BREAK SPACE}"
_DECIMAL_POINT = frozenset({"en", "ga", "mt"})
"""Of the languages of the European Union, those that write 1.5; the others write 1,5."""


def translatable(sentence: str) -> str:
    """Mark a sentence whose reader is not known yet; `PageWords.looked_up` translates it later."""
    return sentence


MONTHS = (
    translatable("January"), translatable("February"), translatable("March"), translatable("April"),
    translatable("May"), translatable("June"), translatable("July"), translatable("August"),
    translatable("September"), translatable("October"), translatable("November"), translatable("December"),
)  # fmt: skip


class PageWords:
    """The words of one reader. Raises: KeyError or ValueError for an unknown time zone."""

    def __init__(self, language: str, tz: str) -> None:
        self.language = language
        self.tz = tz
        self._zone = ZoneInfo(tz)

    @cached_property
    def _catalog(self) -> Catalog:
        return catalog(self.language)

    def text(self, sentence: str, **parts: object) -> str:
        """The sentence in the reader's language with its named parts filled in."""
        text = self._catalog.text(sentence)
        return text % parts if parts else text

    def plural(self, one: str, many: str, n: int, **parts: object) -> str:
        """`one` or `many`, whichever the language uses for n; both may contain %(n)s."""
        return self._catalog.plural(one, many, n) % {"n": self.number(n), **parts}

    def looked_up(self, sentence: str) -> str:
        """A sentence marked with `translatable`; any other text unchanged."""
        return self._catalog.text(sentence)

    def number(self, value: float, places: int = 0) -> str:
        """A number with the language's decimal mark; never minus zero."""
        text = f"{round(value, places) + 0.0:.{places}f}"
        return text if self.language in _DECIMAL_POINT else text.replace(".", ",")

    def power(self, power_w: float) -> str:
        """Watts below a kilowatt, kilowatts above."""
        if abs(power_w) < 999.5:
            return f"{self.number(power_w)}{NO_BREAK}W"
        return f"{self.number(power_w / 1000, 2 if abs(power_w) < 9_995 else 1)}{NO_BREAK}kW"

    def energy(self, energy_wh: float) -> str:
        """Kilowatt-hours; hundredths below ten."""
        return f"{self.number(energy_wh / 1000, 2 if abs(energy_wh) < 9_995 else 1)}{NO_BREAK}kWh"

    def local(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, self._zone)

    def today(self, now_s: float) -> date:
        """The local day."""
        return self.local(now_s).date()

    def clock(self, at_s: float) -> str:
        """'10:15'."""
        return self.local(at_s).strftime("%H:%M")

    def slot_clock(self, slot: Slot) -> str:
        """When a slot begins: '10:15'."""
        return self.clock(start_of(slot))

    def moment(self, at_s: float) -> str:
        """'21 November, 10:15'."""
        return f"{self.day(self.local(at_s).date())}, {self.clock(at_s)}"

    def day(self, day: date) -> str:
        """'21 November'."""
        return self.text("%(day)s %(month)s", day=day.day, month=self.looked_up(MONTHS[day.month - 1]))

    def long_day(self, day: date) -> str:
        """'21 November 2026'."""
        return f"{self.day(day)} {day.year}"

    def month(self, day: date) -> str:
        """'November 2026'."""
        return f"{self.looked_up(MONTHS[day.month - 1])} {day.year}"

    def age(self, age_s: float) -> str:
        """How long: '20 seconds', '5 minutes', '3 hours', '2 days'; the larger unit from two of it on."""
        age_s = max(0.0, age_s)
        if age_s < 120:
            return self.plural("%(n)s second", "%(n)s seconds", int(age_s))
        if age_s < 7200:
            return self.plural("%(n)s minute", "%(n)s minutes", int(age_s // 60))
        if age_s < 2 * 86400:
            return self.plural("%(n)s hour", "%(n)s hours", int(age_s // 3600))
        return self.plural("%(n)s day", "%(n)s days", int(age_s // 86400))

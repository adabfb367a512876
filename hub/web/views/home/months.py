"""A home's energy month by month, or day by day of one month: sums kept with the readings, and how much they cover.

A month or day is shown when it is over. A sum that lacks quarter hours says so in its own line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from hub.core.homes.periods import PeriodKind, days_in, period_of
from hub.core.ledger.run_calendar import month_name
from hub.storage.street_records import PeriodSum
from hub.web.frame.translation import Localizer
from protocols.quantities import Measure
from protocols.slots import Slot, day_of

MONTHS_SHOWN: Final = 12
MADE: Final = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """A month or a day: its name, where its days are shown (empty for a day), its energy, and what it lacks."""

    name: str
    address: str
    bought: str
    sold: str
    made: str
    lacks: str


def month_firsts(now: Slot, tz: str) -> tuple[Slot, ...]:
    """The first slots of the last months that are over, the newest first."""
    month, found = period_of(PeriodKind.MONTH, now, tz), []
    for _ in range(MONTHS_SHOWN):
        month = period_of(PeriodKind.MONTH, month.start - 1, tz)
        found.append(month.start)
    return tuple(found)


def day_firsts(month: date, tz: str) -> tuple[Slot, ...]:
    """The first slots of a month's days."""
    return tuple(day.start for day in days_in(period_of(PeriodKind.MONTH, _noon_slot(month), tz), tz))


def period_lines(sums: Sequence[PeriodSum], words: Localizer) -> tuple[PeriodLine, ...]:
    """The lines of these sums, in their order."""
    return tuple(_line(each, words) for each in sums)


def period_json(each: PeriodSum, tz: str) -> dict[str, object]:
    """One sum for programs: energies by measure, and the quarter hours that each covers."""
    day = day_of(each.first_slot, tz)
    return {
        "period": month_name(day) if each.kind is PeriodKind.MONTH else day.isoformat(),
        "quarter_hours": each.slots,
        "energy_wh": {measure.code: energy for measure, energy in each.energy_wh.items()},
        "covered_quarter_hours": {measure.code: count for measure, count in each.covered.items()},
    }


def _line(each: PeriodSum, words: Localizer) -> PeriodLine:
    day = day_of(each.first_slot, words.tz)
    is_month = each.kind is PeriodKind.MONTH
    made = [each.energy_wh[measure] for measure in MADE if measure in each.energy_wh]
    return PeriodLine(
        name=words.month(day) if is_month else words.full_day(day),
        address=f"/my-home/months?month={month_name(day)}" if is_month else "",
        bought=_energy(each.energy_wh.get(Measure.GRID_IMPORT), words),
        sold=_energy(each.energy_wh.get(Measure.GRID_EXPORT), words),
        made=_energy(sum(made) if made else None, words),
        lacks=_lacks(each, words),
    )


def _energy(energy_wh: int | None, words: Localizer) -> str:
    return "–" if energy_wh is None else words.kwh(energy_wh)


def _lacks(each: PeriodSum, words: Localizer) -> str:
    """How many quarter hours the least covered sum lacks; empty where every sum is whole."""
    missing = each.slots - min(each.covered.values(), default=0)
    if not missing:
        return ""
    return words.plural("%(n)s quarter hour is not in it", "%(n)s quarter hours are not in it", missing)


def _noon_slot(month: date) -> Slot:
    """A slot in the middle of the month, in every time zone."""
    return (month.replace(day=15).toordinal() - date(1970, 1, 1).toordinal()) * 96 + 48

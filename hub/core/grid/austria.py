"""Austria's figures per metering point and quarter hour, as grid operators deliver them, with value quality L0 to L3.

A consumer has three figures (total, share of the pool, own coverage), a producer two (total, community surplus). They
come from a settlement by one of Austria's two methods. This module writes CSV, grid_sheets.py writes XLSX.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import share_rows
from hub.core.grid.files import MEASURED, MICRO_PER_WH, MISSING, NO_VALUE, TOTAL, Direction, QuarterHours
from hub.core.grid.tables import GridFileError, write_micro
from hub.core.grid.times import local_time
from hub.core.settlement.period import Settlement

SHARE: Final = "share"
OWN: Final = "own"
SURPLUS: Final = "surplus"
WORDS: Final[Mapping[tuple[Direction, str], str]] = {
    ("consumption", TOTAL): "Gesamtverbrauch lt. Messung (bei Teilnahme gem. Erzeugung) [KWH]",
    ("consumption", SHARE): "Anteil gemeinschaftliche Erzeugung [KWH]",
    ("consumption", OWN): "Eigendeckung gemeinschaftliche Erzeugung [KWH]",
    ("generation", TOTAL): "Gesamte gemeinschaftliche Erzeugung [KWH]",
    ("generation", SURPLUS): "Gesamt/Überschusserzeugung, Gemeinschaftsüberschuss [KWH]",
}
DIRECTION_WORDS: Final[Mapping[Direction, str]] = {"consumption": "CONSUMPTION", "generation": "GENERATION"}
COLUMNS: Final = ("Zaehlpunkt", "Richtung", "Metercode", "Von", "kWh", "Qualitaet")
METERING_POINT = re.compile(r"AT[0-9]{11}[A-Z0-9]{20}", re.ASCII)

Energy = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MeteringPoints:
    """A member's metering points; None where the member has none in that direction."""

    consumption: str | None
    generation: str | None = None


def is_metering_point(point: str) -> bool:
    """Whether this is an Austrian Zählpunktbezeichnung: AT, operator (6), postcode (5), 20 digits or capitals."""
    return METERING_POINT.fullmatch(point) is not None


def austrian_series(
    settled: Settlement, points: Mapping[str, MeteringPoints], *, quality: NDArray[np.int8] | None = None
) -> tuple[QuarterHours, ...]:
    """All figures of a settlement, with members in byte order. Without `quality` every value counts as measured.

    Shape: quality is (slots, members), with L1 to L3 as 1 to 3. The figures have the participation factor applied.
    Raises: GridFileError for a method Austria does not use, hourly sharing, slots with gaps, or an invalid point.
    """
    if settled.rule.method not in ("static", "proportional") or settled.rule.aggregate != 1:
        raise GridFileError("Austria shares by the quarter hour, static or proportional; this rule does not")
    if settled.slots != tuple(range(settled.slots[0], settled.slots[0] + len(settled.slots))):
        raise GridFileError("the settled slots have gaps")
    figures = _figures(settled)
    marks = np.full(settled.demand_wh.shape, MEASURED, dtype=np.int8) if quality is None else quality
    marks = np.where(settled.present, marks, NO_VALUE).astype(np.int8)
    series = []
    for column, member in enumerate(settled.members):
        mine = points.get(member)
        if mine is None:
            raise GridFileError(f"member {member[:40]!a} has no metering points")
        for (direction, code), energy in figures.items():
            point = mine.consumption if direction == "consumption" else mine.generation
            if point is None:
                if energy[:, column].any():
                    raise GridFileError(f"member {member[:40]!a} has {direction}, but no metering point for it")
                continue
            if not is_metering_point(point):
                raise GridFileError(f"{point[:40]!a} is not a metering point: AT, 11 digits, 20 digits or capitals")
            values = np.where(marks[:, column] == NO_VALUE, MISSING, energy[:, column] * MICRO_PER_WH)
            series.append(QuarterHours(point, direction, settled.slots[0], values, marks[:, column], code))
    _check_once(series)
    return tuple(series)


def write_austrian_csv(series: Iterable[QuarterHours], tz: str) -> bytes:
    """One line per point, figure and quarter hour: semicolons, decimal comma, local times with their offset."""
    lines = [";".join(COLUMNS)]
    for one in series:
        head = f"{one.point};{DIRECTION_WORDS[one.direction]};{one.code}"
        for slot, energy, quality in zip(one.slots, one.energy_micro_kwh.tolist(), one.quality.tolist(), strict=True):
            value = "" if energy == MISSING else write_micro(energy, ",")
            lines.append(f"{head};{local_time(slot, tz).isoformat()};{value};L{quality}")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _figures(settled: Settlement) -> dict[tuple[Direction, str], Energy]:
    percent = settled.rule.participation_percent
    factors = np.array([percent.get(member, 100) for member in settled.members], dtype=np.int64)
    demand, surplus = settled.demand_wh * factors // 100, settled.surplus_wh * factors // 100
    return {
        ("consumption", TOTAL): demand,
        ("consumption", SHARE): _shares(settled, demand, surplus.sum(axis=1)),
        ("consumption", OWN): settled.alloc_wh,
        ("generation", TOTAL): surplus,
        ("generation", SURPLUS): surplus - settled.sold_wh,
    }


def _shares(settled: Settlement, demand: Energy, pool: Energy) -> Energy:
    """Each member's entitlement from the whole pool, whether or not the member could use that much."""
    weights = demand
    if settled.rule.method == "static":
        table = settled.rule.params["weights"]
        fixed = np.array([table[member] for member in settled.members], dtype=np.int64)  # type: ignore[index]
        weights = np.where(settled.present, fixed, 0)
    shares: Energy = share_rows(pool, weights, weights.sum(axis=1)).astype(np.int64)
    return shares


def _check_once(series: Sequence[QuarterHours]) -> None:
    for (point, _, _), times in Counter(one.key for one in series).items():
        if times > 1:
            raise GridFileError(f"{point} is the metering point of two members")

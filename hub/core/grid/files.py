"""The grid operator's quarter hours as a second source: one form for every country's table of point, time and energy.

It only reads tables; comparison.py finds what differs from our own readings.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.grid.tables import PPM, GridFileError, find_column, read_micro, read_table, require_column, translate
from hub.core.grid.times import Stamp, read_stamp, slots_of_stamps
from protocols.slots import SLOTS_PER_HOUR, Slot

Direction = Literal["consumption", "generation"]
Key = tuple[str, str, str]
Energy = NDArray[np.int64]

MISSING: Final = -1
NO_VALUE, MEASURED, SUBSTITUTE, ESTIMATED = 0, 1, 2, 3  # L0 to L3 in Austria's data exchange
TOTAL: Final = "total"
MICRO_PER_WH: Final = 1000
MAX_SPAN_SLOTS: Final = 96 * 366 * 3

POINTS: Final = frozenset(
    [
        "point",
        "metering_point",
        "meteringpoint",
        "meteringpointid",
        "zaehlpunkt",
        "zählpunkt",
        "zaehlpunktnummer",
        "zählpunktnummer",
        "zählpunktbezeichnung",
        "cups",
        "prm",
        "pdl",
        "cpe",
        "ean",
        "pod",
    ]
)
STARTS: Final = frozenset(["from", "von", "start", "time_from", "date_from", "datum_von"])
# Columns that do not say whether they name starts or ends: a day that ends in 24:00 names the ends.
STAMPS: Final = frozenset(["timestamp", "zeitstempel", "horodate", "datetime", "fecha_hora", "data_hora"])
DAY_END = re.compile(r"(?:^|[T ])24:00(?::00)?$", re.ASCII)
ENDS: Final = frozenset(["to", "bis", "end", "time_to", "date_to", "datum_bis"])
DATES: Final = frozenset(["date", "datum", "fecha", "data", "jour"])
TIMES: Final = frozenset(["time", "zeit", "uhrzeit", "hora", "heure"])
ENERGIES_KWH: Final = frozenset(
    {"kwh", "value_kwh", "energy_kwh", "wert_kwh", "energiemenge in kwh", "energy (kwh)", "consumo_kwh", "valeur_kwh"}
)
ENERGIES_WH: Final = frozenset({"wh", "energy_wh", "value_wh", "energy (wh)"})
DIRECTIONS: Final = frozenset({"direction", "energy direction", "energy_direction", "richtung", "sens", "sentido"})
QUALITIES: Final = frozenset(
    ["quality", "qualitaet", "qualität", "qov", "wertqualität", "qualite", "qualité", "calidad"]
)
CODES: Final = frozenset(["metercode", "code"])
DIRECTION_WORDS: Final = {
    **dict.fromkeys(("consumption", "verbrauch", "bezug", "soutirage", "consumo", "import"), "consumption"),
    **dict.fromkeys(("generation", "erzeugung", "einspeisung", "injection", "generación", "export"), "generation"),
}
QUALITY_WORDS: Final = {"l0": "0", "l1": "1", "l2": "2", "l3": "3", "": "1", "measured": "1", "estimated": "3"}


@dataclass(frozen=True)
class QuarterHours:
    """One point's energy in one direction, in contiguous slots; MISSING with quality NO_VALUE where a value is missing.

    Units: micro-kWh (a thousandth of a watt-hour), exactly what six decimals of a kWh can express.
    Shape: energy_micro_kwh and quality are (slots,). `code` says which figure of the point it is; TOTAL is the meter's.
    In an hourly file (`is_hourly`) each hour's energy is at its first slot, and the others are missing. `hours` are the
    first slots of hours that are told as a whole, at that slot: see netted_series. `error_micro_kwh` is how far each
    value may be off by what its agent states, 0 for a measured one; None: all are measured.
    """

    point: str
    direction: Direction
    first_slot: Slot
    energy_micro_kwh: NDArray[np.int64]
    quality: NDArray[np.int8]
    code: str = TOTAL
    is_hourly: bool = False
    hours: frozenset[Slot] = frozenset()
    error_micro_kwh: Energy | None = None

    @property
    def key(self) -> Key:
        """What distinguishes this series from the others."""
        return self.point, self.direction, self.code

    @property
    def slots(self) -> range:
        """The slots it covers."""
        return range(self.first_slot, self.first_slot + len(self.energy_micro_kwh))


@dataclass(frozen=True, slots=True)
class UnclearTime:
    """A row from autumn's repeated hour whose counterpart is missing: nobody can tell when it was, so it is unused."""

    point: str
    direction: str
    local_time: str
    line: int


@dataclass(frozen=True, slots=True)
class GridReadings:
    """The content of a file, with the series ordered by key."""

    series: tuple[QuarterHours, ...]
    unclear: tuple[UnclearTime, ...]


@dataclass(frozen=True, slots=True)
class GridFileRow:
    """One row of a file, with its time still as written there."""

    line: int
    stamp: Stamp
    energy_micro_kwh: int
    quality: int


@dataclass(frozen=True, slots=True)
class _Columns:
    point: int
    stamp: int
    clock: int | None
    energy: int
    is_wh: bool
    direction: int | None
    quality: int | None
    code: int | None
    marks_end: bool
    names_start: bool


def quarter_hours(
    point: str,
    direction: Direction,
    *,
    first_slot: Slot,
    energy_wh: Sequence[int],
    quality: Sequence[int] | None = None,
    code: str = TOTAL,
) -> QuarterHours:
    """A series from whole watt-hours, MISSING (-1) where there is none. Without `quality` all count as measured."""
    wh = np.asarray(energy_wh, dtype=np.int64)
    given = np.where(wh == MISSING, NO_VALUE, MEASURED) if quality is None else np.asarray(quality)
    marks = np.where(wh == MISSING, NO_VALUE, given).astype(np.int8)
    return QuarterHours(point, direction, first_slot, np.where(wh == MISSING, MISSING, wh * MICRO_PER_WH), marks, code)


def read_quarter_hours(
    content: bytes, tz: str, *, direction: Direction = "consumption", takes_hours: bool = False
) -> GridReadings:
    """The quarter hours of a file; `direction` applies if the file has no column for it.

    Hourly values are refused, unless `takes_hours`.

    Raises: GridFileError naming the line; a file is read completely or not at all.

    >>> rows = b"point;from;kwh\\nAT01;25.10.2026 12:00;0,125\\nAT01;25.10.2026 12:15;0,25\\n"
    >>> (series,) = read_quarter_hours(rows, "Europe/Vienna").series
    >>> series.key, series.energy_micro_kwh.tolist(), series.first_slot
    (('AT01', 'consumption', 'total'), [125000, 250000], 1992140)
    """
    header, table = read_table(content)
    columns = _find_columns(header)
    rows: dict[Key, list[GridFileRow]] = defaultdict(list)
    signs: set[str] = set()
    marks_end = columns.marks_end
    for line, cells in table:
        where = f"line {line}"
        point = cells[columns.point]
        if not point:
            raise GridFileError(f"{where}: no metering point")
        way = cells[columns.direction] if columns.direction is not None else direction
        code = cells[columns.code] if columns.code is not None else TOTAL
        key = (point, translate(way, DIRECTION_WORDS, where=where), code or TOTAL)
        marks_end = marks_end or (not columns.names_start and _ends_day(cells, columns))
        row, sign = _read_row(cells, columns, line=line)
        signs |= {sign} - {""}
        if len(signs) > 1:
            raise GridFileError(f"{where}: decimal comma and decimal point in one file; use one of them")
        rows[key].append(row)
    if not rows:
        raise GridFileError("the file has no readings")
    series, unclear = [], []
    for key in sorted(rows):
        made, doubtful = build_series(key, rows[key], tz, marks_end=marks_end, takes_hours=takes_hours)
        unclear += doubtful
        series += [made] if made is not None else []
    return GridReadings(tuple(series), tuple(unclear))


def build_series(
    key: Key, rows: Sequence[GridFileRow], tz: str, *, marks_end: bool = False, takes_hours: bool = False
) -> tuple[QuarterHours | None, list[UnclearTime]]:
    """One series made from rows in file order, and the rows whose time is unclear.

    Raises: GridFileError for a time that appears twice or never existed, and for hourly values unless `takes_hours`.
    """
    point, direction, code = key
    is_hourly = takes_hours and len(rows) >= 2 * SLOTS_PER_HOUR and all(row.stamp.minute == 0 for row in rows)
    span = SLOTS_PER_HOUR if is_hourly else 1
    try:
        slots = slots_of_stamps([row.stamp for row in rows], tz, marks_end=marks_end, span=span)
    except GridFileError as refusal:
        raise GridFileError(f"{point[:40]} {direction}: {refusal}") from None
    unclear = [
        UnclearTime(point, direction, f"{row.stamp:%Y-%m-%d %H:%M}", row.line)
        for row, slot in zip(rows, slots, strict=True)
        if slot is None
    ]
    timed = [(slot, row) for row, slot in zip(rows, slots, strict=True) if slot is not None]
    if not timed:
        return None, unclear
    timed.sort(key=lambda pair: pair[0])
    _check_spacing(point, [slot for slot, _ in timed], is_hourly=is_hourly)
    first = timed[0][0]
    energy: NDArray[np.int64] = np.full(timed[-1][0] - first + 1, MISSING, dtype=np.int64)
    quality: NDArray[np.int8] = np.full(len(energy), NO_VALUE, dtype=np.int8)
    for slot, row in timed:
        energy[slot - first], quality[slot - first] = row.energy_micro_kwh, row.quality
    way: Direction = "generation" if direction == "generation" else "consumption"
    return QuarterHours(point, way, first, energy, quality, code, is_hourly), unclear


def _check_spacing(point: str, slots: Sequence[Slot], *, is_hourly: bool) -> None:
    if slots[-1] - slots[0] >= MAX_SPAN_SLOTS:
        raise GridFileError(f"{point[:40]}: the times span more than three years; check the dates")
    steps = {after - before for before, after in pairwise(slots)}
    if 0 in steps:
        raise GridFileError(f"{point[:40]}: a quarter hour appears twice, once with an offset and once in local time")
    if not is_hourly and len(slots) >= 2 * SLOTS_PER_HOUR and all(step % SLOTS_PER_HOUR == 0 for step in steps):
        raise GridFileError(f"{point[:40]}: these are hourly values; ask the grid operator for quarter hours")


def _ends_day(cells: Sequence[str], columns: _Columns) -> bool:
    clock = cells[columns.stamp if columns.clock is None else columns.clock]
    return DAY_END.search(clock) is not None


def _read_row(cells: Sequence[str], columns: _Columns, *, line: int) -> tuple[GridFileRow, str]:
    where = f"line {line}"
    text = cells[columns.stamp] if columns.clock is None else f"{cells[columns.stamp]} {cells[columns.clock]}"
    stamp = read_stamp(text, where)
    mark = cells[columns.quality] if columns.quality is not None else ""
    quality = int(translate(mark, QUALITY_WORDS, where=where))
    if not cells[columns.energy] or quality == NO_VALUE:
        return GridFileRow(line, stamp, MISSING, NO_VALUE), ""
    energy, sign = read_micro(cells[columns.energy], where)
    if columns.is_wh:
        energy, rest = divmod(energy, PPM // MICRO_PER_WH)
        if rest:
            raise GridFileError(f"{where}: watt-hours have at most three decimals")
    return GridFileRow(line, stamp, energy, quality), sign


def _find_columns(header: Sequence[str]) -> _Columns:
    start, end = find_column(header, STARTS), find_column(header, ENDS)
    clock, stamp = None, start if start is not None else find_column(header, STAMPS)
    if stamp is None:
        stamp = end
    if stamp is None:
        stamp, clock = require_column(header, STARTS | STAMPS | DATES, "the time"), find_column(header, TIMES)
    energy_wh = find_column(header, ENERGIES_WH)
    energy = energy_wh if energy_wh is not None else require_column(header, ENERGIES_KWH, "the energy in kWh")
    return _Columns(
        point=require_column(header, POINTS, "the metering point"),
        stamp=stamp,
        clock=clock,
        energy=energy,
        is_wh=energy_wh is not None,
        direction=find_column(header, DIRECTIONS),
        quality=find_column(header, QUALITIES),
        code=find_column(header, CODES),
        marks_end=stamp == end,
        names_start=stamp == start,
    )

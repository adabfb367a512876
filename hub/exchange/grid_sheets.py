"""Writes and reads the Austrian figures as a spreadsheet with openpyxl.

The sheet Energiedaten has the layout used by the grid operators and eegfaktura: points in columns, quarter hours in
rows. Qualities are in the sheet QoV Log, which lists the values that are not L1, or in a column beside each value. A
point for which the operator has no data has a column without values.
"""

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

from hub.core.grid.austria import DIRECTION_WORDS, WORDS
from hub.core.grid.files import (
    MEASURED,
    MISSING,
    NO_VALUE,
    TOTAL,
    Direction,
    GridFileRow,
    Key,
    QuarterHours,
    build_series,
    quarter_hours,
)
from hub.core.grid.tables import MICRO_DIGITS, GridFileError
from hub.core.grid.times import local_time, read_stamp
from protocols.slots import SLOTS_PER_HOUR

VALUES_SHEET: Final = "Energiedaten"
QUALITY_SHEET: Final = "QoV Log"
STAMP: Final = "%d.%m.%Y %H:%M:%S"
NUMBER: Final = "#,##0.000000"
MAX_SHEET_BYTES: Final = 32 * 2**20
MAX_UNPACKED_BYTES: Final = 512 * 2**20
MAX_PARTS: Final = 200
POINT_ROW, DIRECTION_ROW, CODE_ROW = "MeteringpointID", "Energy direction", "Metercode"
NO_DATA: Final = "Keine Daten verfügbar"
DIRECTIONS: Final[Mapping[str, Direction]] = {text: way for way, text in DIRECTION_WORDS.items()}
CODES: Final[Mapping[str, tuple[Direction, str]]] = {words: key for key, words in WORDS.items()}


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a figure's values are, and their qualities if the sheet has a column for them."""

    key: Key
    value: int
    quality: int | None


def write_sheets(series: Sequence[QuarterHours], tz: str, *, names: Mapping[str, str]) -> bytes:
    """The workbook. `names` holds each point's holder. Raises: GridFileError if the series have different slots."""
    if not series or any(one.slots != series[0].slots for one in series):
        raise GridFileError("the series of a sheet must cover the same quarter hours")
    book = Workbook(write_only=True)
    values, quality = book.create_sheet(VALUES_SHEET), book.create_sheet(QUALITY_SHEET)
    slots = series[0].slots
    for label, texts in _head_rows(series, slots, tz, names=names):
        values.append([_text(values, text) for text in (label, *texts)])
        doubled = [cell for text in texts for cell in (text, "QoV" if label == POINT_ROW else "")]
        quality.append([_text(quality, text) for text in (label, *doubled)])
    for place, slot in enumerate(slots):
        stamp = local_time(slot, tz).strftime(STAMP)
        cells = [(_number(one, place), int(one.quality[place])) for one in series]
        values.append([_text(values, stamp), *(_value(values, number) for number, _ in cells)])
        if _is_logged(series, place, tz):
            pairs = [c for number, mark in cells for c in (_value(quality, number), _text(quality, f"L{mark}"))]
            quality.append([_text(quality, stamp), *pairs])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def read_sheets(content: bytes, tz: str) -> tuple[QuarterHours, ...]:
    """The figures in a workbook, in the order of their keys; a value that is not in the QoV Log counts as measured.

    Raises: GridFileError. A workbook is read completely or not at all.
    """
    _check_package(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except Exception:
        raise GridFileError("the workbook cannot be read: it is damaged; save it as XLSX again") from None
    try:
        if VALUES_SHEET not in book.sheetnames:
            raise GridFileError(f"the workbook has no sheet {VALUES_SHEET}")
        keys, rows, silent = _read_values(_rows(book[VALUES_SHEET]))
        if QUALITY_SHEET in book.sheetnames:
            _apply_qualities(_rows(book[QUALITY_SHEET]), keys, rows)
    finally:
        book.close()
    series = []
    for key in sorted(keys):
        built, unclear = build_series(key, rows[key], tz)
        if unclear or built is None:
            raise GridFileError(f"{key[0]}: {unclear[0].local_time} occurs twice that day but has only one row")
        series.append(built)
    return tuple(series + _without_data(silent, series))


def _head_rows(
    series: Sequence[QuarterHours], slots: range, tz: str, *, names: Mapping[str, str]
) -> Iterator[tuple[str, list[str]]]:
    first, last = (local_time(slot, tz).strftime(STAMP) for slot in (slots[0], slots[-1]))
    yield POINT_ROW, [one.point for one in series]
    yield "Name", [names.get(one.point, "") for one in series]
    yield DIRECTION_ROW, [DIRECTION_WORDS[one.direction] for one in series]
    yield "Period start", [first for _ in series]
    yield "Period end", [last for _ in series]
    yield CODE_ROW, [WORDS[one.direction, one.code] for one in series]


def _is_logged(series: Sequence[QuarterHours], place: int, tz: str) -> bool:
    """Whether a value in this row, or in the other row with the same local time, is not L1: then both are listed."""
    slots = series[0].slots
    here = local_time(slots[place], tz).replace(tzinfo=None, fold=0)
    near = (p for p in (place - SLOTS_PER_HOUR, place, place + SLOTS_PER_HOUR) if 0 <= p < len(slots))
    same = [p for p in near if local_time(slots[p], tz).replace(tzinfo=None, fold=0) == here]
    return any(one.quality[p] != MEASURED for one in series for p in same)


def _number(one: QuarterHours, place: int) -> Decimal | None:
    energy = int(one.energy_micro_kwh[place])
    return None if energy == MISSING else Decimal(energy).scaleb(-MICRO_DIGITS)


def _text(sheet: Any, text: str) -> Any:
    """A cell that always holds text: a name like =1+1 must not become a formula."""
    cell = WriteOnlyCell(sheet, value="")
    cell.data_type = "s"
    cell._value = "".join(char for char in text if char.isprintable())
    return cell


def _value(sheet: Any, number: Decimal | None) -> Any:
    cell = WriteOnlyCell(sheet, value=number)
    cell.number_format = NUMBER
    return cell


def _check_package(content: bytes) -> None:
    """Check the package before the library unpacks it: its size, number of parts, and that it has no document type."""
    if len(content) > MAX_SHEET_BYTES:
        raise GridFileError(f"the workbook is larger than {MAX_SHEET_BYTES // 2**20} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            parts = package.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
                raise GridFileError("the workbook unpacks to more data than a year of quarter hours can have")
            for part in parts:
                with package.open(part) as opened:
                    if b"<!" in opened.read(1024).replace(b"\0", b""):
                        raise GridFileError("the workbook declares a document type, which is not allowed in XLSX")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise GridFileError("this is not an XLSX workbook") from None


def _rows(sheet: Any) -> Iterator[tuple[int, tuple[object, ...]]]:
    try:
        for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            if cells and cells[0] is not None:
                yield line, cells
    except GridFileError:
        raise
    except Exception:
        raise GridFileError(f"the sheet {sheet.title} cannot be read: it is damaged; save it as XLSX again") from None


def _without_data(points: Sequence[tuple[str, Direction]], series: Sequence[QuarterHours]) -> list[QuarterHours]:
    """The totals of points without data, every value missing, over the same quarter hours as the other series."""
    named = {(one.point, one.direction) for one in series if one.code == TOTAL}
    missing: list[QuarterHours] = []
    for point, direction in points:
        if (point, direction) not in named and series:
            empty = [MISSING] * len(series[0].slots)
            missing.append(quarter_hours(point, direction, first_slot=series[0].first_slot, energy_wh=empty))
    return missing


def _read_values(
    lines: Iterator[tuple[int, tuple[object, ...]]],
) -> tuple[list[Key], dict[Key, list[GridFileRow]], list[tuple[str, Direction]]]:
    """The figures' keys, their rows, and the points of which the operator has no data."""
    heads: dict[str, tuple[object, ...]] = {}
    columns: list[_Column] = []
    silent: list[tuple[str, Direction]] = []
    rows: dict[Key, list[GridFileRow]] = {}
    for line, (label, *cells) in lines:
        if not _is_time(label):
            heads[str(label)] = tuple(cells)
            continue
        if not columns:
            columns, silent = _read_columns(heads)
            rows = {column.key: [] for column in columns}
        stamp = _stamp(label, line)
        for column in columns:
            if column.value >= len(cells):
                raise GridFileError(f"the sheet {VALUES_SHEET} has rows that are too short")
            energy = _micro(cells[column.value], f"line {line}")
            mark = cells[column.quality] if column.quality is not None and column.quality < len(cells) else None
            quality = MEASURED if column.quality is None else _quality(mark, energy, VALUES_SHEET, line=line)
            missing = quality == NO_VALUE or energy == MISSING
            rows[column.key].append(
                GridFileRow(line, stamp, MISSING, NO_VALUE) if missing else GridFileRow(line, stamp, energy, quality)
            )
    if not columns:
        raise GridFileError(f"the sheet {VALUES_SHEET} has no quarter hours")
    return [column.key for column in columns], rows, silent


def _read_columns(heads: Mapping[str, tuple[object, ...]]) -> tuple[list[_Column], list[tuple[str, Direction]]]:
    """Where each figure's values and qualities are, and the points of which the operator has no data.

    A column without a direction and a figure, beside a value's column, holds the value's quality.
    """
    for label in (POINT_ROW, DIRECTION_ROW, CODE_ROW):
        if label not in heads:
            raise GridFileError(f"the sheet {VALUES_SHEET} has no row {label}")
    columns: list[_Column] = []
    silent: list[tuple[str, Direction]] = []
    heading = zip(heads[POINT_ROW], heads[DIRECTION_ROW], heads[CODE_ROW], strict=False)
    for place, (point, direction, words) in enumerate(heading):
        if point is None and direction is None and words is None:
            continue
        is_mark = direction is None and words is None and len(columns) > 0 and columns[-1].value == place - 1
        if is_mark:
            columns[-1] = _Column(columns[-1].key, place - 1, place)
            continue
        way = DIRECTIONS.get(str(direction))
        if words == NO_DATA and way is not None:
            silent.append((str(point), way))
            continue
        known = CODES.get(str(words))
        if point is None or known is None or DIRECTION_WORDS[known[0]] != direction:
            raise GridFileError(f"{str(point)[:40]!a}: {str(words)[:60]!a} is not a figure for {direction!s:.20}")
        columns.append(_Column((str(point), *known), place, None))
    if len({column.key for column in columns}) != len(columns):
        raise GridFileError(f"the sheet {VALUES_SHEET} has the same figure twice for one point")
    return columns, silent


def _apply_qualities(
    lines: Iterator[tuple[int, tuple[object, ...]]], keys: Sequence[Key], rows: Mapping[Key, list[GridFileRow]]
) -> None:
    """Mark the values in the log. For the repeated hour, it has both rows, or the values show which row is meant."""
    places: dict[datetime, list[int]] = defaultdict(list)
    for place, row in enumerate(rows[keys[0]]):
        places[row.stamp].append(place)
    logged: dict[datetime, list[tuple[int, list[object]]]] = defaultdict(list)
    for line, (label, *cells) in lines:
        if _is_time(label):
            logged[_stamp(label, line)].append((line, cells))
    for stamp, entries in logged.items():
        free = list(places.get(stamp, []))
        for line, cells in entries:
            in_order = len(entries) == len(places.get(stamp, []))
            found = [p for p in (free[:1] if in_order else free) if _is_like(p, cells, keys, rows)]
            if not found:
                raise GridFileError(
                    f"the sheet {QUALITY_SHEET}, line {line}, has values that are not in {VALUES_SHEET}"
                )
            free.remove(found[0])
            _apply_marks(cells[1::2], found[0], keys, rows, line=line)


def _apply_marks(
    marks: Sequence[object], place: int, keys: Sequence[Key], rows: Mapping[Key, list[GridFileRow]], *, line: int
) -> None:
    for key, mark in zip(keys, marks, strict=False):
        row, quality = rows[key][place], _quality(mark, MISSING, QUALITY_SHEET, line=line)
        if NO_VALUE in (quality, row.quality):
            rows[key][place] = GridFileRow(row.line, row.stamp, MISSING, NO_VALUE)
        else:
            rows[key][place] = GridFileRow(row.line, row.stamp, row.energy_micro_kwh, quality)


def _quality(mark: object, energy: int, sheet: str, *, line: int) -> int:
    """The quality in a cell, 0 to 3. An empty cell is allowed only beside a missing value."""
    if mark in ("L0", "L1", "L2", "L3"):
        return int(str(mark)[1])
    if mark in (None, "") and sheet == VALUES_SHEET and energy == MISSING:
        return NO_VALUE
    raise GridFileError(f"the sheet {sheet}, line {line}: {str(mark)[:20]!a} is not a quality from L0 to L3")


def _is_like(place: int, cells: Sequence[object], keys: Sequence[Key], rows: Mapping[Key, list[GridFileRow]]) -> bool:
    values = [_micro(cell, QUALITY_SHEET) for cell in cells[0::2]]
    return values[: len(keys)] == [rows[key][place].energy_micro_kwh for key in keys]


def _is_time(label: object) -> bool:
    return isinstance(label, datetime) or (isinstance(label, str) and label[:2].isdecimal())


def _stamp(label: object, line: int) -> datetime:
    return label if isinstance(label, datetime) else read_stamp(str(label), f"line {line}")


def _micro(cell: object, where: str) -> int:
    """A number of kWh as micro-kWh. A spreadsheet stores binary fractions, so the nearest millionth is taken."""
    if cell is None or cell == "":
        return MISSING
    if isinstance(cell, bool) or not isinstance(cell, (int, float)) or not 0 <= cell < 10**9:
        raise GridFileError(f"{where}: {str(cell)[:40]!a} is not an energy in kWh")
    return int((Decimal(repr(cell)).scaleb(MICRO_DIGITS)).to_integral_value())

"""Workbooks of grid operators: plain ones are read, hostile and broken ones are refused in one line."""

import io
import zipfile
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from openpyxl import Workbook  # type: ignore[import-untyped]

from hub.core.grid.comparison import compare_sources
from hub.core.grid.files import MISSING, QuarterHours, quarter_hours
from hub.core.grid.tables import GridFileError
from hub.exchange.grid_sheets import read_sheets, write_sheets
from tests.hub.core.grid.grid_oracle import POINTS, VIENNA


def sheet_of(*rows: tuple[object, ...], title: str = "Energiedaten") -> bytes:
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


TOTAL = "Gesamtverbrauch lt. Messung (bei Teilnahme gem. Erzeugung) [KWH]"
HEADS: tuple[tuple[object, ...], ...] = (
    ("MeteringpointID", POINTS[0]), ("Energy direction", "CONSUMPTION"), ("Metercode", TOTAL)
)  # fmt: skip


def test_a_plain_sheet_of_a_grid_operator_is_read() -> None:
    noon = "01.06.2026 12:00:00"
    found = read_sheets(
        sheet_of(*HEADS, ("Data Completeness", "x"), (noon, 0.1 + 0.2), ("01.06.2026 12:15:00", None)), VIENNA
    )
    assert found[0].energy_micro_kwh.tolist() == [300_000, MISSING]
    assert found[0].quality.tolist() == [1, 0]


PORTAL: tuple[tuple[object, ...], ...] = (
    ("MeteringpointID", POINTS[0], "MM", POINTS[1], "MM"),
    ("Name", "Household", None, "Household", None),
    ("Energy direction", "CONSUMPTION", None, "CONSUMPTION", None),
    ("Number of Metering Intervals", None, None, None, None),
    ("Metercode", TOTAL, None, TOTAL, None),
)


def test_a_quality_may_be_in_the_column_beside_its_value() -> None:
    rows = (
        (datetime(2026, 6, 1, 0, 0), 0.05, "L1", 0.07, "L3"),
        (datetime(2026, 6, 1, 0, 15), 0.06, "L2", None, None),
        (datetime(2026, 6, 1, 0, 30), 0.06, "L0", 0, "L1"),
    )
    first, second = read_sheets(sheet_of(*PORTAL, *rows), VIENNA)
    assert (first.energy_micro_kwh.tolist(), first.quality.tolist()) == ([50_000, 60_000, MISSING], [1, 2, 0])
    assert (second.energy_micro_kwh.tolist(), second.quality.tolist()) == ([70_000, MISSING, 0], [3, 0, 1])


@pytest.mark.parametrize("mark", ["L4", "measured", None, 1])
def test_a_value_beside_a_wrong_quality_is_refused(mark: object) -> None:
    row = (datetime(2026, 6, 1, 0, 0), 0.05, mark, 0.07, "L1")
    with pytest.raises(GridFileError, match=r"line 6: .* is not a quality from L0 to L3"):
        read_sheets(sheet_of(*PORTAL, row), VIENNA)


def test_a_point_without_data_has_no_value_in_the_quarter_hours_of_the_others() -> None:
    heads = (
        ("MeteringpointID", POINTS[0], POINTS[2]),
        ("Energy direction", "CONSUMPTION", "CONSUMPTION"),
        ("Metercode", TOTAL, "Keine Daten verfügbar"),
    )
    rows = tuple((datetime(2026, 6, 1, 0, 15 * n), 0.05, None) for n in range(4))
    known, silent = read_sheets(sheet_of(*heads, *rows), VIENNA)
    assert (known.point, silent.point, silent.direction) == (POINTS[0], POINTS[2], "consumption")
    assert silent.slots == known.slots
    assert silent.energy_micro_kwh.tolist() == [MISSING] * 4
    ours = quarter_hours(POINTS[2], "consumption", first_slot=known.first_slot, energy_wh=[50] * 4)
    assert [f.kind for f in compare_sources([ours, known], [known, silent], tolerance_wh=0)] == ["only_own"]
    found = compare_sources([known], [known, silent], tolerance_wh=0)
    assert [f.line().partition(": ")[2] for f in found] == ["the grid operator has no data of this point"]


def zipped(**parts: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an XLSX workbook"),
        (b"PK\x03\x04 and no more", "not an XLSX workbook"),
        (zipped(a=b"<x/>"), "cannot be read: it is damaged; save it as XLSX again"),
        (zipped(a=b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "e">]><x/>'), "declares a document type"),
        (zipped(**{f"p{i}": b"" for i in range(201)}), "unpacks to more"),
        (sheet_of(("x",), title="Other"), "has no sheet Energiedaten"),
        (sheet_of(*HEADS), "has no quarter hours"),
        (sheet_of(("01.06.2026 12:00:00", 1)), "has no row MeteringpointID"),
        (sheet_of(*HEADS[:2], ("Metercode", "kWh"), ("01.06.2026 12:00:00", 1)), "is not a figure for CONSUMPTION"),
        (sheet_of(*HEADS, ("01.06.2026 12:00:00", "much")), "is not an energy in kWh"),
        (sheet_of(*HEADS, ("01.06.2026 12:00:00", -1)), "is not an energy in kWh"),
        (sheet_of(*HEADS, ("29.03.2026 02:00:00", 1)), "never existed"),
        (sheet_of(*HEADS, ("25.10.2026 02:00:00", 1)), "has only one row"),
    ],
)
def test_hostile_and_broken_workbooks_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        read_sheets(content, VIENNA)
    assert "\n" not in str(refused.value)


def test_a_sheet_of_series_with_different_slots_is_refused() -> None:
    left = QuarterHours(POINTS[0], "consumption", 5, np.array([1]), np.array([1], dtype=np.int8))
    with pytest.raises(GridFileError, match="the same quarter hours"):
        write_sheets([left, replace(left, first_slot=6)], VIENNA, names={})

"""Austria's figures: they agree with the settlement, and CSV and XLSX give back values, times and qualities."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped]

from hub.core.grid.austria import MeteringPoints, austrian_series, is_metering_point, write_austrian_csv
from hub.core.grid.files import MISSING, QuarterHours, read_quarter_hours
from hub.core.grid.tables import GridFileError
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from hub.exchange.grid_sheets import read_sheets, write_sheets
from protocols.slots import slots_of_day
from tests.hub.core.grid.grid_oracle import AUTUMN, POINTS, SPRING, VIENNA, days, same

MEMBERS = ("a", "b", "c")
HELD = {
    "a": MeteringPoints(POINTS[0], POINTS[3]),
    "b": MeteringPoints(POINTS[1], POINTS[4]),
    "c": MeteringPoints(POINTS[2]),
}
STATIC = Rule("static", {"weights": {"a": 3, "b": 2, "c": 1}}, participation_percent={"b": 50})
DYNAMIC = Rule("proportional", participation_percent={"a": 33})


@st.composite
def settlements(draw: st.DrawFn) -> Settlement:
    slots = slots_of_day(draw(days), VIENNA)
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    surplus, demand = chance.integers(0, 3000, (len(slots), 3)), chance.integers(0, 2000, (len(slots), 3))
    surplus[:, 2] = 0
    gaps = chance.random(len(slots)) < draw(st.sampled_from([0.0, 0.05]))
    gaps[0] = gaps[-1] = False
    demand[gaps, 1] = -1
    return settle(Readings(MEMBERS, tuple(slots), surplus, demand), draw(st.sampled_from([STATIC, DYNAMIC])))


@settings(max_examples=40, deadline=None)
@given(settlements())
def test_the_figures_agree_with_the_settlement(settled: Settlement) -> None:
    series = {one.key: one for one in austrian_series(settled, HELD)}
    assert len(series) == 3 * 3 + 2 * 2
    pool = np.zeros(len(settled.slots), dtype=np.int64)
    for column, member in enumerate(MEMBERS):
        there = settled.present[:, column]
        point = HELD[member].consumption
        total, share, covered = (series[str(point), "consumption", code] for code in ("total", "share", "own"))
        percent = settled.rule.participation_percent.get(member, 100)
        assert (total.energy_micro_kwh[there] == (settled.demand_wh[:, column] * percent // 100 * 1000)[there]).all()
        assert (covered.energy_micro_kwh[there] == settled.alloc_wh[:, column][there] * 1000).all()
        assert (covered.energy_micro_kwh <= total.energy_micro_kwh).all()
        if settled.rule.method == "static":
            expected = np.minimum(share.energy_micro_kwh, total.energy_micro_kwh)
            assert (covered.energy_micro_kwh == expected).all()
        assert (total.energy_micro_kwh[~there] == MISSING).all()
        assert ((total.quality == 0) == ~there).all()
        pool += np.where(there, share.energy_micro_kwh, 0)
    produced = np.zeros_like(pool)
    for column, member in enumerate("ab"):
        total = series[str(HELD[member].generation), "generation", "total"]
        produced += np.where(settled.present[:, column], total.energy_micro_kwh, 0)
    someone = pool > 0
    assert (pool[someone] == produced[someone]).all(), "the shares divide the whole pool"


@settings(max_examples=25, deadline=None)
@given(settlements(), st.integers(0, 2**32 - 1))
def test_csv_and_xlsx_give_it_back(settled: Settlement, seed: int) -> None:
    quality = np.random.default_rng(seed).choice([1, 1, 2, 3], settled.demand_wh.shape).astype(np.int8)
    series = sorted(austrian_series(settled, HELD, quality=quality), key=lambda one: one.key)
    from_text = read_quarter_hours(write_austrian_csv(series, VIENNA), VIENNA)
    from_sheet = read_sheets(write_sheets(series, VIENNA, names={}), VIENNA)
    assert from_text.unclear == ()
    for read in (from_text.series, from_sheet):
        assert len(read) == len(series)
        assert all(same(left, right) for left, right in zip(read, series, strict=True))


def whole_day(rule: Rule = STATIC, day: object = AUTUMN) -> Settlement:
    slots = slots_of_day(day, VIENNA)  # type: ignore[arg-type]
    ones = np.ones((len(slots), 3), dtype=np.int64)
    surplus = ones * np.array([5, 5, 0], dtype=np.int64)
    return settle(Readings(MEMBERS, tuple(slots), surplus, ones * 2), rule)


def test_the_sheet_is_laid_out_as_grid_operators_do() -> None:
    series = austrian_series(whole_day(), HELD)
    book = load_workbook(io.BytesIO(write_sheets(series, VIENNA, names={POINTS[0]: "=1+1"})))
    assert book.sheetnames == ["Energiedaten", "QoV Log"]
    rows = list(book["Energiedaten"].iter_rows(values_only=True))
    assert [row[0] for row in rows[:7]] == [
        "MeteringpointID", "Name", "Energy direction", "Period start", "Period end", "Metercode", "25.10.2026 00:00:00",
    ]  # fmt: skip
    assert [row[0] for row in rows].count("25.10.2026 02:15:00") == 2
    assert rows[3][1], rows[4][1] == ("25.10.2026 00:00:00", "25.10.2026 23:45:00")
    assert len(rows) == 6 + 100
    name = book["Energiedaten"]["B2"]
    assert (name.value, name.data_type) == ("=1+1", "s"), "a name is never a formula"


def test_equal_values_of_the_doubled_hour_keep_their_own_quality() -> None:
    settled = whole_day()
    quality = np.ones(settled.demand_wh.shape, dtype=np.int8)
    quality[12] = 3  # 02:00 the second time
    series = sorted(austrian_series(settled, HELD, quality=quality), key=lambda one: one.key)
    read = read_sheets(write_sheets(series, VIENNA, names={}), VIENNA)
    assert [np.flatnonzero(one.quality != 1).tolist() for one in read] == [[12]] * len(series)


@pytest.mark.parametrize(
    ("rule", "held", "reason"),
    [
        (Rule("equal"), HELD, "this rule does neither"),
        (replace(DYNAMIC, aggregate=4), HELD, "this rule does neither"),
        (STATIC, {"a": HELD["a"]}, "member 'b' has no metering points"),
        (STATIC, {**HELD, "a": MeteringPoints(POINTS[0])}, "has generation, but no metering point"),
        (STATIC, {**HELD, "a": MeteringPoints("AT1", POINTS[3])}, "is no metering point"),
        (STATIC, {**HELD, "c": HELD["a"]}, "metering point of two members"),
    ],
)
def test_what_cannot_be_reported_is_refused(rule: Rule, held: dict[str, MeteringPoints], reason: str) -> None:
    with pytest.raises(GridFileError, match=reason):
        austrian_series(whole_day(rule, SPRING), held)


def test_metering_points() -> None:
    assert is_metering_point("AT0010000000000000001000000000001")
    assert not is_metering_point("AT001000000000000000100000000001")
    assert not is_metering_point("DE0010000000000000001000000000001")


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


def zipped(**parts: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no XLSX workbook"),
        (b"PK\x03\x04 and no more", "no XLSX workbook"),
        (zipped(a=b"<x/>"), "cannot be read"),
        (zipped(a=b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "e">]><x/>'), "declares a document type"),
        (zipped(**{f"p{i}": b"" for i in range(201)}), "unpacks to more"),
        (sheet_of(("x",), title="Other"), "has no sheet Energiedaten"),
        (sheet_of(*HEADS), "holds no quarter hour"),
        (sheet_of(("01.06.2026 12:00:00", 1)), "has no row MeteringpointID"),
        (sheet_of(*HEADS[:2], ("Metercode", "kWh"), ("01.06.2026 12:00:00", 1)), "is no figure of CONSUMPTION"),
        (sheet_of(*HEADS, ("01.06.2026 12:00:00", "much")), "is not an energy in kWh"),
        (sheet_of(*HEADS, ("01.06.2026 12:00:00", -1)), "is not an energy in kWh"),
        (sheet_of(*HEADS, ("29.03.2026 02:00:00", 1)), "never was"),
        (sheet_of(*HEADS, ("25.10.2026 02:00:00", 1)), "once only"),
    ],
)
def test_hostile_and_broken_workbooks_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        read_sheets(content, VIENNA)
    assert "\n" not in str(refused.value)


def test_a_sheet_of_unlike_series_is_refused() -> None:
    left = QuarterHours(POINTS[0], "consumption", 5, np.array([1]), np.array([1], dtype=np.int8))
    with pytest.raises(GridFileError, match="the same quarter hours"):
        write_sheets([left, replace(left, first_slot=6)], VIENNA, names={})

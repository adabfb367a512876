"""The codes of measures, marks and gaps travel and are stored: docs/wire-format.md pins each of them."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import pytest

from protocols.quantities import SENT_GAPS, Gap, Mark, Measure

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")
HEADER = "| measure | energy | | mark | | | gap | reason |"

MEASURES = {
    "taken from the grid": Measure.GRID_IMPORT,
    "fed into the grid": Measure.GRID_EXPORT,
    "produced by solar panels": Measure.PV_PRODUCTION,
    "produced by a wind turbine": Measure.WIND_PRODUCTION,
    "charged into the battery": Measure.BATTERY_CHARGE,
    "discharged from the battery": Measure.BATTERY_DISCHARGE,
    "consumed at a sub-meter": Measure.SUBMETER,
}
MARKS = {
    "measured by a counter": Mark.MEASURED,
    "derived: power integrated": Mark.DERIVED,
    "partial": Mark.PARTIAL,
    "missing": Mark.MISSING,
}
GAPS = {
    "none": Gap.NONE,
    "device silent": Gap.DEVICE_SILENT,
    "counter restarted": Gap.COUNTER_RESET,
    "implausible value": Gap.IMPLAUSIBLE,
    "agent was off": Gap.AGENT_OFF,
    "clock not trusted": Gap.CLOCK_UNTRUSTED,
    "device refused": Gap.DEVICE_REFUSED,
    "dropped: the agent's outbox was full": Gap.NOT_KEPT,
}


def documented_codes(column: int) -> dict[str, int]:
    """Words and code from two neighbouring columns of the document's table."""
    rows = DOCUMENT.split(HEADER)[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip().removeprefix("|").split("|")] for row in rows]
    return {row[column + 1]: int(row[column]) for row in cells if row[column]}


@pytest.mark.parametrize(("column", "ours"), [(0, MEASURES), (3, MARKS), (6, GAPS)], ids=["measures", "marks", "gaps"])
def test_every_code_is_the_documented_one(column: int, ours: dict[str, IntEnum]) -> None:
    assert {words: int(code) for words, code in ours.items()} == documented_codes(column)


def test_the_document_names_every_code() -> None:
    assert set(MEASURES.values()) == set(Measure)
    assert set(MARKS.values()) == set(Mark)
    assert set(GAPS.values()) == SENT_GAPS == set(Gap) - {Gap.NEVER_ARRIVED}
    assert "Only the hub uses gap 9, never arrived" in DOCUMENT
    assert Gap.NEVER_ARRIVED == 9


def test_measures_have_their_settings_names_in_the_order_of_their_codes() -> None:
    names = [measure.code for measure in sorted(Measure)]
    assert ", ".join(f"`{name}`" for name in names) in " ".join(DOCUMENT.split())
    assert [Measure[name.upper()] for name in names] == sorted(Measure)


@pytest.mark.parametrize("vocabulary", [Measure, Mark, Gap])
def test_every_code_has_a_text_of_its_own(vocabulary: type[Measure] | type[Mark] | type[Gap]) -> None:
    texts = [each.label for each in vocabulary]
    assert all(texts)
    assert len(set(texts)) == len(texts)

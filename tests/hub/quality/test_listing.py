"""The board's list of findings: an outage of several days is one line, in the co-op's local time."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from hub.quality.listing import finding_lines, found_lines
from hub.storage.finding_records import FindingDecision, FindingRow, NewFinding
from protocols.quantities import Measure
from protocols.slots import format_slot, slots_of_day

TZ = "Europe/Madrid"
FIRST = date(2026, 5, 29)


def gap(number: int, day: date, *, home: str = "h02", missing: int = 96, start: int = 0) -> FindingRow:
    first = slots_of_day(day, TZ)[start]
    sentence = f"The grid meter's reading is missing for {missing} quarter hours, from {format_slot(first)} on."
    found = NewFinding(home, "gap", None, first, missing, "note", (("missing", missing),), sentence)
    return FindingRow(number, day.isoformat(), found, 0, None, None, ())


def test_consecutive_days_of_a_home_are_one_line_in_local_time() -> None:
    rows = [
        gap(1, FIRST, missing=20, start=76),
        gap(2, FIRST, home="h03"),
        gap(3, FIRST + timedelta(days=1)),
        gap(4, FIRST + timedelta(days=2), missing=31),
    ]
    assert finding_lines(rows, TZ).splitlines() == [
        "1,3-4  h02  note             2026-05-29 19:00 to 2026-05-31 07:45 on 3 days:"
        " The grid meter's reading is missing for 20 to 96 quarter hours.",
        "    2  h03  note             2026-05-29 00:00 to 2026-05-30 00:00:"
        " The grid meter's reading is missing for 96 quarter hours.",
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_day_between_another_state_or_another_sentence_is_a_line_of_its_own(order: int) -> None:
    rows = [gap(number, FIRST + timedelta(days=number)) for number in (1, 2, 4, 5)]
    decided = replace(rows[1], decisions=(FindingDecision(1, 2, "m01", "accept", "known", 0),))
    measured = replace(rows[3], found=replace(rows[3].found, measure=Measure.GRID_IMPORT))
    lines = finding_lines([rows[0], decided, rows[2], measured][::order], TZ).splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "4", "5"][::order]
    other = replace(rows[0], found=replace(rows[0].found, sentence="The meter stood still all day."))
    assert len(finding_lines([other, rows[1]], TZ).splitlines()) == 2


def test_nothing_is_said_to_be_nothing() -> None:
    assert finding_lines([], TZ) == found_lines([], TZ) == "nothing found\n"

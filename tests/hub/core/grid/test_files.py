"""The grid operator's quarter hours: read in many dialects, through both clock changes, or refused in one line."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.grid.files import MISSING, GridReadings, QuarterHours, quarter_hours, read_quarter_hours
from hub.core.grid.tables import GridFileError
from protocols.slots import slots_of_day
from tests.hub.core.grid.grid_oracle import PLAIN, VIENNA, kwh, local, same, series

HEAD = "point;from;kwh;quality"


def written(one: QuarterHours, *, style: str, sign: str, delimiter: str, ends: bool, down: bool) -> bytes:
    """The series as some grid operator would write it."""
    lines = []
    for place, slot in enumerate(one.slots):
        at = local(slot + 1 if ends else slot)
        stamp = at.isoformat() if style == "offset" else at.strftime(style)
        energy = int(one.energy_micro_kwh[place])
        value = "" if energy == MISSING else str(kwh(energy)).replace(".", sign)
        lines.append(delimiter.join((one.point, stamp, f'"{value}"', f"L{one.quality[place]}")))
    head = HEAD.replace("from", "to" if ends else "from").replace(";", delimiter)
    return "\n".join([head, *(reversed(lines) if down else lines)]).encode() + b"\n"


DIALECTS = st.fixed_dictionaries(
    {
        "style": st.sampled_from(
            ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "offset"]
        ),
        "sign": st.sampled_from([",", "."]),
        "delimiter": st.sampled_from([";", ",", "\t"]),
        "ends": st.booleans(),
        "down": st.booleans(),
    }
)


@settings(max_examples=100, deadline=None)
@given(series(), DIALECTS)
def test_every_dialect_reads_back(one: QuarterHours, dialect: dict[str, Any]) -> None:
    read = read_quarter_hours(written(one, **dialect), VIENNA)
    assert read.unclear == ()
    assert len(read.series) == 1
    assert same(read.series[0], one)


def read(*lines: str, head: str = HEAD) -> GridReadings:
    return read_quarter_hours("\n".join([head, *lines]).encode(), VIENNA)


def test_a_lone_row_of_the_repeated_hour_is_reported_and_not_used() -> None:
    result = read("p;2026-10-25 01:45;1;L1", "p;2026-10-25 02:00;1;L1", "p;2026-10-25 03:00;1;L1")
    assert [(one.local_time, one.line) for one in result.unclear] == [("2026-10-25 02:00", 3)]
    assert result.series[0].energy_micro_kwh.tolist() == [1_000_000, *[MISSING] * 8, 1_000_000]


def test_the_end_of_a_day_may_be_called_24() -> None:
    result = read("p;01.06.2026 23:45;0,1;L1", "p;01.06.2026 24:00;0,2;L1", head=HEAD.replace("from", "to"))
    assert result.series[0].slots == slots_of_day(PLAIN, VIENNA)[-2:]


@pytest.mark.parametrize("head", ["ps;fecha;hora;kwh", "ps;timestamp;kwh", "ps;horodate;kwh", "ps;date;time;kwh"])
def test_a_day_that_ends_in_24_names_the_ends_where_the_heading_does_not_say(head: str) -> None:
    between = ";" if head.count(";") == 3 else " "
    day = [f"p;01/07/2026{between}{minutes // 60:02d}:{minutes % 60:02d};0,1" for minutes in range(15, 1441, 15)]
    found = read(*day, head=f"cu{head}").series
    assert [one.slots for one in found] == [slots_of_day(date(2026, 7, 1), VIENNA)]
    starts = [line.replace("24:00", "00:00") for line in day]
    assert read(*starts, head=f"cu{head}").series[0].slots.start == found[0].slots.start


def test_a_start_that_is_called_24_is_the_next_days_midnight() -> None:
    result = read("p;01.06.2026 23:45;0,1;L1", "p;01.06.2026 24:00;0,2;L1")
    assert result.series[0].first_slot == slots_of_day(PLAIN, VIENNA)[-1]


def test_day_and_time_in_two_columns_directions_and_watt_hours() -> None:
    lines = ("p;01.06.2026;00:00;Bezug;125", "p;01.06.2026;00:00;Einspeisung;0", "q;01.06.2026;00:00;consumption;1.5")
    found = read(*lines, head="CUPS;Datum;Uhrzeit;Richtung;Wh").series
    assert [(one.point, one.direction, one.energy_micro_kwh.tolist()) for one in found] == [
        ("p", "consumption", [125_000]),
        ("p", "generation", [0]),
        ("q", "consumption", [1500]),
    ]


T = "2026-06-01 00:00"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "has no readings"),
        ([f";{T};1;L1"], "line 2: no metering point"),
        ([f"p;{T};-1;L1"], "is not a number from 0"),
        ([f"p;{T};1e3;L1"], "is not a number from 0"),
        ([f"p;{T};NaN;L1"], "is not a number from 0"),
        ([f"p;{T};1.234,5;L1"], "is not a number from 0"),
        ([f"p;{T};0,1234567;L1"], "at most six decimals"),
        ([f"p;{T};1٠;L1"], "is not a number from 0"),
        ([f"p;{T};1,5;L1", "p;2026-06-01 00:15;1.5;L1"], "line 3: decimal comma and decimal point"),
        ([f"p;{T};1;L9"], "is not one of"),
        (["p;yesterday;1;L1"], "is not a time like"),
        (["p;2026-02-30 00:00;1;L1"], "is not a date and time"),
        (["p;9999-12-31 00:00;1;L1"], "is not a date and time"),
        (["p;2026-06-01 00:00+99:99;1;L1"], "is not a date and time"),
        (["p;2026-06-01 00:07;1;L1"], "not the beginning of a quarter hour"),
        (["p;2026-03-29 02:15;1;L1"], "never existed"),
        ([f"p;{T};1;L1", f"p;{T};1;L1"], "appears 2 times"),
        ([f"p;{T};1;L1", "p;2026-05-31T22:00Z;1;L1"], "appears twice"),
        ([f"p;{T};1;L1", "p;2030-06-01 00:00;1;L1"], "more than three years"),
        ([f"p;2026-06-01 {h:02d}:00;1;L1" for h in range(9)], "hourly values"),
        ([f"p;{T};1"], "line 2 has 3 columns"),
        ([f'p;{T};"1;L1'], "line 2"),
    ],
)
def test_wrong_rows_are_refused_in_one_line(lines: list[str], reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        read(*lines)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a header"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a;b\0\n", "zero bytes"),
        (b"point;from\np;2026-06-01 00:00\n", "no column for the energy"),
        (b"point;kwh\np;1\n", "no column for the time"),
        (b"from;kwh\n2026-06-01 00:00;1\n", "no column for the metering point"),
        (b"point;cups;from;kwh\n", "two columns mean the same"),
    ],
)
def test_wrong_files_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        read_quarter_hours(content, VIENNA)
    assert "\n" not in str(refused.value)


@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: (HEAD + "\n" + text).encode("utf-8", "replace"))
    )
)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    refused = None
    try:
        read_quarter_hours(content, VIENNA)
    except GridFileError as refusal:
        refused = str(refusal)
    assert refused is None or "\n" not in refused


def test_whole_watt_hours_become_a_series() -> None:
    one = quarter_hours("p", "generation", first_slot=7, energy_wh=[5, MISSING, 0])
    assert one.energy_micro_kwh.tolist() == [5000, MISSING, 0]
    assert one.quality.tolist() == [1, 0, 1]
    assert one.energy_micro_kwh.dtype == np.int64

"""Allocation records: their bytes by hand, read back into the same settlement, and bytes that are not a record."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.allocation_record import MAX_HEAD_BYTES, read_record
from hub.core.settlement.period import RECORD_TAG, settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.slot_marks import SlotMarks
from tests.hub.core.settlement.settlement_worlds import METHODS, make_period

relaxed = settings(deadline=None, derandomize=True, max_examples=15, suppress_health_check=list(HealthCheck))
RULE = Rule("equal", prices=Prices(3, 2))
READINGS = Readings(
    ("a", "p"),
    (8, 9),
    np.array([[0, 6], [0, MISSING_WH]]),
    np.array([[4, 0], [5, 0]]),
    marks={"p": SlotMarks(held=((9, 1),))},
)
HEAD = f'{{"intervals":2,"marks":{{"p":{{"held":[[9,1]]}}}},"members":["a","p"],"rule":"{RULE.version()}"}}\n'.encode()
PACKED = b"".join(
    [
        struct.pack(">2q", 8, 9),
        bytes([0b11100000]),  # a and p in slot 8, a alone in slot 9
        bytes([0b01000000]),  # slot 9 is provisional
        struct.pack(">4q", 0, 6, 0, 0),  # surplus
        struct.pack(">4q", 4, 0, 5, 0),  # demand
        struct.pack(">4q", 4, 0, 0, 0),  # allocated
        struct.pack(">4q", 0, 4, 0, 0),  # sold
    ]
)
RECORD = RECORD_TAG + HEAD + PACKED


def test_the_bytes_of_a_record() -> None:
    assert settle(READINGS, RULE).record() == RECORD


def test_a_record_is_read_column_by_column() -> None:
    settled = read_record(RECORD, RULE)
    assert (settled.members, settled.slots, settled.rule) == (("a", "p"), (8, 9), RULE)
    assert settled.present.tolist() == [[True, True], [True, False]]
    assert settled.provisional.tolist() == [False, True]
    assert settled.surplus_wh.tolist() == [[0, 6], [0, 0]]
    assert settled.demand_wh.tolist() == [[4, 0], [5, 0]]
    assert settled.alloc_wh.tolist() == [[4, 0], [0, 0]]
    assert settled.sold_wh.tolist() == [[0, 4], [0, 0]]
    assert settled.marks == READINGS.marks


@pytest.mark.parametrize("method", METHODS)
@relaxed
@given(seed=st.integers(0, 2**32), intervals=st.integers(0, 40))
def test_a_record_is_read_back_into_its_settlement(method: str, seed: int, intervals: int) -> None:
    readings, rule = make_period(method, seed=seed, intervals=intervals)
    marks = {readings.members[0]: SlotMarks(held=((100, 2),), estimated=((103, 1, 2),))}
    settled = settle(replace(readings, marks=marks), rule)
    again = read_record(settled.record(), rule)
    assert (again.members, again.slots, again.marks) == (settled.members, settled.slots, marks)
    for name in ("present", "provisional", "surplus_wh", "demand_wh", "alloc_wh", "sold_wh"):
        assert np.array_equal(getattr(again, name), getattr(settled, name)), name
    assert (again.money, again.result_hash()) == (settled.money, settled.result_hash())


def changed(old: bytes, new: bytes) -> bytes:
    assert old in HEAD
    return RECORD_TAG + HEAD.replace(old, new) + PACKED


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        RECORD_TAG,
        RECORD[1:],
        RECORD[:-1],
        RECORD + b"\0",
        RECORD_TAG + HEAD[:-1],
        RECORD_TAG + b"\xff\n",
        RECORD_TAG + b"[]\n",
        RECORD_TAG + b"[" * 100_000 + b"\n",
        RECORD_TAG + b" " * MAX_HEAD_BYTES + HEAD + PACKED,
        changed(b'"intervals":2', b'"intervals":-2'),
        changed(b'"intervals":2', b'"intervals":3'),
        changed(b'"intervals":2', b'"intervals":"2"'),
        changed(b'"intervals":2', b'"intervals":2.0'),
        changed(b'"intervals":2,', b""),
        changed(b'["a","p"]', b'["a",1]'),
        changed(b'["a","p"]', b'"ap"'),
        changed(b"[[9,1]]", b"[[9]]"),
        changed(b"[[9,1]]", b'[["9",1]]'),
        changed(b'"held"', b'"other"'),
        changed(b'{"intervals"', b'{"x":1,"intervals"'),
        changed(b'{"intervals"', b'{ "intervals"'),
        changed(b'"rule"', b'"rules"'),
    ],
)
def test_bytes_that_are_not_a_record_are_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="not an allocation record"):
        read_record(broken, RULE)


def test_a_record_of_another_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="not an allocation record, or not one of this rule"):
        read_record(RECORD, replace(RULE, prices=Prices(3, 1)))

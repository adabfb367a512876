"""What is settled of the readings: order, membership, gaps and hourly sums by hand, and the digest of it all."""

import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.input_checks import MAX_INTEGER, RejectedInputError
from hub.core.rules.rulebook import Rule
from hub.core.settlement.prepared_readings import (
    MISSING_WH,
    Readings,
    Window,
    big_endian,
    canonical_line,
    digest_inputs,
    membership,
    prepare_readings,
    put_in_order,
)
from hub.core.settlement.slot_marks import SlotMarks

RULE = Rule("equal")
GAP = MISSING_WH


def readings(surplus: list[list[int]], demand: list[list[int]], *, first: int = 8) -> Readings:
    members = ("a", "b", "p")[: len(demand[0])]
    slots = tuple(range(first, first + len(demand)))
    return Readings(members, slots, np.array(surplus, dtype=np.int64), np.array(demand, dtype=np.int64))


PLAIN = readings([[0, 5], [0, 6], [0, 7]], [[1, 0], [2, 0], [3, 0]])


def refused(given_: Readings, rule: Rule = RULE) -> RejectedInputError:
    with pytest.raises(RejectedInputError) as caught:
        prepare_readings(given_, rule)
    return caught.value


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ((0, None), [True, True, True]),
        ((8, 11), [True, True, True]),
        ((9, None), [False, True, True]),
        ((0, 10), [True, True, False]),
        ((9, 10), [False, True, False]),
        ((10, 9), [False, False, False]),
        ((11, None), [False, False, False]),
    ],
)
def test_a_window_begins_with_its_first_slot_and_ends_before_its_last(window: Window, inside: list[bool]) -> None:
    found = membership(replace(PLAIN, windows={"b": window}))
    assert found[:, 1].tolist() == inside
    assert found[:, 0].tolist() == [True] * 3


@pytest.mark.parametrize(
    ("window", "code", "place"),
    [
        ((-1, None), "negative", "windows.'b'[0]"),
        ((0, -1), "negative", "windows.'b'[1]"),
        ((0, MAX_INTEGER + 1), "out_of_range", "windows.'b'[1]"),
    ],
)
def test_a_window_outside_of_time_is_refused(window: Window, code: str, place: str) -> None:
    found = refused(replace(PLAIN, windows={"b": window}))
    assert (found.code, found.detail.startswith(place)) == (code, True)


def test_outside_of_a_window_a_reading_counts_as_zero_and_a_gap_as_nothing() -> None:
    done = prepare_readings(
        replace(readings([[0, 5], [0, GAP]], [[1, 0], [2, GAP]]), windows={"b": (0, 8)}),
        replace(RULE, missing="refuse"),
    )
    assert done.present.tolist() == [[True, False], [True, False]]
    assert done.surplus_wh.tolist() == [[0, 0], [0, 0]]
    assert done.provisional.tolist() == [False, False]


@pytest.mark.parametrize(("surplus", "demand"), [(GAP, 3), (4, GAP), (GAP, GAP)])
def test_half_a_reading_is_a_gap(surplus: int, demand: int) -> None:
    given_ = readings([[surplus, 5], [1, 5]], [[demand, 0], [1, 0]])
    done = prepare_readings(given_, RULE)
    assert done.present.tolist() == [[False, True], [True, True]]
    assert done.surplus_wh.tolist() == [[0, 5], [1, 5]]
    assert done.demand_wh.tolist() == [[0, 0], [1, 0]]
    assert done.provisional.tolist() == [True, False]
    found = refused(given_, replace(RULE, missing="refuse"))
    assert found.code == "missing_reading"
    assert found.detail == "no reading of member 'a' in slot 8, and the rule refuses gaps"


def test_a_slot_with_an_estimate_is_provisional() -> None:
    marks = {"b": SlotMarks(estimated=((9, 6, 0),)), "a": SlotMarks(held=((10, 1),))}
    assert prepare_readings(replace(PLAIN, marks=marks), RULE).provisional.tolist() == [False, True, False]


def test_four_slots_become_one_and_one_missing_slot_leaves_the_member_out() -> None:
    surplus = [[0, 0, 40]] * 8
    demand = [[30, 10, 0]] * 3 + [[30, GAP, 0]] + [[1, 2, 0], [1, 2, 0], [1, 2, 0], [1, 3, 0]]
    done = prepare_readings(readings(surplus, demand), replace(RULE, aggregate=4))
    assert done.slots == (8, 12)
    assert done.present.tolist() == [[True, False, True], [True, True, True]]
    assert done.demand_wh.tolist() == [[120, 0, 0], [4, 9, 0]]
    assert done.surplus_wh.tolist() == [[0, 0, 160], [0, 0, 160]]
    assert done.provisional.tolist() == [True, False]


@pytest.mark.parametrize(
    ("slots", "detail"),
    [
        ((8, 9, 10), "3 intervals are not a multiple of 4"),
        ((8, 9, 10, 12), "a slot is missing in the group that starts at 8"),
        ((0, 1, 2, 3, 7, 8, 9, 11), "a slot is missing in the group that starts at 7"),
    ],
)
def test_a_broken_hour_is_refused(slots: tuple[int, ...], detail: str) -> None:
    energy = np.ones((len(slots), 1), dtype=np.int64)
    found = refused(Readings(("a",), slots, energy, energy), replace(RULE, aggregate=4))
    assert (found.code, found.detail) == ("interval_count", detail)


@pytest.mark.parametrize(("value", "code"), [(-2, "negative"), (MAX_INTEGER + 1, "out_of_range")])
@pytest.mark.parametrize("side", ["surplus", "demand"])
def test_energy_out_of_bounds_is_refused(side: str, value: int, code: str) -> None:
    energy = np.array([[0, 1], [value, 3], [4, 5]], dtype=np.int64)
    found = refused(replace(PLAIN, **{f"{side}_wh": energy}))  # type: ignore[arg-type]
    assert (found.code, found.detail.startswith(side)) == (code, True)


def test_the_bounds_themselves_are_allowed() -> None:
    energy = np.array([[MISSING_WH, MAX_INTEGER], [0, 0], [0, 0]], dtype=np.int64)
    assert prepare_readings(replace(PLAIN, demand_wh=energy), RULE).demand_wh[0].tolist() == [0, MAX_INTEGER]


@pytest.mark.parametrize("energy", [np.zeros((3, 2)), np.zeros((2, 2), dtype=np.int64), np.zeros(3, dtype=np.int64)])
def test_a_table_of_another_shape_or_type_is_a_mistake_of_the_program(energy: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"surplus is .*, not int64\(3, 2\)"):
        prepare_readings(replace(PLAIN, surplus_wh=energy), RULE)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.permutations(range(4)), st.permutations(range(3)))
def test_any_order_of_slots_and_members_is_put_in_order(rows: list[int], columns: list[int]) -> None:
    energy = np.arange(12, dtype=np.int64).reshape(4, 3)
    whole = Readings(("Z", "b", "ä"), (3, 5, 6, 9), energy, energy + 100)
    turned = Readings(
        tuple(whole.members[i] for i in columns),
        tuple(whole.slots[i] for i in rows),
        whole.surplus_wh[np.ix_(rows, columns)],
        whole.demand_wh[np.ix_(rows, columns)],
    )
    found = put_in_order(turned)
    assert (found.members, found.slots) == (whole.members, whole.slots)
    assert np.array_equal(found.surplus_wh, whole.surplus_wh)
    assert np.array_equal(found.demand_wh, whole.demand_wh)
    assert digest_inputs(turned, RULE) == digest_inputs(whole, RULE)
    assert put_in_order(whole) is whole


def test_a_slot_that_occurs_twice_is_refused() -> None:
    with pytest.raises(RejectedInputError, match="duplicate_interval: slot 9 occurs twice"):
        put_in_order(replace(PLAIN, slots=(9, 8, 9)))


def test_the_digest_is_that_of_these_bytes() -> None:
    given_ = replace(readings([[0, 5]], [[GAP, 0]]), windows={"a": (7, None)}, marks={"a": SlotMarks(held=((8, 1),))})
    head = (
        f'{{"marks":{{"a":{{"held":[[8,1]]}}}},"members":["a","b"],"rule":"{RULE.version()}","slots":1,'
        '"windows":{"a":[7,null]}}\n'
    )
    packed = struct.pack(">5q", 8, 0, 5, -1, 0)
    expected = hashlib.sha256(b"commonwatt settlement input v1\n" + head.encode() + packed).hexdigest()
    assert digest_inputs(given_, RULE) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"members": ("a", "c")},
        {"slots": (8, 9, 11)},
        {"surplus_wh": np.array([[0, 5], [0, 6], [0, 8]])},
        {"demand_wh": np.array([[1, 0], [2, 0], [3, 1]])},
        {"windows": {"a": (8, None)}},
        {"marks": {"a": SlotMarks(rejected=((8, 1),))}},
    ],
)
def test_any_change_of_the_inputs_changes_the_digest(change: dict[str, object]) -> None:
    before = digest_inputs(PLAIN, RULE)
    assert digest_inputs(replace(PLAIN, **change), RULE) != before  # type: ignore[arg-type]
    assert digest_inputs(PLAIN, replace(RULE, missing="refuse")) != before
    assert digest_inputs(replace(PLAIN, marks={"a": SlotMarks()}), RULE) == before


def test_numbers_and_tables_have_the_same_bytes_on_every_machine() -> None:
    assert big_endian(np.array([1, -1], dtype=np.int64)) == b"\x00" * 7 + b"\x01" + b"\xff" * 8
    assert canonical_line({"b": "ä", "a": [1, None]}) == '{"a":[1,null],"b":"ä"}\n'.encode()

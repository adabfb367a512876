"""What a case file is refused for: every code of the rules, and files that are no case at all."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest

from hub.core.rules.input_checks import CODES, RejectedInputError
from hub.core.settlement.case_file import MAX_CASE_BYTES, local_day_slots, parse_case, settle_case

PRICES = {"buy": 160_000, "sell": 160_000, "retail": 300_000, "feedin": 70_000}


def case(**changes: Any) -> dict[str, Any]:
    whole = {
        "method": "proportional",
        "params": {},
        "members": ["a", "b", "p"],
        "intervals": [{"s": {"a": 0, "b": 0, "p": 90}, "d": {"a": 100, "b": 50, "p": 0}}],
        "prices": PRICES,
    }
    return {**copy.deepcopy(whole), **changes}


def reading(value: object) -> list[dict[str, Any]]:
    return [{"s": {"a": 0, "b": 0, "p": 90}, "d": {"a": value, "b": 50, "p": 0}}]


def refused(table: object, previous: object = None) -> RejectedInputError:
    with pytest.raises(RejectedInputError) as caught:
        settle_case(table, previous)
    assert caught.value.code in CODES
    assert "\n" not in caught.value.detail
    return caught.value


FOR_EACH_CODE = [
    ("not_integer", case(intervals=reading(1.0))),
    ("not_integer", case(intervals=reading("5"))),
    ("not_integer", case(intervals=reading(True))),
    ("not_integer", case(intervals=reading([5]))),
    ("negative", case(intervals=reading(-1))),
    ("out_of_range", case(intervals=reading(2**53))),
    ("unknown_member", case(intervals=[{"s": {"x": 1}, "d": {}}])),
    ("unknown_member", case(windows={"x": [0, None]})),
    ("unknown_member", case(participation={"x": 50})),
    ("unknown_member", case(method="pairwise", params={"coefficients": {"x": {"a": 1}}})),
    ("unknown_member", case(method="pairwise", params={"coefficients": {"p": {"x": 1}}})),
    ("duplicate_member", case(members=["a", "b", "p", "a"])),
    ("no_members", case(members=[])),
    ("duplicate_interval", case(intervals=[{"t": 3, "s": {}, "d": {}}, {"t": 3, "s": {}, "d": {}}])),
    ("duplicate_interval", case(intervals=[{"t": 1, "s": {}, "d": {}}, {"s": {}, "d": {}}])),
    ("interval_count", case(day="2026-11-21", tz="Europe/Vienna")),
    ("interval_count", case(aggregate=4)),
    ("weights_members", case(method="static", params={"weights": {"a": 1, "b": 1}})),
    ("weights_members", case(method="weighted", params={"weights": {"a": 1, "b": 1, "p": 1, "x": 1}})),
    ("weights_members", case(method="static_rounds", params={})),
    ("weights_zero", case(method="static", params={"weights": {"a": 0, "b": 0, "p": 0}})),
    ("negative", case(method="static", params={"weights": {"a": -1, "b": 1, "p": 1}})),
    ("not_integer", case(method="static", params={"weights": {"a": 0.5, "b": 1, "p": 1}})),
    ("out_of_range", case(method="static_rounds", params={"weights": {"a": 1, "b": 1, "p": 1}, "rounds": 0})),
    ("not_integer", case(method="static_rounds", params={"weights": {"a": 1, "b": 1, "p": 1}})),
    ("tiers_members", case(method="priority", params={"tiers": [["a"], ["b"]]})),
    ("tiers_members", case(method="priority", params={"tiers": [["a", "b"], ["b", "p"]]})),
    ("tiers_members", case(method="priority", params={"tiers": [["a", "b", "p", "x"]]})),
    ("tiers_members", case(method="priority", params={"tiers": [["a", "b", "p"], [["a"]]]})),
    ("tiers_members", case(method="priority", params={})),
    ("group_members", case(method="solidarity", params={"group": ["x"], "reserve_ppm": 1})),
    ("group_members", case(method="solidarity", params={"group": ["a", "a"], "reserve_ppm": 1})),
    ("group_members", case(method="solidarity", params={"group": [], "reserve_ppm": 1})),
    ("reserve_ppm", case(method="solidarity", params={"group": ["a"], "reserve_ppm": 1_000_001})),
    ("reserve_ppm", case(method="solidarity", params={"group": ["a"], "reserve_ppm": 0.2})),
    ("reserve_ppm", case(method="solidarity", params={"group": ["a"]})),
    ("coefficients_over_one", case(method="pairwise", params={"coefficients": {"p": {"a": 600_000, "b": 400_001}}})),
    ("missing_reading", case(missing="refuse", intervals=reading(None))),
    ("missing_reading", case(missing="refuse", intervals=[{"s": {"a": 0, "b": 0, "p": 9}, "d": {"a": 1, "b": 1}}])),
    ("sell_over_buy", case(prices={**PRICES, "sell": 160_001})),
    ("negative", case(prices={**PRICES, "buy": -1})),
    ("not_integer", case(prices={**PRICES, "retail": 0.3})),
    ("method", case(method="fair")),
    ("method", case(method=["equal"])),
    ("method", {"members": ["a"], "intervals": []}),
]


@pytest.mark.parametrize(("code", "table"), FOR_EACH_CODE)
def test_code(code: str, table: dict[str, Any]) -> None:
    assert refused(table).code == code


def test_every_listed_code_is_tried() -> None:
    assert {code for code, _ in FOR_EACH_CODE} == CODES - {"malformed"}


MALFORMED = [
    (None, "the case file"),
    ([], "the case file"),
    ({"cases": []}, "one of them at a time"),
    (case(members="ab"), "members"),
    (case(members=["a", 5, "p"]), "members[1]"),
    (case(members=["a", "", "p"]), "members[1]"),
    (case(members=["a", "\ud800", "p"]), "members[1]"),
    (case(params=[]), "params"),
    (case(intervals={}), "intervals"),
    (case(intervals=[5]), "intervals[0]"),
    (case(intervals=[{"s": {}}]), "intervals[0].d"),
    (case(intervals=[{"s": [], "d": {}}]), "intervals[0].s"),
    (case(windows=[]), "windows"),
    (case(windows={"a": [1]}), "windows"),
    (case(windows={"a": 1}), "windows"),
    (case(aggregate=3), "aggregate"),
    (case(aggregate=True), "aggregate"),
    (case(missing="ignore"), "missing"),
    (case(missing=None), "missing"),
    (case(missing=["refuse"]), "missing"),
    (case(prices={"buy": 5}), "prices.sell"),
    (case(prices=5), "prices"),
    (case(participation=[]), "participation"),
    (case(method="pairwise", params={}), "params.coefficients"),
    (case(day="2026-11-21"), "tz"),
    (case(day="2026-13-01", tz="Europe/Vienna"), "2026-13-01"),
    (case(day="2026-11-21", tz="Europe/Nowhere"), "Europe/Nowhere"),
    (case(day="2026-11-21", tz="../../etc"), "no local day"),
    (case(day=20261121, tz="UTC"), "no local day"),
    (case(day="9999-12-31", tz="UTC"), "no local day"),
]


@pytest.mark.parametrize(("table", "named"), MALFORMED)
def test_malformed_names_the_place(table: object, named: str) -> None:
    refusal = refused(table)
    assert refusal.code == "malformed"
    assert named in refusal.detail


@pytest.mark.parametrize("previous", [5, {}, {"money": 5}, {"error": "method"}, {"money": {"debit_nano": {"a": 1}}}])
def test_an_earlier_result_that_is_none(previous: object) -> None:
    assert refused(case(), previous).code == "malformed"


def test_an_earlier_result_with_a_float() -> None:
    earlier = settle_case(case())
    earlier["money"]["debit_nano"]["a"] = 1.5  # type: ignore[index]
    assert refused(case(), earlier).code == "not_integer"


@pytest.mark.parametrize("key", list(case()))
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, "x", [], {}, [[]], {"a": {}}, True, 10**400])
def test_any_value_anywhere_is_settled_or_refused(key: str, value: object) -> None:
    with suppress(RejectedInputError):
        answer = settle_case(case(**{key: value}))
        assert set(answer) == {"intervals", "totals", "money"}


@pytest.mark.parametrize(
    ("day", "tz", "slots"),
    [
        ("2026-03-29", "Europe/Vienna", 92),
        ("2026-11-21", "Europe/Vienna", 96),
        ("2026-10-25", "Europe/Vienna", 100),
        ("2026-04-05", "Australia/Lord_Howe", 98),
        ("2026-10-25", "UTC", 96),
    ],
)
def test_a_local_day_has_as_many_slots_as_its_clock(day: str, tz: str, slots: int) -> None:
    empty = {"s": {}, "d": {}}
    assert local_day_slots(day, tz) == slots
    assert len(settle_case(case(day=day, tz=tz, intervals=[empty] * slots))["intervals"]) == slots  # type: ignore[arg-type]
    assert refused(case(day=day, tz=tz, intervals=[empty] * (slots + 1))).code == "interval_count"


def test_slot_numbers_order_the_answer_and_open_the_windows() -> None:
    rows = [{"t": t, "s": {"a": 0, "b": 0, "p": t}, "d": {"a": 9, "b": 9, "p": 0}} for t in (7, 5, 6)]
    answer = settle_case(case(intervals=rows, windows={"b": [6, 7]}))
    alloc = [interval["alloc"] for interval in answer["intervals"]]  # type: ignore[attr-defined]
    assert alloc == [{"a": 5, "p": 0}, {"a": 3, "b": 3, "p": 0}, {"a": 7, "p": 0}]


def test_participation_is_read() -> None:
    answer = settle_case(case(participation={"p": 50}))
    assert answer["totals"]["sold"] == {"a": 0, "b": 0, "p": 45}  # type: ignore[index]
    assert answer["totals"]["export"] == {"a": 0, "b": 0, "p": 45}  # type: ignore[index]


def test_a_case_is_not_changed_by_settling() -> None:
    table = case()
    before = json.dumps(table)
    settle_case(table)
    assert json.dumps(table) == before


def test_delta_names_who_stands_in_either_result() -> None:
    earlier = settle_case(case(members=["a", "b", "p", "gone"]))
    answer = settle_case(case(members=["a", "b", "p"]), earlier)
    assert answer["delta"] == {
        "debit_nano": {"a": 0, "b": 0, "gone": 0, "p": 0},
        "credit_nano": {"a": 0, "b": 0, "gone": 0, "p": 0},
        "coop_margin_nano": 0,
    }


def test_no_prices_no_money() -> None:
    table = case()
    del table["prices"]
    money = settle_case(table)["money"]
    assert money["debit_cent"] == {"a": 0, "b": 0, "p": 0}  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe\x00\x01", "malformed"),
        (b"\x00" * 50, "malformed"),
        (b'{"a": 1, "a": 2}', "malformed"),
        (b'{"a": NaN}', "not_integer"),
        (b'{"a": -Infinity}', "not_integer"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "out_of_range"),
        (b"[" * 200_000, "malformed"),
        (b'{"a":' * 200_000, "malformed"),
        (b" " * (MAX_CASE_BYTES + 1), "malformed"),
    ],
)
def test_text_that_is_no_case(text: bytes, code: str) -> None:
    with pytest.raises(RejectedInputError) as caught:
        parse_case(text)
    assert caught.value.code == code
    assert "\n" not in caught.value.detail


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_case(b"\xef\xbb\xbf[1]") == [1]

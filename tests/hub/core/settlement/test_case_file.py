"""The case file: the 24 worked cases field by field, every refusal code, and files that are not cases."""

import copy
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hub.core.rules.input_checks import CODES, RejectedInputError
from hub.core.settlement.case_file import MAX_CASE_BYTES, local_day_slots, parse_case, settle_case

EXAMPLES = Path(__file__).parents[3] / "examples" / "settlement_cases.json"
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in json.loads(EXAMPLES.read_text())["cases"]}
ANSWERED = [name for name, case in CASES.items() if "expect" in case]
REFUSED = [name for name, case in CASES.items() if "expect_error" in case]


def test_all_cases_are_either_answered_or_refused() -> None:
    assert len(CASES) == 24
    assert len(ANSWERED) + len(REFUSED) == 24


@pytest.mark.parametrize("name", ANSWERED)
def test_answer(name: str) -> None:
    assert settle_case(CASES[name]) == CASES[name]["expect"]


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    with pytest.raises(RejectedInputError) as refused:
        settle_case(CASES[name])
    assert refused.value.code == CASES[name]["expect_error"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "expect_delta" in case])
def test_difference_to_an_earlier_answer(name: str) -> None:
    case = CASES[name]
    answer = settle_case(case, settle_case(CASES[case["resettles"]]))
    assert answer["delta"] == case["expect_delta"]


@pytest.mark.parametrize("name", ANSWERED)
def test_order_of_members_and_rows_changes_nothing(name: str) -> None:
    case = copy.deepcopy(CASES[name])
    shuffle = random.Random(name).shuffle
    case["intervals"] = [{**interval, "t": t} for t, interval in enumerate(case["intervals"])]
    shuffle(case["intervals"])
    shuffle(case["members"])
    assert json.dumps(settle_case(case)) == json.dumps(settle_case(CASES[name]))


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
def test_the_code_of_a_refusal(code: str, table: dict[str, Any]) -> None:
    assert refused(table).code == code


def test_every_listed_code_is_tried() -> None:
    assert {code for code, _ in FOR_EACH_CODE} == CODES - {"malformed"}


MALFORMED = [
    (None, "the case file"),
    ([], "the case file"),
    ({"cases": []}, "give one of them at a time"),
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
    (case(day="2026-11-21", tz="../../etc"), "is not a local day"),
    (case(day=20261121, tz="UTC"), "is not a local day"),
    (case(day="9999-12-31", tz="UTC"), "is not a local day"),
]


@pytest.mark.parametrize(("table", "named"), MALFORMED)
def test_malformed_names_the_place(table: object, named: str) -> None:
    refusal = refused(table)
    assert refusal.code == "malformed"
    assert named in refusal.detail


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"participation_percent": {"b": 50}}, "no key participation_percent: a case file calls it participation"),
        ({"particpation": {"b": 50}}, "the case has no key 'particpation'"),
        ({"params": {"weights": {"a": 1}}}, "params of proportional has no key 'weights'; its keys are none"),
        ({"method": "static", "params": {"weights": {}, "round": 2}}, "params of static has no key 'round'"),
        ({"prices": {**PRICES, "feed_in": 1}}, "prices has no key 'feed_in'; its keys are buy, sell, retail, feedin"),
        ({"intervals": [*reading(1), {**reading(1)[0], "slot": 4}]}, "intervals[1] has no key 'slot'"),
    ],
)
def test_a_key_that_means_nothing_is_refused_by_name_at_every_level(change: dict[str, Any], named: str) -> None:
    assert named in refused(case(**change)).detail


def test_an_earlier_result_has_no_other_keys() -> None:
    assert "has no key 'moneys'" in refused(case(), {**settle_case(case()), "moneys": {}}).detail


@pytest.mark.parametrize("previous", [5, {}, {"money": 5}, {"error": "method"}, {"money": {"debit_nano": {"a": 1}}}])
def test_what_is_not_an_earlier_result(previous: object) -> None:
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


def test_the_difference_names_members_of_either_result() -> None:
    earlier = settle_case(case(members=["a", "b", "p", "gone"]))
    answer = settle_case(case(members=["a", "b", "p"]), earlier)
    assert answer["delta"] == {
        "debit_nano": {"a": 0, "b": 0, "gone": 0, "p": 0},
        "credit_nano": {"a": 0, "b": 0, "gone": 0, "p": 0},
        "coop_margin_nano": 0,
    }


def test_the_difference_is_the_new_money_less_the_earlier_money() -> None:
    """90 Wh were shared before and 50 Wh are now, at a margin of 2 micro per kWh; the sides in whole nano."""
    prices = {"buy": 5, "sell": 3}
    rows = [{"s": {"p": wh, "a": 0, "b": 0}, "d": {"a": 100, "b": 0, "p": 0}} for wh in (90, 50)]
    earlier, later = (case(intervals=[row], prices=prices) for row in rows)
    assert settle_case(later, settle_case(earlier))["delta"] == {
        "debit_nano": {"a": -200, "b": 0, "p": 0},
        "credit_nano": {"a": 0, "b": 0, "p": -120},
        "coop_margin_nano": -80,
    }


def test_the_largest_integer_is_a_reading() -> None:
    answer = settle_case(case(intervals=reading(2**53 - 1)))
    assert answer["totals"]["import"]["a"] == 2**53 - 1 - 90  # type: ignore[index]


def test_without_prices_there_is_no_money() -> None:
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
def test_text_that_is_not_a_case(text: bytes, code: str) -> None:
    with pytest.raises(RejectedInputError) as caught:
        parse_case(text)
    assert caught.value.code == code
    assert "\n" not in caught.value.detail


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_case(b"\xef\xbb\xbf[1]") == [1]

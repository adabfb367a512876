"""The rulebook: canonical bytes by hand, versions, members in byte order, and every value that is not a rule's."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import (
    METHODS,
    Prices,
    Rule,
    check_prices,
    check_rule,
    require_aggregate,
    require_mapping,
    require_method,
    require_missing_policy,
    require_percents,
    require_sequence,
    sort_members,
)

RULE = Rule("static", {"weights": {"ä": 2, "a": 1}}, prices=Prices(5, 3, 9, None), participation_percent={"a": 50})
BYTES = (
    '{"aggregate":1,"method":"static","missing":"exclude","params":{"weights":{"a":1,"ä":2}},'
    '"participation_percent":{"a":50},"prices":{"buy":5,"feedin":null,"retail":9,"sell":3}}'
)


def refusal(make: Callable[[], object]) -> RejectedInputError:
    with pytest.raises(RejectedInputError) as refused:
        make()
    return refused.value


def test_the_bytes_of_a_rule_and_its_version() -> None:
    assert RULE.canonical().decode() == BYTES
    assert RULE.version() == hashlib.sha256(b"commonwatt rulebook v1\n" + BYTES.encode()).hexdigest()


def test_connection_and_estimate_are_in_the_bytes_only_once_they_are_set() -> None:
    whole = replace(RULE, connection_w=25_000, estimate=EstimateRule("straight_line", longest=2))
    estimate = '"estimate":{"least":2,"longest":2,"method":"straight_line","weeks":4},'
    start, end = BYTES.split('"method"')
    assert whole.canonical().decode() == f'{start}"connection_w":25000,{estimate}"method"{end}'
    assert replace(RULE, estimate=EstimateRule(longest=9)).canonical() == RULE.canonical()


@pytest.mark.parametrize(
    "change",
    [
        {"method": "weighted"},
        {"params": {"weights": {"a": 1, "ä": 3}}},
        {"aggregate": 4},
        {"participation_percent": {}},
        {"missing": "refuse"},
        {"prices": Prices(5, 3, 9, 0)},
        {"connection_w": 1},
        {"estimate": EstimateRule("straight_line")},
    ],
)
def test_any_change_makes_another_version(change: dict[str, object]) -> None:
    assert replace(RULE, **change).version() != RULE.version()  # type: ignore[arg-type]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True), st.randoms())
def test_members_are_in_the_byte_order_of_their_ids(members: list[str], shuffled: object) -> None:
    ordered = sort_members(members)
    assert [name.encode() for name in ordered] == sorted(name.encode() for name in members)
    shuffled.shuffle(members)  # type: ignore[attr-defined]
    assert sort_members(members) == ordered


@pytest.mark.parametrize(
    ("members", "code", "detail"),
    [
        ([], "no_members", "members is empty"),
        (["a", "b", "a"], "duplicate_member", "member 'a' is listed twice"),
        (["a", ""], "malformed", "members[1]"),
        (["a", "b", 7], "malformed", "members[2]"),
    ],
)
def test_lists_that_are_not_members_are_refused(members: list[object], code: str, detail: str) -> None:
    found = refusal(lambda: sort_members(members))
    assert found.code == code
    assert detail in found.detail


@pytest.mark.parametrize("value", ["fair", "", None, 5, ["equal"], {"equal": 1}])
def test_what_is_not_a_method_is_refused_with_the_list_of_methods(value: object) -> None:
    found = refusal(lambda: require_method(value))
    assert found.code == "method"
    assert found.detail.endswith(f"is not one of {', '.join(METHODS)}")
    assert [require_method(name) for name in METHODS] == list(METHODS)


@pytest.mark.parametrize("value", [0, 2, 3, 5, True, 1.0, 4.0, "4", None, [4]])
def test_only_one_or_four_slots_are_shared_as_one(value: object) -> None:
    assert refusal(lambda: require_aggregate(value)).code == "malformed"
    assert (require_aggregate(1), require_aggregate(4)) == (1, 4)


@pytest.mark.parametrize("value", ["ignore", "", None, ["refuse"], 1])
def test_only_two_policies_for_missing_readings_are_known(value: object) -> None:
    assert refusal(lambda: require_missing_policy(value)).code == "malformed"
    assert (require_missing_policy("exclude"), require_missing_policy("refuse")) == ("exclude", "refuse")


@pytest.mark.parametrize(
    ("percents", "code"),
    [
        ({"x": 50}, "unknown_member"),
        ({"x": 0}, "unknown_member"),
        ({"a": 0}, "out_of_range"),
        ({"a": 101}, "out_of_range"),
        ({"a": -1}, "negative"),
        ({"a": 50.0}, "not_integer"),
        ({"a": True}, "not_integer"),
        ([], "malformed"),
    ],
)
def test_participation_is_a_whole_percent_of_a_member(percents: object, code: str) -> None:
    assert refusal(lambda: require_percents(percents, ["a", "b"])).code == code
    assert require_percents({"b": 1, "a": 100}, ["a", "b"]) == {"a": 100, "b": 1}


@pytest.mark.parametrize(
    ("prices", "code", "detail"),
    [
        (Prices(5, 6), "sell_over_buy", "prices.sell 6 is above prices.buy 5"),
        (Prices(-1, 0), "negative", "prices.buy"),
        (Prices(5, -1), "negative", "prices.sell"),
        (Prices(5, 5, -1), "negative", "prices.retail"),
        (Prices(5, 5, 1, -1), "negative", "prices.feedin"),
        (Prices(5.0, 5), "not_integer", "prices.buy"),  # type: ignore[arg-type]
    ],
)
def test_prices_that_are_refused(prices: Prices, code: str, detail: str) -> None:
    found = refusal(lambda: check_prices(prices))
    assert found.code == code
    assert detail in found.detail


def test_prices_that_are_allowed() -> None:
    check_prices(Prices())
    check_prices(Prices(5, 5, None, None))
    check_prices(Prices(5, 5, 2, 9))


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule("fair"), "method"),
        (Rule("equal", aggregate=2), "malformed"),
        (Rule("equal", missing="ignore"), "malformed"),
        (Rule("equal", participation_percent={"x": 5}), "unknown_member"),
        (Rule("equal", participation_percent={"a": 0}), "out_of_range"),
        (Rule("equal", []), "malformed"),  # type: ignore[arg-type]
        (Rule("equal", prices=Prices(1, 2)), "sell_over_buy"),
        (Rule("equal", connection_w=-1), "negative"),
        (Rule("equal", connection_w=1.5), "not_integer"),  # type: ignore[arg-type]
        (Rule("static", {"weights": {"a": 1}}), "weights_members"),
        (Rule("static", {"weights": {"a": 0, "b": 0}}), "weights_zero"),
        (Rule("static_rounds", {"weights": {"a": 1, "b": 0}, "rounds": 0}), "out_of_range"),
        (Rule("priority", {"tiers": [["a"], ["a", "b"]]}), "tiers_members"),
        (Rule("priority", {"tiers": [["a"], ["b", "x"]]}), "tiers_members"),
        (Rule("priority", {"tiers": [["a"]]}), "tiers_members"),
        (Rule("solidarity", {"group": ["a", "x"], "reserve_ppm": 1}), "group_members"),
        (Rule("solidarity", {"group": ["a", "a"], "reserve_ppm": 1}), "group_members"),
        (Rule("solidarity", {"group": [["a"]], "reserve_ppm": 1}), "group_members"),
        (Rule("solidarity", {"group": ["a"], "reserve_ppm": True}), "reserve_ppm"),
        (Rule("pairwise", {"coefficients": {"a": {"b": 1_000_001}}}), "coefficients_over_one"),
        (Rule("pairwise", {"coefficients": {"a": {"x": 1}}}), "unknown_member"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_by_its_code(rule: Rule, code: str) -> None:
    assert refusal(lambda: check_rule(rule, ("a", "b"))).code == code


def test_tables_and_lists_are_returned_themselves() -> None:
    table, listed = {"a": 1}, ["a"]
    assert require_mapping(table, "x") is table
    assert require_sequence(listed, "x") is listed
    assert refusal(lambda: require_mapping(listed, "params")).detail == "params is not a table"
    for value in (table, "text", None):
        assert refusal(lambda value=value: require_sequence(value, "tiers")).detail == "tiers is not a list"  # type: ignore[misc]

"""Netting in time: within the quarter hour or the hour, before anything is shared, and only where the rule says so."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.books.stored_rules import read_rule
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rule_draft import draft_rule
from hub.core.rules.rulebook import Rule
from hub.core.settlement.case_file import settle_case
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from hub.core.settlement.time_netting import net_in_time

energies = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=12)


@given(energies)
def test_one_direction_is_left_and_the_difference_stays(pairs: list[tuple[int, int]]) -> None:
    surplus, demand = (np.array([[pair[side] for pair in pairs]]) for side in (0, 1))
    left = net_in_time(surplus, demand)
    assert (np.minimum(*left) == 0).all()
    assert (left[0] - left[1] == surplus - demand).all()
    assert ((left[0] <= surplus) & (left[1] <= demand) & (left[0] >= 0) & (left[1] >= 0)).all()
    assert all((one == other).all() for one, other in zip(net_in_time(*left), left, strict=True))


def hour(surplus_of_a: tuple[int, ...], demand_of_a: tuple[int, ...], demand_of_b: tuple[int, ...]) -> Readings:
    surplus = np.array([[wh, 0] for wh in surplus_of_a], dtype=np.int64)
    demand = np.array([list(pair) for pair in zip(demand_of_a, demand_of_b, strict=True)], dtype=np.int64)
    return Readings(("a", "b"), tuple(range(len(surplus_of_a))), surplus, demand)


HOUR = hour((0, 0, 400, 400), (100, 100, 0, 0), (75, 75, 75, 75))
BETAS = {"weights": {"a": 500_000, "b": 500_000}}


def test_spain_two_members_one_hour() -> None:
    """a draws 200 Wh and then gives 800: within the hour that is 600 of the pool; a gets nothing of it, b its 300."""
    settled = settle(HOUR, Rule("static", BETAS, aggregate=4, netting="60min"))
    assert settled.surplus_wh.tolist() == [[600, 0]]
    assert settled.demand_wh.tolist() == [[0, 300]]
    assert settled.alloc_wh.tolist() == [[0, 300]]
    assert settled.sold_wh.tolist() == [[300, 0]]
    without = settle(HOUR, Rule("static", BETAS, aggregate=4))
    assert without.alloc_wh.tolist() == [[200, 300]], "a buys its own sun where nothing is netted"


def test_portugal_nets_within_the_quarter_hour_only() -> None:
    readings = hour((300, 0), (100, 100), (50, 50))
    settled = settle(readings, Rule("proportional", netting="15min"))
    assert settled.surplus_wh.tolist() == [[200, 0], [0, 0]]
    assert settled.demand_wh.tolist() == [[0, 50], [100, 50]]
    assert settled.alloc_wh.tolist() == [[0, 50], [0, 0]]


def test_the_quarter_hour_is_netted_before_the_hour_is_summed() -> None:
    readings = hour((300, 0, 0, 0), (100, 100, 0, 0), (0, 0, 0, 0))
    settled = settle(readings, Rule("proportional", aggregate=4, netting="15min"))
    assert (settled.surplus_wh.tolist(), settled.demand_wh.tolist()) == ([[200, 0]], [[100, 0]])


def test_a_gap_stays_a_gap() -> None:
    broken = hour((MISSING_WH, 0, 400, 400), (100, 100, 0, 0), (75, 75, 75, 75))
    settled = settle(broken, Rule("static", BETAS, aggregate=4, netting="60min"))
    assert settled.present.tolist() == [[False, True]]
    assert settled.surplus_wh.tolist() == [[0, 0]]
    assert settled.provisional.tolist() == [True]


def test_participation_counts_of_what_is_left() -> None:
    rule = Rule("proportional", participation_percent={"b": 50}, netting="15min")
    settled = settle(hour((300,), (100,), (1000,)), rule)
    assert settled.alloc_wh.tolist() == [[0, 200]]
    assert settled.import_wh.tolist() == [[0, 800]]


def test_an_hour_is_netted_only_where_hours_are_shared() -> None:
    with pytest.raises(RejectedInputError, match="netting 60min needs aggregate 4"):
        settle(HOUR, Rule("static", BETAS, netting="60min"))
    with pytest.raises(RejectedInputError, match="netting 'daily' is not one of none, 15min, 60min"):
        settle(HOUR, Rule("static", BETAS, netting="daily"))


def test_a_rule_without_netting_keeps_its_bytes() -> None:
    assert b"netting" not in Rule("proportional").canonical()
    assert Rule("proportional", netting="15min").version() != Rule("proportional").version()


def test_a_member_whose_grid_operator_nets_otherwise() -> None:
    """The co-op nets by the hour; the operator of `a` nets nothing, or within the quarter hour only."""
    plain = settle(HOUR, Rule("static", BETAS, aggregate=4))
    hourly = Rule("static", BETAS, aggregate=4, netting="60min")
    otherwise = settle(HOUR, replace(hourly, netting_of={"a": "none"}))
    assert (otherwise.alloc_wh.tolist(), otherwise.sold_wh.tolist()) == (plain.alloc_wh.tolist(), [[500, 0]])
    mixed = hour((300, 0, 0, 0), (100, 100, 0, 0), (0, 0, 0, 0))
    found = settle(mixed, replace(hourly, netting_of={"a": "15min"}))
    assert (found.surplus_wh.tolist(), found.demand_wh.tolist()) == ([[200, 0]], [[100, 0]])
    found = settle(mixed, replace(hourly, netting="none", netting_of={"a": "60min"}))
    assert (found.surplus_wh.tolist(), found.demand_wh.tolist()) == ([[100, 0]], [[0, 0]])


def test_who_is_named_and_is_not_there_changes_nothing() -> None:
    rule = Rule("proportional", netting="15min")
    here, gone = settle(HOUR, rule), settle(HOUR, replace(rule, netting_of={"z": "none"}))
    assert here.alloc_wh.tolist() == gone.alloc_wh.tolist()


def test_a_members_time_is_checked_as_the_rules_is() -> None:
    with pytest.raises(RejectedInputError, match=r"netting_of\.'a' 60min needs aggregate 4"):
        settle(HOUR, Rule("proportional", netting_of={"a": "60min"}))
    with pytest.raises(RejectedInputError, match=r"netting_of\.'a' 'daily' is not one of none, 15min, 60min"):
        settle(HOUR, Rule("proportional", netting_of={"a": "daily"}))


def test_the_rule_is_read_back_from_its_bytes() -> None:
    rule = Rule("proportional", netting="15min", netting_of={"a": "none"})
    assert read_rule(rule.canonical()) == rule
    assert b"netting_of" not in replace(rule, netting_of={}).canonical()


def test_a_case_and_a_draft_name_members_only() -> None:
    rule = draft_rule(Rule("equal"), {"netting_of": {"a": "15min"}}, members=["a", "b"])
    assert (rule.netting_at("a"), rule.netting_at("b")) == ("15min", "none")
    assert draft_rule(rule, {"netting": "15min"}, members=["a", "b"]).netting_of == {"a": "15min"}
    with pytest.raises(RejectedInputError, match="netting_of names 'z', who is not a member"):
        draft_rule(rule, {"netting_of": {"z": "15min"}}, members=["a", "b"])
    interval = {"s": {"a": 800, "b": 0}, "d": {"a": 200, "b": 300}}
    case = {"method": "equal", "members": ["a", "b"], "intervals": [interval], "netting_of": {"a": "15min"}}
    assert settle_case(case)["totals"]["alloc"] == {"a": 0, "b": 300}  # type: ignore[index]
    with pytest.raises(RejectedInputError, match="netting_of names 'z'"):
        settle_case(case | {"netting_of": {"z": "15min"}})

"""Netting in time: within the quarter hour or the hour, before anything is shared, and only where the rule says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import Rule
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

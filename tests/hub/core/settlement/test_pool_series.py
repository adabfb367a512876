"""The pool series of a day: what the auditor and the members see, by hand, and nothing over fewer than five homes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.ledger.signed_document import document_hash
from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import Prices, Rule, check_rule
from hub.core.settlement.disclosure import shared_slots
from hub.core.settlement.period import settle
from hub.core.settlement.pool_series import LEAST_HOMES, PoolSeries, pool_series
from hub.core.settlement.prepared_readings import MISSING_WH, Readings
from tests.hub.core.settlement.settlement_worlds import METHODS, make_period

ANYBODY = GroupRule()
MEMBERS = ("a", "b", "c", "d", "e", "f", "g")
PRICES = Prices(3, 2)


def series_of(rule: Rule, surplus: list[int], demand: list[int], group: GroupRule = ANYBODY) -> PoolSeries:
    """One slot of the first members."""
    members = MEMBERS[: len(demand)]
    readings = Readings(members, (8,), np.array([surplus], dtype=np.int64), np.array([demand], dtype=np.int64))
    return pool_series(settle(readings, rule), coop="sunny", day="2026-05-01", run="run", group=group)


def shown(rule: Rule, surplus: list[int], demand: list[int], group: GroupRule = ANYBODY) -> dict[str, Any]:
    slots: Any = series_of(rule, surplus, demand, group).for_members()["slots"]
    return dict(slots[0])


def whole(rule: Rule, surplus: list[int], demand: list[int]) -> dict[str, Any]:
    slots: Any = series_of(rule, surplus, demand).for_auditor("salt")["slots"]
    return dict(slots[0])


def test_five_homes_share_by_demand() -> None:
    """8 Wh for 10 Wh of demand: 1.6, 2.4, 0.8, 3.2 by demand; the two left over go to c (8/10) and a (6/10)."""
    assert shown(Rule("proportional"), [2, 2, 1, 1, 2], [2, 3, 1, 4, 0]) == {
        "slot": 8,
        "homes": 5,
        "demand": 10,
        "buy": [[8, 10, 6, None]],
        "sell": [8, 8, None, None],
        "withheld": [],
    }


def test_the_document_names_day_run_and_rule_and_only_the_auditor_has_a_salt() -> None:
    rule = Rule("proportional", prices=PRICES)
    series = series_of(rule, [0, 8], [4, 0])
    names = {
        "format": "commonwatt-pool-series-2",
        "coop": "sunny",
        "day": "2026-05-01",
        "run": "run",
        "rule": rule.version(),
    }
    members, auditor = series.for_members(), series.for_auditor("secret")
    assert members == {
        **names,
        "for": "members",
        "slots": [{"slot": 8, "homes": 2, "demand": None, "buy": None, "sell": None, "withheld": ["few_homes"]}],
    }
    assert auditor == {
        **names,
        "for": "auditor",
        "slots": [{"slot": 8, "homes": 2, "demand": 4, "buy": [[4, 4, None, None]], "sell": [4, 8, None, None]}],
        "salt": "secret",
    }
    assert document_hash(auditor) != document_hash(series.for_auditor("other"))


@pytest.mark.parametrize(("homes", "is_shown"), [(1, False), (4, False), (5, True), (6, True)])
def test_a_slot_of_fewer_than_five_homes_is_withheld(homes: int, is_shown: bool) -> None:
    demand = [2] * homes + [MISSING_WH] * (7 - homes)
    found = shown(Rule("equal"), [2] * homes + [0] * (7 - homes), demand)
    assert found["homes"] == homes
    assert (found["withheld"], found["buy"] is not None) == ([] if is_shown else ["few_homes"], is_shown)


def test_a_participation_factor_counts_before_the_steps() -> None:
    rule = Rule("proportional", participation_percent={"a": 50, "g": 25})
    assert whole(rule, [0, 0, 0, 0, 0, 0, 41], [9, 1, 1, 1, 1, 1, 0])["sell"] == [9, 10, None, None]


@pytest.mark.parametrize(
    ("group", "is_hidden"),
    [(("a", "b"), True), (("a", "b", "c", "d", "e"), True), (("a", "b", "c", "d", "e", "f", "g"), False)],
)
def test_a_solidarity_group_or_its_rest_of_fewer_than_five_homes_hides_the_steps(
    group: tuple[str, ...], is_hidden: bool
) -> None:
    rule = Rule("solidarity", {"group": list(group), "reserve_ppm": 500_000})
    surplus, demand = [3] * 6 + [2], [5] * 6 + [0]
    found = shown(rule, surplus, demand)
    assert found["withheld"] == (["few_in_step"] if is_hidden else [])
    assert (found["buy"] is None, found["sell"] is None) == (is_hidden, is_hidden)
    assert None not in whole(rule, surplus, demand)["buy"]


@pytest.mark.parametrize(
    ("tiers", "hidden"),
    [
        ([7], [False]),
        ([5, 2], [True, True]),  # two homes could be told from the total and the tier of five
        ([2, 5], [True, True]),
        ([0, 7], [False, False]),
        ([3, 4], [True, True]),
        ([1, 1, 5], [True, True, True]),
        ([6, 1], [True, True]),
    ],
)
def test_tiers_of_fewer_than_five_homes_are_hidden(tiers: list[int], hidden: list[bool]) -> None:
    names, listed = list(MEMBERS), []
    for count in tiers:
        listed.append(names[:count])
        names = names[count:]
    found = shown(Rule("priority", {"tiers": listed}), [5] * 7, [5] * 7)
    assert [step is None for step in found["buy"]] == hidden


def test_a_large_tier_stays_visible_if_the_hidden_ones_have_five_homes_together() -> None:
    members = tuple(f"m{n:02d}" for n in range(11))
    tiers = [list(members[:3]), list(members[3:6]), list(members[6:])]
    readings = Readings(members, (8,), np.full((1, 11), 4), np.full((1, 11), 4))
    series = pool_series(settle(readings, Rule("priority", {"tiers": tiers})), coop="c", day="2026-05-01", run="r")
    slots: Any = series.for_members()["slots"]
    assert [step is None for step in slots[0]["buy"]] == [True, True, False]


def test_pairwise_steps_are_the_auditors_alone() -> None:
    rule = Rule("pairwise", {"coefficients": {"g": {"a": 500_000, "b": 250_000}}})
    surplus, demand = [0] * 6 + [8], [3, 5, 0, 0, 0, 0, 0]
    assert shown(rule, surplus, demand) == {
        "slot": 8,
        "homes": 7,
        "demand": None,
        "buy": None,
        "sell": None,
        "withheld": ["single_homes"],
    }
    assert whole(rule, surplus, demand) == {
        "slot": 8,
        "homes": 7,
        "producers": [["g", [8, 1_000_000, None, None], {"a": 3, "b": 2}]],
    }


def test_a_pairwise_consumer_takes_no_more_than_is_left_of_the_demand_and_an_absent_one_nothing() -> None:
    """e gives a all 2 Wh; g's half would be 4 Wh, but a asks for 1 more; b has no reading."""
    rule = Rule("pairwise", {"coefficients": {"g": {"a": 500_000, "b": 500_000}, "e": {"a": 1_000_000}}})
    found = whole(rule, [0, 0, 0, 0, 2, 0, 8], [3, MISSING_WH, 0, 0, 0, 0, 0])
    assert found["producers"] == [
        ["e", [2, 1_000_000, None, None], {"a": 2}],
        ["g", [8, 1_000_000, None, None], {"a": 1}],
    ]


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, derandomize=True, max_examples=15, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_members_see_no_sum_over_fewer_than_five_homes(method: str, seed: int) -> None:
    readings, rule = make_period(method, seed=seed, intervals=30, count=9)
    settled = settle(readings, rule)
    slots: Any = pool_series(settled, coop="c", day="2026-05-01", run="r").for_members()["slots"]
    assert [slot["slot"] for slot in slots] == list(settled.slots)
    for row, slot in enumerate(slots):
        homes = int(settled.present[row].sum())
        assert slot["homes"] == homes
        assert set(slot) == {"slot", "homes", "demand", "buy", "sell", "withheld"}
        if homes < LEAST_HOMES or method == "pairwise":
            assert slot["buy"] is None
        if slot["buy"] is None:
            assert slot["sell"] is None
            assert len(slot["withheld"]) == 1
            continue
        parts = shared_slots(settled)[row].parts(check_rule(rule, settled.members))
        makers = [member for member, wh in parts["surplus"].items() if wh]
        assert not makers or len(parts["surplus"]) >= LEAST_HOMES
        assert all(len(behind) >= LEAST_HOMES for name, behind in parts.items() if name != "surplus")
        if method == "priority":
            tiers: Any = rule.params["tiers"]
            here = [sum(bool(settled.present[row, settled.members.index(name)]) for name in tier) for tier in tiers]
            hidden = [count for count, step in zip(here, slot["buy"], strict=True) if step is None]
            assert all(count == 0 or count >= LEAST_HOMES for count in here if count not in hidden)
            assert sum(hidden) == 0 or sum(hidden) >= LEAST_HOMES or sum(hidden) == homes
        assert slot["sell"][0] == int(settled.alloc_wh[row].sum())


def test_one_maker_of_six_is_not_shown_and_a_plant_of_the_co_op_is() -> None:
    """With one maker, the sellers' step is what that home fed in, and so is the buyers' total in a scarce slot."""
    surplus, demand = [0] * 6 + [20], [5] * 6 + [0]
    found = shown(Rule("proportional"), surplus, demand)
    assert (found["buy"], found["sell"], found["withheld"]) == (None, None, ["few_makers"])
    plant = shown(Rule("proportional"), surplus, demand, GroupRule(plants=frozenset({"g"})))
    assert (plant["buy"], plant["sell"], plant["withheld"]) == ([[20, 30, 10, "c"]], [20, 20, None, None], [])
    open_ = shown(Rule("proportional"), surplus, demand, GroupRule(open_homes=frozenset({"g"})))
    assert open_["sell"] == [20, 20, None, None]


def test_nothing_fed_in_is_shown_whoever_the_makers_are() -> None:
    found = shown(Rule("proportional"), [0] * 7, [5] * 7)
    assert (found["sell"], found["withheld"]) == ([0, 0, None, None], [])


@pytest.mark.parametrize(
    ("demand", "is_shown"),
    [
        ([9] * 7, True),  # all at the level
        ([1] + [9] * 6, False),  # the level times six and the total give the one that is filled below it
        ([1] * 6 + [9], False),  # one home at the level: its step is what it received
        ([1] * 2 + [9] * 5, False),
    ],
)
def test_water_filling_is_shown_only_if_both_sides_of_the_level_are_large(demand: list[int], is_shown: bool) -> None:
    assert (shown(Rule("equal"), [2] * 7, demand)["withheld"] == []) is is_shown


def test_a_tier_that_gets_only_a_part_is_shown_only_if_it_is_large() -> None:
    """The first tier is served whole; the two of the second could tell each other's demand from their parts."""
    rule = Rule("priority", {"tiers": [list("abcde"), list("fg")]})
    assert shown(rule, [4] * 7, [5] * 7)["withheld"] == ["few_in_step"]
    assert shown(rule, [4] * 7, [5] * 7)["sell"] is None


def test_a_street_total_over_all_but_one_withholds_the_slot() -> None:
    readings = Readings(MEMBERS, (8,), np.full((1, 7), 3), np.full((1, 7), 4))
    settled = settle(readings, Rule("proportional"))
    for total, reasons in (("abcdefg", []), ("abcdef", ["street_total"]), ("ab", [])):
        series = pool_series(settled, coop="c", day="d", run="r", totals={8: set(total)})
        slots: Any = series.for_members()["slots"]
        assert slots[0]["withheld"] == reasons


def test_a_correction_is_the_auditors_alone() -> None:
    readings = Readings(MEMBERS, (8,), np.full((1, 7), 3), np.full((1, 7), 4))
    series = pool_series(settle(readings, Rule("proportional")), coop="c", day="d", run="r", is_correction=True)
    members, auditor = series.for_members(), series.for_auditor("salt")
    assert members["slots"] == [
        {"slot": 8, "homes": 7, "demand": None, "buy": None, "sell": None, "withheld": ["correction"]}
    ]
    assert auditor["slots"] == [
        {"slot": 8, "homes": 7, "demand": 28, "buy": [[21, 28, None, None]], "sell": [21, 21, None, None]}
    ]

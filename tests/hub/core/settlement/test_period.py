"""A whole period: hashes, order, splitting, corrections in any order, money identities, participation and gaps."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.money import CENT_NANO, MICRO_NANO
from hub.core.settlement.period import Settlement, settle, sum_columns
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, digest_inputs
from tests.hub.core.settlement.period_check import check_against_slow_period
from tests.hub.core.settlement.settlement_worlds import HIGHEST, METHODS, PRICES, make_period

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32)
INTERVALS = 1_000
"""Ten periods of so many intervals are 10,000 slots of each method in every property below."""


def period(method: str, seed: int, *, highest_wh: int = 3_000) -> tuple[Readings, Rule]:
    return make_period(method, seed=seed, intervals=INTERVALS, highest_wh=highest_wh)


def shuffled(readings: Readings, seed: int) -> Readings:
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(readings.slots)), rng.permutation(len(readings.members))
    return replace(
        readings,
        members=tuple(readings.members[i] for i in columns),
        slots=tuple(readings.slots[i] for i in rows),
        surplus_wh=readings.surplus_wh[np.ix_(rows, columns)],
        demand_wh=readings.demand_wh[np.ix_(rows, columns)],
    )


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_same_readings_and_rule_same_hash_in_any_order(method: str, seed: int) -> None:
    readings, rule = period(method, seed)
    other = shuffled(readings, seed)
    assert settle(other, rule).record() == settle(readings, rule).record()
    assert digest_inputs(other, rule) == digest_inputs(readings, rule)


def test_a_watt_hour_or_a_price_changes_the_hash() -> None:
    readings, rule = period("equal", 3)
    before = settle(readings, rule).result_hash()
    surplus = readings.surplus_wh.copy()
    surplus[5, 1] += 1
    assert settle(replace(readings, surplus_wh=surplus), rule).result_hash() != before
    assert settle(readings, replace(rule, prices=Prices(165_432, 158_764))).result_hash() != before


def test_rule_version_does_not_hang_on_the_order_of_its_tables() -> None:
    one = Rule("static", {"weights": {"a": 1, "ä": 2}}, participation_percent={"a": 50, "ä": 60})
    other = Rule("static", {"weights": {"ä": 2, "a": 1}}, participation_percent={"ä": 60, "a": 50})
    assert one.version() == other.version()
    assert one.version() != replace(one, missing="refuse").version()
    assert one.canonical().startswith(b'{"aggregate":1,"method":"static"')


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds, cut=st.integers(0, INTERVALS))
@settings(relaxed, max_examples=10)
def test_a_split_period_adds_up_in_nano(method: str, seed: int, cut: int) -> None:
    readings, rule = period(method, seed)
    whole = settle(readings, rule)
    for name in ("debit_nano", "credit_nano", "benefit_nano"):
        parts = [getattr(part.money, name) for part in (whole.part(0, cut), whole.part(cut, INTERVALS))]
        assert tuple(a + b for a, b in zip(*parts, strict=True)) == getattr(whole.money, name)


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_money_adds_up_in_every_unit(method: str, seed: int) -> None:
    settled = settle(*period(method, seed, highest_wh=(9, 3_000, 2**53 - 1)[seed % 3]))
    money = settled.money
    assert sum(money.debit_nano) - sum(money.credit_nano) == money.coop_margin_nano
    for unit in (MICRO_NANO, CENT_NANO):
        statement = money.in_units_of(unit)
        assert sum(statement.debit) == sum(money.debit_nano) // unit
        assert sum(statement.credit) == sum(money.credit_nano) // unit
        assert sum(statement.debit) - sum(statement.credit) == statement.coop_margin
        assert all(
            abs(whole * unit - nano) < unit for whole, nano in zip(statement.debit, money.debit_nano, strict=True)
        )


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_benefit_is_the_cost_alone_less_the_settled_cost(method: str, seed: int) -> None:
    settled = settle(*period(method, seed))
    total = settled.totals_wh
    for i, benefit in enumerate(settled.money.benefit_nano or ()):
        alone = total["demand"][i] * PRICES.retail_micro_per_kwh - total["surplus"][i] * PRICES.feedin_micro_per_kwh
        grid = total["import"][i] * PRICES.retail_micro_per_kwh - total["export"][i] * PRICES.feedin_micro_per_kwh
        assert alone - (grid + settled.money.debit_nano[i] - settled.money.credit_nano[i]) == benefit
        assert benefit >= 0


def test_a_negative_benefit_is_settled_and_reported() -> None:
    readings = Readings(("a", "p"), (0,), np.array([[0, 10]]), np.array([[5, 0]]))
    money = settle(readings, Rule("proportional", prices=Prices(300, 100, 200, 150))).money
    assert money.benefit_nano == (5 * -100, 5 * -50)
    assert settle(readings, Rule("proportional", prices=Prices(3, 1, None, None))).money.benefit_nano is None


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_corrections_commute(method: str, seed: int) -> None:
    """Late readings give the same result in whatever order they arrive, and that of a fresh run."""
    readings, rule = period(method, seed)
    rng, rows, columns = np.random.default_rng(seed), len(readings.slots), len(readings.members)
    late = {(int(rng.integers(rows)), int(rng.integers(columns))): int(rng.integers(900)) for _ in range(3)}
    hashes = set()
    for order in itertools.permutations(late.items()):
        demand = readings.demand_wh.copy()
        for place, wh in order:
            demand[place] = wh
        hashes.add(settle(replace(readings, demand_wh=demand), rule).result_hash())
    assert len(hashes) == 1


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=20)
def test_a_period_equals_the_slow_reference(method: str, seed: int) -> None:
    check_against_slow_period(*make_period(method, seed=seed, intervals=500, highest_wh=HIGHEST[seed % len(HIGHEST)]))


def test_participation_leaves_the_rest_with_the_grid() -> None:
    readings = Readings(("a", "p"), (0,), np.array([[0, 999]]), np.array([[101, 0]]))
    settled = settle(readings, Rule("proportional", participation_percent={"a": 50, "p": 1}))
    assert settled.alloc_wh.tolist() == [[9, 0]]
    assert settled.import_wh.tolist() == [[92, 0]]
    assert settled.export_wh.tolist() == [[0, 990]]


def test_half_a_reading_leaves_the_member_out_altogether() -> None:
    """A home whose demand is missing sells nothing either, and its surplus stands in no total."""
    readings = Readings(("a", "p"), (0,), np.array([[50, 90]]), np.array([[MISSING_WH, 100]]))
    settled = settle(readings, Rule("proportional"))
    assert settled.totals_wh["surplus"] == (0, 90)
    assert settled.totals_wh["export"] == (0, 0)
    assert settled.present.tolist() == [[False, True]]
    assert settled.provisional.tolist() == [True]


def test_hourly_sharing_needs_all_four_quarters() -> None:
    surplus = np.array([[0, 0, 40]] * 4)
    demand = np.array([[30, 30, 0]] * 3 + [[30, MISSING_WH, 0]])
    settled = settle(Readings(("a", "b", "p"), (8, 9, 10, 11), surplus, demand), Rule("equal", aggregate=4))
    assert settled.slots == (8,)
    assert settled.alloc_wh.tolist() == [[120, 0, 0]]
    assert settled.present.tolist() == [[True, False, True]]
    assert settled.provisional.tolist() == [True]


@pytest.mark.parametrize("slots", [(0, 1, 2), (0, 1, 2, 4)])
def test_hourly_sharing_refuses_a_broken_hour(slots: tuple[int, ...]) -> None:
    energy = np.ones((len(slots), 1), dtype=np.int64)
    with pytest.raises(RejectedInputError) as refused:
        settle(Readings(("a",), slots, energy, energy), Rule("equal", aggregate=4))
    assert refused.value.code == "interval_count"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("duplicate_interval", {"slots": (7, 7)}),
        ("duplicate_member", {"members": ("a", "a")}),
        ("no_members", {"members": ()}),
        ("negative", {"demand_wh": np.array([[0, -2], [0, 0]])}),
        ("out_of_range", {"surplus_wh": np.array([[0, 2**53], [0, 0]])}),
        ("unknown_member", {"windows": {"x": (0, 1)}}),
        ("missing_reading", {"demand_wh": np.array([[0, 0], [0, -1]])}),
    ],
)
def test_refusals_name_their_code(code: str, change: dict) -> None:
    energy = np.zeros((2, 2), dtype=np.int64)
    readings = replace(Readings(("a", "b"), (7, 8), energy, energy), **change)
    with pytest.raises(RejectedInputError) as refused:
        settle(readings, Rule("proportional", missing="refuse"))
    assert refused.value.code == code


def test_sums_over_64_bits() -> None:
    energy = np.full((3000, 2), 2**53 - 1, dtype=np.int64)
    assert sum_columns(energy) == (3000 * (2**53 - 1),) * 2
    settled: Settlement = settle(Readings(("a", "b"), tuple(range(3000)), energy, energy), Rule("equal", prices=PRICES))
    assert settled.money.debit_nano == (3000 * (2**53 - 1) * PRICES.buy_micro_per_kwh,) * 2

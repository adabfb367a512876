"""What is compared with the grid operator's readings: what counts in settlement, also where an agent derived it."""

from pathlib import Path

import numpy as np
import pytest

from hub.books.counted_readings import DayRule, counted_inputs, rules_of_days
from hub.commands.grid_file import netted_own, netted_points, own_series
from hub.core.grid.austria import MeteringPoints
from hub.core.grid.netted_series import NettedPoints
from hub.core.rules.rulebook import Rule
from hub.storage.records import Access, SettlementInputs
from tests.hub.quality.test_derived_energy import COUNTS, NOON, SLOTS, opened, tell
from tests.hub.settled_street import COOP, RULE


@pytest.mark.parametrize(("rule", "missing"), [(COUNTS, 0), (RULE, len(NOON))])
async def test_derived_energy_that_counts_is_compared_too(tmp_path: Path, rule: Rule, missing: int) -> None:
    street = await opened(tmp_path, rule)
    try:
        await tell(street, within_wh=50, percent=10)
        access = Access("m01", "board", "settle.share", "grid-file")
        rules = await rules_of_days(street.store, SLOTS, tz=COOP.tz)
        found = await counted_inputs(street.store, SLOTS, rules=rules, access=access)
        assert int((found.surplus_wh[:, 0] < 0).sum()) == missing
        assert int((found.demand_wh[:, 0] < 0).sum()) == missing
    finally:
        await street.store.close()


async def test_each_point_is_netted_as_the_rule_of_the_day_says_for_its_member(tmp_path: Path) -> None:
    rule = Rule("proportional", aggregate=4, netting="60min", netting_of={"m02": "15min", "m03": "none"})
    street = await opened(tmp_path, rule)
    try:
        rules = await rules_of_days(street.store, SLOTS, tz=COOP.tz)
        points = {f"m{number:02d}": MeteringPoints(f"in{number}", None) for number in (1, 2, 3)}
        assert netted_points(points, rules) == [
            NettedPoints("in1", None, hours=frozenset(SLOTS[::4])),
            NettedPoints("in2", None, quarters=frozenset(SLOTS)),
            NettedPoints("in3", None),
        ]
    finally:
        await street.store.close()


@pytest.mark.parametrize(
    ("time", "left"), [("none", [50, 0, 30, 30]), ("15min", [30, 0, 30, 30]), ("60min", [70, 0, 0, 0])]
)
def test_a_member_with_one_metering_point_is_netted_by_both_directions(time: str, left: list[int]) -> None:
    demand, surplus = np.array([[50], [0], [30], [30]]), np.array([[20], [20], [0], [0]])
    everywhere, first = np.ones((4, 1), dtype=np.bool_), SLOTS.start
    inputs = SettlementInputs(("m01",), first, surplus, demand, everywhere, ~everywhere, ~everywhere, 1)
    rules = [DayRule(range(first, first + 4), Rule("proportional", aggregate=4, netting=time))]
    points, errors = {"m01": MeteringPoints("in1", None)}, np.zeros((4, 1, 2), dtype=np.int64)
    (series,) = netted_own(inputs, points, errors=errors, rules=rules)
    assert series.key == ("in1", "consumption", "total")
    assert series.energy_micro_kwh.tolist() == [1000 * wh for wh in left]


async def test_the_stated_error_is_of_what_was_derived_alone(tmp_path: Path) -> None:
    street = await opened(tmp_path, COUNTS)
    try:
        await tell(street, within_wh=50, percent=10)
        rules = await rules_of_days(street.store, SLOTS, tz=COOP.tz)
        access = Access("m01", "board", "settle.share", "grid-file")
        inputs = await counted_inputs(street.store, SLOTS, rules=rules, access=access)
        errors = await street.store.stated_errors(slots=SLOTS)
        (series,) = own_series(inputs, {"m01": MeteringPoints("in1", None)}, errors)
        assert series.error_micro_kwh is not None
        here = [SLOTS.start + place for place in series.error_micro_kwh.nonzero()[0].tolist()]
        assert here == list(NOON)
        both_wh = (inputs.demand_wh + inputs.surplus_wh)[NOON.start - SLOTS.start, 0]
        assert series.error_micro_kwh[NOON.start - SLOTS.start] == max(50_000, int(both_wh) * 100)
    finally:
        await street.store.close()

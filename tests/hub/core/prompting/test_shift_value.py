"""What a move is worth, by hand on small paths: relief, peak hours, room, and what earlier moves change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.core.prompting.shift_value import ShiftPlan, ShiftValue

Floats = NDArray[np.float64]


def plan_of(net_wh: Floats, *, peak_weight: float = 0.0, limit_wh: float | None = None) -> ShiftPlan:
    return ShiftPlan(net_wh, peak_weight=peak_weight, limit_wh=limit_wh)


def evening_and_noon() -> Floats:
    """A day of 100 Wh a slot, 1,000 Wh from slot 76 to 79, and 300 Wh of surplus from slot 48 to 51."""
    net = np.full((1, 96), 100.0)
    net[:, 76:80], net[:, 48:52] = 1000.0, -300.0
    return net


def best(plan: ShiftPlan, usual: int, targets: list[int], duration: int, energy_wh: float) -> ShiftValue:
    value = plan.best_move(usual, np.array(targets), duration, energy_wh=energy_wh)
    assert value is not None
    return value


def test_a_run_that_moves_into_surplus_saves_all_of_its_energy() -> None:
    value = best(plan_of(evening_and_noon()), 76, [20, 48, 60], 4, 1200.0)
    assert (value.usual, value.proposed) == (76, 48)
    assert (value.relief_wh, value.score_wh, value.robust_share) == (1200.0, 1200.0, 1.0)


def test_only_the_surplus_that_is_there_is_saved() -> None:
    """Of 500 Wh a slot the surplus covers 300 Wh, and the rest is drawn from the grid as before."""
    assert best(plan_of(evening_and_noon()), 76, [48], 4, 2000.0).relief_wh == 1200.0


def test_between_two_slots_that_draw_from_the_grid_nothing_is_saved() -> None:
    value = best(plan_of(evening_and_noon()), 76, [20], 4, 400.0)
    assert (value.relief_wh, value.robust_share) == (0.0, 0.0)
    assert value.peak_relief_wh == 400.0, "but it leaves the highest hours"


def test_the_energy_in_the_usual_slots_counts_down_to_zero_only() -> None:
    """The usual window draws only 100 Wh a slot: a run of 300 Wh there used 200 Wh of surplus."""
    assert best(plan_of(evening_and_noon()), 20, [48], 4, 1200.0).relief_wh == 400.0


def test_relief_of_the_highest_hours_is_weighted() -> None:
    value = best(plan_of(evening_and_noon(), peak_weight=0.25), 76, [48], 4, 1200.0)
    assert value.peak_relief_wh == 1200.0
    assert value.score_wh == 1200.0 + 0.25 * 1200.0


def test_the_three_highest_hours_of_each_day_are_its_top() -> None:
    net = np.zeros((1, 192))
    for hour, wh in ((2, 50.0), (5, 70.0), (9, 60.0), (20, 40.0), (30, 5.0), (40, -5.0)):
        net[:, hour * 4 : hour * 4 + 4] = wh
    top = plan_of(net).is_top[0]
    assert np.flatnonzero(top.reshape(48, 4).all(axis=1)).tolist() == [2, 5, 9, 30]
    assert top.sum() == 16, "an hour that draws nothing is never at the top"


def test_the_risk_is_the_share_of_paths_on_which_the_window_touches_a_top_hour() -> None:
    net = np.full((4, 96), 10.0)
    net[:, :12] = 50.0
    net[0, 60:64] = 99.0  # on one of four paths the hour from slot 60 is among the three highest
    plan = plan_of(net)
    assert plan.peak_risk(60, 4) == 0.25
    assert plan.peak_risk(63, 4) == 0.25
    assert plan.peak_risk(64, 4) == 0.0
    assert plan.peak_risk(0, 1) == 1.0


def test_surplus_is_the_mean_of_the_paths_and_never_negative() -> None:
    net = np.array([[-100.0, -50.0, 20.0, 0.0], [40.0, 40.0, 40.0, 40.0]])
    assert plan_of(net).surplus_wh(0, 3) == 75.0
    assert plan_of(net).surplus_wh(2, 2) == 0.0


def test_several_paths_are_a_mean_and_a_share() -> None:
    net = np.repeat(evening_and_noon(), 4, axis=0)
    net[3, 48:52] = 100.0  # one of four days has no sun
    value = best(plan_of(net), 76, [48], 4, 800.0)
    assert (value.relief_wh, value.robust_share) == (600.0, 0.75)


def test_a_new_peak_is_not_allowed() -> None:
    """The highest median is 1,000 Wh: a slot of 100 Wh has room for 900 Wh and not for more."""
    plan = plan_of(evening_and_noon())
    assert plan.room_wh()[[20, 48, 76]].tolist() == [900.0, 1300.0, 0.0]
    assert plan.best_move(76, np.array([20]), 4, energy_wh=3600.0) is not None
    assert plan.best_move(76, np.array([20]), 4, energy_wh=3604.0) is None
    assert plan.best_move(76, np.array([74]), 4, energy_wh=4.0) is None, "part of it would be in the peak"


def test_the_limit_of_the_co_op_is_lower_than_the_peak() -> None:
    plan = plan_of(evening_and_noon(), limit_wh=400.0)
    assert plan.room_wh()[20] == 300.0
    assert plan_of(evening_and_noon(), limit_wh=9999.0).room_wh()[20] == 900.0


def test_room_is_that_of_a_day_of_high_demand() -> None:
    net = np.repeat(evening_and_noon(), 11, axis=0)
    net[:, 20] = np.arange(11) * 10.0  # the 0.9 quantile is 90
    assert plan_of(net).room_wh()[20] == pytest.approx(910.0)


def test_each_day_from_the_issue_on_has_its_own_peak() -> None:
    net = np.concatenate([evening_and_noon(), evening_and_noon() / 2], axis=1)
    assert plan_of(net).room_wh()[[20, 96 + 20]].tolist() == [900.0, 450.0]


def test_an_assigned_move_counts_by_its_chance_and_in_full_against_the_room() -> None:
    plan = plan_of(evening_and_noon())
    plan.assign(76, 48, 4, energy_wh=800.0, chance=0.5)
    assert plan.surplus_wh(48, 4) == 1200.0 - 400.0
    assert plan.room_wh()[48] == 1300.0 - 200.0
    assert plan.room_wh()[76] == 0.0, "what leaves a slot makes no room there"
    # 200 Wh a slot are left of the surplus, so of another 1,200 Wh only 800 Wh are saved.
    assert best(plan, 76, [48], 4, 1200.0).relief_wh == 800.0


def test_a_likely_move_leaves_its_usual_slots_by_its_chance() -> None:
    plan = plan_of(evening_and_noon())
    plan.assign(20, 48, 4, energy_wh=1200.0, chance=0.5)
    assert plan.surplus_wh(20, 4) == 4 * 50.0, "100 Wh a slot less half of 300 Wh"


def test_the_plan_leaves_its_input_alone() -> None:
    net = evening_and_noon()
    plan = ShiftPlan(net, peak_weight=0.0, limit_wh=None)
    plan.assign(76, 48, 4, energy_wh=800.0, chance=1.0)
    assert (net == evening_and_noon()).all()
    assert plan.slots == 96


def test_of_equal_moves_the_one_with_most_room_then_the_earliest() -> None:
    net = np.full((1, 96), 100.0)
    net[:, 80] = 1000.0
    net[:, 30:40], net[:, 50:60] = -400.0, -300.0
    assert best(plan_of(net), 80, [50, 30, 31], 1, 100.0).proposed == 30
    assert best(plan_of(net), 80, [50, 55], 1, 100.0).proposed == 50


@given(
    seed=st.integers(0, 2**32),
    usual=st.integers(0, 92),
    duration=st.integers(1, 4),
    energy=st.integers(1, 2000),
)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_the_relief_is_the_import_before_less_the_import_after(
    seed: int, usual: int, duration: int, energy: int
) -> None:
    """Each of all allowed targets, computed slot by slot in the plainest way."""
    before = np.random.default_rng(seed).integers(-500, 501, 96).astype(np.float64)
    targets = np.array([t for t in range(96 - duration + 1) if abs(t - usual) >= duration])
    plan = plan_of(before[None, :])
    value = plan.best_move(usual, targets, duration, energy_wh=float(energy))
    reliefs = {}
    for target in targets.tolist():
        if (before.max() - before[target : target + duration] < energy / duration - 1e-9).any():
            continue
        after = before.copy()
        after[usual : usual + duration] -= energy / duration
        after[target : target + duration] += energy / duration
        reliefs[target] = float(np.maximum(before, 0).sum() - np.maximum(after, 0).sum())
    if value is None:
        assert all((before.max() - before[t : t + duration]).min() <= energy / duration + 1e-6 for t in reliefs)
        return
    assert value.relief_wh == pytest.approx(reliefs[value.proposed], abs=1e-6)
    assert value.relief_wh == pytest.approx(max(reliefs.values()), abs=1.0)

"""Households use what households use: measured shapes, local habits, their own size; appliances come on top."""

from datetime import date, timedelta

import numpy as np
import pytest

from simulator.errors import SimulatorError
from simulator.world import loads
from simulator.world.appliances import HomePlan, make_appliances, planned_run
from simulator.world.loads import household_power_w, make_household, profiles
from simulator.world.site import DAY_S, STEP_S, Site, local_clock, unix_of

SITE = Site()
CLOCKS_FORWARD = 20541  # 2026-03-29, the clocks go forward at 01:00 UTC


def test_shapes_are_the_measured_ones_with_mean_one() -> None:
    shapes = profiles()
    assert set(shapes) == set(loads.SHAPES)
    for shape in shapes.values():
        assert shape.shape == (366, 96)
        assert shape.mean() == pytest.approx(1.0, abs=1e-3)
        evening, night = shape[:, 72:80].mean(), shape[:, 8:16].mean()
        assert evening > 1.5 * night


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "files", lambda _name: [])
    with pytest.raises(SimulatorError, match="pip install --no-deps simbench"):
        profiles.__wrapped__()


def test_a_household_has_its_own_size_every_day() -> None:
    household = make_household(3, "h01", mean_w=300)
    days = [household_power_w(3, "h01", household, site=SITE, day=20500 + each) for each in range(60)]
    assert all(day.shape == (288,) for day in days)
    assert min(day.min() for day in days) >= household.standby_w
    assert np.mean(days) == pytest.approx(household.mean_w, rel=0.35)
    sums = np.array([day.sum() for day in days])
    assert 0.05 < sums.std() / sums.mean() < 0.6


def test_homes_differ_more_than_five_shapes_would_allow() -> None:
    days = np.array(
        [
            household_power_w(3, f"h{each}", make_household(3, f"h{each}", mean_w=300), site=SITE, day=20500)
            for each in range(10)
        ]
    )
    correlations = np.corrcoef(days)[np.triu_indices(10, 1)]
    assert correlations.max() < 0.97


def test_habits_follow_the_local_clock_when_it_changes() -> None:
    before, after = local_clock(CLOCKS_FORWARD, SITE.tz)[1], local_clock(CLOCKS_FORWARD + 1, SITE.tz)[1]
    assert before[0] == 3600
    assert before[1] == 3 * 3600
    assert after[0] == 2 * 3600
    winter = unix_of(date(2026, 3, 28), 19 * 3600, SITE.tz)
    summer = unix_of(date(2026, 3, 29), 19 * 3600, SITE.tz)
    assert summer - winter == 23 * 3600


def test_runs_happen_about_as_often_and_when_they_usually_do() -> None:
    appliances = make_appliances(3, "h05", charge_w=11000)
    assert "ev" in {each.name for each in appliances}
    for appliance in appliances:
        days = [date(2026, 1, 1) + timedelta(days=each) for each in range(300)]
        runs = [run for day in days if (run := planned_run(3, "h05", appliance, day=day, site=SITE))]
        assert 0.3 < len(runs) / 300 < 0.95
        for run in runs:
            assert run.start_s % STEP_S == 0
            assert abs(run.start_s - unix_of(run.day, appliance.usual_s, SITE.tz)) <= 5400 + STEP_S
            assert run.watts
        mean_ws = np.mean([run.energy_ws for run in runs])
        assert mean_ws / 3600 == pytest.approx(appliance.typical_wh, rel=0.15)


def test_a_plan_finds_runs_over_midnight_and_remembers_moves() -> None:
    appliances = make_appliances(3, "h05", charge_w=3700)
    plan = HomePlan(3, "h05", appliances, SITE)
    start_s = 20600 * DAY_S
    runs = plan.runs_between(start_s, start_s + 5 * DAY_S)
    assert runs == tuple(sorted(runs, key=lambda run: (run.start_s, run.appliance)))
    over = [run for run in runs if run.start_s // DAY_S != (run.end_s - 1) // DAY_S]
    for run in over:
        assert run in plan.runs_between(run.end_s - STEP_S, run.end_s)
    run = plan.next_run("ev", after_s=start_s, until_s=start_s + 9 * DAY_S)
    assert run is not None
    plan.move(run, start_s=run.start_s - 6 * 3600, prompt="p1")
    again = plan.next_run("ev", after_s=start_s, until_s=start_s + 9 * DAY_S)
    assert again is None or again.day != run.day
    assert plan.next_run("sauna", after_s=start_s, until_s=start_s + DAY_S) is None

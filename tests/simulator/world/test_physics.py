"""What flows in a home adds up: in every step, over every slot, whatever was moved and whatever was asked first."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.slots import SLOT_S
from simulator.services.truth import slot_energies_ws
from simulator.world.homes import Battery
from simulator.world.physics import FLOWS, HomePhysics
from simulator.world.site import DAY_S, STEP_S, STEPS_PER_DAY
from simulator.world.street import Street

FIRST_DAY = 20600
LOAD, SOLAR, WIND, CHARGE, DISCHARGE, IMPORT, EXPORT, OUTPUT, CHARGE_DC, DISCHARGE_DC = range(len(FLOWS))


@pytest.mark.parametrize("index", range(12))
def test_grid_is_load_less_production_and_battery_in_every_step(street: Street, index: int) -> None:
    power = street.physics(street.homes[index].id).day(FIRST_DAY + 2).power_w
    balance = power[LOAD] - power[SOLAR] - power[WIND] + power[CHARGE] - power[DISCHARGE]
    assert np.array_equal(power[IMPORT] - power[EXPORT], balance)
    assert power.min() >= 0
    assert not np.any((power[IMPORT] > 0) & (power[EXPORT] > 0))
    assert not np.any((power[CHARGE] > 0) & (power[DISCHARGE] > 0))


@pytest.mark.parametrize("index", range(12))
def test_counters_are_the_integral_of_power_across_days(street: Street, index: int) -> None:
    physics = street.physics(street.homes[index].id)
    days = [physics.day(FIRST_DAY + each) for each in range(3)]
    power = np.concatenate([each.power_w for each in days], axis=1)
    assert np.array_equal(days[-1].counted_ws[:, -1], power.sum(axis=1) * STEP_S)
    for earlier, later in pairwise(days):
        assert np.array_equal(earlier.counted_ws[:, -1], later.counted_ws[:, 0])
        assert earlier.stored_ws[-1] == later.stored_ws[0]


@settings(max_examples=60, deadline=None)
@given(
    index=st.integers(0, 11),
    first=st.integers(FIRST_DAY * 96, (FIRST_DAY + 3) * 96 - 9),
    count=st.integers(1, 8),
)
def test_energy_is_conserved_in_every_slot(street: Street, index: int, first: int, count: int) -> None:
    energies = slot_energies_ws(street.physics(street.homes[index].id), first, count)
    for place in range(count):
        slot = {name: values[place] for name, values in energies.items()}
        sources = slot["grid_import"] + slot["pv_production"] + slot["wind_production"] + slot["battery_discharge"]
        assert sources == slot["load"] + slot["grid_export"] + slot["battery_charge"]


def test_the_grid_meters_show_what_they_always_showed() -> None:
    """The flows at the grid meters of the demonstration's street, as a digest: settlement rests on them alone."""
    street, digest = Street(seed=1, homes=12, first_day=20500), hashlib.sha256()
    for home in street.homes:
        counted = street.physics(home.id).counters(20500 * DAY_S, every_s=900, count=3 * 96 + 1)
        digest.update(np.ascontiguousarray(counted[[IMPORT, EXPORT]].astype("<i8")).tobytes())
    assert digest.hexdigest() == "f3c5696a40db2b7d31de33e9574f64f29d9167dcd932d4eb039c842d10302b23"


def test_behind_an_inverter_output_is_the_sun_less_charge_plus_discharge(street: Street) -> None:
    home = next(each for each in street.homes if each.battery)
    power = street.physics(home.id).day(street.first_day + 1).power_w
    assert (power[OUTPUT] == power[SOLAR] - power[CHARGE] + power[DISCHARGE]).all()
    assert power[OUTPUT].min() >= 0
    night = (power[SOLAR] == 0) & (power[DISCHARGE] > 0)
    assert night.any()
    assert (power[OUTPUT] == power[DISCHARGE])[night].all()
    assert (power[DISCHARGE_DC] > power[DISCHARGE])[night].all()
    assert (power[CHARGE_DC] >= power[CHARGE]).all()


def test_a_battery_keeps_to_its_power_and_size_and_loses_what_it_must(street: Street) -> None:
    for home in street.homes:
        if home.battery is None:
            continue
        battery, physics = home.battery, street.physics(home.id)
        for day in range(FIRST_DAY, FIRST_DAY + 3):
            flows = physics.day(day)
            assert flows.stored_ws.min() >= 0
            assert flows.stored_ws.max() <= battery.capacity_wh * 3600
            assert flows.power_w[[CHARGE, DISCHARGE]].max() <= battery.power_w
            kept = flows.power_w[CHARGE] * STEP_S * (1 - battery.loss)
            taken = flows.power_w[DISCHARGE] * STEP_S / (1 - battery.loss)
            assert np.all(np.abs(np.diff(flows.stored_ws) - (kept - taken)) <= 1)
        assert physics.day(FIRST_DAY + 2).counted_ws[CHARGE, -1] > 0


@settings(max_examples=60, deadline=None)
@given(index=st.integers(0, 11), at_s=st.integers(FIRST_DAY * DAY_S, (FIRST_DAY + 2) * DAY_S), into=st.floats(0, 299))
def test_between_steps_values_stay_lively_and_consistent(street: Street, index: int, at_s: int, into: float) -> None:
    physics = street.physics(street.homes[index].id)
    step_s = at_s - at_s % STEP_S
    state, begin, end = (physics.state(when) for when in (step_s + into, step_s, step_s + STEP_S))
    power = state.power_w
    balance = power["load"] - power["solar"] - power["wind"] + power["charge"] - power["discharge"]
    assert state.grid_w == pytest.approx(balance, abs=1e-6)
    for name in FLOWS:
        assert power[name] >= -1e-9
        assert begin.counted_ws[name] - 1e-6 <= state.counted_ws[name] <= end.counted_ws[name] + 1e-6


def test_the_same_seed_gives_the_same_street_in_another_process() -> None:
    program = (
        "import hashlib; from simulator.world.street import Street\n"
        "s = Street(seed=7, homes=4, first_day=20600)\n"
        "h = hashlib.sha256()\n"
        "[h.update(s.physics(x.id).day(20602).counted_ws.tobytes()) for x in s.homes]\n"
        "print(h.hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    here = hashlib.sha256()
    street = Street(seed=7, homes=4, first_day=FIRST_DAY)
    for home in street.homes:
        here.update(street.physics(home.id).day(FIRST_DAY + 2).counted_ws.tobytes())
    assert there.stdout == here.hexdigest() + "\n"


def test_adding_homes_changes_no_other(street: Street) -> None:
    shorter = Street(seed=7, homes=3, first_day=FIRST_DAY)
    for home in shorter.homes:
        assert home == street.home(home.id)
        mine, theirs = (each.physics(home.id).day(FIRST_DAY + 1) for each in (shorter, street))
        assert np.array_equal(mine.counted_ws, theirs.counted_ws)


def test_another_seed_is_another_street(street: Street) -> None:
    other = Street(seed=8, homes=1, first_day=FIRST_DAY)
    mine, theirs = (each.physics("h01").day(FIRST_DAY).power_w for each in (street, other))
    assert not np.array_equal(mine, theirs)


def test_a_moved_run_moves_its_energy_and_leaves_the_past_alone() -> None:
    moving, still = (Street(seed=7, homes=5, first_day=FIRST_DAY) for _ in range(2))
    now_s = (FIRST_DAY + 1) * DAY_S + 8 * 3600
    home = moving.homes[4]
    plan = moving.physics(home.id).plan
    moving.physics(home.id).day(FIRST_DAY + 3)
    runs = [plan.next_run(each.name, after_s=now_s, until_s=now_s + DAY_S) for each in home.appliances]
    run = next(each for each in runs if each is not None)
    moved = moving.move_run(home.id, run, start_s=now_s + 2 * 3600 + 17, now_s=now_s, prompt="p1")

    assert moved.start_s % STEP_S == 0
    assert plan.next_run(run.appliance, after_s=now_s, until_s=run.planned_s + 60) != run
    before, after = (each.physics(home.id) for each in (still, moving))
    step = now_s % DAY_S // STEP_S
    assert np.array_equal(before.day(FIRST_DAY + 1).power_w[:, :step], after.day(FIRST_DAY + 1).power_w[:, :step])
    change = after.day(FIRST_DAY + 1).power_w[LOAD] - before.day(FIRST_DAY + 1).power_w[LOAD]
    begin = moved.start_s % DAY_S // STEP_S
    assert change[begin : begin + len(run.watts)].sum() * STEP_S == run.energy_ws
    end_s = (FIRST_DAY + 4) * DAY_S
    totals = [each.counted_ws("load", end_s - STEP_S) for each in (before, after)]
    assert totals[0] == totals[1]


def test_the_past_cannot_be_moved() -> None:
    street = Street(seed=7, homes=5, first_day=FIRST_DAY)
    home = street.homes[4]
    noon_s = (FIRST_DAY + 1) * DAY_S + 12 * 3600
    runs = street.physics(home.id).plan.runs_between(noon_s, noon_s + DAY_S)
    assert runs
    with pytest.raises(ValueError, match="in the future"):
        street.move_run(home.id, runs[0], start_s=noon_s - 3600, now_s=noon_s, prompt="p1")


def test_a_street_has_no_past_before_its_first_day_and_some_homes(street: Street) -> None:
    with pytest.raises(ValueError, match="first day"):
        street.physics("h01").day(FIRST_DAY - 1)
    for homes in (0, 201):
        with pytest.raises(ValueError, match="1 to 200"):
            Street(seed=1, homes=homes, first_day=FIRST_DAY)


def test_counters_at_slot_boundaries_are_those_of_the_steps(street: Street) -> None:
    physics = street.physics("h03")
    first_s = FIRST_DAY * DAY_S + 5 * SLOT_S
    table = physics.counters(first_s, every_s=SLOT_S, count=200)
    for place in (0, 1, 90, 199):
        at_s = first_s + place * SLOT_S
        assert [physics.counted_ws(flow, at_s) for flow in FLOWS] == table[:, place].tolist()


def test_every_kind_of_home_stands_in_the_street(street: Street) -> None:
    assert {home.kind for home in street.homes} == {"flat", "pv", "pv-battery", "wind", "ev", "heat-pump"}
    families = {device.family for home in street.homes for device in home.devices}
    assert len(families) == 6
    assert any("rtu" in home.links.values() and len(home.units) == 3 for home in street.homes)
    for home in street.homes:
        assert (home.battery is None) == (home.kind != "pv-battery")
        assert isinstance(home.battery, Battery | None)
        days = physics_days(street.physics(home.id))
        assert days[LOAD].sum() > 0
        assert (days[SOLAR].sum() > 0) == (home.roof is not None)
        assert (days[WIND].sum() > 0) == (home.turbine is not None)


def physics_days(physics: HomePhysics) -> np.ndarray:
    """Three days of power, one row per flow."""
    days = [physics.day(FIRST_DAY + each).power_w for each in range(3)]
    assert all(each.shape == (len(FLOWS), STEPS_PER_DAY) for each in days)
    return np.concatenate(days, axis=1)

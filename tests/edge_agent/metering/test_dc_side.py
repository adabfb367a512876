"""Panels and a battery behind one inverter: what is sent balances on the AC side, whatever the devices count."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.metering.dc_side import NOISE_WH, net_of_dc, on_ac_side, pair_places, unassigned_batteries
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, start_of
from protocols.wire.readings import LongInterval

FIRST = 2_000_000
INVERTER = MeasuringPoint("inverter", "pv", 5_000, "one", "inverter_output")
BATTERY = MeasuringPoint("battery", "battery", 5_000, "one", side="dc")
PV, CHARGE, DISCHARGE = Measure.PV_PRODUCTION, Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE


def play(
    places: list[MeasuringPoint], *slots: dict[MeasuringPoint, dict[str, int]], **power_w: int
) -> list[ClosedSlot]:
    """The closed slots of these energies, with counters read at both ends and every five minutes."""
    meter = HomeMeter(places, next_slot=FIRST, longest_hole_s=300)
    counted = {place: dict.fromkeys(slots[0][place], 1000) for place in places}
    for place in places:
        meter.add_sample(place, Sample(start_of(FIRST), dict(counted[place]), power_w.get(place.device)))
        meter.open(place)
    for number, energies in enumerate(slots):
        for part in (1, 2, 3):
            for place in places:
                if place in energies:
                    shown = {name: counted[place][name] + wh * part // 3 for name, wh in energies[place].items()}
                    at_s = start_of(FIRST + number) + part * SLOT_S / 3
                    meter.add_sample(place, Sample(at_s, shown, power_w.get(place.device)))
        for place in places:
            if place in energies:
                for name, wh in energies[place].items():
                    counted[place][name] += wh
            meter.close(place)
    found = []
    while closed := meter.next_closed_slot():
        found.append(closed[0])
    return found


def hybrid(output: int, charge: int, discharge: int) -> dict[MeasuringPoint, dict[str, int]]:
    return {INVERTER: {"production_wh": output}, BATTERY: {"charge_wh": charge, "discharge_wh": discharge}}


def values(found: ClosedSlot) -> dict[Measure, tuple[int | None, Mark]]:
    return {measure: (value.energy_wh, value.mark) for measure, value in found.values.items()}


@settings(deadline=None, derandomize=True)
@given(st.integers(-4000, 4000), st.integers(0, 3000), st.integers(0, 3000))
def test_what_is_sent_always_balances_to_the_inverters_output(net_wh: int, charge_wh: int, discharge_wh: int) -> None:
    found = on_ac_side(net_wh, charge_wh=charge_wh, discharge_wh=discharge_wh)
    assert found.production_wh + found.discharge_wh - found.charge_wh == net_wh
    assert min(found.production_wh, found.charge_wh, found.discharge_wh) >= 0
    assert abs(found.production_wh - max(0, net_wh + charge_wh - discharge_wh)) <= NOISE_WH


def test_by_day_the_charge_belongs_to_the_panels_and_by_night_nothing_does() -> None:
    day, night = play([INVERTER, BATTERY], hybrid(300, 600, 0), hybrid(270, 0, 300))
    assert values(day) == {PV: (900, Mark.DERIVED), CHARGE: (600, Mark.DERIVED), DISCHARGE: (0, Mark.DERIVED)}
    assert values(night) == {PV: (0, Mark.DERIVED), CHARGE: (0, Mark.DERIVED), DISCHARGE: (270, Mark.DERIVED)}


def test_a_battery_charged_from_the_grid_is_no_sunshine() -> None:
    found = play([INVERTER, BATTERY], hybrid(0, 470, 0), inverter=-2000)
    assert values(found[0])[PV] == (0, Mark.DERIVED)
    assert values(found[0])[CHARGE] == (500, Mark.DERIVED)


def test_two_counters_that_step_at_different_times_make_no_sunshine_at_night() -> None:
    found = play([INVERTER, BATTERY], hybrid(104, 0, 100))
    assert values(found[0]) == {PV: (0, Mark.DERIVED), CHARGE: (0, Mark.DERIVED), DISCHARGE: (104, Mark.DERIVED)}


def test_an_inverter_without_a_battery_stays_as_its_counter_says() -> None:
    found = play([INVERTER], {INVERTER: {"production_wh": 300}})
    assert values(found[0]) == {PV: (300, Mark.DERIVED)}


def test_of_panels_counted_on_the_dc_side_the_inverters_loss_is_left_out() -> None:
    panels = MeasuringPoint("panels", "pv", 5_000, "one", "source_dc")
    day, night = play(
        [panels, BATTERY],
        {panels: {"production_wh": 1000}, BATTERY: {"charge_wh": 400, "discharge_wh": 0}},
        {panels: {"production_wh": 0}, BATTERY: {"charge_wh": 0, "discharge_wh": 300}},
    )
    assert values(day) == {PV: (982, Mark.DERIVED), CHARGE: (400, Mark.DERIVED), DISCHARGE: (0, Mark.DERIVED)}
    assert values(night) == {PV: (0, Mark.DERIVED), CHARGE: (0, Mark.DERIVED), DISCHARGE: (291, Mark.DERIVED)}
    alone = play([panels], {panels: {"production_wh": 1000}})
    assert values(alone[0]) == {PV: (net_of_dc(1000), Mark.DERIVED)}


@pytest.mark.parametrize("missing", [INVERTER, BATTERY])
def test_without_one_of_the_two_the_sunshine_is_missing(missing: MeasuringPoint) -> None:
    whole = hybrid(300, 600, 0)
    found = play([INVERTER, BATTERY], whole, {place: whole[place] for place in whole if place is not missing}, whole)
    assert found[1].values[PV] == SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
    if missing is INVERTER:
        assert found[1].values[CHARGE] == SlotValue(600, Mark.DERIVED)
    assert found[1].long_intervals == ()


def test_the_total_over_an_outage_is_worked_out_too() -> None:
    whole = hybrid(300, 600, 0)
    found = play([INVERTER, BATTERY], whole, {}, whole)
    assert found[2].long_intervals == (
        LongInterval(PV, FIRST + 1, 2, 900),
        LongInterval(CHARGE, FIRST + 1, 2, 600),
        LongInterval(DISCHARGE, FIRST + 1, 2, 0),
    )


def place(name: str, role: str, bus: str, **said: Any) -> MeasuringPoint:
    return MeasuringPoint(name, role, 5_000, bus, **said)  # type: ignore[arg-type]


def test_a_battery_belongs_to_the_inverter_read_from_the_same_unit() -> None:
    old = place("old", "pv", "two", counts="inverter_output")
    assert pair_places([old, INVERTER, BATTERY]) == {INVERTER: (BATTERY,)}
    assert unassigned_batteries([old, INVERTER, BATTERY]) == ()


def test_a_battery_without_an_inverter_on_its_unit_belongs_to_the_only_one() -> None:
    feed = place("feed", "pv", "two", counts="source_ac")
    assert pair_places([feed, BATTERY]) == {feed: (BATTERY,)}
    other = place("other", "pv", "three", counts="source_ac")
    assert pair_places([feed, other, BATTERY]) == {}
    assert unassigned_batteries([feed, other, BATTERY]) == (BATTERY,)


def test_a_battery_with_its_own_inverter_is_left_alone() -> None:
    battery = place("battery", "battery", "one", side="ac")
    assert pair_places([INVERTER, battery]) == {}
    assert unassigned_batteries([INVERTER, battery]) == ()

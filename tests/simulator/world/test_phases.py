"""Three phases of a simulated home: both kinds of counters, and what an agent makes of the one that counts apart."""

from decimal import Decimal

import numpy as np
import pytest

from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from edge_agent.metering.sample_feed import SampleFeed
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, slot_of
from simulator.devices.values import Counters, values_of, view_unit
from simulator.world.homes import ModbusUnit
from simulator.world.phases import phase_powers_w
from simulator.world.physics import HomePhysics
from simulator.world.site import DAY_S, STEP_S
from simulator.world.street import Street

FIRST_DAY = 20600
IMPORT, EXPORT = Measure.GRID_IMPORT, Measure.GRID_EXPORT


@pytest.fixture
def sunny(street: Street) -> HomePhysics:
    return next(street.physics(home.id) for home in street.homes if home.roof and not home.battery)


def test_the_phases_are_the_grid_and_apart_is_never_less(sunny: HomePhysics) -> None:
    before, apart = 0.0, 0
    for at_s in range(FIRST_DAY * DAY_S, FIRST_DAY * DAY_S + DAY_S, STEP_S // 2):
        state = sunny.state(at_s)
        phases = phase_powers_w(state.power_w)
        assert sum(phases) == pytest.approx(state.grid_w)
        assert state.counted_apart_ws >= before
        before = state.counted_apart_ws
        apart += sum(each > 0 for each in phases) and phases[0] < 0
    assert apart > 20, "with the sun on one phase, one feeds in while the others draw"
    assert before > 3600 * 100


def test_what_is_counted_apart_is_the_integral_of_the_phases(sunny: HomePhysics) -> None:
    day = sunny.day(FIRST_DAY)
    names = ("load", "solar", "wind", "charge", "discharge")
    drawn = 0.0
    for step in range(day.power_w.shape[1]):
        powers = {name: float(day.power_w[row, step]) for row, name in enumerate(names)}
        drawn += STEP_S * sum(max(0.0, each) for each in phase_powers_w(powers))
    apart = sunny.state(FIRST_DAY * DAY_S + DAY_S).counted_apart_ws
    bought = int(day.counted_ws[5, -1])
    assert bought + apart == pytest.approx(drawn, abs=STEP_S * day.power_w.shape[1])


def test_an_agent_derives_what_the_legal_meter_counts_within_its_bound(sunny: HomePhysics) -> None:
    """A meter that counts apart, a legal meter that nets, readings 10 s apart from sunrise to noon."""
    grid = MeasuringPoint("meter", "grid", 25_000)
    begins = FIRST_DAY * DAY_S + 5 * 3600
    metering = HomeMeter([grid], next_slot=slot_of(begins), longest_hole_s=300, phase_steps={grid: "net"})
    feed, derived, wrong_wh = SampleFeed(metering, window_s=60), 0, 0.0
    for at_s in range(begins, begins + 28 * SLOT_S + 1, 10):
        state = sunny.state(at_s)
        more = state.counted_apart_ws
        counters = {name: int((state.counted_ws[name[:-3]] + more) // 3600) for name in ("import_wh", "export_wh")}
        feed.add_samples(at_s, {grid: Sample(at_s, counters, round(state.grid_w))})
        if (found := metering.next_closed_slot()) is None:
            continue
        closed, last = found[0], metering.phases[grid].last
        start, end = (sunny.state(edge) for edge in (at_s - SLOT_S, at_s))
        wrong_wh += (end.counted_apart_ws - start.counted_apart_ws) / 3600
        for measure, flow in ((IMPORT, "import"), (EXPORT, "export")):
            value = closed.values[measure]
            if value.mark is Mark.DERIVED and last is not None and last.error_wh is not None and value.energy_wh:
                true_wh = (end.counted_ws[flow] - start.counted_ws[flow]) / 3600
                assert abs(value.energy_wh - true_wh) <= last.error_wh + 2
                derived += 1
    assert derived > 10
    assert wrong_wh > 200, "so much more would have been credited"


def test_a_netting_unit_is_what_it_was() -> None:
    assert not ModbusUnit("meter", 1, ("eastron-sdm630",), "grid", "h01-M1").counts_apart
    assert np.isclose(sum(phase_powers_w(dict.fromkeys(("load", "solar", "wind", "charge", "discharge"), 0.0))), 0.0)


def test_a_unit_that_counts_apart_shows_it_in_its_registers(street: Street, sunny: HomePhysics) -> None:
    noon = sunny.state(FIRST_DAY * DAY_S + 12 * 3600)
    counters = Counters({flow: Decimal(int(ws)) / 3600 for flow, ws in noon.counted_ws.items()})
    shown = []
    for counts_apart in (False, True):
        unit = ModbusUnit("meter", 1, ("eastron-sdm630",), "grid", "h01-M1", counts_apart=counts_apart)
        seen = view_unit(7, sunny.home, unit=unit, state=noon, counters=counters)
        shown.append(values_of(seen, "eastron-sdm630"))
    netted, apart = shown
    for name in ("energy_import_total", "energy_export_total"):
        more = Decimal(str(apart[name])) - Decimal(str(netted[name]))
        assert float(more) == pytest.approx(noon.counted_apart_ws / 3600, abs=0.01)
    assert netted["active_power"] == apart["active_power"]

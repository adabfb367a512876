"""Where power comes from and goes to: the home's use from its points, also behind hybrid inverters, or not known."""

from edge_agent.home_store.live_values import LiveValue
from edge_agent.metering.home_meter import MeasuringPoint
from edge_agent.page.flows import PowerFlow, power_flow

GRID = MeasuringPoint("meter", "grid", 15_000)
SUN = MeasuringPoint("roof", "pv", 10_000)
WIND = MeasuringPoint("mill", "wind", 5_000)
BATTERY = MeasuringPoint("cellar", "battery", 5_000)
HYBRID_SUN = MeasuringPoint("hybrid", "pv", 10_000, bus="h", counts="inverter_output")
DC_SUN = MeasuringPoint("hybrid", "pv", 10_000, bus="h", counts="source_dc")
HYBRID_BATTERY = MeasuringPoint("hybrid", "battery", 5_000, bus="h", side="dc")


def flow(powers: dict[MeasuringPoint, int | None], *, old: tuple[MeasuringPoint, ...] = ()) -> PowerFlow:
    newest = {place: LiveValue(50.0 if place in old else 100.0, power) for place, power in powers.items()}
    return power_flow(powers, newest, not_before_s=90.0)


def test_the_use_is_what_comes_in_less_what_goes_out() -> None:
    found = flow({GRID: -1_200, SUN: 3_000, WIND: 400, BATTERY: 700})
    assert (found.grid_w, found.sun_w, found.wind_w, found.battery_w, found.use_w) == (-1_200, 3_000, 400, 700, 1_500)
    assert found.sources == [("sun", 3_000), ("wind", 400)]
    assert found.sinks == [("use", 1_500), ("battery", 700), ("grid", 1_200)]
    assert sum(power for _, power in found.sources) == sum(power for _, power in found.sinks)


def test_a_battery_that_gives_is_a_source() -> None:
    found = flow({GRID: 100, BATTERY: -900})
    assert (found.use_w, found.sources) == (1_000, [("battery", 900), ("grid", 100)])


def test_an_inverters_output_already_holds_its_battery() -> None:
    found = flow({GRID: 0, HYBRID_SUN: 1_000, HYBRID_BATTERY: 500})
    assert (found.sun_w, found.use_w) == (1_500, 1_000)
    night = flow({GRID: 0, HYBRID_SUN: 800, HYBRID_BATTERY: -820})
    assert (night.sun_w, night.use_w) == (0, 800)


def test_on_the_dc_side_the_inverters_losses_are_counted() -> None:
    found = flow({GRID: 0, DC_SUN: 2_000, HYBRID_BATTERY: 1_000})
    assert (found.sun_w, found.use_w) == (2_000, 970)


def test_an_old_or_missing_value_leaves_the_use_unknown() -> None:
    found = flow({GRID: 500, SUN: 900}, old=(SUN,))
    assert (found.grid_w, found.sun_w, found.use_w, found.silent) == (500, None, None, (SUN,))
    assert flow({GRID: 500, SUN: None}).use_w is None
    assert flow({SUN: 900}).use_w is None


def test_a_submeter_is_part_of_the_use_and_not_added() -> None:
    assert flow({GRID: 500, MeasuringPoint("pump", "load", 3_000): 300}).use_w == 500

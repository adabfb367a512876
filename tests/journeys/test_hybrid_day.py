"""A day of a home with a hybrid inverter: from the registers through the agent's meter to the hub's picture of it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.metering.home_meter import FIELDS_OF_ROLE, HomeMeter, MeasuringPoint, sample_of
from edge_agent.metering.sample_feed import SampleFeed
from hub.core.neighbourhood import MeasureSums, estimate_neighbourhood
from hub.core.quality.home_checks import HomeSlots, find_all
from protocols.maps.roles import role_values
from protocols.quantities import Mark, Measure
from protocols.slots import SLOT_S, start_of
from simulator.devices.image import DeviceImage
from simulator.world.homes import Battery, SimulatedHome
from simulator.world.physics import FLOWS, HomePhysics
from simulator.world.production import Roof
from simulator.world.site import DAY_S
from simulator.world.street import Street

FIRST_DAY = 20600
STEP_WH = 10
"""The step of every counter of this family."""
Wh = NDArray[np.int64]


class EveningHome(HomePhysics):
    """A home that uses 14.6 kWh a day: 1,200 W in the evening, when its battery gives them."""

    def _load_w(self, day: int) -> Wh:
        hours = np.full(24, 400)
        hours[9:13], hours[18:23] = 650, 1200
        return np.repeat(hours, 12) + np.tile((0, 7, -7), 96)


@cache
def hybrid() -> tuple[SimulatedHome, HomePhysics, Street]:
    street = Street(seed=7, homes=3, first_day=FIRST_DAY)
    roof = Roof(peak_w=5000, inverter_w=5000, tilt_deg=30, azimuth_deg=180, soiling=0.97)
    home = replace(street.homes[2], roof=roof, battery=Battery(9000, 3600))
    return home, EveningHome(home, seed=7, weather=street.weather, first_day=FIRST_DAY), street


def clearest_day(physics: HomePhysics) -> int:
    solar = {day: physics.day(day).power_w[FLOWS.index("solar")].sum() for day in range(FIRST_DAY + 1, FIRST_DAY + 20)}
    return max(solar, key=solar.__getitem__)


def metered(home: SimulatedHome, physics: HomePhysics, first: int, slots: int, *, every_s: int) -> dict[Measure, Wh]:
    """What the agent sends of these slots, read from the registers every few seconds."""
    image = DeviceImage(home.units[0], home, physics=physics, seed=7, step_s=every_s)
    part = image.parts[0]
    roles = part.resolved.device_map.roles
    places = [
        MeasuringPoint(each.name, each.role, each.max_power_w, "unit 1", roles[each.role].counts, roles[each.role].side)
        for each in home.devices
        if each.role is not None
    ]
    meter = HomeMeter(places, next_slot=first, longest_hole_s=SLOT_S / 3)
    feed = SampleFeed(meter, window_s=60)
    for at_s in range(int(start_of(first)), int(start_of(first + slots)) + 1, every_s):
        values = part.resolved.decode(image.words(at_s))
        feed.add_samples(
            at_s,
            {
                place: sample_of(role_values(part.resolved, values, place.role), at_s, FIELDS_OF_ROLE[place.role])
                for place in places
            },
        )
    sent: dict[Measure, list[int]] = {}
    while found := meter.next_closed_slot():
        for measure, value in found[0].values.items():
            assert value.energy_wh is not None
            is_grid = measure in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
            assert value.mark is Mark.DERIVED or (is_grid and value.mark is Mark.MEASURED)
            sent.setdefault(measure, []).append(value.energy_wh)
    return {measure: np.array(values) for measure, values in sent.items()}


def true_wh(physics: HomePhysics, flow: str, first: int, slots: int) -> NDArray[np.float64]:
    counted = physics.counters(first * SLOT_S, every_s=SLOT_S, count=slots + 1)[FLOWS.index(flow)]
    return np.diff(counted) / 3600


def picture(sent: Mapping[Measure, Wh]) -> NDArray[np.float64]:
    slots = len(sent[Measure.GRID_IMPORT])
    sums = {measure: MeasureSums(energy, np.ones(slots, dtype=np.int32)) for measure, energy in sent.items()}
    return estimate_neighbourhood(sums, slots=slots).demand_wh


@pytest.mark.parametrize(
    ("every_s", "spare_wh"), [(300, 2 * STEP_WH), pytest.param(60, 3 * STEP_WH // 2, marks=pytest.mark.campaign)]
)
def test_a_clear_day_of_a_hybrid_gives_the_use_and_no_finding(every_s: int, spare_wh: int) -> None:
    home, physics, street = hybrid()
    first = clearest_day(physics) * DAY_S // SLOT_S
    sent = metered(home, physics, first, 96, every_s=every_s)
    used, true = picture(sent), true_wh(physics, "load", first, 96)
    discharged = true_wh(physics, "discharge", first, 96).sum()
    assert true.sum() == pytest.approx(14_600, rel=0.01)
    assert discharged > 3000, "the battery takes part in this day"
    assert used.sum() == pytest.approx(true.sum(), rel=0.03)
    # Import and export are the counters' own, so a quarter hour is never more exact than their steps.
    assert np.all(np.abs(used - true) <= np.maximum(0.05 * true, spare_wh))
    evening = true > 250
    assert evening.sum() == 20
    assert np.all(np.abs(used - true)[evening] <= 0.05 * true[evening])
    made = true_wh(physics, "solar", first, 96).sum()
    assert made <= sent[Measure.PV_PRODUCTION].sum() <= made / 0.965
    place_deg = (street.site.latitude, street.site.longitude)
    slots = HomeSlots("h03", first, dict(sent), nameplate_w={Measure.PV_PRODUCTION: 5200})
    assert find_all(slots, place_deg=place_deg) == ()

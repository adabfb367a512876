"""Every shipped map and variant end to end: the simulator serves the device, and the agent's reader reads it whole.

The device refuses whatever its map does not call readable, so a request that leaves a family's registers is seen here.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

import pytest

from protocols.maps.model import WH_PER_UNIT, DeviceMap, MapRole
from protocols.maps.placement import ResolvedMap
from protocols.maps.registers import Value
from protocols.maps.roles import role_names
from simulator.devices.image import DeviceImage
from simulator.world.physics import HomeState
from simulator.world.street import Street
from tests.edge_agent.devices.scans import Recorder
from tests.edge_agent.devices.test_reader import device
from tests.one_rule import held_by_each
from tests.simulator.conftest import FIRST_DAY, NOON_S
from tests.simulator.devices.test_any_family import families, image_of


@cache
def street() -> Street:
    return Street(seed=7, homes=12, first_day=FIRST_DAY)


def served(image: DeviceImage, at_s: float = NOON_S) -> Recorder:
    """A link to the device: its registers, 0 in the gaps between them, and a refusal beside them."""
    gaps = {(area.function, at): 0 for area in image.areas for at in range(area.address, area.end)}
    return Recorder(gaps | dict(image.words(at_s)), is_strict=True)


@held_by_each(families)
async def test_the_agent_reads_what_a_simulated_device_shows(device_map: DeviceMap) -> None:
    image = image_of(street(), device_map)
    under_test, link = device(device_map.id, *device_map.roles, device_map=device_map), served(image)
    readout = await under_test.read(link)  # type: ignore[arg-type]
    assert set(readout.values) == set(under_test.resolved.names()), "the device refused what the map reads"
    shown = image.values(image.parts[0], NOON_S)
    samples = under_test.samples(readout, NOON_S)
    assert {place.role for place in samples} == set(device_map.roles)
    for role in device_map.roles.values():
        for key, name in role.counters.items():
            counted = shown.get(name)
            if not isinstance(counted, Decimal):
                continue
            unit = next(point.unit for point in device_map.named(name))
            (sample,) = [each for place, each in samples.items() if place.role == role.name]
            found = sample.counters_wh[f"{key}_wh"]
            assert found is not None, f"{role.name}: {name}"
            step = sample.steps_wh.get(f"{key}_wh", 0)
            assert abs(found - counted * WH_PER_UNIT[unit]) <= 1 + step, name


@pytest.mark.parametrize("at_s", [NOON_S, NOON_S + 9 * 3600], ids=["with the sun", "from the battery"])
@held_by_each(families)
async def test_every_power_is_read_in_its_direction(device_map: DeviceMap, at_s: float) -> None:
    image = image_of(street(), device_map)
    under_test = device(device_map.id, *device_map.roles, device_map=device_map)
    readout = await under_test.read(served(image, at_s))  # type: ignore[arg-type]
    samples = {place.role: each for place, each in under_test.samples(readout, at_s).items()}
    state = street().physics(image.home.id).state(at_s)
    for role in device_map.roles.values():
        if role.power and shows_its_own(image, role) and not is_at_its_end(under_test.resolved, role, readout.values):
            assert samples[role.name].power_w == pytest.approx(true_power_w(role, state), abs=60), role.name


def true_power_w(role: MapRole, state: HomeState) -> float:
    side = "_dc" if role.side == "dc" else ""
    more, less = {
        "grid": ("import", "export"),
        "pv": ("output" if role.counts == "inverter_output" else "solar", None),
        "wind": ("wind", None),
        "battery": (f"charge{side}", f"discharge{side}"),
        "load": ("load", None),
    }[role.name]
    return state.power_w[more] - (state.power_w[less] if less else 0.0)


def shows_its_own(image: DeviceImage, role: MapRole) -> bool:
    """Where roles share registers, as on a sub-meter, the device shows that of its place, or else the first."""
    resolved, place = image.parts[0].resolved, image.unit.place
    ranked = sorted(resolved.device_map.roles, key=lambda each: each != place)
    before = ranked[: ranked.index(role.name)]
    own = {*role_names(resolved, role.name)}
    return all(own.isdisjoint(role_names(resolved, each)) for each in before)


def is_at_its_end(resolved: ResolvedMap, role: MapRole, values: Mapping[str, Value]) -> bool:
    """The home has more power than such a device can have."""
    if role.power not in resolved.points:
        return False
    point = resolved.points[role.power].point
    return values[role.power] in (point.minimum, point.maximum)

"""Every shipped map end to end: the simulator serves a device of the family, and the agent's reader reads it whole.

The device refuses whatever its map does not call readable, so a request that leaves a family's registers is seen here.
"""

from decimal import Decimal

import pytest

from protocols.maps.model import WH_PER_UNIT
from simulator.devices.image import DeviceImage
from simulator.world.families import family_map, shipped_families
from simulator.world.street import Street
from tests.edge_agent.devices.scans import Recorder
from tests.edge_agent.devices.test_reader import device
from tests.simulator.conftest import FIRST_DAY, NOON_S
from tests.simulator.devices.test_any_family import image_of

STREET = Street(seed=7, homes=12, first_day=FIRST_DAY)


def served(image: DeviceImage) -> Recorder:
    """A link to the device: its registers, 0 in the gaps between them, and a refusal beside them."""
    gaps = {(area.function, at): 0 for area in image.areas for at in range(area.address, area.end)}
    return Recorder(gaps | dict(image.words(NOON_S)), is_strict=True)


@pytest.mark.parametrize("family", shipped_families())
async def test_the_agent_reads_what_a_simulated_device_shows(family: str) -> None:
    device_map = family_map(family)
    image = image_of(STREET, device_map)
    under_test, link = device(family, *device_map.roles), served(image)
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

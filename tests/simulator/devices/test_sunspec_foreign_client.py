"""pysunspec2, which knows nothing of our maps, finds the simulated devices' models and reads the same values."""

import asyncio
from decimal import Decimal

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from simulator.world.street import Street
from tests.simulator.modbus_wire import images_of, served

INTEGER_HOME, FLOAT_HOME = "h01", "h10"


def scan(port: int, unit: int) -> dict[int, dict[str, object]]:
    """All models of a unit with every point pysunspec2 could compute."""
    device = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port, timeout=60)
    try:
        device.scan()
        found: dict[int, dict[str, object]] = {}
        for model_id in [each for each in device.models if isinstance(each, int)]:
            model = device.models[model_id][0]
            model.read()
            found[model_id] = {name: point.cvalue for name, point in model.points.items()}
        return found
    finally:
        device.close()


async def test_the_integer_chain_is_found_and_says_what_is_true(street: Street, noon_s: int) -> None:
    async with served(street, INTEGER_HOME, now_s=noon_s) as (_, port):
        models = await asyncio.to_thread(scan, port, 1)
    assert list(models) == [1, 103, 203]
    state = street.physics(INTEGER_HOME).state(noon_s)
    assert models[1]["Mn"] == "Solvane"
    assert models[1]["SN"] == "h01-I1"
    assert models[103]["W"] == state.power_w["solar"]
    assert models[103]["St"] == 4
    assert models[203]["W"] == state.grid_w
    assert 225 < float(str(models[103]["PhVphA"])) < 235
    assert models[103]["TmpCab"] is None
    assert models[103]["Evt1"] == 0


async def test_the_float_chain_of_two_units_behind_one_port(street: Street, noon_s: int) -> None:
    async with served(street, FLOAT_HOME, now_s=noon_s) as (_, port):
        inverter = await asyncio.to_thread(scan, port, 1)
        meter = await asyncio.to_thread(scan, port, 240)
    assert list(inverter) == [1, 113]
    assert list(meter) == [1, 213]
    state = street.physics(FLOAT_HOME).state(noon_s)
    assert inverter[113]["W"] == state.power_w["solar"]
    assert meter[213]["W"] == state.grid_w


@pytest.mark.parametrize(("home_id", "inverter", "meter"), [(INTEGER_HOME, 103, 203), (FLOAT_HOME, 113, 213)])
async def test_foreign_values_equal_those_of_our_own_map(
    street: Street, noon_s: int, home_id: str, inverter: int, meter: int
) -> None:
    names = {
        inverter: {"W": "active_power", "WH": "energy_production_total", "Hz": "frequency", "A": "current"},
        meter: {"W": "active_power", "TotWhImp": "energy_import_total", "TotWhExp": "energy_export_total"},
    }
    home = street.home(home_id)
    images = images_of(street, home, "solar")
    async with served(street, home_id, now_s=noon_s) as (_, port):
        foreign = {}
        for image in images:
            foreign |= await asyncio.to_thread(scan, port, image.unit.unit)
    for image in images:
        for part in image.parts:
            ours = part.resolved.decode(image.words(noon_s))
            model = inverter if part.family == "sunspec-inverter" else meter
            for theirs, name in names[model].items():
                value = ours[name]
                assert isinstance(value, Decimal)
                assert float(str(foreign[model][theirs])) == pytest.approx(float(value), rel=1e-9)

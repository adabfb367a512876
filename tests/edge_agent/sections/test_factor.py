"""The factor of a [[device]]: what it multiplies, what it refuses, and that a new one never makes energy."""

from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.devices.reader import Device
from edge_agent.maps.files import find_map
from edge_agent.maps.words import map_notes
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, read_checkpoint
from edge_agent.settings import Settings, parse_settings
from protocols.errors import SettingsError
from protocols.quantities import Measure
from tests.edge_agent.devices.test_reader import linked
from tests.edge_agent.metering.test_home_meter import boundary, finished
from tests.edge_agent.modbus_stand import Stand, meter_words

DEVICE = """[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:502"
max_power_w = 100000
"""
FIRST = 2_000_000
MAP = find_map("eastron-sdm630", None).map


def parsed(line: str) -> Settings:
    return parse_settings((DEVICE + line).encode(), name="agent.toml", folder=Path())


@pytest.mark.parametrize("line", ["factor = 40", "factor = 40.0"])
async def test_powers_and_counters_are_multiplied(line: str) -> None:
    readings = []
    for settings in (parsed(""), parsed(line)):
        device = Device(settings.devices[0], MAP)
        link = await linked(Stand(meter_words(10_000, 500, power_w=-700)))
        (sample,) = device.samples(await device.read_places(link), 1.0).values()
        readings.append(sample)
        await link.close()
    plain, scaled = readings
    assert plain.counters_wh["import_wh"]
    assert scaled.counters_wh == {name: 40 * (wh or 0) for name, wh in plain.counters_wh.items()}
    assert plain.power_w is not None
    assert scaled.power_w is not None
    assert abs(scaled.power_w - 40 * plain.power_w) <= 20


def test_a_household_reads_that_its_values_are_multiplied() -> None:
    assert "multiplied by 40 (factor in agent.toml)" in map_notes(parsed("factor = 40").devices, None)[0].line
    assert "multiplied" not in map_notes(parsed("").devices, None)[0].line
    assert parsed("factor = 0.001").devices[0].factor == Decimal("0.001")


@pytest.mark.parametrize("given", ["0", "-1", "true", '"40"', "10001", "0.0000001", "nan", "inf", "1.0000001"])
def test_a_factor_that_cannot_be_is_one_line(given: str) -> None:
    with pytest.raises(SettingsError, match=r"factor: expected a number from 0.001 to 10000"):
        parsed(f"factor = {given}")


@pytest.mark.parametrize(("line", "energy_wh"), [("", 134), ("factor = 2", None)])
def test_the_step_to_another_factor_is_no_energy(line: str, energy_wh: int | None) -> None:
    """The counter goes on over a restart; with a factor that was set in between it begins again."""
    place, scaled = places(""), places(line)
    before = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
    boundary(before, FIRST, place, import_wh=1000)
    boundary(before, FIRST + 1, place, import_wh=1100)
    found = before.next_closed_slot()
    assert found is not None
    after = HomeMeter([scaled], next_slot=FIRST + 1, longest_hole_s=300, bases=read_checkpoint(found[1])[1])
    boundary(after, FIRST + 2, scaled, import_wh=1234)
    closed = finished(after)
    assert closed.values[Measure.GRID_IMPORT].energy_wh == energy_wh
    assert closed.long_intervals == ()


def places(line: str) -> MeasuringPoint:
    return Device(parsed(line).devices[0], MAP).places[0]

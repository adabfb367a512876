"""Every family's registers, read back through its own map, say what is true in the home."""

import itertools
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.maps.model import WH_PER_UNIT
from protocols.maps.registers import EXACT, decode, encode
from protocols.maps.roles import RoleReading, role_values
from protocols.recordings import HEADER
from protocols.slots import SLOT_S
from simulator.devices.image import DeviceImage
from simulator.errors import SimulatorError
from simulator.files.recordings import shown_wh, write_recording
from simulator.files.street import read_street, write_street
from simulator.services.truth import MEASURES, slot_energies_ws
from simulator.world.families import STREET_FAMILIES, family_map
from simulator.world.homes import AgentDevice, SimulatedHome
from simulator.world.site import DAY_S, STEP_S
from simulator.world.street import Street
from tests.simulator.modbus_wire import images_of

FIRST_DAY = 20600
HOMES = range(12)
COUNTERS = {
    "grid": {"import_wh": "import", "export_wh": "export"},
    "pv": {"production_wh": "output"},
    "wind": {"production_wh": "wind"},
    "battery": {"charge_wh": "charge_dc", "discharge_wh": "discharge_dc"},
}


def image_of(street: Street, home: SimulatedHome, device: AgentDevice) -> DeviceImage:
    images = images_of(street, home, device.link)
    return next(image for image in images if image.unit.unit == device.unit)


def reading(image: DeviceImage, device: AgentDevice, at_s: float) -> RoleReading:
    assert device.role is not None
    part = next(each for each in image.parts if each.family == device.family)
    return role_values(part.resolved, part.resolved.decode(image.words(at_s)), device.role)


@pytest.mark.parametrize("index", HOMES)
def test_power_read_back_is_the_true_power_in_our_direction(street: Street, noon_s: int, index: int) -> None:
    home = street.homes[index]
    for device in home.devices:
        if device.role is None:
            continue
        image = image_of(street, home, device)
        for at_s in (noon_s, noon_s - 11 * 3600, noon_s + 7 * 3600 + STEP_S):
            state = street.physics(home.id).state(at_s)
            true_w = {
                "grid": state.grid_w,
                "pv": state.power_w["output"],
                "wind": state.power_w["wind"],
                "battery": state.power_w["charge_dc"] - state.power_w["discharge_dc"],
            }[device.role]
            assert float(reading(image, device, at_s).power_w or 0) == pytest.approx(true_w, abs=0.01)
            assert abs(true_w) <= device.max_power_w


@pytest.mark.parametrize("index", HOMES)
def test_counter_differences_are_the_true_energy_within_the_counters_step(street: Street, index: int) -> None:
    home = street.homes[index]
    begin_s, end_s = (FIRST_DAY + 1) * DAY_S, (FIRST_DAY + 2) * DAY_S
    for device in home.devices:
        if device.role is None:
            continue
        image = image_of(street, home, device)
        first, last = reading(image, device, begin_s), reading(image, device, end_s)
        for field, flow in COUNTERS[device.role].items():
            physics = street.physics(home.id)
            true_ws = physics.counted_ws(flow, end_s) - physics.counted_ws(flow, begin_s)
            shown = getattr(last, field) - getattr(first, field)
            step = max(last.steps_wh[field], Decimal(1))
            assert abs(float(shown) - true_ws / 3600) <= float(step), (home.id, device.name, field)


@pytest.mark.parametrize("index", HOMES)
def test_a_day_of_slots_read_as_an_agent_does_sums_to_the_truth(street: Street, index: int) -> None:
    home = street.homes[index]
    device = next(each for each in home.devices if each.role == "grid")
    image = image_of(street, home, device)
    first = (FIRST_DAY + 1) * 96
    boundaries = [reading(image, device, (first + each) * SLOT_S) for each in range(0, 97, 8)]
    for field, flow in COUNTERS["grid"].items():
        whole = [int(getattr(each, field)) for each in boundaries]
        assert all(later >= earlier for earlier, later in itertools.pairwise(whole))
        true = slot_energies_ws(street.physics(home.id), first, 96)[MEASURES[flow]]
        assert abs(whole[-1] - whole[0] - sum(true) / 3600) <= float(boundaries[-1].steps_wh[field]) + 1


@pytest.mark.parametrize("family", STREET_FAMILIES)
def test_every_point_of_every_map_is_filled_and_within_its_range(street: Street, noon_s: int, family: str) -> None:
    image, part = next(
        (image, part)
        for home in street.homes
        for link in home.links
        for image in images_of(street, home, link)
        for part in image.parts
        if part.family == family
    )
    values = part.resolved.decode(image.words(noon_s))
    meant = image.values(part, noon_s)
    assert set(part.resolved.points) == set(meant)
    for name, value in values.items():
        if name in meant and isinstance(meant[name], Decimal) and isinstance(value, Decimal):
            step = part.resolved.step_of(name, values)
            point = part.resolved.points[name].point
            if point.minimum is not None and point.maximum is not None:
                assert point.minimum <= value <= point.maximum, name
            expected = abs(meant[name]) if point.absolute else meant[name]  # type: ignore[arg-type]
            assert abs(value - expected) <= (step or 1), name


@pytest.mark.parametrize("index", HOMES)
def test_phases_sum_to_the_total(street: Street, noon_s: int, index: int) -> None:
    home = street.homes[index]
    device = next(each for each in home.devices if each.role == "grid")
    image = image_of(street, home, device)
    part = next(each for each in image.parts if each.family == device.family)
    values = part.resolved.decode(image.words(noon_s))
    prefix = "meter." if "meter.active_power" in values else ""
    phases = [values[f"{prefix}active_power_l{phase}"] for phase in (1, 2, 3)]
    assert sum(each for each in phases if isinstance(each, Decimal)) == values[f"{prefix}active_power"]


def test_registers_stand_still_within_a_refresh_and_are_made_once(street: Street, noon_s: int) -> None:
    home = street.homes[0]
    image = images_of(street, home, "solar")[0]
    words = image.words(noon_s)
    assert image.words(noon_s + STEP_S - 1) is words
    assert image.words(noon_s + STEP_S) is not words
    again = images_of(street, home, "solar")[0]
    assert dict(again.words(noon_s + 17)) == dict(image.words(noon_s))


def test_no_register_lies_outside_the_areas_a_unit_answers_for(street: Street, noon_s: int) -> None:
    for home in street.homes:
        for link in home.links:
            for image in images_of(street, home, link):
                for function, address in image.words(noon_s):
                    assert any(area.function == function and area.address <= address < area.end for area in image.areas)
                for part in image.parts:
                    for request in part.resolved.plan():
                        assert any(
                            area.function == request.function
                            and area.address <= request.address
                            and request.end <= area.end
                            for area in image.areas
                        ), f"{part.family} plans {request} which its own unit would refuse"


def counter_points() -> list[tuple[str, str]]:
    return [
        (family, point.name)
        for family in STREET_FAMILIES
        for point in family_map(family).points
        if point.unit in ("Wh", "kWh") and not point.scale_factor
    ]


@settings(max_examples=300, deadline=None)
@given(where=st.sampled_from(counter_points()), counted_ws=st.integers(3600, 3600 * 9_000_000))
def test_a_recorded_value_is_what_the_register_decodes_to(where: tuple[str, str], counted_ws: int) -> None:
    family, name = where
    point = next(each for each in family_map(family).points if each.name == name)
    per_unit = WH_PER_UNIT[point.unit]
    value = Decimal(counted_ws) / 3600 / per_unit
    words = encode(value, point.type, word_order=point.word_order, scale=point.scale)
    back = decode(words, point.type, word_order=point.word_order, scale=point.scale)
    assert isinstance(back, Decimal)
    assert Decimal(shown_wh(np.array([counted_ws]), point)[0]) == EXACT.multiply(back, per_unit)


@pytest.mark.parametrize("index", HOMES)
def test_a_recording_holds_what_the_registers_showed(street: Street, tmp_path: Path, index: int) -> None:
    home = street.homes[index]
    from_s, until_s = (FIRST_DAY + 1) * DAY_S - 1800, (FIRST_DAY + 1) * DAY_S + 6 * 3600
    path = tmp_path / "recording.csv"
    rows = write_recording(path, street, home, from_s=from_s, until_s=until_s)
    lines = path.read_text().splitlines()
    assert lines[0] == HEADER
    assert len(lines) == rows + 1
    assert [path] == list(tmp_path.iterdir())
    times = [int(line.split(",")[0]) for line in lines[1:]]
    assert times == sorted(times)
    assert set(times) == set(range(from_s, until_s + 1, SLOT_S))
    devices = {device.name: device for device in home.devices}
    for line in lines[1 :: max(1, rows // 40)]:
        at_s, name, point, value = line.split(",")
        device = devices[name]
        shown = reading(image_of(street, home, device), device, int(at_s))
        assert getattr(shown, point) == Decimal(value)


def test_recordings_of_a_street_read_from_its_file_are_the_same_bytes(street: Street, tmp_path: Path) -> None:
    home = street.homes[2]
    connects = {(each.id, link): "tcp://127.0.0.1:1" for each in street.homes for link in each.links}
    write_street(tmp_path, street, connects=connects, urls={})
    from_s, until_s = FIRST_DAY * DAY_S, (FIRST_DAY + 1) * DAY_S
    again = read_street(tmp_path)
    for name, each in (("one", street), ("two", again)):
        write_recording(tmp_path / name, each, each.homes[2], from_s=from_s, until_s=until_s)
    assert home == again.homes[2]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_unknown_family_names_those_there_are() -> None:
    with pytest.raises(SimulatorError, match="sunspec-inverter"):
        family_map("toaster")

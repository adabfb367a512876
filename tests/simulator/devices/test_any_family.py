"""Every register map makes a device: it is recognised, within its ranges, and its roles show the home's energy."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from protocols.maps.loading import load_map
from protocols.maps.model import W_PER_UNIT, DeviceMap
from protocols.maps.recognition import SunSpecIdentity, recognise
from protocols.maps.roles import role_names, role_values
from protocols.maps.sunspec import walk_models
from simulator.commands.device import home_of_family
from simulator.devices.image import DeviceImage
from simulator.world.families import family_map, shipped_families
from simulator.world.site import DAY_S
from simulator.world.street import Street
from tests.one_rule import held_by_each
from tests.protocols.maps.map_text import make_text


@cache
def families() -> dict[str, DeviceMap]:
    """Every shipped map and every variant of it."""
    return {
        f"{name}-{variant}" if variant else name: family_map(name).varied(variant)
        for name in shipped_families()
        for variant in (None, *(each.name for each in family_map(name).variants))
    }


def image_of(street: Street, device_map: DeviceMap) -> DeviceImage:
    home, unit = home_of_family(street, device_map)
    mine = replace(unit, families=(device_map.id,))
    return DeviceImage(mine, home, physics=street.physics(home.id), seed=street.seed, step_s=1, device_map=device_map)


@held_by_each(families)
def test_a_device_of_any_family_can_be_read_and_recognised(device_map: DeviceMap, street: Street, noon_s: int) -> None:
    image = image_of(street, device_map)
    (part,) = image.parts
    shown = image.words(noon_s)
    asked = [(span.function, at) for span in part.resolved.plan() for at in range(span.address, span.end)]
    assert all(place in shown or _is_gap(image, *place) for place in asked)
    words = {place: shown.get(place, 0) for place in asked} | {
        place: word for place, word in shown.items() if device_map.is_sunspec
    }
    values = part.resolved.decode(words)
    models = walk_models({at: word for (_, at), word in words.items()}, 40000) if device_map.is_sunspec else []
    texts = (str(values.get(name) or "") for name in ("manufacturer", "model"))
    if device_map.identify:
        assert recognise(device_map, words, SunSpecIdentity(tuple(models), *texts)) is not None
    for role in device_map.roles:
        reading = role_values(part.resolved, values, role)
        assert reading.stopped is None, role
        for name in role_names(part.resolved, role):
            assert isinstance(values[name], Decimal), f"{role}: {name} is not available"


@pytest.mark.parametrize("family", ["sungrow-sg", "sungrow-sh", "sma", "solaredge", "goodwe-et"])
def test_an_inverter_of_any_family_shows_what_it_is_rated_for(family: str, street: Street, noon_s: int) -> None:
    image = image_of(street, families()[family])
    (part,) = image.parts
    home, _ = home_of_family(street, families()[family])
    assert home.roof is not None
    rated = part.resolved.decode(image.words(noon_s))["rated_power"]
    assert isinstance(rated, Decimal)
    rated_w = rated * W_PER_UNIT[part.resolved.points["rated_power"].point.unit]
    assert abs(rated_w - round(home.roof.inverter_w)) < 100  # a register may have steps of 0.1 kW


def _is_gap(image: DeviceImage, function: int, address: int) -> bool:
    """A register without a point: the device answers with 0."""
    return any(area.function == function and area.address <= address < area.end for area in image.areas)


@held_by_each(families)
def test_counters_of_any_family_rise_and_never_fall(device_map: DeviceMap, street: Street, noon_s: int) -> None:
    image = image_of(street, device_map)
    (part,) = image.parts
    before, after = (part.resolved.decode(dict(image.words(at_s))) for at_s in (noon_s - DAY_S / 2, noon_s))
    for role in device_map.roles.values():
        for name in role.counters.values():
            first, last = before.get(name), after.get(name)
            if isinstance(first, Decimal) and isinstance(last, Decimal):
                assert last >= first, f"{role.name}: {name}"


def test_a_power_whose_direction_lies_elsewhere_is_shown_in_both_registers(street: Street, noon_s: int) -> None:
    text = make_text(
        '{ name = "flow", address = 1, type = "uint16", unit = "enum" },\n'
        '{ name = "much", address = 2, type = "uint16", unit = "W" },\n'
        '{ name = "bought", address = 3, type = "uint16", unit = "W" },\n'
        '{ name = "sold", address = 4, type = "uint16", unit = "W" }',
        '[[derived]]\nname = "stored"\nunit = "W"\npositive = "charge"\nsource = "s"\n'
        'magnitude = "much"\ndirection = "flow"\nnegative_values = [1]\n'
        '[[derived]]\nname = "exchanged"\nunit = "W"\npositive = "import"\nsource = "s"\n'
        'plus = ["bought"]\nminus = ["sold"]\n'
        '[roles.battery]\nside = "dc"\npower = "stored"\nderived = true\n'
        '[roles.grid]\npower = "exchanged"\nderived = true\n',
    )
    device_map = load_map(text, name="trap.toml")
    image = image_of(street, device_map)
    (part,) = image.parts
    for hour in range(0, 24, 3):
        at_s = noon_s - DAY_S // 2 + hour * 3600
        state = street.physics(image.home.id).state(at_s)
        values = part.resolved.decode(dict(image.words(at_s)))
        stored_w = role_values(part.resolved, values, "battery").power_w
        assert float(stored_w or 0) == pytest.approx(
            state.power_w["charge_dc"] - state.power_w["discharge_dc"], abs=0.5
        )
        assert float(role_values(part.resolved, values, "grid").power_w or 0) == pytest.approx(state.grid_w, abs=0.5)

"""What the household is told, and what is derived, where its meters and its legal meter count phases differently."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.phase_counting import grid_notice, has_phase_powers, phase_lines, phase_steps
from edge_agent.devices.reader import Device
from edge_agent.settings import parse_settings
from protocols.maps.model import Phases

TOML = """
[[device]]
name = "meter"
map = "{family}"
role = {role}
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
[meter]
{meter}
"""


def devices(counted: Phases, meter: str, *, role: str = '"grid"') -> tuple[list[Device], str]:
    """A Shelly whose map says that it counts like this."""
    text = TOML.format(family="shelly-pro3em", meter=meter, role=role)
    settings = parse_settings(text.encode(), name="agent.toml", folder=Path())
    found = [device for _, found in make_fleet(settings) for device in found]
    for device in found:
        assert device.device_map.metering is not None
        device.device_map = replace(device.device_map, metering=replace(device.device_map.metering, phases=counted))
    return found, settings.legal_meter.phases


@pytest.mark.parametrize(
    ("counted", "meter", "step", "words"),
    [
        ("separate", 'country = "DE"', "net", "the netted energy is derived from power"),
        ("netted", 'country = "LT"', "separate", "the energy of each is derived from power"),
        ("netted", 'country = "DE"', None, None),
        ("separate", 'country = "CZ"', None, None),
        ("single", 'country = "DE"', None, None),
        ("netted", "", None, None),
        ("unknown", 'country = "DE"', None, "not known how the meters of this family add their phases"),
        ("separate", 'country = "ES"', None, "say in [meter] which"),
    ],
)
def test_each_meter_beside_the_legal_one(counted: Phases, meter: str, step: str | None, words: str | None) -> None:
    found, legal = devices(counted, meter)
    assert list(phase_steps(found, legal).values()) == ([] if step is None else [step])
    assert found[0].reads_phases == (step == "separate")
    lines = phase_lines(found, legal, interval_s=10)
    assert [words in line for line in lines] == ([True] if words else [])


def test_readings_far_apart_are_named_with_what_to_do() -> None:
    found, legal = devices("separate", 'phases = "netted"')
    (line,) = phase_lines(found, legal, interval_s=60)
    assert "with interval_s = 60 many will be: set 10 or less in [poll]" in line


def test_a_map_without_the_power_of_each_phase_says_that_it_cannot() -> None:
    found, legal = devices("netted", 'phases = "separate"')
    device = found[0]
    device.device_map = replace(
        device.device_map, points=tuple(each for each in device.device_map.points if not each.name.endswith("_l2"))
    )
    assert not has_phase_powers(device.device_map)
    (line,) = phase_lines(found, legal, interval_s=10)
    assert "that cannot be derived" in line


def test_only_the_grid_is_derived() -> None:
    found, legal = devices("separate", 'phases = "netted"', role='"load"')
    assert phase_steps(found, legal) == {}
    assert phase_lines(found, legal, interval_s=10) == []


def test_a_meter_whose_values_the_household_multiplies_is_told_as_unproven_and_of_no_known_class() -> None:
    """Neither the map's proof nor a release of the map says anything of a factor in agent.toml."""
    told = []
    for factor in (Decimal(1), Decimal(2)):
        (device,), legal = devices("netted", 'phases = "netted"')
        assert device.device_map.metering is not None
        certified = replace(device.device_map.metering, metrology="MID B")
        for quality in ("silver", "bronze"):
            device.device_map = replace(device.device_map, quality=quality, metering=certified)
            device.settings = replace(device.settings, factor=factor)
            notice = grid_notice([device], legal, netting="none", agent="a-1", from_slot=1, is_released=lambda _: True)
            assert notice is not None
            told.append((notice.quality, notice.metrology, notice.factor_millionths))
    plain = [("silver", "MID B", 1_000_000), ("released", "MID B", 1_000_000)]
    assert told == [*plain, *[("bronze", "unknown", 2_000_000)] * 2]

"""The guide for adding a device: its example loads, and its table names every key the grammar knows."""

import re
from pathlib import Path

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import MapError
from protocols.maps.registers import TYPE_NAMES
from protocols.maps.roles import role_names

GUIDE = (Path(__file__).parents[3] / "firmware_configs" / "README.md").read_text(encoding="utf-8")
EXAMPLE = GUIDE.split("```toml\n")[1].split("```")[0]


def test_the_example_of_the_guide_is_a_sound_map() -> None:
    resolved = resolve_map(load_map(EXAMPLE, name="example-meter.toml"))
    assert len(resolved.plan()) == 3
    read = {(span.function, at) for span in resolved.plan() for at in range(span.address, span.end)}
    checks = [check for rule in resolved.device_map.identify for check in rule.checks]
    assert checks
    assert {(each.function, each.address) for each in checks} <= read, "what identifies the device is read"
    assert role_names(resolved, "grid") == ("energy_import_total", "energy_export_total", "active_power")


def test_the_complaint_of_the_guide_is_the_one_given() -> None:
    with pytest.raises(
        MapError, match=r"my-meter\.toml tables\[0\] points\[2\] 'energy.*': unit: expected one of W, kW"
    ):
        load_map(EXAMPLE[::-1].replace('"hWk"', '"hwk"', 1)[::-1], name="my-meter.toml")


def test_the_guide_names_every_key_and_type() -> None:
    grammar = (Path(__file__).parents[3] / "protocols" / "maps" / "grammar.py").read_text(encoding="utf-8")
    point_part = grammar.split("def _point(")[1].split("def _derived(")[0]
    keys = set(re.findall(r"fields\.\w+\(\"(\w+)\"", point_part))
    assert len(keys) > 20
    assert {key for key in keys if f"`{key}`" not in GUIDE} == set()
    assert {name for name in TYPE_NAMES if f"`{name}`" not in GUIDE} == set()

"""A row that names a SunSpec point: its place is filled in, and what cannot be filled in is one clear line."""

from typing import Any

import pytest

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.official.filling import fill_points
from tests.protocols.maps.shipped import FAMILIES, map_text, shipped_map

HEAD = """
id = "m"
version = 1
vendor = "V"
models = ["M"]
kinds = ["pv-inverter"]
verification = "C"
quality = "bronze"
sources = ["SunSpec"]
[transport]
framing = ["tcp"]
tcp = { port = 502 }
unit_ids = [1]
[[identify]]
sunspec_models = [103]
[[tables]]
title = "T"
models = [101, 102, 103]
function = 3
source = "SunSpec"
points = [
"""
SHORT = """
  { name = "active_power", point = "W", unit = "W", positive = "generation", poll = "fast", range = [-1e6, 1e6] },
  { name = "energy", point = "WH", unit = "Wh", poll = "fast", range = [0, 1e12] },
]
"""
LONG = """
  { name = "active_power", offset = 14, type = "int16", scale_factor = "w_sf", unit = "W", sentinels = ["0x8000"],
    positive = "generation", poll = "fast", range = [-1e6, 1e6] },
  { name = "energy", offset = 24, type = "acc32", scale_factor = "wh_sf", unit = "Wh", poll = "fast",
    range = [0, 1e12] },
  { name = "w_sf", offset = 15, type = "sunssf", unit = "power of ten" },
  { name = "wh_sf", offset = 26, type = "sunssf", unit = "power of ten" },
]
"""
ROLES = '[roles.pv]\ncounts = "inverter_output"\nproduction = "energy"\npower = "active_power"\n'


def loaded(rows: str) -> DeviceMap:
    # A row of a map is one line of TOML.
    return load_map(HEAD + rows.replace(",\n    ", ", ") + ROLES, name="m.toml")


def test_a_named_point_is_the_same_as_its_place_written_out() -> None:
    assert loaded(SHORT) == loaded(LONG)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('point = "Nothing", unit = "W"', "model 101 has no point 'Nothing'"),
        ('point = "W", offset = 14, unit = "W"', "offset: leave it out, point = 'W' says it"),
        ('point = "W", type = "int16", unit = "W"', "type: leave it out"),
        ('point = 7, unit = "W"', "model 101 has no point 7"),
        ('point = ["W"], unit = "W"', "model 101 has no point ['W']"),
        ('point = "W", models = [64111], unit = "W"', "model 64111 is not compiled, give offset and type"),
        ('point = "W", models = [103, 113], unit = "W"', "lies elsewhere or is another type"),
        ('point = "W", models = [], unit = "W"', "expected in a table with models"),
    ],
)
def test_what_cannot_be_filled_in_is_said_with_its_row(row: str, words: str) -> None:
    with pytest.raises(MapError, match="points\\[0\\]") as said:
        loaded("{ name = 'x', " + row + " },\n]\n")
    assert words in str(said.value)
    assert "\n" not in str(said.value)


def test_a_name_that_is_no_text_is_a_fault_of_the_map() -> None:
    """Not one of the program: whoever writes a map reads a line, and an agent goes on without the map."""
    with pytest.raises(MapError, match="name: expected"):
        loaded('{ name = ["x"], point = "W", unit = "W", positive = "generation", range = [0, 9] },\n]\n')


def test_rows_without_a_named_point_stay_as_they_are() -> None:
    tables: dict[str, Any] = {"tables": [{"title": "T", "points": [{"name": "a", "address": 1}, 7]}, "x"]}
    assert fill_points(tables, "m") == tables
    assert fill_points({"tables": 7}, "m") == {"tables": 7}


def test_maps_we_ship_use_the_definitions() -> None:
    using = {family for family in FAMILIES if ', point = "' in map_text(family)}
    assert {"sunspec-inverter", "sunspec-meter", "sunspec-battery"} <= using
    assert all(shipped_map(family).is_sunspec for family in using)

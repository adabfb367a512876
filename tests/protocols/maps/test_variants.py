"""Variants of a map: each is the family with what it changes, and is checked like a map of its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.maps.grammar import parse_map
from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import DeviceMap, MapError
from tests.protocols.maps.map_text import MAP, WHOLE

KEYS = ("firmware", "path", "model", "quality", "kinds", "caveats", "transport", "blocks", "metering", "identify",
        "points", "derived", "without", "roles")  # fmt: skip


def varied(body: str, name: str = "new") -> DeviceMap:
    text = f'{MAP}\n[[variants]]\nname = "{name}"\ntitle = "New firmware"\n{body}\n'
    return load_map(text, name="example.toml").varied(name)


def test_a_point_moves_and_everything_else_stays() -> None:
    moved = varied('points = [{ name = "energy", address = 10, type = "uint64" }]')
    family = load_map(MAP, name="example.toml")
    assert moved.named("energy")[0].address == 10
    assert moved.named("energy")[0].type.name == "uint64"
    assert moved.named("energy")[0].scale == family.named("energy")[0].scale
    assert [each for each in moved.points if each.name != "energy"] == [
        each for each in family.points if each.name != "energy"
    ]
    assert (moved.roles, moved.transport, moved.id) == (family.roles, family.transport, family.id)


def test_a_place_of_another_form_replaces_the_old_one_and_its_printed_number() -> None:
    printed = MAP.replace('name = "energy", address = 2,', 'name = "energy", address = 2, document_address = 3,')
    printed = printed.replace('source = "manual, page 7"', 'source = "manual, page 7"\ndocument_offset = 1')
    text = f'{printed}\n[[variants]]\nname = "v"\ntitle = "V"\npoints = [{{ name = "energy", words = [8, 6] }}]\n'
    (energy,) = load_map(text, name="example.toml").varied("v").named("energy")
    assert (energy.address, energy.words, energy.document_address) == (None, (8, 6), None)


def test_points_and_roles_are_left_out_added_and_replaced() -> None:
    changed = varied(
        'without = ["back", "maker"]\n'
        'points = [{ name = "other", function = 3, address = 50, type = "uint32", unit = "Wh", range = [0, 1e9],'
        ' source = "page 9" }]\n'
        'roles = { grid = { import = "energy", export = "other", power = "power" } }'
    )
    assert {point.name for point in changed.points} == {"power", "energy", "status", "other"}
    assert changed.roles["grid"].counters == {"import": "energy", "export": "other"}


def test_transport_blocks_and_metering_change_key_by_key() -> None:
    changed = varied('transport = { max_registers = 20 }\nblocks = { bridge = 9 }\nmetering = { phases = "single" }')
    assert (changed.transport.max_registers, changed.transport.tcp_port) == (20, 502)
    assert (changed.blocks.bridge, len(changed.blocks.no_read)) == (9, 1)
    assert changed.metering is not None
    assert (changed.metering.phases, changed.metering.metrology) == ("single", "MID B")


def test_derived_values_and_roles_can_be_dropped() -> None:
    text = (
        f'{WHOLE}\n[[variants]]\nname = "v"\ntitle = "V"\nwithout = ["total", "roles.battery"]\ncaveats = ["untried"]\n'
    )
    changed = parse_map(text, "whole.toml").varied("v")
    assert [each.name for each in changed.derived] == ["battery.power"]
    assert set(changed.roles) == {"pv", "wind"}
    assert changed.caveats == ("no counter", "untried")


def test_one_of_several_sunspec_tables_changes_by_its_models() -> None:
    rows = (
        '[[tables]]\ntitle = "{0}"\nmodels = [{0}]\nfunction = 3\nsource = "s"\n'
        'points = [{{ name = "state", offset = 4, type = "uint16", unit = "enum" }}]\n'
    )
    head = MAP.split("[[tables]]")[0]
    text = (
        head
        + rows.format(101)
        + rows.format(701)
        + ('[[variants]]\nname = "v"\ntitle = "V"\npoints = [{ name = "state", models = [701], offset = 6 }]\n')
    )
    changed = parse_map(text, "example.toml").varied("v")
    assert [(point.models, point.offset) for point in changed.points] == [((101,), 4), ((701,), 6)]


def test_resolving_takes_the_variant() -> None:
    text = f'{MAP}\n[[variants]]\nname = "v"\ntitle = "V"\npoints = [{{ name = "power", address = 60 }}]\n'
    family = load_map(text, name="example.toml")
    assert resolve_map(family).points["power"].addresses == (0,)
    assert resolve_map(family, variant="v").points["power"].addresses == (60,)
    with pytest.raises(MapError, match="example-meter: variant: expected one of v, found 'w'"):
        resolve_map(family, variant="w")
    with pytest.raises(MapError, match="variant: expected none, this family has no variants, found 'w'"):
        resolve_map(load_map(MAP, name="example.toml"), variant="w")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('without = ["ghost"]', r"without: 'ghost': expected a point or a derived value of the family"),
        ('points = [{ address = 3 }]', r"points\[0\]: name: missing"),
        ('points = [{ name = "power", colour = 3 }]', r"'power': unknown key 'colour'"),
        ('points = 5', r"points: expected a list of tables, found 5"),
        ('points = [{ name = "fresh", address = 3 }]', r"'fresh': type: missing"),
        ('points = [{ name = "power", address = 200 }]', r"point 'power': register 200: not inside one readable area"),
        ('points = [{ name = "power", positive = "charge" }]', r"has positive 'charge', expected one of import"),
        ("transport = 3", r"transport: expected a table, found 3"),
        ('transport = { speed = 1 }', r"transport: unknown key 'speed'"),
        ('roles = { garden = { power = "power" } }', r"roles: unknown key 'garden'"),
        ('without = ["power"]', r"roles\.grid: power: expected the name of a power, found 'power'"),
        ('quality = "silver"', r"quality: silver needs two sources"),
        ('tables = []', r"unknown key 'tables'"),
    ],
)  # fmt: skip
def test_a_wrong_variant_is_refused_in_one_line_that_names_it(body: str, message: str) -> None:
    with pytest.raises(MapError, match=message) as refusal:
        varied(body)
    assert re.match(r"example\.toml (variant 'new'|variants\[0\] 'new')", str(refusal.value)), refusal.value
    assert "\n" not in str(refusal.value)


def test_names_of_variants_are_unique() -> None:
    twice = '\n[[variants]]\nname = "v"\ntitle = "V"\n' * 2
    with pytest.raises(MapError, match=r"variants\[1\] 'v': name: expected unique names, found 'v' twice"):
        load_map(MAP + twice, name="example.toml")


@given(key=st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda key: key not in (*KEYS, "name", "title")))
def test_any_unknown_key_of_a_variant_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(MapError, match=f"example.toml variants.0. 'new': unknown key '{key}'"):
        varied(f"{key} = 1")


@given(
    key=st.sampled_from(KEYS),
    value=st.sampled_from(
        ("1", "true", '""', '"x"', "[]", "[1]", '["x"]', "{}", "{ x = 1 }", "[{}]", '[{ name = "power" }]', "[[1]]",
         '[{ name = "power", type = "text" }]', "{ grid = 3 }", '{ grid = { import = "power" } }', "1e5")
    ),
)  # fmt: skip
def test_any_value_under_any_key_loads_or_is_refused_in_one_line(key: str, value: str) -> None:
    refusal = _refusal(f"{key} = {value}")
    assert refusal is None or (refusal.startswith("example.toml variant") and "\n" not in refusal)


def _refusal(body: str) -> str | None:
    try:
        varied(body)
    except MapError as complaint:
        return str(complaint)
    return None

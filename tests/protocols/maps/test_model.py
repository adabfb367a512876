"""The records of a device map: what they answer about themselves, and the sign each power counts with."""

from dataclasses import replace
from decimal import Decimal

from protocols.errors import InputError
from protocols.maps.loading import load_map
from protocols.maps.model import (
    COUNTERS_OF_ROLE,
    POWER_SIGN,
    W_PER_UNIT,
    WH_PER_UNIT,
    DerivedValue,
    MapError,
    MapPoint,
)
from protocols.maps.registers import register_type
from tests.protocols.maps.map_text import MAP

POINT = MapPoint(name="power", function=3, type=register_type("int16"), address=0)


def test_a_point_names_all_it_needs_to_be_decoded() -> None:
    assert POINT.helpers == ()
    needy = replace(POINT, scale_factor="sf", scale_by=("volts", "amps"), zero_is_missing_with=("soc",), finer="fine")
    assert needy.helpers == ("sf", "volts", "amps", "soc")


def test_a_derived_value_names_its_inputs() -> None:
    total = DerivedValue("total", "W", "import", plus=("a", "b"), minus=("c",))
    assert total.inputs == ("a", "b", "c")
    turned = DerivedValue("power", "W", "charge", magnitude="size", direction="way")
    assert turned.inputs == ("size", "way")
    assert replace(turned, direction=None).inputs == ()


def test_a_map_is_sunspec_as_soon_as_one_position_depends_on_the_device() -> None:
    fixed = load_map(MAP, name="x.toml")
    assert not fixed.is_sunspec
    moving = replace(POINT, name="moving", address=None, offset=2, models=(103,))
    assert replace(fixed, points=(*fixed.points, moving)).is_sunspec


def test_a_name_finds_all_its_points() -> None:
    fixed = load_map(MAP, name="x.toml")
    other = replace(POINT, models=(113,), offset=2, address=None)
    twice = replace(fixed, points=(*fixed.points, other))
    assert twice.named("power") == (fixed.points[0], other)
    assert twice.named("ghost") == ()


def test_signs_follow_our_convention() -> None:
    """Grid + is import, pv and wind + is generation, battery + is charge, load + is consumption."""
    assert {role: dict(signs) for role, signs in POWER_SIGN.items()} == {
        "grid": {"import": 1, "export": -1},
        "pv": {"generation": 1, "export": 1, "import": -1},
        "wind": {"generation": 1, "export": 1, "import": -1},
        "battery": {"charge": 1, "discharge": -1, "import": 1, "export": -1},
        "load": {"import": 1, "export": -1},
    }
    assert set(COUNTERS_OF_ROLE) == set(POWER_SIGN)


def test_each_role_counts_its_own_directions() -> None:
    assert dict(COUNTERS_OF_ROLE) == {
        "grid": ("import", "export"),
        "pv": ("production",),
        "wind": ("production",),
        "battery": ("charge", "discharge"),
        "load": ("import",),
    }


def test_units_are_converted_exactly() -> None:
    assert dict(WH_PER_UNIT) == {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}
    assert dict(W_PER_UNIT) == {"W": Decimal(1), "kW": Decimal(1000)}


def test_a_wrong_map_is_wrong_input() -> None:
    assert issubclass(MapError, InputError)

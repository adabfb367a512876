"""One number of a repeated reading: of every kind exact to the ends of its range, and which points stand alone."""

import struct
from dataclasses import replace
from decimal import Decimal

import pytest

from protocols.maps.prepared.exact_number import stands_alone
from protocols.maps.prepared.whole_readings import repeated_role
from protocols.maps.registers import encode, register_type
from protocols.maps.roles import role_names
from tests.protocols.maps.prepared.test_decoding import registers_of
from tests.protocols.maps.prepared.test_whole_readings import meant, put
from tests.protocols.maps.shipped import placements


@pytest.mark.parametrize("kind", ["fixed16_16", "float32", "float64", "uint32", "int32"])
def test_every_kind_of_number_is_exact_to_the_ends_of_its_range(kind: str) -> None:
    meter, rtype = placements()["eastron-sdm630"], register_type(kind)
    placed = meter.points["active_power"]
    point = replace(placed.point, type=rtype, minimum=Decimal("0.1"), maximum=Decimal("5000.3"))
    addresses = tuple(range(52, 52 + rtype.words))
    placed = replace(placed, point=point, addresses=addresses)
    resolved = replace(meter, points={**meter.points, "active_power": placed})
    words = dict.fromkeys(registers_of(resolved, {*role_names(resolved, "load")}), 0)
    repeated = repeated_role(resolved, "load", words.keys())
    assert repeated is not None
    seen = set()
    for bound in (0.1, 5000.3):
        near = int.from_bytes(b"".join(each.to_bytes(2) for each in encode(Decimal(bound), rtype)))
        for bits in range(max(0, near - 2), near + 3):
            written = bits.to_bytes(2 * rtype.words)
            put(words, [(4, at) for at in addresses], struct.unpack(f">{rtype.words}H", written))
            expected = meant(resolved, "load", words, has_phases=False)
            assert repeated.read(words) == expected
            seen.add(expected.power_w)
    assert seen == ({None, 0, 5000} if rtype.kind in ("fixed", "float") else {None, 1, 2, 4998, 4999, 5000})


def test_a_point_stands_alone_unless_other_points_say_what_it_means() -> None:
    meter = placements()["eastron-sdm630"]
    placed = meter.points["active_power"]
    assert stands_alone(meter, "active_power")
    for change in ({"scale_by": ("frequency",)}, {"zero_is_missing_with": ("frequency",)}, {"scale": Decimal(0)}):
        points = {**meter.points, "active_power": replace(placed, point=replace(placed.point, **change))}
        assert not stands_alone(replace(meter, points=points), "active_power")

"""A role read straight from the words gives what the map means: over every shipped map, with words that change."""

import random
import struct
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from protocols.maps.model import RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.prepared.whole_readings import WholeReading, repeated_role, whole_reading
from protocols.maps.registers import RegisterError, encode
from protocols.maps.roles import (
    counter_points,
    phase_names,
    phase_powers_w,
    role_names,
    role_of,
    role_values,
    state_names,
)
from tests.protocols.maps.prepared.test_decoding import ODD, registers_of
from tests.protocols.maps.shipped import placements

ROUNDS = 14
FLOATS = ("nan", "inf", "-inf", "0", "-0", "0.5", "-1.5", "2.5", "1e-40", "3.4e38", "-3.4e38", "16777217", "12345.678")


def meant(resolved: ResolvedMap, role: RoleName, words: dict[tuple[int, int], int], has_phases: bool) -> WholeReading:
    values = resolved.decode(words)
    counted = [f"{key}_wh" for key in counter_points(resolved, role_of(resolved, role))]
    phases = phase_powers_w(resolved, values, role) if has_phases else None
    return whole_reading(role_values(resolved, values, role), counted, phases_w=phases)


def change(words: dict[tuple[int, int], int], resolved: ResolvedMap, rng: random.Random) -> None:
    """Other words in some places; now and then a float, a small scale factor, or a number at the end of its range."""
    keys = sorted(words)
    for key in rng.sample(keys, max(1, len(keys) // 3)):
        words[key] = rng.choice((*ODD, rng.randrange(65536), rng.randrange(12), 0xFFFE - rng.randrange(4)))
    first = rng.choice(keys)
    written = struct.pack(">f", float(rng.choice((*FLOATS, f"{rng.uniform(-9, 9) * 10 ** rng.randrange(8):.7g}"))))
    put(words, [(first[0], first[1]), (first[0], first[1] + 1)], struct.unpack(">2H", written))
    read = {(each.point.function, each.addresses[0]): each for each in resolved.points.values()}
    placed = rng.choice([each for key, each in read.items() if key in words] or list(read.values()))
    bound = rng.choice((placed.point.minimum, placed.point.maximum))
    if bound is not None:
        more, point = rng.choice((-1, 0, 1)) * max(abs(placed.point.scale), abs(bound) / 2**24), placed.point
        # A number that the register cannot hold cannot end a range.
        with suppress(RegisterError):
            found = encode(bound + more, point.type, word_order=point.word_order, scale=point.scale)
            put(words, [(point.function, at) for at in placed.addresses], found)


def put(words: dict[tuple[int, int], int], keys: list[tuple[int, int]], found: tuple[int, ...]) -> None:
    """These words where they are read, and nowhere else."""
    words.update((key, word) for key, word in zip(keys, found, strict=True) if key in words)


@pytest.mark.parametrize("placed", placements())
def test_a_role_read_from_the_words_is_what_the_map_says(placed: str) -> None:
    shipped, rng = placements()[placed], random.Random(placed)
    for role in shipped.device_map.roles:
        for resolved in (shipped, replace(shipped, sign="inverted", factor=Decimal("1.05"))):
            names = {*role_names(resolved, role), *state_names(resolved, role), *phase_names(resolved, role)}
            keys = registers_of(resolved, names)
            for known in (keys, rng.sample(keys, max(1, len(keys) - 2))) if keys else ():
                words = dict.fromkeys(known, 0)
                repeated = repeated_role(resolved, role, words.keys(), has_phases=True)
                for _ in range(ROUNDS if repeated else 0):
                    assert repeated.read(words) == meant(resolved, role, words, has_phases=True)
                    change(words, resolved, rng)


def test_most_roles_of_the_shipped_maps_are_read_straight_from_the_words() -> None:
    every = [(placed, role) for placed in placements().values() for role in placed.device_map.roles]
    plain = [repeated_role(placed, role, {}) for placed, role in every]
    assert sum(each is not None for each in plain) > 0.9 * len(every)

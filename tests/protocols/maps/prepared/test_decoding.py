"""A repeated reading means what a single one does: over every shipped map, with words that change, go and come back."""

import random

import pytest

from protocols.maps.placement import ResolvedMap
from protocols.maps.prepared.decoding import RepeatedDecoding
from tests.protocols.maps.shipped import placements

ROUNDS = 12
ODD = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0xFFFE, 0x7FC0)


def registers_of(resolved: ResolvedMap, names: set[str]) -> list[tuple[int, int]]:
    """Every register of these points and of what their decoding needs."""
    spans = [span for name in names for span in resolved.spans([name])]
    return sorted({(span.function, at) for span in spans for at in range(span.address, span.end)})


@pytest.mark.parametrize("placed", placements())
def test_it_decodes_as_the_map_does_whatever_changed_since(placed: str) -> None:
    resolved, rng = placements()[placed], random.Random(placed)
    names = sorted(resolved.names())
    for wanted in (set(names), set(rng.sample(names, min(4, len(names))))):
        keys = registers_of(resolved, wanted)
        words = dict.fromkeys(keys, 0)
        repeated = RepeatedDecoding(resolved, words)
        for _ in range(ROUNDS):
            assert repeated.fits(words)
            found, meant = repeated.decode(words), resolved.decode(words)
            assert found == meant
            assert [str(each) for each in found.values()] == [str(meant[name]) for name in found]
            for key in rng.sample(keys, max(1, len(keys) // 3)):
                words[key] = rng.choice((*ODD, rng.randrange(65536)))


def test_a_reading_with_other_registers_is_another_reading() -> None:
    resolved = placements()["eastron-sdm630"]
    keys = registers_of(resolved, set(resolved.names()))
    repeated = RepeatedDecoding(resolved, keys)
    assert repeated.fits(dict.fromkeys(keys, 7))
    assert not repeated.fits(dict.fromkeys(keys[1:], 7))
    assert not repeated.fits(dict.fromkeys([*keys, (3, 65_535)], 7))

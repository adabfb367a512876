"""SunSpec devices as registers: the marker, the models in sequence, and the end marker.

Every point that no map fills keeps the "not implemented" pattern. Values come from `values`.
Source: SunSpec model definitions 1, 103, 113, 203, 213; Device Information Model Specification, chapter "Values".
"""

from collections.abc import Iterable, Mapping

from protocols.maps.sunspec import END_OF_CHAIN, MARKER, SunSpecModel

BASE = 40000
_BLANKS: dict[str, tuple[int, ...]] = {
    "u": (0xFFFF,),
    "e": (0xFFFF,),
    "i": (0x8000,),
    "s": (0x8000,),
    "p": (0x8000,),
    "a": (0, 0),
    "f": (0x7FC0, 0),
    "b": (0, 0),
    "v": (0xFFFF, 0xFFFF),
    "t": (0,),
}
"""Not implemented, by type: unsigned, enum, signed, factor, pad, accumulator, float, events, vendor bits, text."""

_INVERTER = "uuuu s uuuuuu s is us is is is as us us is iiii s ee bb vvvv"
_INVERTER_FLOAT = "f" * 23 + " ee bb vvvv"
_METER = "iiii s iiii iiii s is iiii s iiii s iiii s iiii s aaaaaaaa s aaaaaaaa s" + "a" * 16 + "s b"
_METER_FLOAT = "f" * 61 + "b"
LAYOUTS: dict[int, str] = {
    1: "t" * 64 + "u p",
    103: _INVERTER,
    113: _INVERTER_FLOAT,
    203: _METER,
    213: _METER_FLOAT,
}


def blank_words(model: int) -> list[int]:
    """The points of a model, all not implemented, without its id and length."""
    return [word for mark in LAYOUTS[model] if mark != " " for word in _BLANKS[mark]]


def build_sunspec_chain(models: Iterable[int] | Mapping[int, int]) -> tuple[list[SunSpecModel], dict[int, int]]:
    """The address of each model, and every word of the device from the marker to the end marker.

    A mapping gives the length of each model whose layout is not known here; its other registers stay 0xFFFF.
    """
    lengths = models if isinstance(models, Mapping) else {}
    words = list(MARKER)
    placed = []
    for model in models:
        points = blank_words(model) if model in LAYOUTS else [0xFFFF] * lengths[model]
        placed.append(SunSpecModel(model, BASE + len(words), len(points)))
        words += [model, len(points), *points]
    words += [END_OF_CHAIN, 0]
    return placed, dict(enumerate(words, BASE))

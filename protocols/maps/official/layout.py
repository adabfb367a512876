"""Where the points of a SunSpec model lie, from the compiled definitions: offset, type, scale factor, missing mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from protocols.maps.official.definitions import DEFINITIONS

HEAD_WORDS = 2
"""The id and the length of a model stand before its points; offsets count from the id."""

_WORDS: Mapping[str, int] = {
    **dict.fromkeys(("int16", "uint16", "acc16", "enum16", "bitfield16", "count", "sunssf", "pad"), 1),
    **dict.fromkeys(("int32", "uint32", "acc32", "enum32", "bitfield32", "float32", "ipaddr"), 2),
    **dict.fromkeys(("int64", "uint64", "acc64", "bitfield64", "float64", "eui48"), 4),
    "ipv6addr": 8,
}
_MISSING: Mapping[str, str] = {
    **dict.fromkeys(("uint16", "enum16", "bitfield16"), "0xFFFF"),
    **dict.fromkeys(("uint32", "enum32", "bitfield32"), "0xFFFFFFFF"),
    "int16": "0x8000",
    "int32": "0x80000000",
}


@dataclass(frozen=True, slots=True)
class OfficialPoint:
    """A point of a model. `offset` in registers from the model's id; `factor` is the point with its power of ten."""

    offset: int
    type: str
    factor: str | None

    @property
    def sentinels(self) -> tuple[str, ...]:
        """The words by which a device says that it has no such value; none where the type itself shows it."""
        return (_MISSING[self.type],) if self.type in _MISSING else ()


@cache
def official_points(model: int) -> Mapping[str, OfficialPoint]:
    """The points of a model by name; those of the n-th part of a repeating group are called `n.NAME`, n up to 8.

    Empty for a model that is not compiled.

    >>> official_points(103)["W"]
    OfficialPoint(offset=14, type='int16', factor='W_SF')
    >>> official_points(160)["2.DCW"].offset - official_points(160)["1.DCW"].offset
    20
    """
    text = DEFINITIONS.get(model, "")
    while text.startswith("="):
        text = DEFINITIONS[int(text[1:])]
    fixed, _, repeated = text.partition("|")
    points, at = _laid_out(fixed, HEAD_WORDS, "")
    for number in range(1, 9 if repeated else 1):
        more, at = _laid_out(repeated, at, f"{number}.")
        points |= more
    return points


def type_words(type_name: str) -> int:
    """How many registers a type takes: `string8` takes eight, `pad` one. Raises: KeyError for an unknown type.

    >>> type_words("string8"), type_words("acc64")
    (8, 4)
    """
    size = type_name.removeprefix("string")
    return int(size) if size != type_name else _WORDS[type_name]


def _laid_out(text: str, at: int, prefix: str) -> tuple[dict[str, OfficialPoint], int]:
    points = {}
    for entry in text.split():
        name, type_name, factor = (*entry.split(":"), "")[:3]
        points[prefix + name] = OfficialPoint(at, type_name, factor or None)
        at += type_words(type_name)
    return points, at

"""One point of a repeated reading as an exact fraction of whole Wh or W, in whole numbers only.

The number is that of `ResolvedMap.decode`. What does not depend on the words is worked out once; no decimal is made for
a reading.
"""

import math
import struct
import sys
from collections.abc import Container
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter

from protocols.maps.model import MapPoint
from protocols.maps.placement import PlacedPoint, RegisterWords, ResolvedMap
from protocols.maps.registers import Sentinel, resolution, scale_from_power

RegisterKey = tuple[int, int]
_SIGNED = {1: "h", 2: "i", 4: "q"}
_UNSIGNED = {1: "H", 2: "I", 4: "Q"}
_FLOAT = {2: "f", 4: "d"}
_POWER_MARK = 0x8000
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a raw number is multiplied by, as a fraction, and which raw numbers are possible.

    `step`: the smallest step in whole Wh or W, rounded up; None where it grows with the number, as for floats.
    `wraps_at`: where a counter starts again at 0, in Wh.
    """

    above: int
    below: int
    lowest: float
    highest: float
    step: int | None
    wraps_at: int | None
    value: Decimal
    steps_by_exponent: dict[int, int] = field(default_factory=dict)


class ExactPoint:
    """A point that stands alone: a number with a constant scale or one scale factor. See `stands_alone`.

    `per_unit`: Wh or W in the point's unit.
    """

    def __init__(self, resolved: ResolvedMap, name: str, *, per_unit: Decimal, keys: Container[RegisterKey]) -> None:
        placed, factor = resolved.points[name], _factor_of(resolved, name)
        self.point, self._per_unit = placed.point, per_unit
        own = _keys(placed)
        self.has_factor = factor is not None
        self.is_read = all(key in keys for key in own) and (factor is None or _keys(factor)[0] in keys)
        self._key = own[0] if len(own) == 1 else None
        ordered = own if self.point.word_order == "HL" else own[::-1]
        self._take = itemgetter(*ordered)
        self._pack = struct.Struct(f">{len(own)}H").pack
        self._unpack = struct.Struct(f">{_format(self.point)}").unpack
        self._is_absolute = placed.point.absolute
        self._is_float = self.point.type.kind == "float"
        self._missing, self._missing_tops = _marks(self.point)
        self._scales: dict[int, _Scale | None] = {}
        self._factor_key = _keys(factor)[0] if factor is not None else None
        self._constant = None if factor is not None else self._scaled(Decimal(1))

    def read(self, words: RegisterWords) -> tuple[int, int, int] | None:
        """Numerator and denominator of the number, and its step; None where the device has none now."""
        scale = self._constant or self._scale(words)
        if scale is None or not self.is_read:
            return None
        packed = self._pack(*self._take(words)) if self._key is None else self._pack(words[self._key])
        if packed in self._missing or (self._missing_tops and packed[:2] in self._missing_tops):
            return None
        (number,) = self._unpack(packed)
        if self._is_absolute:
            number = abs(number)
        # What is not a number is in no range.
        if not scale.lowest <= number <= scale.highest:
            return None
        if scale.step is not None:
            return number * scale.above, scale.below, scale.step
        above, below = number.as_integer_ratio()
        return above * scale.above, below * scale.below, self._float_step(number, scale)

    def wraps_at(self, words: RegisterWords) -> int | None:
        """Where this counter starts again at 0, if that is a whole number of Wh."""
        scale = self._constant or self._scale(words)
        return scale.wraps_at if scale else None

    def _scale(self, words: RegisterWords) -> _Scale | None:
        """The scale that the device's factor gives now; None if it gives none."""
        power = words.get(self._factor_key) if self._factor_key else None
        if power is None:
            return None
        if power not in self._scales:
            factor = scale_from_power(power)
            if factor is None:
                return None
            self._scales[power] = self._scaled(factor)
        return self._scales[power]

    def _scaled(self, factor: Decimal) -> _Scale:
        point = self.point
        scale = Fraction(point.scale) * Fraction(factor)
        size = abs(scale) if point.absolute else scale
        times = size * Fraction(self._per_unit)
        if point.type.kind == "fixed":
            times, size = times / 65536, size / 65536
        lowest, highest = _raw_bounds(point, size)
        step = None if self._is_float else self._whole_step(Decimal(0), point.scale * factor)
        wraps = None if point.wraps_at is None else point.wraps_at * scale * Fraction(self._per_unit)
        whole = int(wraps) if wraps is not None and wraps.denominator == 1 else None
        return _Scale(times.numerator, times.denominator, lowest, highest, step, whole, point.scale * factor)

    def _float_step(self, number: float, scale: _Scale) -> int:
        """The step depends on the exponent alone, which seldom changes."""
        exponent, known = math.frexp(number)[1], scale.steps_by_exponent
        if exponent not in known:
            known[exponent] = self._whole_step(Decimal(number) * scale.value, scale.value)
        return known[exponent]

    def _whole_step(self, value: Decimal, scale: Decimal) -> int:
        point = self.point
        step = max(point.resolution or Decimal(0), resolution(point.type, scale, value))
        return max(1, math.ceil(Fraction(step) * Fraction(self._per_unit)))


def stands_alone(resolved: ResolvedMap, name: str) -> bool:
    """Whether the point's number needs no other point but a plain scale factor."""
    point, factor = resolved.points[name].point, _factor_of(resolved, name)
    if point.scale_by or point.zero_is_missing_with or not point.scale or point.type.kind == "text":
        return False
    return point.type.name != "sunssf" and (factor is None or _is_plain(factor.point))


def _is_plain(factor: MapPoint) -> bool:
    limits = (factor.minimum, factor.maximum, factor.scale_factor)
    odd = factor.absolute or factor.zero_is_missing or factor.scale_by or factor.zero_is_missing_with
    marks = {(mark.bits, mark.high_word_only) for mark in factor.sentinels} - {(_POWER_MARK, False)}
    return factor.type.name == "sunssf" and factor.scale == 1 and limits == (None,) * 3 and not odd and not marks


def _factor_of(resolved: ResolvedMap, name: str) -> PlacedPoint | None:
    factor = resolved.points[name].point.scale_factor
    return resolved.points[factor] if factor else None


def _keys(placed: PlacedPoint) -> list[RegisterKey]:
    return [(placed.point.function, address) for address in placed.addresses]


def _format(point: MapPoint) -> str:
    kinds = {"signed": _SIGNED, "float": _FLOAT}
    return kinds.get(point.type.kind, _UNSIGNED)[point.type.words]


def _marks(point: MapPoint) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The packed words that mean "not available", and the first words that do whatever follows."""
    length = 2 * point.type.words

    def packed(mark: Sentinel) -> bytes:
        return mark.bits.to_bytes(2 if mark.high_word_only else length, "big")

    whole = {packed(mark) for mark in point.sentinels if not mark.high_word_only}
    tops = {packed(mark) for mark in point.sentinels if mark.high_word_only}
    return frozenset(whole | ({bytes(length)} if point.zero_is_missing else set())), frozenset(tops)


def _raw_bounds(point: MapPoint, size: Fraction) -> tuple[float, float]:
    """The lowest and highest raw number that is in the point's range, once multiplied by `size`."""
    ends = [None if each is None else Fraction(each) / size for each in (point.minimum, point.maximum)]
    low, high = ends if size > 0 else ends[::-1]
    if point.type.kind != "float":
        return -math.inf if low is None else math.ceil(low), math.inf if high is None else math.floor(high)
    return -_LARGEST if low is None else -_float_below(-low), _LARGEST if high is None else _float_below(high)


def _float_below(bound: Fraction) -> float:
    """The highest float that is not above the bound."""
    if abs(bound) >= _LARGEST:
        return _LARGEST if bound > 0 else -math.inf
    found = float(bound)
    return found if Fraction(found) <= bound else math.nextafter(found, -math.inf)

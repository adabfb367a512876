"""Decodes a reading that is repeated all day: which points it holds is worked out once, and only changed words again.

The values are those of `ResolvedMap.decode`, which also does the work wherever words have changed.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter

from protocols.maps.placement import PlacedPoint, RegisterWords, ResolvedMap, derive, zero_means_missing
from protocols.maps.registers import Value

RawWords = tuple[int, ...]
_Take = Callable[[RegisterWords], RawWords]


class _Repeated:
    """One point with the words it had last, those of its scale factor included, and what they meant."""

    def __init__(self, placed: PlacedPoint, factor: PlacedPoint | None) -> None:
        point = placed.point
        self.name, self.point, self.scale_by = point.name, point, point.scale_by
        keys = [(point.function, address) for address in placed.addresses]
        self.own = len(keys)
        if factor is not None:
            keys += [(factor.point.function, address) for address in factor.addresses]
        self.take = _taker(keys)
        self.scales: tuple[Value, ...] = ()
        self.raw: RawWords | None = None
        self.value: Value = None


class RepeatedDecoding:
    """The decoding of a reading that holds these registers each time. Keeps one value for each point."""

    def __init__(self, resolved: ResolvedMap, keys: Iterable[tuple[int, int]]) -> None:
        self.resolved = resolved
        self.keys = frozenset(keys)
        scaled_last = sorted(resolved.points.values(), key=lambda each: bool(each.point.scale_by))
        self._points = [_Repeated(each, self._factor(each)) for each in scaled_last if self._is_read(each)]
        self._zeros = [each.point for each in resolved.points.values() if each.point.zero_is_missing_with]
        self._derived = tuple(resolved.derived.values())

    def fits(self, words: RegisterWords) -> bool:
        """Whether a reading holds these registers and no others."""
        return words.keys() == self.keys

    def decode(self, words: RegisterWords) -> dict[str, Value]:
        """As `ResolvedMap.decode`; only for words that fit."""
        values: dict[str, Value] = {}
        for each in self._points:
            if each.scale_by:
                if not all(name in values for name in each.scale_by):
                    continue
                scales = tuple([values[name] for name in each.scale_by])
                if scales != each.scales:
                    each.scales, each.raw = scales, None
            raw = each.take(words)
            if raw != each.raw:
                each.value = self.resolved.value_of(each.point, raw[: each.own], words=words, values=values)
                each.raw = raw
            values[each.name] = each.value
        for point in self._zeros:
            if zero_means_missing(point, values):
                values[point.name] = None
        for derived in self._derived:
            if all(name in values for name in derived.inputs):
                values[derived.name] = derive(derived, values)
        return values

    def _factor(self, placed: PlacedPoint) -> PlacedPoint | None:
        name = placed.point.scale_factor
        return self.resolved.points[name] if name else None

    def _is_read(self, placed: PlacedPoint) -> bool:
        every = [placed, *([factor] if (factor := self._factor(placed)) else [])]
        return all((each.point.function, at) in self.keys for each in every for at in each.addresses)


def _taker(keys: list[tuple[int, int]]) -> _Take:
    if len(keys) > 1:
        return itemgetter(*keys)
    (key,) = keys
    return lambda words: (words[key],)

"""A device map placed on one device: which registers to request, and what the responses mean.

Knows nothing about connections, and leaves every value in the device's own sign; `roles` converts signs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from protocols.maps.model import DerivedValue, DeviceMap, MapError, MapPoint, PointValues, Poll, Sign
from protocols.maps.planning import BlockLimits, ReadRequest, Span, plan_requests
from protocols.maps.registers import EXACT, Value, decode, encode, resolution, scale_from_power

RegisterWords = Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class PlacedPoint:
    """A point and the address of each of its words on one device, in the order the words are decoded."""

    point: MapPoint
    addresses: tuple[int, ...]

    @property
    def span(self) -> Span:
        """All its registers, from the first to the last."""
        first, last = min(self.addresses), max(self.addresses)
        return Span(self.point.function, first, last - first + 1)

    def raw_words(self, words: RegisterWords) -> tuple[int, ...] | None:
        """Its words, taken from those read; None if not all of them were read."""
        function = self.point.function
        if (function, self.addresses[0]) not in words:
            # Most points of a map, in most readings: only a few are read often.
            return None
        try:
            return tuple(words[function, address] for address in self.addresses)
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class ResolvedMap:
    """A map placed on one device: absolute addresses, the household's sign choices, and what may be read."""

    device_map: DeviceMap
    points: Mapping[str, PlacedPoint]
    derived: Mapping[str, DerivedValue]
    atomic: tuple[tuple[str, ...], ...]
    limits: BlockLimits
    sign: Sign = "as_documented"
    invert: bool = False
    factor: Decimal = Decimal(1)
    """How many times as much flows as the device shows, behind current transformers it does not know of."""

    def names(self, poll: Poll | None = None) -> tuple[str, ...]:
        """The names this device has: all of them, or those in one poll class; derived values count as fast."""
        placed = tuple(name for name, each in self.points.items() if poll in (None, each.point.poll))
        return placed + (tuple(self.derived) if poll in (None, "fast") else ())

    def plan(self, names: Iterable[str] | None = None) -> tuple[ReadRequest, ...]:
        """The fewest requests that read these names (all by default) and what decoding them needs."""
        return plan_requests(self.spans(names), self.limits)

    def spans(self, names: Iterable[str] | None = None) -> tuple[Span, ...]:
        """What must arrive in one response for these names: single values, and each atomic group as one span.

        Raises MapError for a name this device does not have.
        """
        needed = self._with_helpers(self.names() if names is None else names)
        spans = [self.points[name].span for name in needed]
        for group in self.atomic:
            members = [self.points[name].span for name in group if name in needed]
            if len(members) > 1:
                first, end = min(each.address for each in members), max(each.end for each in members)
                spans.append(Span(members[0].function, first, end - first))
        return tuple(spans)

    def without(self, refused: Sequence[Span]) -> "ResolvedMap":
        """The same map for a device that refused these registers: everything that needs them is left out."""
        limits = replace(self.limits, no_read=(*self.limits.no_read, *refused))
        points, derived = dict(self.points), dict(self.derived)
        kept = replace(self, limits=limits, points=points, derived=derived)
        for name in self.names():
            if any(limits.allows(span) for span in self.spans([name])):
                points.pop(name, None)
                derived.pop(name, None)
        for name, each in self.derived.items():
            if not points.keys() >= set(each.inputs):
                derived.pop(name, None)
        return kept

    def decode(self, words: RegisterWords) -> dict[str, Value]:
        """Every point whose words were all read, and the values derived from them, in the device's own sign.

        None means the device says "not available", or a number outside the point's range. Points not read are absent.
        """
        factors = [each for each in self.points.values() if not each.point.scale_by]
        scaled = [each for each in self.points.values() if each.point.scale_by]
        values: dict[str, Value] = {}
        for placed in (*factors, *scaled):
            raw = placed.raw_words(words)
            if raw is not None and self._scale_is_known(placed.point, words, values):
                values[placed.point.name] = self.value_of(placed.point, raw, words=words, values=values)
        for placed in self.points.values():
            if zero_means_missing(placed.point, values):
                values[placed.point.name] = None
        for derived in self.derived.values():
            if all(name in values for name in derived.inputs):
                values[derived.name] = derive(derived, values)
        return values

    def encode(self, values: PointValues) -> dict[tuple[int, int], int]:
        """The registers of a device that reports these values, including scale factors and multipliers.

        Raises MapError for a name the device does not have or a scale that is not among the values;
        RegisterError for a value that does not fit.
        """
        words: dict[tuple[int, int], int] = {}
        for name, value in values.items():
            placed = self._placed(name)
            raw = self._words_of(placed.point, value, values)
            for address, word in zip(placed.addresses, raw, strict=True):
                words[placed.point.function, address] = word
        return words

    def _words_of(self, point: MapPoint, value: Value, values: PointValues) -> tuple[int, ...]:
        for name in (*point.scale_by, *((point.scale_factor,) if point.scale_factor else ())):
            if name not in values:
                raise MapError(f"{self.device_map.id}: {point.name!r}: expected a value for its scale {name!r} too")
        scale = self._scale_of(point, values)
        if scale is None:
            value, scale = None, point.scale
        if value is None and point.zero_is_missing:
            return (0,) * point.type.words
        return encode(value, point.type, word_order=point.word_order, scale=scale, sentinels=point.sentinels)

    def step_of(self, name: str, values: PointValues) -> Decimal | None:
        """The smallest step this value can currently show, in its unit; None if its value or scale is unknown."""
        point, value = self._placed(name).point, values.get(name)
        scale = self._scale_of(point, values)
        if not isinstance(value, Decimal) or scale is None:
            return None
        return max(point.resolution or Decimal(0), resolution(point.type, scale, value))

    def wrap_of(self, name: str, values: PointValues) -> Decimal | None:
        """The value at which this counter starts again at 0, in its unit; None if that is unknown."""
        point = self._placed(name).point
        scale = self._scale_of(point, values)
        if point.wraps_at is None or scale is None:
            return None
        return EXACT.multiply(Decimal(point.wraps_at), scale)

    def _placed(self, name: str) -> PlacedPoint:
        if name not in self.points:
            raise MapError(f"{self.device_map.id}: {name!r}: expected one of {', '.join(self.points)}")
        return self.points[name]

    def _with_helpers(self, names: Iterable[str]) -> set[str]:
        needed: set[str] = set()
        for name in names:
            inputs = self.derived[name].inputs if name in self.derived else (name,)
            for each in inputs:
                needed.update((each, *self._placed(each).point.helpers))
        return needed

    def _scale_is_known(self, point: MapPoint, words: RegisterWords, values: PointValues) -> bool:
        factor_read = not point.scale_factor or self.points[point.scale_factor].raw_words(words) is not None
        return factor_read and all(name in values for name in point.scale_by)

    def value_of(self, point: MapPoint, raw: Sequence[int], *, words: RegisterWords, values: PointValues) -> Value:
        """What the words of one point mean. Its scale factor is among `words`, its multipliers are among `values`."""
        scale = self._scale_of(point, values) if point.scale_by else point.scale
        if point.scale_factor:
            factor = self.points[point.scale_factor].raw_words(words)
            power = scale_from_power(factor[0]) if factor else None
            scale = None if scale is None or power is None else EXACT.multiply(scale, power)
        if scale is None or (point.zero_is_missing and not any(raw)):
            return None
        value = decode(raw, point.type, word_order=point.word_order, scale=scale, sentinels=point.sentinels)
        if not isinstance(value, Decimal):
            return value
        value = value.copy_abs() if point.absolute else value
        return value if _is_within(point, value) else None

    def _scale_of(self, point: MapPoint, values: PointValues) -> Decimal | None:
        """All multipliers together; None if one that is read from the device is not available."""
        scale = point.scale
        for name in point.scale_by:
            multiplier = values.get(name)
            if not isinstance(multiplier, Decimal):
                return None
            scale = EXACT.multiply(scale, multiplier)
        if point.scale_factor:
            power = values.get(point.scale_factor)
            if not isinstance(power, Decimal):
                return None
            scale = EXACT.multiply(scale, Decimal(1).scaleb(int(power)))
        return scale


def _is_within(point: MapPoint, value: Decimal) -> bool:
    too_low = point.minimum is not None and value < point.minimum
    return not too_low and (point.maximum is None or value <= point.maximum)


def derive(derived: DerivedValue, values: PointValues) -> Value:
    """The derived value; None if an input has none."""
    numbers = {name: value for name in derived.inputs if isinstance(value := values[name], Decimal)}
    if len(numbers) < len(set(derived.inputs)):
        return None
    if derived.magnitude and derived.direction:
        magnitude, direction = numbers[derived.magnitude].copy_abs(), int(numbers[derived.direction])
        negative = direction in derived.negative_values or direction & derived.negative_bits
        return -magnitude if negative and magnitude else magnitude
    total = Decimal(0)
    for name in derived.plus:
        total = EXACT.add(total, numbers[name])
    for name in derived.minus:
        total = EXACT.subtract(total, numbers[name])
    return total


def zero_means_missing(point: MapPoint, values: PointValues) -> bool:
    """Whether a 0 from a gateway means that there is no value, because its companions are 0 or missing as well."""
    companions = point.zero_is_missing_with
    return bool(companions) and values.get(point.name) == 0 and not any(map(values.get, companions))

"""What a reading means for a measuring place, in whole Wh and W: as the meter counts. Repeated all day, or once."""

from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import NamedTuple

from protocols.maps.model import W_PER_UNIT, WH_PER_UNIT, MapRole, RoleName
from protocols.maps.placement import RegisterWords, ResolvedMap
from protocols.maps.prepared.exact_number import ExactPoint, RegisterKey, stands_alone
from protocols.maps.roles import (
    RoleReading,
    counter_points,
    phase_names,
    power_point,
    power_sign,
    role_names,
    role_of,
    state_names,
    unit_of,
)


class WholeReading(NamedTuple):
    """A `RoleReading` in whole numbers: counters rounded down, powers to the nearest, an even one between two.

    None where the device has no value now. `phases_w`: None unless all three are there.
    """

    counters_wh: Mapping[str, int | None]
    power_w: int | None
    steps_wh: Mapping[str, int]
    wraps_wh: Mapping[str, int]
    is_shaped: bool
    phases_w: tuple[int, ...] | None = None


def whole_reading(
    reading: RoleReading, counted: Iterable[str], *, phases_w: tuple[Decimal, ...] | None = None
) -> WholeReading:
    """The reading in whole numbers; `counted` are the fields the device has a counter for, readable now or not."""
    counters: dict[str, int | None] = {}
    for name in counted:
        value: Decimal | None = getattr(reading, name)
        counters[name] = None if value is None else int(value.to_integral_value(rounding=ROUND_FLOOR))
    return WholeReading(
        counters,
        None if reading.power_w is None else _whole_w(reading.power_w),
        {name: max(1, _ceil(step)) for name, step in reading.steps_wh.items()},
        {name: int(wrap) for name, wrap in reading.wraps_wh.items() if wrap == int(wrap)},
        reading.shape_by_power,
        None if phases_w is None else tuple(map(_whole_w, phases_w)),
    )


class RepeatedRole:
    """One role of a device that is read again and again: its `WholeReading` straight from the words.

    Equal to `whole_reading` of `role_values`. Made by `repeated_role`, for readings that hold these registers.
    """

    def __init__(
        self, resolved: ResolvedMap, described: MapRole, *, keys: Container[RegisterKey], has_phases: bool
    ) -> None:
        named, power = counter_points(resolved, described), power_point(resolved, described)
        self._counters = [(f"{key}_wh", _counter(resolved, name, keys)) for key, name in named.items()]
        self._power = None if power is None else _power(resolved, described.name, power, keys=keys)
        phases = phase_names(resolved, described.name) if has_phases else ()
        self._phases = [_power(resolved, described.name, name, keys=keys) for name in phases]
        self._is_shaped = described.shape_by_power
        self._state: ExactPoint | None = None
        self._alive: tuple[int, ...] = ()
        if described.only_while is not None and described.only_while[0] in resolved.points:
            name, self._alive = described.only_while
            state = ExactPoint(resolved, name, per_unit=Decimal(1), keys=keys)
            self._state = state if state.is_read else None

    def read(self, words: RegisterWords) -> WholeReading:
        """What these words mean."""
        is_stopped = self._state is not None and self._is_stopped(self._state, words)
        counters: dict[str, int | None] = {}
        steps: dict[str, int] = {}
        wraps: dict[str, int] = {}
        for name, figure in self._counters:
            counters[name], step = (None, 0) if is_stopped else figure.counted(words)
            if step:
                steps[name] = step
            if figure.may_wrap and (wrap := figure.wraps_at(words, is_stopped=is_stopped)) is not None:
                wraps[name] = wrap
        power_w = None if is_stopped or self._power is None else self._power.nearest(words)
        return WholeReading(counters, power_w, steps, wraps, self._is_shaped, self._phases_w(words))

    def _is_stopped(self, state: ExactPoint, words: RegisterWords) -> bool:
        found = state.read(words)
        return found is None or int(Fraction(found[0], found[1])) not in self._alive

    def _phases_w(self, words: RegisterWords) -> tuple[int, ...] | None:
        if not self._phases:
            return None
        powers = tuple([power for each in self._phases if (power := each.nearest(words)) is not None])
        return powers if len(powers) == len(self._phases) else None


class _Figure:
    """A counter or a power: one point, or a signed sum of points, each with its sign."""

    def __init__(self, parts: Sequence[tuple[int, ExactPoint]], *, may_wrap: bool) -> None:
        self._parts = parts
        self._only = parts[0] if len(parts) == 1 else None
        self.may_wrap = may_wrap

    def counted(self, words: RegisterWords) -> tuple[int | None, int]:
        """The number rounded down, and the coarsest step of its parts; 0 if no part has a value now."""
        if self._only is not None and self._only[0] == 1:
            found = self._only[1].read(words)
            return (None, 0) if found is None else (found[0] // found[1], found[2])
        total, step = self._sum(words)
        return None if total is None else total[0] // total[1], step

    def nearest(self, words: RegisterWords) -> int | None:
        """The nearest whole number, an even one between two."""
        total, _ = self._sum(words)
        if total is None:
            return None
        above, below = total
        whole, rest = divmod(above, below)
        return whole + (2 * rest > below or (2 * rest == below and whole % 2))

    def wraps_at(self, words: RegisterWords, *, is_stopped: bool) -> int | None:
        """Where the counter starts again at 0. A device that stands still tells no scale factor."""
        point = self._parts[0][1]
        return None if is_stopped and point.has_factor else point.wraps_at(words)

    def _sum(self, words: RegisterWords) -> tuple[tuple[int, int] | None, int]:
        total: tuple[int, int] | None = (0, 1)
        coarsest = 0
        for sign, point in self._parts:
            found = point.read(words)
            if found is None:
                total = None
                continue
            above, below, step = found
            coarsest = max(coarsest, step)
            if total is not None:
                total = (total[0] * below + sign * above * total[1], total[1] * below)
        return total, coarsest


def repeated_role(
    resolved: ResolvedMap, role: RoleName, keys: Container[RegisterKey], *, has_phases: bool = False
) -> RepeatedRole | None:
    """The role made ready for readings of these registers; None if its map asks for more than sums of plain points.

    Raises: as `role_values`.
    """
    described = role_of(resolved, role)
    names = [*role_names(resolved, role), *state_names(resolved, role)]
    if has_phases:
        names += phase_names(resolved, role)
    derived = [resolved.derived[name] for name in names if name in resolved.derived]
    points = [name for name in names if name in resolved.points] + [name for each in derived for name in each.inputs]
    if any(each.magnitude for each in derived) or not all(stands_alone(resolved, name) for name in points):
        return None
    return RepeatedRole(resolved, described, keys=keys, has_phases=has_phases)


def _counter(resolved: ResolvedMap, name: str, keys: Container[RegisterKey]) -> _Figure:
    per_unit = WH_PER_UNIT[unit_of(resolved, name)] * resolved.factor
    parts = _parts(resolved, name, per_unit, keys=keys)
    return _Figure(parts, may_wrap=name in resolved.points and resolved.points[name].point.wraps_at is not None)


def _power(resolved: ResolvedMap, role: RoleName, name: str, *, keys: Container[RegisterKey]) -> _Figure:
    sign = power_sign(resolved, role, name)
    per_unit = W_PER_UNIT[unit_of(resolved, name)] * resolved.factor
    parts = [(sign * each, point) for each, point in _parts(resolved, name, per_unit, keys=keys)]
    return _Figure(parts, may_wrap=False)


def _parts(
    resolved: ResolvedMap, name: str, per_unit: Decimal, *, keys: Container[RegisterKey]
) -> list[tuple[int, ExactPoint]]:
    derived = resolved.derived.get(name)
    signed = [(1, name)] if derived is None else [(1, each) for each in derived.plus]
    signed += [] if derived is None else [(-1, each) for each in derived.minus]
    return [(sign, ExactPoint(resolved, each, per_unit=per_unit, keys=keys)) for sign, each in signed]


def _whole_w(power: Decimal) -> int:
    return int(power.to_integral_value(rounding=ROUND_HALF_EVEN))


def _ceil(value: Decimal) -> int:
    return int(-((-value).to_integral_value(rounding=ROUND_FLOOR)))

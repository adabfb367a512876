"""What faults make of the values a device shows: counters that run over, fall back or stand, words and scales changed.

Values are in the map's units; what they become must still fit the registers, or the fault leaves them as they are.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, get_args

from protocols.maps.model import WH_PER_UNIT, MapPoint
from protocols.maps.placement import RegisterWords, ResolvedMap
from simulator.devices.any_family import fits_registers, scale_among
from simulator.devices.values import FamilyValues

ShownFault = Literal["rollover", "jump_back", "counter_stands", "swapped_words", "scale_change"]
SHOWN_FAULTS: tuple[ShownFault, ...] = get_args(ShownFault)
JUMP_WH = 5000
"""How far a counter falls back, but at least three of its steps."""

LEFT_WH = 100
"""How far a counter is from the end of its register when the fault begins, but at least two of its steps."""


def disturbed(resolved: ResolvedMap, values: FamilyValues, kind: str, *, at_begin: FamilyValues) -> FamilyValues:
    """The values shown instead. `at_begin`: what was shown when the fault began. Another kind changes no value."""
    found = dict(values)
    if kind == "scale_change":
        _change_factors(resolved, found)
    for name in counter_points(resolved):
        point, value, began = resolved.points[name].point, found.get(name), at_begin.get(name)
        if not isinstance(value, Decimal) or not isinstance(began, Decimal):
            continue
        shown = _counter(point, kind, value, began=began, step=scale_among(point, found))
        if fits_registers(point, shown, found):
            found[name] = shown
    return found


def swapped(resolved: ResolvedMap, words: RegisterWords) -> dict[tuple[int, int], int]:
    """The counters and powers of the roles with the first word where the last should be."""
    powers = (
        name for role in resolved.device_map.roles.values() if role.power for name in _inputs(resolved, role.power)
    )
    found: dict[tuple[int, int], int] = {}
    for name in {*counter_points(resolved), *powers}:
        placed = resolved.points[name]
        places = [(placed.point.function, address) for address in placed.addresses]
        if all(place in words for place in places):
            found |= {place: words[other] for place, other in zip(places, reversed(places), strict=True)}
    return found


def counter_points(resolved: ResolvedMap) -> tuple[str, ...]:
    """The points that hold the counters of the map's roles."""
    names = (name for role in resolved.device_map.roles.values() for name in role.counters.values())
    return tuple(dict.fromkeys(each for name in names for each in _inputs(resolved, name)))


def _inputs(resolved: ResolvedMap, name: str) -> Iterator[str]:
    """The points of the device behind this name: itself, or what it is derived from."""
    inputs = resolved.derived[name].inputs if name in resolved.derived else (name,)
    yield from (each for each in inputs if each in resolved.points)


def _counter(point: MapPoint, kind: str, value: Decimal, *, began: Decimal, step: Decimal) -> Decimal:
    unit_wh = WH_PER_UNIT.get(point.unit, Decimal(1))
    match kind:
        case "counter_stands":
            return began
        case "jump_back":
            return max(Decimal(0), value - max(JUMP_WH / unit_wh, 3 * step))
        case "rollover" if point.type.kind in ("unsigned", "signed"):
            bits = point.type.bits - (point.type.kind == "signed")
            end = (point.wraps_at or 2**bits) * step
            return (end - max(LEFT_WH / unit_wh, 2 * step) + value - began) % end
        case "scale_change" if not point.scale_factor:
            return 10 * value
    return value


def _change_factors(resolved: ResolvedMap, values: FamilyValues) -> None:
    """Scale factors one lower, or where the numbers would not fit one higher, as after an update of the firmware."""
    users: dict[str, list[MapPoint]] = {}
    for placed in resolved.points.values():
        if placed.point.scale_factor:
            users.setdefault(placed.point.scale_factor, []).append(placed.point)
    for name, points in users.items():
        factor = values.get(name)
        if not isinstance(factor, Decimal):
            continue
        lower: FamilyValues = {**values, name: factor - 1}
        is_room = all(fits_registers(point, values.get(point.name), lower) for point in points)
        values[name] = factor - 1 if is_room else factor + 1

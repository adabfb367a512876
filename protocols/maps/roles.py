"""What a device's values mean for its measuring point: counters in Wh and power in W, in our sign convention.

Grid + is import, pv and wind + is generation, battery + is charge, load + is consumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations
from types import MappingProxyType

from protocols.maps.model import (
    POWER_SIGN,
    W_PER_UNIT,
    WH_PER_UNIT,
    DeviceMap,
    MapError,
    MapPoint,
    MapRole,
    PointValues,
    RoleName,
)
from protocols.maps.placement import ResolvedMap
from protocols.maps.registers import EXACT

# What to exchange when the wires (or the meter) are the other way round.
_OPPOSITE = {"import": "export", "export": "import", "charge": "discharge", "discharge": "charge"}


@dataclass(frozen=True, slots=True)
class RoleReading:
    """One reading of a measuring point, exact; None where the device has no such value or has none now.

    `derived` means that there is no lifetime counter: energy must be integrated from `power_w`.
    `stopped` says which state of the device makes its registers stand still; then nothing of them is taken.
    `steps_wh` and `wraps_wh` give, for each counter field, its current smallest step and where it starts again at 0.
    """

    role: RoleName
    import_wh: Decimal | None = None
    export_wh: Decimal | None = None
    production_wh: Decimal | None = None
    charge_wh: Decimal | None = None
    discharge_wh: Decimal | None = None
    power_w: Decimal | None = None
    derived: bool = False
    stopped: str | None = None
    shape_by_power: bool = False
    steps_wh: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    wraps_wh: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))


def role_values(resolved: ResolvedMap, values: PointValues, role: RoleName) -> RoleReading:
    """Counters and power of `role`, from decoded values.

    Raises MapError if the map has no such role, or if `invert` is set where wires cannot be swapped.
    """
    described = role_of(resolved, role)
    if stopped := _stopped(resolved, values, described):
        values = {}
    counters: dict[str, Decimal | None] = {}
    steps: dict[str, Decimal] = {}
    wraps: dict[str, Decimal] = {}
    for key, name in counter_points(resolved, described).items():
        field_name = f"{key}_wh"
        counters[field_name] = _in_unit(resolved, values, name, WH_PER_UNIT)
        for found, into in ((_step(resolved, values, name), steps), (_wrap(resolved, values, name), wraps)):
            if found is not None:
                into[field_name] = found
    return RoleReading(
        role=role,
        power_w=_power_w(resolved, values, described),
        derived=not counters,
        stopped=stopped,
        shape_by_power=described.shape_by_power,
        steps_wh=MappingProxyType(steps),
        wraps_wh=MappingProxyType(wraps),
        **counters,
    )


def role_of(resolved: ResolvedMap, role: RoleName) -> MapRole:
    """The map's description of a role. Raises MapError if it has none."""
    roles = resolved.device_map.roles
    if role not in roles:
        raise MapError(f"{resolved.device_map.id}: role {role!r}: expected one of {', '.join(roles)}")
    return roles[role]


def alike_roles(device_map: DeviceMap) -> tuple[tuple[RoleName, RoleName], ...]:
    """The pairs of roles that rest on one point: a unit read in both would have the same energy counted twice."""
    rest_on = {
        name: {*role.counters.values(), *role.swapped.values(), *((role.power,) if role.power else ())}
        for name, role in device_map.roles.items()
    }
    return tuple(pair for pair in combinations(rest_on, 2) if rest_on[pair[0]] & rest_on[pair[1]])


def role_names(resolved: ResolvedMap, role: RoleName) -> tuple[str, ...]:
    """The points to read for a role on this device: counters first, then power. Raises: as `role_values`."""
    described = role_of(resolved, role)
    counters, power = counter_points(resolved, described).values(), power_point(resolved, described)
    return (*counters, *((power,) if power else ()))


def phase_names(resolved: ResolvedMap, role: RoleName) -> tuple[str, ...]:
    """The power of each phase beside the role's total power, such as active_power_l1; empty if not all three are there.

    Raises: as `role_values`.
    """
    total = role_of(resolved, role).power
    names = tuple(f"{total}_l{phase}" for phase in (1, 2, 3))
    return names if all(name in resolved.points for name in names) else ()


def phase_powers_w(resolved: ResolvedMap, values: PointValues, role: RoleName) -> tuple[Decimal, ...] | None:
    """The power of each phase in our sign convention; None unless all three are there. Raises: as `role_values`."""
    found = [_signed_w(resolved, values, role, name=name) for name in phase_names(resolved, role)]
    powers = tuple(power for power in found if power is not None)
    return powers if len(powers) == 3 else None


def state_names(resolved: ResolvedMap, role: RoleName) -> tuple[str, ...]:
    """The state to read with a role's points, if it has one: whether they are alive."""
    state = role_of(resolved, role).only_while
    return (state[0],) if state and state[0] in resolved.points else ()


def _stopped(resolved: ResolvedMap, values: PointValues, role: MapRole) -> str | None:
    """The state that says that the role's registers stand still. A state the device refuses to tell says nothing."""
    if role.only_while is None or role.only_while[0] not in values:
        return None
    name, alive = role.only_while
    value = values[name]
    if isinstance(value, Decimal) and int(value) in alive:
        return None
    if not isinstance(value, Decimal):
        return f"{name} is not available"
    word = (resolved.points[name].point.symbols or {}).get(int(value))
    return f"{name} is {int(value)}" + (f" ({word})" if word else "")


def counter_points(resolved: ResolvedMap, role: MapRole) -> dict[str, str]:
    """The point for each counter of the role on this device, corrected for swapped wiring. Raises: as `role_values`."""
    counters = dict(role.counters)
    if resolved.invert and len(counters) > 1:
        counters = {_OPPOSITE[key]: name for key, name in counters.items()}
    elif resolved.invert and counters:
        if not role.swapped:
            raise MapError(f"{resolved.device_map.id}: invert: expected false, role {role.name} cannot be swapped")
        counters = dict(role.swapped)
    return {key: name for key, name in counters.items() if _is_on_device(resolved, name)}


def power_point(resolved: ResolvedMap, role: MapRole) -> str | None:
    """The point or derived value with the role's power on this device."""
    return role.power if role.power and _is_on_device(resolved, role.power) else None


def power_sign(resolved: ResolvedMap, role: RoleName, name: str) -> int:
    """What the power of this name is multiplied by to get the role's sign: 1 or -1."""
    placed = resolved.points.get(name)
    meaning = placed.point if placed else resolved.derived[name]
    sign = POWER_SIGN[role][meaning.positive]
    if resolved.sign == "inverted" and isinstance(meaning, MapPoint) and meaning.vendor_sign:
        sign = -sign
    return -sign if resolved.invert else sign


def _power_w(resolved: ResolvedMap, values: PointValues, role: MapRole) -> Decimal | None:
    name = power_point(resolved, role)
    return None if name is None else _signed_w(resolved, values, role.name, name=name)


def _signed_w(resolved: ResolvedMap, values: PointValues, role: RoleName, *, name: str) -> Decimal | None:
    power = _in_unit(resolved, values, name, W_PER_UNIT)
    if power is None or power == 0:
        return power
    return EXACT.multiply(power, Decimal(power_sign(resolved, role, name)))


def _in_unit(resolved: ResolvedMap, values: PointValues, name: str, per_unit: Mapping[str, Decimal]) -> Decimal | None:
    value = values.get(name)
    unit = unit_of(resolved, name)
    return EXACT.multiply(value, per_unit[unit] * resolved.factor) if isinstance(value, Decimal) else None


def _step(resolved: ResolvedMap, values: PointValues, name: str) -> Decimal | None:
    """The counter's step; for a sum of counters, the coarsest of their steps."""
    parts = resolved.derived[name].inputs if name in resolved.derived else (name,)
    steps = [step for part in parts if (step := resolved.step_of(part, values)) is not None]
    return EXACT.multiply(max(steps), _wh_per_unit(resolved, name)) if steps else None


def _wrap(resolved: ResolvedMap, values: PointValues, name: str) -> Decimal | None:
    if name in resolved.derived:
        return None
    wrap = resolved.wrap_of(name, values)
    return None if wrap is None else EXACT.multiply(wrap, _wh_per_unit(resolved, name))


def _wh_per_unit(resolved: ResolvedMap, name: str) -> Decimal:
    return WH_PER_UNIT[unit_of(resolved, name)] * resolved.factor


def unit_of(resolved: ResolvedMap, name: str) -> str:
    """The unit of a point or derived value of this device."""
    placed = resolved.points.get(name)
    return placed.point.unit if placed else resolved.derived[name].unit


def _is_on_device(resolved: ResolvedMap, name: str) -> bool:
    return name in resolved.points or name in resolved.derived

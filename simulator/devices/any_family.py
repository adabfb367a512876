"""Values and registers for a family that has no model of its own here: all of it follows from its register map.

Counters and powers of the roles are the home's; every other point shows something plausible. Values are in the map's
units and directions.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

from protocols.maps.model import POWER_SIGN, W_PER_UNIT, WH_PER_UNIT, DerivedValue, DeviceMap, MapPoint, MapRole
from protocols.maps.placement import RegisterWords, ResolvedMap
from protocols.maps.recognition import check_passes
from protocols.maps.registers import RegisterError, Value, encode
from simulator.devices.values import FamilyValues, UnitView

_FLOWS: Mapping[str, Mapping[str, str]] = {
    "grid": {"import": "import", "export": "export"},
    "pv": {"production": "solar"},
    "wind": {"production": "wind"},
    "battery": {"charge": "charge", "discharge": "discharge"},
    "load": {"import": "load"},
}
_POWERS: Mapping[str, tuple[str, str | None]] = {
    "grid": ("import", "export"), "pv": ("solar", None), "wind": ("wind", None),
    "battery": ("charge", "discharge"), "load": ("load", None),
}  # fmt: skip
_USUAL: Mapping[str, str] = {
    "V": "230", "A": "1.5", "Hz": "50", "%": "50", "degC": "25", "rpm": "120", "m/s": "5", "1": "1", "ms": "1000",
    "s": "1", "min": "1", "h": "1",
}  # fmt: skip
_FACTORS: Mapping[str, int] = {"V": -1, "A": -2, "Hz": -2, "%": -1, "1": -3, "degC": -1, "rpm": 0}
_MULTIPLIERS = (1, 10, 100, 1000)
_ROLES = ("grid", "pv", "wind", "battery", "load")


def any_values(resolved: ResolvedMap, seen: UnitView) -> FamilyValues:
    """Every point of the map on this unit, at the instant of the view."""
    values: FamilyValues = {name: _usual(resolved, placed.point) for name, placed in resolved.points.items()}
    taken: set[str] = set()
    for role in sorted(resolved.device_map.roles.values(), key=lambda each: _order(each.name, seen)):
        # A sub-meter's roles share its registers: it shows what it measures in the place it has.
        if not taken & _names(resolved, [*role.counters.values(), *([role.power] if role.power else [])]):
            taken |= _show_role(resolved, role, seen=seen, values=values)
    if "pv" in resolved.device_map.roles and seen.home.roof:
        _put(resolved, "rated_power", value=Decimal(round(seen.home.roof.inverter_w)), values=values)
    _show_states(resolved.device_map, values)
    _fit_multipliers(resolved, values)
    return {name: _fitting(resolved.points[name].point, value, values) for name, value in values.items()}


def identity_words(device_map: DeviceMap, shown: RegisterWords) -> dict[tuple[int, int], int]:
    """What has to stand in some registers for the map's first identify rule to match."""
    words: dict[tuple[int, int], int] = {}
    for check in device_map.identify[0].checks if device_map.identify else ():
        if check_passes(check, shown):
            continue
        value: Value = check.prefix
        if check.values:
            value = Decimal(check.values[0])
        elif check.minimum is not None and check.maximum is not None:
            value = ((check.minimum + check.maximum) / 2).to_integral_value(ROUND_DOWN)
        if value is not None:
            raw = encode(value, check.type, word_order=check.word_order)
            words |= {(check.function, check.address + at): word for at, word in enumerate(raw)}
    return words


def chain_models(device_map: DeviceMap, known: Iterable[int]) -> dict[int, int]:
    """SunSpec models for a device of the map, with the length each needs: of twin tables only the first."""
    chosen: dict[int, int] = {}
    names: set[str] = set()
    for models in dict.fromkeys(point.models for point in device_map.points if point.models):
        table = [point for point in device_map.points if point.models == models]
        if {point.name for point in table} <= names:
            continue
        names |= {point.name for point in table}
        model = next((each for each in models if each in known), models[0])
        chosen[model] = max((point.offset or 0) + point.type.words for point in table) - 2
    return chosen


def _order(role: str, seen: UnitView) -> tuple[bool, int]:
    return role != seen.unit.place, _ROLES.index(role)


def _names(resolved: ResolvedMap, names: Iterable[str]) -> set[str]:
    """The points behind these names: themselves, or what they are derived from."""
    found: set[str] = set()
    for name in names:
        found |= set(resolved.derived[name].inputs) if name in resolved.derived else {name}
    return found


def _show_role(resolved: ResolvedMap, role: MapRole, *, seen: UnitView, values: FamilyValues) -> set[str]:
    shown: list[str] = []
    for key, name in role.counters.items():
        flow = _flow(role, _FLOWS[role.name][key])
        _put(resolved, name, value=seen.counters.of(flow), values=values)
        shown.append(name)
        for phase in (1, 2, 3):
            part = f"{name.removesuffix('_total')}_l{phase}"
            if part in values and part != name:
                _put(resolved, part, value=seen.counters.of(flow) / 3, values=values)
    if role.power:
        more, less = _POWERS[role.name]
        power_w = seen.state.power_w[_flow(role, more)] - (seen.state.power_w[_flow(role, less)] if less else 0.0)
        _put_power(resolved, role, name=role.power, power_w=Decimal(round(power_w)), values=values)
        shown.append(role.power)
    return _names(resolved, shown)


def _flow(role: MapRole, flow: str) -> str:
    """Which of the home's flows: an inverter's output holds its battery's, and a DC battery has its own numbers."""
    if flow == "solar" and role.counts == "inverter_output":
        return "output"
    return f"{flow}_dc" if role.name == "battery" and role.side == "dc" else flow


def _put_power(resolved: ResolvedMap, role: MapRole, *, name: str, power_w: Decimal, values: FamilyValues) -> None:
    meaning = resolved.derived.get(name) or (resolved.points[name].point if name in resolved.points else None)
    if meaning is None:
        return
    sign = POWER_SIGN[role.name].get(meaning.positive, 1)
    _put(resolved, name, value=sign * power_w, values=values)
    first = (power_w / 3).to_integral_value()
    for phase, part_w in enumerate((first, first, power_w - 2 * first), 1):
        if f"{name}_l{phase}" in values:
            _put(resolved, f"{name}_l{phase}", value=sign * part_w, values=values)


def _put(resolved: ResolvedMap, name: str, *, value: Decimal, values: FamilyValues) -> None:
    """Write an energy in Wh or a power in W into the point, or into the points it is derived from."""
    if name in resolved.derived:
        _put_derived(resolved, resolved.derived[name], value=value, values=values)
    elif name in resolved.points:
        point = resolved.points[name].point
        values[name] = value / (WH_PER_UNIT | W_PER_UNIT)[point.unit]  # type: ignore[operator]


def _put_derived(resolved: ResolvedMap, derived: DerivedValue, *, value: Decimal, values: FamilyValues) -> None:
    if derived.magnitude and derived.direction:
        _put(resolved, derived.magnitude, value=abs(value), values=values)
        negative = derived.negative_values[0] if derived.negative_values else derived.negative_bits
        positive = next(each for each in range(65536) if each not in derived.negative_values)
        values[derived.direction] = Decimal(negative if value < 0 else 0 if derived.negative_bits else positive)
        return
    for name in derived.inputs:
        _put(resolved, name, value=Decimal(0), values=values)
    sides = derived.plus if value >= 0 or not derived.minus else derived.minus
    if sides:
        _put(resolved, sides[0], value=value if sides is derived.plus else abs(value), values=values)


def _show_states(device_map: DeviceMap, values: FamilyValues) -> None:
    """The states in which the registers of the roles are alive."""
    for role in device_map.roles.values():
        if role.only_while and role.only_while[0] in values:
            values[role.only_while[0]] = Decimal(role.only_while[1][0])


def _usual(resolved: ResolvedMap, point: MapPoint) -> Value:
    device_map = resolved.device_map
    if point.type.kind == "text":
        rule = device_map.identify[0] if device_map.identify else None
        texts = {
            "manufacturer": (rule.manufacturer if rule else None) or device_map.vendor,
            "model": (rule.model if rule else None) or device_map.models[0],
        }
        return texts.get(point.name, "SIM-1")[: 2 * point.type.words]
    if point.type.name == "sunssf":
        users = (each for each in device_map.points if each.scale_factor == point.name)
        return Decimal(_FACTORS.get(next((each.unit for each in users), "W"), 0))
    if point.symbols:
        return Decimal(next(iter(point.symbols)))
    return Decimal(_USUAL.get(point.unit, "0"))


def _fit_multipliers(resolved: ResolvedMap, values: FamilyValues) -> None:
    """Multipliers that the device holds: the smallest with which all values that use them fit their registers."""
    users = [each.point for each in resolved.points.values() if each.point.scale_by]
    names = {name for user in users for name in user.scale_by}
    for multiplier in _MULTIPLIERS:
        values |= dict.fromkeys(names, Decimal(multiplier))
        if all(fits_registers(user, values[user.name], values) for user in users):
            return


def _fitting(point: MapPoint, value: Value, values: FamilyValues) -> Value:
    """The value itself, or the nearest one that the point's range and registers can hold."""
    if not isinstance(value, Decimal):
        return value
    scale = scale_among(point, values)
    if point.wraps_at is not None and point.unit in WH_PER_UNIT:
        value %= point.wraps_at * scale
    for bound, is_beyond in ((point.minimum, min), (point.maximum, max)):
        if bound is not None and is_beyond(value, bound) == value:
            value = bound
    for candidate in (value, Decimal(0), point.minimum, point.maximum):
        if candidate is not None and fits_registers(point, candidate, values):
            return candidate
    return None


def scale_among(point: MapPoint, values: FamilyValues) -> Decimal:
    """What one of the point's raw units is worth, with the multipliers and scale factors among these values."""
    scale = point.scale
    for name in point.scale_by:
        factor = values.get(name)
        scale *= factor if isinstance(factor, Decimal) else 1
    factor = values.get(point.scale_factor or "")
    return scale.scaleb(int(factor)) if isinstance(factor, Decimal) else scale


def fits_registers(point: MapPoint, value: Value, values: FamilyValues) -> bool:
    """Whether the point's registers can hold this value."""
    try:
        encode(value, point.type, scale=scale_among(point, values), sentinels=point.sentinels)
    except RegisterError:
        return False
    return True

"""Checks that the parts of a device map fit together, and that nothing in it can corrupt a settlement.

Takes a DeviceMap whose keys and shapes are already correct; raises MapError for the first problem found.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

from protocols.maps.model import (
    POWER_SIGN,
    W_PER_UNIT,
    WH_PER_UNIT,
    DerivedValue,
    DeviceMap,
    MapError,
    MapPoint,
    MapRole,
)
from protocols.maps.planning import Span

# 100 W over 15 minutes. With a coarser counter, power must show how each step was spread over the slots.
COARSE_STEP_WH = Decimal(25)

_METERED = ("grid", "load")


def check_map(device_map: DeviceMap, name: str) -> None:
    """Raise MapError, naming the file and the place, unless the map is sound."""
    for complaint in find_complaints(device_map):
        raise MapError(f"{name}: {complaint}")


def find_complaints(device_map: DeviceMap) -> Iterator[str]:
    """Everything that does not fit together, one line each."""
    if not device_map.points:
        yield "tables: expected at least one point"
    transport = device_map.transport
    if transport.tcp_port is None and transport.rtu is None and transport.framing != ("mqtt",):
        yield "transport: expected tcp or rtu settings"
    yield from _name_complaints(device_map)
    for point in device_map.points:
        for complaint in (*_value_complaints(point), *_place_complaints(device_map, point)):
            yield f"point {point.name!r}: {complaint}"
        yield from _helper_complaints(device_map, point)
    for derived in device_map.derived:
        for complaint in _derived_complaints(device_map, derived):
            yield f"derived {derived.name!r}: {complaint}"
    yield from _atomic_complaints(device_map)
    for role in device_map.roles.values():
        for complaint in _role_complaints(device_map, role):
            yield f"roles.{role.name}: {complaint}"
        if role.counts == "source_ac" and "hybrid" in device_map.kinds:
            # With a battery on its DC side, no AC value of an inverter shows its panels alone.
            yield f"roles.{role.name}: counts: expected inverter_output or source_dc on a hybrid, found source_ac"
    yield from _standing_complaints(device_map)
    if device_map.inverted_for and not any(point.vendor_sign for point in device_map.points):
        yield "sign: inverted_for: expected a point with vendor_sign = true"


def _standing_complaints(device_map: DeviceMap) -> Iterator[str]:
    """What the map's quality rests on, as far as the map alone shows; the rest is in its vectors."""
    if device_map.quality != "bronze":
        if len(device_map.sources) < 2:
            yield f"quality: {device_map.quality} needs two sources that do not copy each other: expected bronze"
        if any(role.side == "unknown" for role in device_map.roles.values()):
            yield f"quality: a battery whose side is unknown is bronze, found {device_map.quality}"
    if device_map.metering is None and (role := _metered(device_map)):
        yield f"metering: missing, roles.{role} is a meter's: expected phases and metrology, each with its source"


def _metered(device_map: DeviceMap) -> str | None:
    """A role that counts what a meter measured."""
    is_meter = bool({"grid-meter", "sub-meter"} & set(device_map.kinds))
    counted = (role.name for role in device_map.roles.values() if role.counters and (is_meter or role.name in _METERED))
    return next(counted, None)


def _name_complaints(device_map: DeviceMap) -> Iterator[str]:
    for one, other in combinations(device_map.points, 2):
        if one.name == other.name and not (one.models and other.models and _disjoint(one, other)):
            yield f"point {one.name!r}: given twice, expected unique names (or different models)"
    names = {point.name for point in device_map.points}
    for factor in {point.scale_factor for point in device_map.points if point.scale_factor}:
        if len(device_map.named(factor)) > 1:
            # If one device had both models, it would be ambiguous whose scale factor is meant.
            yield f"point {factor!r}: given twice, expected one scale factor of that name in the whole map"
    for derived in device_map.derived:
        if derived.name in names:
            yield f"derived {derived.name!r}: given twice, expected unique names"
        names.add(derived.name)


def _value_complaints(point: MapPoint) -> Iterator[str]:
    is_power = point.unit in W_PER_UNIT
    if point.words and len(point.words) != point.type.words:
        yield f"words: expected {point.type.words} addresses for {point.type.name}, found {len(point.words)}"
    if is_power and (point.zero_is_missing or any(mark.bits == 0 for mark in point.sentinels)):
        yield "0 is a real power, expected another mark for not available"
    if point.zero_is_missing and point.unit not in WH_PER_UNIT:
        yield "zero_is_missing: expected only on energy counters"
    if point.positive != "none" and not is_power and point.unit != "A":
        yield "positive: expected only on powers and currents"
    if point.type.kind == "text" and (point.scale != 1 or point.scale_factor or point.sentinels):
        yield "text has no scale and no sentinels"
    if point.wraps_at is not None and (point.type.kind != "unsigned" or point.wraps_at > 1 << point.type.bits):
        yield f"wraps_at: expected an unsigned type and at most 2^{point.type.bits}"
    if point.absolute and point.type.kind not in ("signed", "float"):
        yield "absolute: expected a signed type"
    if point.vendor_sign and not is_power:
        yield "vendor_sign: expected only on powers"
    if point.symbols is not None and point.unit not in ("enum", "bits"):
        yield "symbols: expected unit enum or bits"


def _place_complaints(device_map: DeviceMap, point: MapPoint) -> Iterator[str]:
    if point.offset is not None:
        if point.type.words > device_map.transport.max_registers:
            yield "cannot be read in one request: longer than max_registers"
        return
    span = span_of(point)
    if span.end > 65536:
        yield "runs past register 65535"
    if reason := device_map.blocks.allows(Span(span.function, span.address, min(span.count, 1))):
        yield f"register {span.address}: {reason}"
    elif (reason := device_map.blocks.allows(span)) or span.count > device_map.transport.max_registers:
        yield f"cannot be read in one request: {reason or 'longer than max_registers'}"


def _helper_complaints(device_map: DeviceMap, point: MapPoint) -> Iterator[str]:
    for helper in (*point.helpers, *((point.finer,) if point.finer else ())):
        found = [other for other in device_map.named(helper) if _together(point, other)]
        where = f"point {point.name!r}: {helper!r}"
        if not found:
            yield f"{where}: expected the name of a point on the same device"
        elif helper == point.scale_factor and any(each.type.name != "sunssf" for each in found):
            yield f"{where}: expected a point of type sunssf as scale_factor"
        elif helper in point.scale_by and any(each.scale_by or each.type.kind == "text" for each in found):
            yield f"{where}: expected a plain number as scale_by"


def _derived_complaints(device_map: DeviceMap, derived: DerivedValue) -> Iterator[str]:
    sums, turns = bool(derived.plus or derived.minus), bool(derived.magnitude or derived.direction)
    if sums == turns or bool(derived.magnitude) != bool(derived.direction):
        yield "expected either plus/minus, or magnitude with direction"
    if derived.direction and not (derived.negative_values or derived.negative_bits):
        yield "expected negative_values or negative_bits to show the direction"
    for name in derived.inputs:
        points = device_map.named(name)
        if not points:
            yield f"{name!r}: expected the name of a point"
        if name != derived.direction and any(point.unit != derived.unit for point in points):
            yield f"{name!r}: expected unit {derived.unit}, found {points[0].unit}"
    if derived.unit in W_PER_UNIT and derived.positive == "none":
        yield "positive: expected the meaning of a positive power"


def _atomic_complaints(device_map: DeviceMap) -> Iterator[str]:
    longest = device_map.transport.max_registers
    for group in atomic_groups(device_map):
        for name in group:
            if not device_map.named(name):
                yield f"blocks: atomic: {name!r}: expected the name of a point"
        yield from _offset_complaints([point for name in group for point in device_map.named(name)], longest)
        placed = [point for name in group for point in device_map.named(name) if point.offset is None]
        if not placed or len({point.function for point in placed}) > 1:
            if placed:
                yield f"blocks: atomic: {', '.join(group)}: expected one function, one request cannot read two"
            continue
        spans = [span_of(point) for point in placed]
        first, end = min(span.address for span in spans), max(span.end for span in spans)
        whole = Span(spans[0].function, first, end - first)
        if whole.count > longest or device_map.blocks.allows(whole):
            yield (
                f"blocks: atomic: {', '.join(group)}: {whole.count} registers from {first} "
                f"cannot be read in one request of at most {longest}"
            )


def _offset_complaints(group: list[MapPoint], longest: int) -> Iterator[str]:
    """Why points of one SunSpec model cannot fit into one request, wherever the model is located."""
    for model in sorted({model for point in group for model in point.models}):
        inside = [point for point in group if point.offset is not None and model in point.models]
        first = min(point.offset or 0 for point in inside)
        count = max((point.offset or 0) + point.type.words for point in inside) - first
        if count > longest:
            names = ", ".join(point.name for point in inside)
            yield (
                f"blocks: atomic: {names}: {count} registers of model {model} "
                f"cannot be read in one request of at most {longest}"
            )


def _role_complaints(device_map: DeviceMap, role: MapRole) -> Iterator[str]:
    if not role.counters and not role.power:
        yield "expected a counter or a power"
    if bool(role.counters) == role.derived:
        yield "expected a lifetime counter, or derived = true when there is none"
    for key in role.swapped:
        if key not in role.counters or len(role.counters) > 1:
            yield f"{key}_swapped: expected only beside {key}, in a role of one counter"
    for key, name in (*role.counters.items(), *((f"{key}_swapped", name) for key, name in role.swapped.items())):
        parts = find_meanings(device_map, name)
        if not parts or any(part.unit not in WH_PER_UNIT for part in parts):
            yield f"{key}: expected the name of an energy counter, found {name!r}"
        for part in parts:
            if not isinstance(part, MapPoint) or part.unit not in WH_PER_UNIT:
                continue
            if complaint := _counter_complaint(role, part):
                yield f"{key}: {complaint}"
    if role.only_while and not any(each.unit in ("enum", "bits") for each in device_map.named(role.only_while[0])):
        yield f"only_while: expected the name of a state (unit enum or bits), found {role.only_while[0]!r}"
    if role.power:
        yield from _power_complaints(role, role.power, find_meanings(device_map, role.power))


def _power_complaints(role: MapRole, name: str, powers: tuple[MapPoint | DerivedValue, ...]) -> Iterator[str]:
    if not powers or any(part.unit not in W_PER_UNIT for part in powers):
        yield f"power: expected the name of a power, found {name!r}"
    for part in powers:
        if part.positive not in POWER_SIGN[role.name]:
            allowed = ", ".join(POWER_SIGN[role.name])
            yield f"power: {name!r} has positive {part.positive!r}, expected one of {allowed}"


def _counter_complaint(role: MapRole, counter: MapPoint) -> str | None:
    """Why this counter cannot settle: it has no range, the device has a finer one, or power must shape its steps."""
    if counter.maximum is None:
        return f"{counter.name!r} has no range, expected [0, the most it can ever count]"
    step = static_step_wh(counter)
    if counter.finer:
        return f"{counter.name!r} names the finer counter {counter.finer!r}, expected that one"
    if step is not None and step > COARSE_STEP_WH and not (role.shape_by_power and role.power):
        return f"{counter.name!r} counts in steps of {step} Wh, expected power and shape_by_power = true"
    return None


def static_step_wh(counter: MapPoint) -> Decimal | None:
    """The counter's step in Wh as far as the map alone shows; None for floats and for scales read from the device."""
    unit = WH_PER_UNIT[counter.unit]
    if counter.resolution is not None:
        return counter.resolution * unit
    if counter.type.kind == "float" or counter.scale_factor or counter.scale_by:
        return None
    return abs(counter.scale) * unit


def find_meanings(device_map: DeviceMap, name: str) -> tuple[MapPoint | DerivedValue, ...]:
    """Everything in the map that has this name."""
    return (*device_map.named(name), *(each for each in device_map.derived if each.name == name))


def atomic_groups(device_map: DeviceMap) -> tuple[tuple[str, ...], ...]:
    """Names that must be read in one request: those listed, values with their scale factors, inputs of one sum."""
    scaled = tuple((point.name, point.scale_factor) for point in device_map.points if point.scale_factor)
    zeros = tuple((p.name, *p.zero_is_missing_with) for p in device_map.points if p.zero_is_missing_with)
    return (*device_map.atomic, *scaled, *zeros, *(derived.inputs for derived in device_map.derived))


def span_of(point: MapPoint) -> Span:
    """The registers of a point that has its own address, from its first to its last word."""
    if point.words:
        return Span(point.function, min(point.words), max(point.words) - min(point.words) + 1)
    if point.address is None:
        raise MapError(f"{point.name} has no address before its model is found on a device")
    return Span(point.function, point.address, point.type.words)


def _disjoint(one: MapPoint, other: MapPoint) -> bool:
    return not set(one.models) & set(other.models)


def _together(point: MapPoint, other: MapPoint) -> bool:
    """Whether a device that has `point` may have `other` in the same model."""
    return point.models == () == other.models or set(point.models) <= set(other.models)

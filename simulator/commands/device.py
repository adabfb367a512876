"""`commonwatt-sim device`: one simulated device of any family with changing values, for any Modbus client."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from protocols.maps.model import DeviceMap, MapPoint
from protocols.maps.registers import Value, shortest
from protocols.maps.roles import role_names
from simulator.commands.serving import check_place, serve_until_stopped
from simulator.devices.faults import KINDS, Fault, FaultKind, FaultScript
from simulator.devices.image import DeviceImage, UnitMap
from simulator.devices.modbus_server import SimulatedLink
from simulator.errors import SimulatorError
from simulator.services.clock import open_clock
from simulator.world.families import STREET_FAMILIES, find_map
from simulator.world.homes import HomeKind, ModbusUnit, SimulatedHome, UnitRole
from simulator.world.site import day_number
from simulator.world.street import Street

LIVELY_STEP_S = 1
_DAYS_BEFORE = 1
_HOMES = 12
_FITTING_HOMES: dict[str | None, HomeKind] = {"battery": "pv-battery", "wind": "wind", "pv": "pv", None: "pv"}
"""The kind of home that has what a role measures."""


def run_device(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C. Raises: SimulatorError."""
    check_place(options)
    kinds = chosen_kinds([*(options.fault or []), *(["hostile"] if options.hostile else [])])
    clock = open_clock(options.clock)
    street = Street(seed=options.seed, homes=_HOMES, first_day=day_number(clock.now()) - _DAYS_BEFORE)
    device_map = find_map(options.family, options.maps).varied(options.variant)
    home, unit = home_of_family(street, device_map)
    is_known = device_map.id in STREET_FAMILIES and options.maps is None and options.variant is None
    mine = replace(unit, unit=options.unit, families=(device_map.id,))
    began_s = clock.now() // LIVELY_STEP_S * LIVELY_STEP_S
    script = FaultScript([Fault(home.id, mine.link, mine.unit, kind, from_s=began_s) for kind in kinds])
    image = DeviceImage(
        mine,
        home,
        physics=street.physics(home.id),
        seed=options.seed,
        step_s=LIVELY_STEP_S,
        disturbance=script,
        device_map=None if is_known else device_map,
    )
    link = SimulatedLink([image], clock.now, script=script)
    asyncio.run(serve_until_stopped(link, options, lambda where: how_to_read(image, where, link.now())))


def chosen_kinds(names: Sequence[str]) -> tuple[FaultKind, ...]:
    """The kinds of faults with these names. Raises: SimulatorError."""
    unknown = next((name for name in names if name not in KINDS), None)
    if unknown is not None:
        raise SimulatorError(f"--fault: expected one of {', '.join(KINDS)}, found {unknown!r}")
    return tuple(kind for kind in KINDS if kind in names)


def home_of_family(street: Street, device_map: DeviceMap) -> tuple[SimulatedHome, ModbusUnit]:
    """The first home of a street that has such a device, and its unit; of a family it lacks, where it would fit."""
    for home in street.homes:
        for unit in home.units:
            if device_map.id in unit.families:
                return home, unit
    kind = next(kind for role, kind in _FITTING_HOMES.items() if role in device_map.roles or role is None)
    home = next(each for each in street.homes if each.kind == kind)
    places: tuple[UnitRole, ...] = ("grid", "pv", "wind", "battery")
    place: UnitRole = next((role for role in places if role in device_map.roles), "grid")
    return home, ModbusUnit("device", 1, (device_map.id,), place, f"{home.id}-D1")


def how_to_read(image: DeviceImage, where: str, now_s: float) -> Iterator[str]:
    """What a person with a Modbus client needs: address, unit, and the main points with their current values."""
    part = image.parts[0]
    at_s = image.refresh_time(now_s)
    decoded = part.resolved.decode(image.words(at_s))
    yield f"{part.family} of a {image.home.kind} home answers at {where}, unit {image.unit.unit}."
    yield "function  address  registers  type       scale     unit  point = value now"
    for name in _main_points(part):
        placed = part.resolved.points[name]
        point, span = placed.point, placed.span
        scale = f"10^{point.scale_factor}" if point.scale_factor else f"{point.scale}"
        order = " LH" if point.word_order == "LH" else ""
        yield (
            f"{span.function:>8}  {span.address:>7}  {span.count:>9}  {point.type.name + order:<9}  {scale:<8}  "
            f"{point.unit:<4}  {name} = {_shown(point, decoded.get(name))}"
        )
    yield f"All {len(part.resolved.points)} points: {part.family}.toml. Press Ctrl-C to stop."


def _main_points(part: UnitMap) -> list[str]:
    names: dict[str, None] = {}
    for role in part.resolved.device_map.roles:
        names.update(dict.fromkeys(role_names(part.resolved, role)))
    more = [name for name in part.resolved.names("fast") if name in part.resolved.points]
    names.update(dict.fromkeys(more))
    return [name for name in names if name in part.resolved.points]


def _shown(point: MapPoint, value: Value) -> str:
    if isinstance(value, Decimal) and not point.scale_factor:
        value = shortest(value, point.type, point.scale)
    return "not available" if value is None else f"{value:f}" if isinstance(value, Decimal) else value

"""Builds the home's devices from the settings: which map, which shared connection, and its timing.

Opens no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from edge_agent.devices.broker_values.link import BrokerValuesLink
from edge_agent.devices.knowledge.memory import DeviceMemory
from edge_agent.devices.line import RTU_GAP_S, LineSettings, RegisterLink, serial_line
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.devices.reader import Device
from edge_agent.devices.same_connection import BusAddress, addresses
from edge_agent.devices.telegrams.link import TelegramLink
from edge_agent.home_broker.address import HomeBroker, open_access
from edge_agent.maps.files import INSTALLED, ChangedMapError, FoundMap, find_map
from edge_agent.settings import DeviceSettings, Settings
from protocols.errors import SettingsError
from protocols.maps.model import DeviceMap, MapError, RoleName
from protocols.maps.roles import alike_roles

MAPS = INSTALLED
Pause = Callable[[float], Awaitable[None]]


def make_fleet(
    settings: Settings,
    maps: Path = MAPS,
    *,
    pause: Pause = asyncio.sleep,
    memory: DeviceMemory | None = None,
    leave_out: Callable[[str], None] | None = None,
) -> list[tuple[RegisterLink, list[Device]]]:
    """One link for each host or bus with its devices, in the order of the settings. Raises SettingsError.

    `pause`: how to wait before a busy device is asked again; a developer's faster timeline has shorter pauses.
    `memory`: what devices taught earlier runs; without one, they teach everything again.
    `leave_out` hears of each device that is left out, with its reason, because its map of the co-op was changed on the
    disk: the others are measured all the same. Without it, and where no other is, that is an error.
    """
    found: dict[str, FoundMap] = {}
    read: dict[tuple[object, ...], list[tuple[str, RoleName]]] = {}
    together: dict[BusAddress, list[Device]] = {}
    shared = addresses(settings.devices, settings.source)
    left_out: SettingsError | None = None
    for each in settings.devices:
        try:
            if each.map not in found:
                found[each.map] = _map(each, settings, maps)
        except _LeftOutError as changed:
            if leave_out is None:
                raise
            leave_out(f"left out: {changed}")
            left_out = changed
            continue
        device_map = _varied(each, found[each.map].map, settings.source)
        _check_roles(each, device_map, settings.source)
        _check_choices(each, device_map, settings.source)
        _check_alike(each, device_map, settings.source, read=read.setdefault(_unit(each, shared[each.name]), []))
        together.setdefault(shared[each.name], []).append(Device(each, device_map, sleep=pause, memory=memory))
    if left_out is not None and not together:
        raise left_out
    return [(make_link(devices, settings.source), devices) for devices in together.values()]


class _LeftOutError(SettingsError):
    """A device cannot be read, and others may be."""


def _map(device: DeviceSettings, settings: Settings, installed: Path) -> FoundMap:
    try:
        return find_map(device.map, settings.maps, state=settings.data, installed=installed)
    except MapError as cause:
        kind = _LeftOutError if isinstance(cause, ChangedMapError) else SettingsError
        raise kind(f"{settings.source}: device {device.name!r}: map: {cause}".splitlines()[0]) from None


def _varied(device: DeviceSettings, family: DeviceMap, source: str) -> DeviceMap:
    try:
        return family.varied(device.variant)
    except MapError as cause:
        raise SettingsError(f"{source}: device {device.name!r}: map {cause}") from None


def _check_roles(device: DeviceSettings, device_map: DeviceMap, source: str) -> None:
    for role in device.roles:
        if role not in device_map.roles:
            raise SettingsError(
                f"{source}: device {device.name!r}: role: {device.map} has no {role!r}, "
                f"expected one of {', '.join(device_map.roles)}"
            )


def _check_alike(
    device: DeviceSettings,
    device_map: DeviceMap,
    source: str,
    *,
    read: list[tuple[str, RoleName]],
) -> None:
    """Refuse two roles of one unit that rest on the same counters: their energy would count twice.

    `read`: what is read of this unit already, by the devices' names.
    """
    alike = alike_roles(device_map)
    for role in device.roles:
        for name, other in read:
            if (role, other) in alike or (other, role) in alike:
                named = f"device {name!r}" if name == device.name else f"devices {name!r} and {device.name!r}"
                raise SettingsError(
                    f"{source}: {named}: role: {device.map} has one set of counters for {other} and {role}, which would"
                    " count its energy twice: keep one of them, each role needs a device of its own"
                )
        read.append((device.name, role))


def _unit(device: DeviceSettings, address: BusAddress) -> tuple[object, ...]:
    """What is one unit, read with one map, by whatever name its host goes."""
    told = "" if device.values is None else device.values.counted
    return address, device.unit, device.instance or 1, device.map, told


def _check_choices(device: DeviceSettings, device_map: DeviceMap, source: str) -> None:
    where = f"{source}: device {device.name!r}"
    if device.instance is not None and not device_map.is_sunspec:
        raise SettingsError(f"{where}: instance: {device.map} has no chain of several devices, leave this line out")
    if device.sign == "inverted" and not any(point.vendor_sign for point in device_map.points):
        raise SettingsError(f"{where}: sign: expected 'as_documented', {device.map} has only one sign convention")
    for role in device.roles:
        described = device_map.roles[role]
        if device.invert and len(described.counters) == 1 and not described.swapped:
            raise SettingsError(f"{where}: invert: expected false, the role {role} of {device.map} cannot be swapped")


def make_link(devices: list[Device], source: str) -> RegisterLink:
    """A link that suits all its devices: the longest pauses any of them needs. Raises SettingsError."""
    _check_framing(devices, source)
    serial = [each for each in devices if each.settings.endpoint.is_serial]
    lines = {serial_line(each.settings.endpoint, each.device_map.transport) for each in serial}
    if len(lines) > 1:
        names = ", ".join(repr(device.settings.name) for device in devices)
        raise SettingsError(f"{source}: devices {names}: connect: expected the same baud, parity and stop on one bus")
    baud, parity, bits, stop = lines.pop() if lines else (9600, "N", 8, 1)
    transports = [device.device_map.transport for device in devices]
    timeouts = (device.settings.timeout_ms or device.device_map.transport.timeout_ms for device in devices)
    endpoint = devices[0].settings.endpoint
    line = LineSettings(
        timeout_s=_longest_s(timeouts),
        connect_delay_s=_longest_s(each.connect_delay_ms for each in transports),
        request_gap_s=max(_longest_s(each.request_gap_ms for each in transports), _least_gap_s(devices)),
        baud=baud,
        parity=parity,
        bits=bits,
        stop=stop,
    )
    if (values := devices[0].settings.values) is not None:
        broker = HomeBroker(endpoint.host, endpoint.port, endpoint.wire == "mqtts")
        where = f"{source}: device {devices[0].settings.name!r}"
        credentials = open_access(values.sign_in, broker, source=where)
        return BrokerValuesLink(endpoint, line, values=values, credentials=credentials)
    return TelegramLink(endpoint, line) if endpoint.framing else ModbusLink(endpoint, line)


def _check_framing(devices: list[Device], source: str) -> None:
    """A meter that sends telegrams has a map of telegrams, and any other device a map of registers."""
    for device in devices:
        wanted, transport = device.settings.endpoint.framing, device.device_map.transport
        if wanted not in transport.framing if wanted else transport.sends_by_itself:
            raise SettingsError(
                f"{source}: device {device.settings.name!r}: connect: {device.settings.map} is read over"
                f" {' or '.join(transport.framing)}, found {device.settings.endpoint.wire}"
            )


def _least_gap_s(devices: list[Device]) -> float:
    """A serial bus always gets a pause, so that a duplicate answer shows up before the next request."""
    return 0.0 if devices[0].settings.endpoint.has_numbers else RTU_GAP_S


def _longest_s(milliseconds: Iterable[int]) -> float:
    return max(milliseconds) / 1000

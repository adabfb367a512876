"""The search of a home for devices: only where a person said, few requests a device, and never two at once to one.

First which addresses accept a connection, then one unit after the other behind each of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Literal

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.finding.families import unknown_make_lines
from edge_agent.finding.networks import addresses_in
from edge_agent.finding.probe import Sighting, identify
from edge_agent.finding.proposals import FamilyProposal, own_words, proposals_for
from edge_agent.finding.units import units_text
from edge_agent.settings import Endpoint
from protocols.maps.model import DeviceMap, Serial

CONNECT_TIMEOUT_S = 1.0
CONNECTS_AT_ONCE = 32
CONNECTS_APART_S = 0.01
SETTLE_S = 2.0
"""A one-client device frees its only place some time after a connection ends, and some need a pause after a connect."""

TCP_LINE = LineSettings(timeout_s=5.0, connect_delay_s=SETTLE_S, request_gap_s=0.1)
SERIAL_TIMEOUT_S, SERIAL_GAP_S = 0.6, 0.1
DEFAULT_PORT = 502
MOST_SERIAL_LINES = 4
MOST_UNITS = 6
"""Unit ids asked by default: each silent one costs two time-outs; a person may name others."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a person confirmed: networks, hosts with ports, serial ports; `units` None for those the families use."""

    networks: tuple[IPv4Network, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    units: tuple[int, ...] | None = None
    makes: tuple[str, ...] = ()
    tcp_line: LineSettings = TCP_LINE
    units_at: Mapping[Endpoint, tuple[int, ...]] = field(default_factory=dict)
    """Unit ids to ask at single places, instead of `units`."""


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A unit that answers somewhere, and what it may be. `endpoint` has the serial settings that it answered with."""

    endpoint: Endpoint
    unit: int
    says: str
    sighting: Sighting
    proposals: tuple[FamilyProposal, ...]


@dataclass(frozen=True, slots=True)
class SearchNote:
    """Something a person should hear while or after the search: progress, or an address that did not work out."""

    text: str
    is_trouble: bool = False
    silent: Endpoint | None = None
    """The place that accepted a connection, and where nothing answered."""


SearchEvent = FoundDevice | SearchNote


Tell = Callable[[SearchEvent], None]
Pause = Callable[[float], Awaitable[None]]


async def search(
    plan: SearchPlan,
    maps: Sequence[DeviceMap],
    tell: Tell,
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[FoundDevice]:
    """Find devices, in the order of their addresses; `tell` hears of each as soon as it is known, and of troubles."""
    endpoints = list(plan.endpoints)
    for line in unknown_make_lines(maps, plan.makes):
        tell(SearchNote(line, is_trouble=True))
    if plan.networks:
        tell(SearchNote(f"asking {len(addresses_in(plan.networks))} addresses whether they accept a connection ..."))
        endpoints += await open_endpoints(plan.networks, tcp_ports(maps))
    if not endpoints:
        tell(SearchNote("no address accepted a connection: is Modbus switched on in the devices?", is_trouble=True))
        return []
    if any(not each.is_serial and each.framing is None for each in endpoints):
        await pause(plan.tcp_line.connect_delay_s)
    lines: dict[str, list[Endpoint]] = {}
    for each in dict.fromkeys(endpoints):
        lines.setdefault(each.host or each.path, []).append(each)
    found: dict[Endpoint, list[FoundDevice]] = {}

    async def ask_in_turn(mine: list[Endpoint]) -> None:
        for each in mine:
            found[each] = await _behind(each, plan, maps, tell=tell, pause=pause)

    await asyncio.gather(*(ask_in_turn(mine) for mine in lines.values()))
    return [each for endpoint in dict.fromkeys(endpoints) for each in found[endpoint]]


def tcp_ports(maps: Iterable[DeviceMap]) -> tuple[int, ...]:
    """The ports that the known families listen on, the most usual first."""
    used = Counter(each.transport.tcp_port for each in maps if each.transport.tcp_port is not None)
    return tuple(dict.fromkeys((DEFAULT_PORT, *(port for port, _ in used.most_common()))))


def usual_units(maps: Iterable[DeviceMap], wire: str) -> tuple[int, ...]:
    """The unit ids that the families which speak this way come with, the most usual first."""
    used = Counter(unit for each in _speaking(maps, wire) for unit in each.transport.unit_ids[:3])
    # 126: SMA answers SunSpec at its unit id plus 123.
    first = (1, 3) if wire == "rtu" else (1, 3, 126)
    return tuple(dict.fromkeys((*first, *(unit for unit, _ in used.most_common(MOST_UNITS)))))[:MOST_UNITS]


def serial_lines(maps: Iterable[DeviceMap]) -> tuple[Serial, ...]:
    """The line settings that families come with, the most usual first."""
    used = Counter(each.transport.rtu for each in maps if each.transport.rtu is not None)
    return tuple(line for line, _ in used.most_common(MOST_SERIAL_LINES))


async def open_endpoints(networks: Sequence[IPv4Network], ports: Sequence[int]) -> list[Endpoint]:
    """The addresses that accept a connection on one of the ports. Nothing is sent over it."""
    gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

    async def is_open(host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    async def tried(host: str, port: int) -> Endpoint | None:
        try:
            return Endpoint("tcp", host=host, port=port) if await is_open(host, port) else None
        finally:
            gate.release()

    tasks = []
    for port in ports:
        for address in addresses_in(networks):
            await gate.acquire()
            tasks.append(asyncio.create_task(tried(str(address), port)))
            await asyncio.sleep(CONNECTS_APART_S)
    return [each for each in await asyncio.gather(*tasks) if each is not None]


async def _behind(
    endpoint: Endpoint,
    plan: SearchPlan,
    maps: Sequence[DeviceMap],
    *,
    tell: Tell,
    pause: Pause,
) -> list[FoundDevice]:
    """The devices behind one address or on one serial bus."""
    if endpoint.framing is not None:
        advice = "a meter that sends by itself is not asked: agent.toml names it, `commonwatt-agent read` shows it"
        tell(SearchNote(f"{endpoint.shown}: {advice}", is_trouble=True))
        return []
    speaking = _speaking(maps, endpoint.wire)
    wanted = plan.units_at.get(endpoint) or plan.units
    units = wanted or usual_units(maps, endpoint.wire)
    tell(SearchNote(f"{endpoint.shown}: asking what it is ..."))
    found: list[FoundDevice] = []
    trouble, is_heard = "", False
    for line_endpoint, line in _lines(endpoint, plan, maps):
        link = ModbusLink(line_endpoint, line, sleep=pause)
        try:
            for unit in units:
                sighting = await identify(link, unit, speaking, makes=plan.makes, pause=pause)
                if sighting is None:
                    continue
                proposals = proposals_for(speaking, sighting.known, makes=plan.makes)
                says = own_words(sighting.known, proposals)
                found.append(FoundDevice(line_endpoint, unit, says, sighting, proposals))
                tell(found[-1])
                if wanted is None and not endpoint.is_serial:
                    break  # a device with its own address answers to many unit ids: asked once is enough
            is_heard = True
        except DeviceReadError as cause:
            # On a serial line another setting may do: an adapter lacks some, and at a wrong speed answers are garbled.
            trouble = str(cause) if endpoint.shown in str(cause) else f"{endpoint.shown}: {cause}"
            if found or not endpoint.is_serial:
                tell(SearchNote(trouble, is_trouble=True))
                return found
        finally:
            await link.close()
        if found:
            return found
    if trouble and not is_heard:
        tell(SearchNote(trouble, is_trouble=True))
        return found
    asked = f"unit {units[0]}" if len(units) == 1 else f"units {units_text(units)}"
    advice = "is Modbus switched on, and another program not connected?"
    if wanted is None:
        advice += " It may have another unit id (`scan --units`)"
    tell(SearchNote(f"{endpoint.shown}: nothing answers as {asked}: {advice}", is_trouble=True, silent=endpoint))
    return found


def _speaking(maps: Iterable[DeviceMap], wire: str) -> list[DeviceMap]:
    """The families that may be met on this wire; behind a TCP address there may also be a gateway to a serial bus."""
    if wire in ("rtu", "ascii"):
        return [each for each in maps if each.transport.rtu is not None]
    if wire == "udp":
        return [each for each in maps if "udp" in each.transport.framing]
    return [each for each in maps if {"tcp", "rtu", "rtu_over_tcp"} & set(each.transport.framing)]


def _lines(endpoint: Endpoint, plan: SearchPlan, maps: Sequence[DeviceMap]) -> Iterable[tuple[Endpoint, LineSettings]]:
    """How to talk over this connection: one way over TCP, each usual line setting on a serial bus."""
    if not endpoint.is_serial:
        yield endpoint, plan.tcp_line
        return
    settings = serial_lines(maps)
    if endpoint.baud is not None:
        settings = (Serial(endpoint.baud, 8, _parity(endpoint.parity), endpoint.stop or 1),)
    for line in settings:
        chosen = replace(endpoint, baud=line.baud, parity=line.parity, stop=line.stop)
        yield (
            chosen,
            LineSettings(
                timeout_s=SERIAL_TIMEOUT_S,
                request_gap_s=SERIAL_GAP_S,
                baud=line.baud,
                parity=line.parity,
                bits=line.bits,
                stop=line.stop,
            ),
        )


def _parity(text: str | None) -> Literal["N", "E", "O"]:
    return "E" if text == "E" else "O" if text == "O" else "N"

"""One reading as the household sees it: every point with unit and raw words, as a table or as JSON.

Reads once through the links it is given; nothing is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from edge_agent.devices.line import DeviceReadError, RegisterLink
from edge_agent.devices.reader import Device, Readout
from edge_agent.metering.home_meter import FIELDS_OF_ROLE, MeasuringPoint
from protocols.maps.model import MapPoint, RoleName
from protocols.maps.placement import ResolvedMap
from protocols.maps.recognition import SunSpecIdentity, recognise
from protocols.maps.registers import Value, shortest
from protocols.maps.roles import role_of, role_values
from protocols.text_table import format_table

MOST_WORDS = 4
"""Registers of one number at most; only texts are longer."""
POSITIVE_WORDS: dict[RoleName, str] = {
    "grid": "drawn from the grid",
    "pv": "produced",
    "wind": "produced",
    "battery": "charging",
    "load": "used",
}
"""Our one rule for the sign of a power, wherever a household sees one."""

_UNITS_SHOWN = {"1": "", "text": "", "enum": "", "bits": "", "power of ten": "10^n"}


@dataclass(frozen=True, slots=True)
class PointLine:
    """One point as read. `value` is None for "not available"; `refused` if the device refuses it.

    `out_of_range` is a number that the map rules out; it counts as not available.
    """

    name: str
    value: str | None
    unit: str
    words: tuple[int, ...]
    refused: bool
    out_of_range: str | None = None


def point_lines(device: Device, readout: Readout) -> list[PointLine]:
    """All points of a device in the order of its map, then derived values."""
    lines = []
    unbounded = _unbounded(device.resolved).decode(readout.words)
    for name, placed in device.resolved.points.items():
        raw = placed.raw_words(readout.words)
        symbols = placed.point.symbols or {}
        value = _shown(_as_meant(placed.point, readout.values.get(name)))
        beyond = _shown(_as_meant(placed.point, unbounded.get(name))) if value is None else None
        if value is not None and value.isdecimal() and int(value) in symbols:
            value = f"{value} ({symbols[int(value)]})"
        lines.append(PointLine(name, value, placed.point.unit, raw or (), raw is None, beyond))
    for name, derived in device.resolved.derived.items():
        lines.append(PointLine(name, _shown(readout.values.get(name)), derived.unit, (), name not in readout.values))
    return lines


def _unbounded(resolved: ResolvedMap) -> ResolvedMap:
    """The same map without ranges, to show what was ruled out."""
    points = {
        name: replace(each, point=replace(each.point, minimum=None, maximum=None))
        for name, each in resolved.points.items()
    }
    return replace(resolved, points=points)


def as_table(device: Device, readout: Readout, *, about: str = "") -> str:
    """The reading as a table of at most 80 columns; of a text only the first register is shown.

    `about`: a line on the map.
    """
    rows = [("point", "value", "unit", "raw words")]
    for line in point_lines(device, readout):
        value = "refused" if line.refused else "not available" if line.value is None else line.value
        value = f"{line.out_of_range}: impossible" if line.out_of_range else value
        unit = _UNITS_SHOWN.get(line.unit, line.unit)
        rows.append((line.name, value, unit, _hexadecimal(line.words)))
    head = f"{device.settings.name}: {device.device_map.vendor}, {device.settings.map}, unit {device.settings.unit}"
    known = [about] if about else []
    return "\n".join(
        [
            head,
            *format_table(rows),
            *_warnings(device, readout),
            *_turned(device, readout),
            *meanings(device, readout),
            *known,
        ]
    )


def meanings(device: Device, readout: Readout) -> list[str]:
    """One line for each place: what the meter uses of the reading."""
    return [_meaning(device, readout, place) for place in device.places]


def _turned(device: Device, readout: Readout) -> list[str]:
    """A line for each power whose sign in the table is not ours: there it is as the device's maker means it."""
    lines = []
    for place in device.places:
        name = role_of(device.resolved, place.role).power
        shown, ours = readout.values.get(name or ""), role_values(device.resolved, readout.values, place.role).power_w
        if isinstance(shown, Decimal) and ours is not None and shown * ours < 0:
            plus = POSITIVE_WORDS[place.role]
            lines.append(f"{name} above is in the device's own direction; below, and on the home's page, + is {plus}")
    return lines


def _direction(role: RoleName, power_w: int) -> str:
    words = {"grid": ("drawn from the grid", "fed into the grid"), "battery": ("charging", "discharging")}.get(role)
    return f" ({words[power_w < 0]})" if words and power_w else ""


def _warnings(device: Device, readout: Readout) -> list[str]:
    return [*_family_warning(device, readout), *device.others_unread()]


def _family_warning(device: Device, readout: Readout) -> list[str]:
    """A warning when the reading does not fit the family: a wrong map also produces numbers.

    Meters that send by themselves have nothing to be recognised by but the form of what they send.
    """
    if device.device_map.transport.sends_by_itself:
        return []
    texts = (str(readout.values.get(name) or "") for name in ("manufacturer", "model"))
    if recognise(device.device_map, readout.words, SunSpecIdentity(device.models, *texts)) is not None:
        return []
    family = device.settings.map
    return [f"this does not look like {family}: check map, connect and unit, and compare with the display"]


def as_record(device: Device, readout: Readout) -> dict[str, Any]:
    """The reading as JSON values: numbers as text, with every raw word."""
    return {
        "device": device.settings.name,
        "map": device.settings.map,
        "unit_id": device.settings.unit,
        "warnings": _warnings(device, readout),
        "roles": [_role_record(device, readout, place) for place in device.places],
        "points": [
            {
                "name": line.name,
                "value": line.value,
                "unit": line.unit,
                "words": list(line.words),
                "refused": line.refused,
                "out_of_range": line.out_of_range,
            }
            for line in point_lines(device, readout)
        ],
    }


async def read_once(
    fleet: Sequence[tuple[RegisterLink, Sequence[Device]]], *, only: str | None
) -> tuple[list[tuple[Device, Readout]], list[str]]:
    """Read every point of every device (or of one), connections in parallel; each failure is one line."""
    results = await asyncio.gather(*(_read_bus(link, devices, only=only) for link, devices in fleet))
    return [each for found, _ in results for each in found], [each for _, said in results for each in said]


async def _read_bus(
    link: RegisterLink, devices: Sequence[Device], *, only: str | None
) -> tuple[list[tuple[Device, Readout]], list[str]]:
    found, said = [], []
    for device in devices:
        if only not in (None, device.settings.name):
            continue
        try:
            found.append((device, await device.read(link, thoroughly=True)))
        except DeviceReadError as trouble:
            where = f"{link.endpoint.shown}, unit {device.settings.unit}"
            said.append(f"device {device.settings.name!r} at {where}: {trouble}")
    await link.close()
    return found, said


def as_json(found: object) -> str:
    """The value as indented JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _role_record(device: Device, readout: Readout, place: MeasuringPoint) -> dict[str, Any]:
    reading = role_values(device.resolved, readout.values, place.role)
    numbers = {name: getattr(reading, name) for name in (*FIELDS_OF_ROLE[place.role], "power_w")}
    shown = {name: _shown(value) for name, value in numbers.items()}
    return {"role": place.role, **shown, "meaning": _meaning(device, readout, place)}


def _meaning(device: Device, readout: Readout, place: MeasuringPoint) -> str:
    """What the meter uses of a reading: counters in whole Wh, rounded down, and power in whole W.

    Says of which energy nothing is counted: only a register that gives a value now is a promise.
    """
    reading = role_values(device.resolved, readout.values, place.role)
    parts, lacking = [], []
    for name in FIELDS_OF_ROLE[place.role]:
        value: Decimal | None = getattr(reading, name)
        if value is not None:
            parts.append(f"{name.removesuffix('_wh')} {value.to_integral_value(rounding=ROUND_FLOOR):f} Wh")
        else:
            lacking.append(name.removesuffix("_wh"))
    power_w = None if reading.power_w is None else int(reading.power_w.to_integral_value(rounding=ROUND_HALF_EVEN))
    is_possible = place.bounded_w(power_w) is not None
    if power_w is not None:
        over = f" (more than max_power_w = {place.max_power_w} allows: not used)"
        parts.append(f"power {power_w} W{_direction(place.role, power_w) if is_possible else over}")
    notes = {"inverter_output": " (the inverter's output)", "source_dc": " (DC side)"}.get(place.counts or "", "")
    if reading.derived and is_possible:
        notes = f" (no counter: energy is integrated from power){notes}"
    elif lacking:
        because = reading.stopped or _why_lacking(device, place, is_derived=reading.derived)
        notes += f"; no energy is counted as {' or '.join(lacking)}: {because}"
    return f"as {reading.role}: {', '.join(parts) or 'nothing available'}{notes}"


def _why_lacking(device: Device, place: MeasuringPoint, *, is_derived: bool) -> str:
    if is_derived:
        return "it has no counter and gives no power that can be used"
    return "the device refuses the register" if device.is_refused(place) else "not available now"


def _as_meant(point: MapPoint, value: Value) -> Value:
    if isinstance(value, Decimal) and not (point.scale_by or point.scale_factor):
        return shortest(value, point.type, point.scale)
    return value


def _shown(value: Value) -> str | None:
    if isinstance(value, Decimal):
        whole = format(value.normalize(), "f")
        return whole if len(whole) <= 20 else f"{value:.6f}".rstrip("0").rstrip(".")
    return value


def shown_words(line: PointLine) -> str:
    """The raw words of a point in hexadecimal; of a text only the first."""
    return _hexadecimal(line.words)


def _hexadecimal(words: tuple[int, ...]) -> str:
    if len(words) > MOST_WORDS:
        return f"{words[0]:04X} .. ({len(words)})"
    return " ".join(f"{word:04X}" for word in words)

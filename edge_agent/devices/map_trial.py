"""Tries a device map on a device once: every value with its words and range, and whether the device is recognised."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.devices.assembly import make_link
from edge_agent.devices.reader import Device, Readout
from edge_agent.devices.readout import PointLine, meanings, point_lines, read_once, shown_words
from edge_agent.settings import DeviceSettings, Endpoint
from protocols.maps.model import DeviceMap, MapPoint
from protocols.maps.recognition import SunSpecIdentity, held_rules
from protocols.text_table import format_table

UNBOUNDED_W = 10_000_000
"""Nothing is known of the device's power: no value is held back for being too high."""


async def try_map(
    device_map: DeviceMap, endpoint: Endpoint, *, unit: int, timeout_ms: int | None = None
) -> tuple[list[str], list[str]]:
    """What the map reads at this address, as lines, and what went wrong."""
    settings = DeviceSettings(
        "try", device_map.id, tuple(device_map.roles), endpoint, unit, "as_documented", False, UNBOUNDED_W, timeout_ms
    )
    device = Device(settings, device_map)
    readings, troubles = await read_once([(make_link([device], "--connect"), [device])], only=None)
    return [line for each in readings for line in _report(*each)], troubles


def _report(device: Device, readout: Readout) -> Iterator[str]:
    rows = [("point", "value", "unit", "range", "raw words")]
    points = device.resolved.points
    for line in point_lines(device, readout):
        value = "refused" if line.refused else line.value or line.out_of_range or "not available"
        placed = points.get(line.name)
        rows.append((line.name, value, line.unit, _verdict(line, placed.point if placed else None), shown_words(line)))
    yield from format_table(rows)
    yield from _identity(device, readout)
    yield from meanings(device, readout)


def _verdict(line: PointLine, point: MapPoint | None) -> str:
    """Whether the value lies in its range: a number beyond it is never used."""
    if point is None or point.minimum is None or point.maximum is None:
        return "-"
    span = f"{_short(point.minimum)}..{_short(point.maximum)}"
    if line.out_of_range is not None:
        return f"BEYOND {span}"
    return f"in {span}" if line.value is not None else span


def _short(bound: object) -> str:
    return f"{bound:f}"


def _identity(device: Device, readout: Readout) -> Iterator[str]:
    rules = device.device_map.identify
    if not rules:
        yield "identify: the map has no rule"
        return
    texts = (str(readout.values.get(name) or "") for name in ("manufacturer", "model"))
    held = held_rules(device.device_map, readout.words, SunSpecIdentity(device.models, *texts))
    for number, rule in enumerate(rules, 1):
        how = "matches" if rule in held else "does not match"
        sure = " (certain)" if rule.certain else ""
        yield f"identify: rule {number} of {len(rules)}{sure} {how}"

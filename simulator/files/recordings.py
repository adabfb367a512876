"""Recordings of a home's counters at slot boundaries, as a data logger next to the agent would write them.

Every value is what the device's registers would have shown; a test compares it with the registers.
Format: a line `commonwatt-recording,1`, then rows `unix_s,device,point,value` in time order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TextIO

import numpy as np

from protocols.maps.model import WH_PER_UNIT, MapPoint
from protocols.maps.registers import EXACT
from protocols.recordings import HEADER, row_text
from protocols.slots import SLOT_S
from simulator.devices.image import DeviceImage, first_wh
from simulator.world.arrays import IntArray
from simulator.world.homes import AgentDevice, SimulatedHome
from simulator.world.physics import FLOWS
from simulator.world.street import Street

_FLOW_OF = {
    ("grid", "import"): "import",
    ("grid", "export"): "export",
    ("pv", "production"): "output",
    ("wind", "production"): "wind",
    ("battery", "charge"): "charge_dc",
    ("battery", "discharge"): "discharge_dc",
}


@dataclass(frozen=True, slots=True)
class _Track:
    """One counter of one device over the whole recording, as text."""

    device: str
    point: str
    shown_wh: list[str]


def write_recording(path: Path, street: Street, home: SimulatedHome, *, from_s: int, until_s: int) -> int:
    """Write the boundary samples in [from_s, until_s]; returns the number of rows.

    The file appears whole or not at all: it is written under another name and renamed.
    """
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="utf-8", newline="\n") as out:
        rows = _write_rows(out, street, home, from_s=from_s, until_s=until_s)
    beside.replace(path)
    return rows


def _write_rows(out: TextIO, street: Street, home: SimulatedHome, *, from_s: int, until_s: int) -> int:
    first_s = -(-from_s // SLOT_S) * SLOT_S
    count = (until_s - first_s) // SLOT_S + 1
    tracks = list(_tracks(street, home, first_s=first_s, count=count)) if count > 0 else []
    out.write(HEADER + "\n")
    for place in range(count):
        at_s = first_s + place * SLOT_S
        out.writelines(
            row_text(at_s, track.device, point=track.point, value=track.shown_wh[place]) + "\n" for track in tracks
        )
    return count * len(tracks)


def _tracks(street: Street, home: SimulatedHome, *, first_s: int, count: int) -> Iterator[_Track]:
    physics = street.physics(home.id)
    counted = physics.counters(first_s, every_s=SLOT_S, count=count)
    images = {(unit.link, unit.unit): DeviceImage(unit, home, physics=physics, seed=street.seed) for unit in home.units}
    for device in home.devices:
        image = images[device.link, device.unit]
        for counter, flow, point in _counters(device, image):
            start_ws = first_wh(street.seed, home, unit=image.unit, flow=flow) * 3600
            yield _Track(device.name, f"{counter}_wh", shown_wh(counted[FLOWS.index(flow)] + start_ws, point))


def _counters(device: AgentDevice, image: DeviceImage) -> Iterator[tuple[str, str, MapPoint]]:
    """The counters of a device in its role: name in the role, flow, point."""
    if device.role is None:
        return
    part = next(each for each in image.parts if each.family == device.family)
    for counter, point_name in part.resolved.device_map.roles[device.role].counters.items():
        if point_name in part.resolved.points:
            yield counter, _FLOW_OF[device.role, counter], part.resolved.points[point_name].point


def shown_wh(counted_ws: IntArray, point: MapPoint) -> list[str]:
    """The counter readings a point of this type and scale shows, in exact Wh as decimal text.

    Only for constant scales, as in the simulated devices (their energy scale factor is 0).
    """
    per_unit = EXACT.multiply(WH_PER_UNIT[point.unit], point.scale)
    step_ws = per_unit * 3600
    if point.type.kind == "float":
        raw = (counted_ws / float(step_ws)).astype(np.float32)
        return [f"{EXACT.multiply(Decimal(float(value)), per_unit):f}" for value in raw]
    return [f"{EXACT.multiply(Decimal(steps), per_unit):f}" for steps in _half_even(counted_ws, int(step_ws)).tolist()]


def _half_even(counted_ws: IntArray, step_ws: int) -> IntArray:
    whole, rest = np.divmod(counted_ws, step_ws)
    up = (2 * rest > step_ws) | ((2 * rest == step_ws) & (whole % 2 == 1))
    return np.asarray(whole + up)

"""Prepares registered readings for settlement: order, membership windows, gaps and hourly sums.

It decides who is present in which interval; it shares nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation.rounding import Energy
from hub.core.rules.input_checks import MAX_INTEGER, RejectedInputError, one_line, require_integer
from hub.core.rules.rulebook import Rule
from hub.core.settlement.slot_marks import SlotMarks, plain_marks
from hub.core.settlement.time_netting import net_in_time

MISSING_WH: Final = -1
INPUT_TAG: Final = b"commonwatt settlement input v1\n"

Window = tuple[int, int | None]
Presence = NDArray[np.bool_]


@dataclass(frozen=True)
class Readings:
    """The energy registered at each grid connection; `MISSING_WH` where there is no reading.

    Shape: `surplus_wh` and `demand_wh` are [slots, members]. A member without a window is a member all the time.
    `marks` say where a value is missing because it is held or rejected, and where it is an estimate.
    """

    members: tuple[str, ...]
    slots: tuple[int, ...]
    surplus_wh: Energy
    demand_wh: Energy
    windows: Mapping[str, Window] = field(default_factory=dict)
    marks: Mapping[str, SlotMarks] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedReadings:
    """Readings for the allocation: intervals named by their first slot, zero where a member is not present."""

    slots: tuple[int, ...]
    present: Presence
    provisional: Presence
    surplus_wh: Energy
    demand_wh: Energy


def prepare_readings(readings: Readings, rule: Rule) -> PreparedReadings:
    """Ordered readings with windows, gaps, netting and `aggregate` applied.

    Raises: RejectedInputError for invalid readings or windows, gaps that the rule refuses and incomplete intervals.
    """
    _check_energy(readings)
    inside = membership(readings)
    given = (readings.surplus_wh >= 0) & (readings.demand_wh >= 0)
    gaps = inside & ~given
    if rule.missing == "refuse" and gaps.any():
        row, column = np.argwhere(gaps)[0].tolist()
        where = f"member {one_line(readings.members[column])} in slot {readings.slots[row]}"
        raise RejectedInputError("missing_reading", f"no reading of {where}, and the rule refuses gaps")
    present = inside & given
    surplus = np.where(present, readings.surplus_wh, 0)
    demand = np.where(present, readings.demand_wh, 0)
    provisional: Presence = np.any(gaps, axis=1) | _estimated(readings)
    if (of_quarter := netted_members(readings.members, rule, "15min")).any():
        surplus, demand = net_in_time(surplus, demand, of=of_quarter)
    accepted = PreparedReadings(readings.slots, present, provisional, surplus, demand)
    summed = accepted if rule.aggregate == 1 else _aggregate(accepted, rule.aggregate)
    if not (of_hour := netted_members(readings.members, rule, "60min")).any():
        return summed
    surplus, demand = net_in_time(summed.surplus_wh, summed.demand_wh, of=of_hour)
    return replace(summed, surplus_wh=surplus, demand_wh=demand)


def netted_members(members: Sequence[str], rule: Rule, time: str) -> Presence:
    """The members whose import and export are netted within this time."""
    return np.array([rule.netting_at(member) == time for member in members], dtype=np.bool_)


def put_in_order(readings: Readings) -> Readings:
    """The same readings with members in byte order and slots ascending.

    Raises: RejectedInputError for a slot that occurs twice.
    """
    columns = sorted(range(len(readings.members)), key=lambda i: readings.members[i].encode("utf-8"))
    rows = sorted(range(len(readings.slots)), key=lambda i: readings.slots[i])
    slots = tuple(readings.slots[i] for i in rows)
    for left, right in pairwise(slots):
        if left == right:
            raise RejectedInputError("duplicate_interval", f"slot {left} occurs twice")
    if columns == list(range(len(columns))) and rows == list(range(len(rows))):
        return readings
    return replace(
        readings,
        members=tuple(readings.members[i] for i in columns),
        slots=slots,
        surplus_wh=readings.surplus_wh[np.ix_(rows, columns)],
        demand_wh=readings.demand_wh[np.ix_(rows, columns)],
    )


def digest_inputs(readings: Readings, rule: Rule) -> str:
    """SHA-256 of everything a run settles: rule version, members, windows and every reading. Part of the run key."""
    readings = put_in_order(readings)
    head: dict[str, object] = {
        "rule": rule.version(),
        "members": readings.members,
        "windows": {member: list(window) for member, window in readings.windows.items()},
        "slots": len(readings.slots),
    }
    if marks := plain_marks(readings.marks):
        head["marks"] = marks
    energy = (np.array(readings.slots, dtype=np.int64), readings.surplus_wh, readings.demand_wh)
    return hashlib.sha256(b"".join([INPUT_TAG, canonical_line(head), *map(big_endian, energy)])).hexdigest()


def big_endian(numbers: Energy) -> bytes:
    """64-bit integers as bytes, the same on every machine."""
    return numbers.astype(">i8").tobytes()


def canonical_line(document: Mapping[str, object]) -> bytes:
    """A table as one line of JSON that depends on its content alone."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"


def _check_energy(readings: Readings) -> None:
    shape = (len(readings.slots), len(readings.members))
    for name, energy in (("surplus", readings.surplus_wh), ("demand", readings.demand_wh)):
        if energy.shape != shape or energy.dtype != np.int64:
            raise ValueError(f"{name} is {energy.dtype}{energy.shape}, not int64{shape}")
        if energy.size and int(energy.min()) < MISSING_WH:
            raise RejectedInputError("negative", f"{name} has a negative reading")
        if energy.size and int(energy.max()) > MAX_INTEGER:
            raise RejectedInputError("out_of_range", f"{name} has a reading greater than 2^53-1")


def membership(readings: Readings) -> Presence:
    """Who is a member in which slot. Shape: [slots, members]. Raises: RejectedInputError for an invalid window."""
    inside = np.ones(readings.demand_wh.shape, dtype=np.bool_)
    columns = {member: column for column, member in enumerate(readings.members)}
    slots = np.array(readings.slots, dtype=np.int64)
    for member, (first, end) in readings.windows.items():
        if member not in columns:
            raise RejectedInputError("unknown_member", f"windows names {one_line(member)}, who is not a member")
        where = f"windows.{one_line(member)}"
        here = slots >= require_integer(first, f"{where}[0]")
        if end is not None:
            here &= slots < require_integer(end, f"{where}[1]")
        inside[:, columns[member]] = here
    return inside


def _estimated(readings: Readings) -> Presence:
    """The slots in which someone's value is an estimate: a late reading may still replace it."""
    slots = {slot for marks in readings.marks.values() for slot, _, _ in marks.estimated}
    return np.array([slot in slots for slot in readings.slots], dtype=np.bool_)


def _aggregate(accepted: PreparedReadings, size: int) -> PreparedReadings:
    """Every `size` slots as one interval. A member absent from any slot is left out; a gap makes it provisional."""
    slots = accepted.slots
    if len(slots) % size:
        raise RejectedInputError("interval_count", f"{len(slots)} intervals are not a multiple of {size}")
    starts = slots[::size]
    for start, end in zip(starts, slots[size - 1 :: size], strict=True):
        if end - start != size - 1:
            raise RejectedInputError("interval_count", f"a slot is missing in the group that starts at {start}")
    groups = (len(starts), size, accepted.present.shape[1])
    whole: Presence = np.all(accepted.present.reshape(groups), axis=1)
    energy = (accepted.surplus_wh, accepted.demand_wh)
    surplus, demand = (np.where(whole, wh.reshape(groups).sum(axis=1), 0) for wh in energy)
    provisional: Presence = np.any(accepted.provisional.reshape(groups[:2]), axis=1)
    return PreparedReadings(starts, whole, provisional, surplus, demand)

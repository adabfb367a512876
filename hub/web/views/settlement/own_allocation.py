"""One member's own column from a run's packed allocation record. The other columns never leave this module."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hub.core.settlement.period import RECORD_TAG
from protocols.slots import Slot


@dataclass(frozen=True, slots=True)
class OwnSlot:
    """What a run settled for one member in one interval. Units: Wh.

    Provisional: at least one member's reading is missing. Not present: the member's own reading is missing. None: told
    as a part of the day's sum only, because the quarter hour would tell another home's energy.
    """

    slot: Slot
    is_present: bool
    is_provisional: bool
    surplus_wh: int
    demand_wh: int
    received_wh: int | None
    given_wh: int | None


def own_slots_stated(record: bytes, member: str, day: Mapping[str, Any]) -> tuple[OwnSlot, ...]:
    """The same without the shares that this day of the member's statement leaves out."""
    found = own_slots(record, member)
    if not found:  # the run did not know the member yet: the day has a fee, but no energy
        return ()
    told = [metered is None or wh is not None for metered, wh in zip(day["surplus"], day["received"], strict=True)]
    return tuple(
        slot if known else replace(slot, received_wh=None, given_wh=None)
        for slot, known in zip(found, told, strict=True)
    )


def own_slots(record: bytes, member: str) -> tuple[OwnSlot, ...]:
    """The member's intervals in order; none if the member was not in the run.

    Raises: ValueError if the bytes are not an allocation record.
    """
    head_end = record.find(b"\n", len(RECORD_TAG))
    if not record.startswith(RECORD_TAG) or head_end < 0:
        raise ValueError("not an allocation record")
    head = json.loads(record[len(RECORD_TAG) : head_end])
    members, intervals = list(head["members"]), int(head["intervals"])
    if member not in members:
        return ()
    cells = intervals * len(members)
    present_bytes, provisional_bytes = -(-cells // 8), -(-intervals // 8)
    if len(record) != head_end + 1 + 8 * intervals + present_bytes + provisional_bytes + 4 * 8 * cells:
        raise ValueError("an allocation record of the wrong length")
    at, column = head_end + 1, members.index(member)
    slots = np.frombuffer(record, dtype=">i8", count=intervals, offset=at)
    at += 8 * intervals
    present = _bits(record, at, count=cells).reshape(intervals, len(members))[:, column]
    provisional = _bits(record, at + present_bytes, count=intervals)
    at += present_bytes + provisional_bytes
    own = np.frombuffer(record, dtype=">i8", offset=at).reshape(4, intervals, len(members))[:, :, column]
    return tuple(
        OwnSlot(int(slots[i]), bool(present[i]), bool(provisional[i]), *(int(own[kind, i]) for kind in range(4)))
        for i in range(intervals)
    )


def _bits(record: bytes, offset: int, *, count: int) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(record, dtype=np.uint8, count=-(-count // 8), offset=offset), count=count)

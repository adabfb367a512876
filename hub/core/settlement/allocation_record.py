"""Reads a packed allocation record back into its settlement. `Settlement.record` writes such records."""

from typing import Annotated, Final

import msgspec
import numpy as np

from hub.core.allocation.rounding import Energy
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import RECORD_TAG, Settlement
from hub.core.settlement.slot_marks import SlotMarks

MAX_HEAD_BYTES: Final = 4 * 2**20


class _RecordHead(msgspec.Struct, frozen=True):
    """The line of JSON before the packed columns."""

    rule: str
    members: tuple[str, ...]
    intervals: Annotated[int, msgspec.Meta(ge=0)]
    marks: dict[str, SlotMarks] = {}


def read_record(record: bytes, rule: Rule) -> Settlement:
    """The settlement whose record has exactly these bytes. Raises: ValueError for any other bytes or another rule."""
    settled = _unpack(record, rule)
    if settled.record() != record:
        raise ValueError("not an allocation record, or not one of this rule")
    return settled


def _unpack(record: bytes, rule: Rule) -> Settlement:
    end = record.find(b"\n", len(RECORD_TAG), len(RECORD_TAG) + MAX_HEAD_BYTES) + 1
    if not record.startswith(RECORD_TAG) or not end:
        raise ValueError("not an allocation record: its head is missing")
    try:
        head = msgspec.json.decode(record[len(RECORD_TAG) : end], type=_RecordHead)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not an allocation record: {error}") from None
    members, count = head.members, head.intervals
    cells = count * len(members)
    sizes = [8 * count, -(-cells // 8), -(-count // 8), *[8 * cells] * 4]
    if len(record) != end + sum(sizes):
        raise ValueError(f"not an allocation record: {len(record)} bytes, expected {end + sum(sizes)}")
    parts = []
    for size in sizes:
        parts.append(record[end : end + size])
        end += size
    slots, present, provisional, *energy = parts
    surplus, demand, alloc, sold = (_energy(part).reshape(count, len(members)) for part in energy)
    return Settlement(
        rule=rule,
        members=members,
        slots=tuple(_energy(slots).tolist()),
        present=_bits(present, cells).reshape(count, len(members)),
        provisional=_bits(provisional, count),
        surplus_wh=surplus,
        demand_wh=demand,
        alloc_wh=alloc,
        sold_wh=sold,
        marks=head.marks,
    )


def _energy(packed: bytes) -> Energy:
    return np.frombuffer(packed, dtype=">i8").astype(np.int64)


def _bits(packed: bytes, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count).astype(np.bool_)

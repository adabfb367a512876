"""One quarter hour as the home keeps it for itself, and its form in the file: compact CBOR. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cbor2

from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, Slot
from protocols.wire.readings import LongInterval

MINUTES = SLOT_S // 60

MinuteMeans = tuple[int | None, ...]
"""The mean power of each minute of a quarter hour in W, None where nothing was read. Shape: (MINUTES,)."""


class KeptRowError(ValueError):
    """A stored row is not what this program writes."""


@dataclass(frozen=True, slots=True)
class KeptQuarter:
    """Everything measured in one slot, whatever consent lets out. `minutes`: by device and role, 'meter/grid'."""

    slot: Slot
    values: Mapping[Measure, SlotValue]
    totals: Sequence[LongInterval] = ()
    minutes: Mapping[str, MinuteMeans] = field(default_factory=dict)


def encode_quarter(quarter: KeptQuarter) -> bytes:
    """The energies of a quarter hour as one row's content."""
    values = [
        [int(measure), value.energy_wh, int(value.mark), int(value.gap)]
        for measure, value in sorted(quarter.values.items())
    ]
    totals = [[int(each.measure), each.first_slot, each.slots, each.energy_wh] for each in quarter.totals]
    return cbor2.dumps([values, totals] if totals else [values])


def decode_quarter(slot: Slot, content: bytes) -> KeptQuarter:
    """The quarter hour in a row, without its minutes. Raises: KeptRowError."""
    try:
        values, *rest = cbor2.loads(content)
        found = {Measure(code): SlotValue(energy_wh, Mark(mark), Gap(gap)) for code, energy_wh, mark, gap in values}
        totals = tuple(LongInterval(Measure(code), *each) for code, *each in (rest[0] if rest else ()))
    except (cbor2.CBORDecodeError, TypeError, ValueError, IndexError) as cause:
        raise KeptRowError(f"the row of slot {slot} is damaged: {cause}") from None
    return KeptQuarter(slot, found, totals)


def encode_minutes(minutes: Mapping[str, MinuteMeans]) -> bytes:
    """The minute means of all devices as one row's content: each value as the step from the one before."""
    return cbor2.dumps({place: _steps(means) for place, means in sorted(minutes.items())})


def decode_minutes(slot: Slot, content: bytes) -> dict[str, MinuteMeans]:
    """The minute means in a row. Raises: KeptRowError."""
    try:
        return {str(place): _means(steps) for place, steps in cbor2.loads(content).items()}
    except (cbor2.CBORDecodeError, TypeError, ValueError, AttributeError) as cause:
        raise KeptRowError(f"the minutes of slot {slot} are damaged: {cause}") from None


def _steps(means: MinuteMeans) -> list[int | None]:
    before, steps = 0, list[int | None]()
    for mean in means:
        steps.append(None if mean is None else mean - before)
        before = before if mean is None else mean
    return steps


def _means(steps: Sequence[Any]) -> MinuteMeans:
    before, means = 0, list[int | None]()
    for step in steps:
        before = before if step is None else before + int(step)
        means.append(None if step is None else before)
    return tuple(means)

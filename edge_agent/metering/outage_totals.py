"""The sum over all devices of a measure, and over an outage: once each knows its part, the total of the missing slots.

Pure. A home may have two inverters; while one is silent the sum is missing, although the other keeps counting.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from edge_agent.metering.counters import ClosedCounterSlot, CounterInterval
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot
from protocols.wire.readings import MAX_LONG_SLOTS, LongInterval

DeviceT = TypeVar("DeviceT", bound=Hashable)
MAX_PIECES = 4096
"""Per device; a longer outage ends without a total."""

_WORST = (Mark.MISSING, Mark.PARTIAL, Mark.DERIVED, Mark.MEASURED)


def sum_of_places(parts: Iterable[ClosedCounterSlot]) -> SlotValue:
    """The sum over the points of one measure, marked like the worst of them."""
    closed = tuple(parts)
    worst = next(mark for mark in _WORST if any(each.mark == mark for each in closed))
    gap = next((each.gap for each in closed if each.mark == worst and each.gap != Gap.NONE), Gap.NONE)
    if worst == Mark.MISSING:
        return SlotValue(None, Mark.MISSING, gap)
    return SlotValue(sum(each.energy_wh or 0 for each in closed), worst, gap)


class OutageTotals:
    """The known parts of each measure since its sum was last complete."""

    def __init__(self) -> None:
        self._pieces: dict[Measure, dict[Hashable, list[CounterInterval]]] = {}

    def after(
        self, measure: Measure, slot: Slot, *, closed: Mapping[DeviceT, ClosedCounterSlot]
    ) -> LongInterval | None:
        """The total that ends with this slot, if this slot completes one. Call once for every slot, in order."""
        if all(each.mark in (Mark.MEASURED, Mark.DERIVED) for each in closed.values()):
            self._pieces.pop(measure, None)
            return None
        pieces = self._pieces.setdefault(measure, {})
        for key, each in closed.items():
            mine = pieces.setdefault(key, [])
            if each.long is not None:
                mine.append(each.long)
            elif each.mark in (Mark.MEASURED, Mark.DERIVED) and each.energy_wh is not None:
                mine.append(CounterInterval(slot, 1, each.energy_wh))
            del mine[:-MAX_PIECES]
        total = _total(measure, slot, pieces=list(pieces.values()))
        if total is not None:
            del self._pieces[measure]
        return total


def _total(measure: Measure, slot: Slot, *, pieces: list[list[CounterInterval]]) -> LongInterval | None:
    firsts = [_unbroken_since(mine, slot) for mine in pieces]
    first = max((each for each in firsts if each is not None), default=None)
    if first is None or None in firsts or slot + 1 - first > MAX_LONG_SLOTS:
        return None
    energy_wh = 0
    for mine in pieces:
        inside = [piece for piece in mine if piece.first_slot >= first]
        if not inside or inside[0].first_slot != first:
            return None
        energy_wh += sum(piece.energy_wh for piece in inside)
    return LongInterval(measure, first, slot + 1 - first, energy_wh)


def _unbroken_since(pieces: list[CounterInterval], last: Slot) -> Slot | None:
    """The first slot of the contiguous pieces that end at `last`; None if none ends there."""
    end = last + 1
    for piece in reversed(pieces):
        if piece.first_slot + piece.slots != end:
            break
        end = piece.first_slot
    return None if end == last + 1 else end

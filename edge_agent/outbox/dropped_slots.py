"""Slots that did not fit in a full outbox: counted, reported as gaps with that reason, their energy kept as totals.

Pure. It keeps a first and a last slot and a few totals, however long the outbox is stuck.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.metering.home_meter import ClosedSlot
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.readings import MAX_LONG_INTERVALS, MAX_LONG_SLOTS, LongInterval

MAX_REPORTED_SLOTS = 672
"""A week: older ones get no message; the hub sees them as gaps."""

NOT_KEPT = SlotValue(None, Mark.MISSING, Gap.NOT_KEPT)


class DroppedSlots:
    """Consecutive slots whose values were dropped."""

    def __init__(self) -> None:
        self._slots = range(0)
        self._measures: set[Measure] = set()
        self._totals: list[LongInterval] = []

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, closed: ClosedSlot) -> None:
        """Drop the slot after the last dropped one."""
        first = self._slots.start if self._slots else closed.slot
        self._slots = range(first, closed.slot + 1)
        self._measures.update(closed.values)
        for measure, value in closed.values.items():
            if value.energy_wh is not None and value.mark in (Mark.MEASURED, Mark.DERIVED):
                self._count(LongInterval(measure, closed.slot, 1, value.energy_wh))
        for total in closed.long_intervals:
            self._count(total)

    def slots(self) -> Iterator[ClosedSlot]:
        """The newest of them as gaps, in order; the last one carries the totals."""
        reported = self._slots[-MAX_REPORTED_SLOTS:]
        gaps = dict.fromkeys(sorted(self._measures), NOT_KEPT)
        for slot in reported:
            yield ClosedSlot(slot, gaps, tuple(self._totals) if slot == reported[-1] else ())

    def _count(self, total: LongInterval) -> None:
        """Extend the total that ends where this one begins, or keep both; beyond the limit the oldest are dropped."""
        for at, known in enumerate(self._totals):
            together = known.slots + total.slots
            is_next = known.measure == total.measure and known.first_slot + known.slots == total.first_slot
            if is_next and together <= MAX_LONG_SLOTS:
                energy_wh = known.energy_wh + total.energy_wh
                self._totals[at] = LongInterval(known.measure, known.first_slot, together, energy_wh)
                return
        self._totals.append(total)
        self._totals.sort(key=lambda each: (each.measure, each.first_slot))
        if len(self._totals) > MAX_LONG_INTERVALS:
            self._totals.remove(min(self._totals, key=lambda each: each.first_slot))

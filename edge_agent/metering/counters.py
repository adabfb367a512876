"""Turns one lifetime energy counter into slot energies: what is energy, and what only looks like it.

Pure: readings and boundaries go in, closed slots come out. No device, no clock, no storage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from protocols.quantities import Gap, Mark
from protocols.slots import SLOT_S, Slot

REFRESH_SLACK_S = 300
"""A device may show a counter value this old; two readings may then differ by more than their distance allows."""

UNSEEN_S = SLOT_S * 3 // 2
"""A counter that was at 0 and not seen for this long is not believed when it shows a number."""


class ReadingVerdict(Enum):
    """How one reading was judged."""

    GOOD = "good"
    NOTHING = "nothing"
    """The device answered without a value, or with 0 as sleeping devices do."""
    SUSPECT = "suspect"
    """It counts only once a second reading agrees."""


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """Physical limits of a counter. Units: W, Wh. `step_wh` is the smallest step it can show."""

    max_power_w: int
    step_wh: int = 1
    wraps_wh: int | None = None

    def energy_wh(self, seconds: float) -> float:
        """The most energy that can flow in this time, plus a tenth, plus one counter step."""
        return self.max_power_w * seconds / 3600 * 1.1 + self.step_wh


@dataclass(frozen=True, slots=True)
class CounterReading:
    """A counter reading that is believed, or waits for confirmation. `counter_wh` continues across wraps."""

    at_s: float
    counter_wh: int


@dataclass(frozen=True, slots=True)
class SlotBase:
    """The reading a slot's energy is counted from, taken at the start of `slot`."""

    slot: Slot
    at_s: float
    counter_wh: int


@dataclass(frozen=True, slots=True)
class CounterInterval:
    """Energy between two boundaries that are more than one slot apart."""

    first_slot: Slot
    slots: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class ClosedCounterSlot:
    """What is known of one slot. `energy_wh` is None when missing; `long` ends with this slot."""

    energy_wh: int | None
    mark: Mark
    gap: Gap
    long: CounterInterval | None = None


@dataclass(frozen=True, slots=True)
class _Before:
    """The counter's value before it fell, in case it returns."""

    last: CounterReading
    fell_to_wh: int
    taint: Gap


class CounterMeter:
    """The memory of one counter between boundaries.

    Slot energies and long intervals add up to exactly what the counter counted, except for stretches marked with
    a reason. Not energy: a fall to 0 or back, a rise that no fuse would carry, a return from such an excursion.
    """

    def __init__(self, limits: CounterLimits, base: SlotBase | None = None) -> None:
        self.limits = limits
        self.base = base
        self._last = None if base is None else CounterReading(base.at_s, base.counter_wh)
        self._turns = 0 if base is None or not limits.wraps_wh else base.counter_wh // limits.wraps_wh
        self._suspect: tuple[CounterReading, Gap] | None = None
        self._before: _Before | None = None
        self._taint = Gap.NONE
        self._is_time_uncertain = False

    def add_reading(self, at_s: float, counter_wh: int | None) -> ReadingVerdict:
        """Judge one reading. Units: `counter_wh` as the device shows it, whole Wh."""
        if counter_wh is None:
            return ReadingVerdict.NOTHING
        last = self._last
        if last is None:
            self._last = CounterReading(at_s, counter_wh)
            return ReadingVerdict.GOOD
        if counter_wh == 0 and last.counter_wh > 0:
            return ReadingVerdict.NOTHING
        point = CounterReading(at_s, counter_wh + self._turns * (self.limits.wraps_wh or 0))
        if self._has_returned(point):
            return self._come_back(point)
        if self._follows(last, point):
            return self._believe(point)
        if self.limits.wraps_wh and self._follows(last, wrapped := self._wrap(point)):
            self._turns += 1
            return self._believe(wrapped)
        return self._confirm_fall(last, point)

    @property
    def has_begun_again(self) -> bool:
        """Whether a fall in this slot was confirmed: the counter restarted."""
        return self._taint == Gap.COUNTER_RESET

    def shift(self, by_wh: int) -> None:
        """Shift everything up by this much: only now is it known where the counter started."""
        if self.base is not None:
            self.base = replace(self.base, counter_wh=self.base.counter_wh + by_wh)
        if self._last is not None:
            self._last = replace(self._last, counter_wh=self._last.counter_wh + by_wh)

    def step_time(self, by_s: float) -> None:
        """The clock was changed: earlier readings move with it, and this slot does not have a slot's length."""
        self._is_time_uncertain = True
        if self.base is not None:
            self.base = replace(self.base, at_s=self.base.at_s + by_s)
        if self._last is not None:
            self._last = replace(self._last, at_s=self._last.at_s + by_s)
        if self._suspect is not None:
            point, gap = self._suspect
            self._suspect = replace(point, at_s=point.at_s + by_s), gap

    def open(self, slot: Slot) -> None:
        """Count from the last reading, taken at the start of `slot`. A counter that has a base keeps it."""
        if self.base is None and self._last is not None:
            self.base = SlotBase(slot, self._last.at_s, self._last.counter_wh)

    def close(self, slot: Slot, missed: Gap) -> ClosedCounterSlot | None:
        """Close `slot`. `missed` is NONE if the last reading is the one at the slot's end.

        Otherwise it says why that reading is missing. Returns None for a slot before the first boundary.
        """
        base = self.base
        if missed != Gap.NONE or self._last is None:
            reason = missed if missed != Gap.NONE else Gap.DEVICE_SILENT
            return None if base is None else ClosedCounterSlot(None, Mark.MISSING, self._reason(reason))
        self.base = SlotBase(slot + 1, self._last.at_s, self._last.counter_wh)
        closed = None if base is None else self._closed(base, slot, at=self._last)
        self._taint, self._before, self._is_time_uncertain = Gap.NONE, None, False
        return closed

    def _closed(self, base: SlotBase, slot: Slot, *, at: CounterReading) -> ClosedCounterSlot:
        slots = slot + 1 - base.slot
        energy_wh = at.counter_wh - base.counter_wh
        elapsed_s = max(at.at_s - base.at_s, slots * SLOT_S)
        if self._taint == Gap.NONE and not 0 <= energy_wh <= self.limits.energy_wh(elapsed_s):
            self._taint = Gap.COUNTER_RESET if energy_wh < 0 else Gap.IMPLAUSIBLE
        if self._taint != Gap.NONE:
            return ClosedCounterSlot(None, Mark.MISSING, self._taint)
        if slots == 1 and not self._is_time_uncertain:
            return ClosedCounterSlot(energy_wh, Mark.MEASURED, Gap.NONE)
        gap = Gap.CLOCK_UNTRUSTED if self._is_time_uncertain else Gap.DEVICE_SILENT
        return ClosedCounterSlot(None, Mark.MISSING, gap, CounterInterval(base.slot, slots, energy_wh))

    def _reason(self, missed: Gap) -> Gap:
        if self._suspect is not None:
            return self._suspect[1]
        return self._taint if self._taint != Gap.NONE else missed

    def _follows(self, earlier: CounterReading, later: CounterReading) -> bool:
        rise_wh = later.counter_wh - earlier.counter_wh
        elapsed_s = max(0.0, later.at_s - earlier.at_s)
        if earlier.counter_wh == 0 and rise_wh > 0 and elapsed_s > UNSEEN_S:
            return False
        # A fall within one step is rounding inside the device, not a reset.
        return -self.limits.step_wh < rise_wh <= self.limits.energy_wh(elapsed_s + REFRESH_SLACK_S)

    def _wrap(self, point: CounterReading) -> CounterReading:
        return replace(point, counter_wh=point.counter_wh + (self.limits.wraps_wh or 0))

    def _believe(self, point: CounterReading) -> ReadingVerdict:
        highest = max(point.counter_wh, self._last.counter_wh if self._last else 0)
        self._last = CounterReading(point.at_s, highest)
        self._suspect = None
        return ReadingVerdict.GOOD

    def _confirm_fall(self, last: CounterReading, point: CounterReading) -> ReadingVerdict:
        gap = Gap.COUNTER_RESET if point.counter_wh < last.counter_wh else Gap.IMPLAUSIBLE
        seen = self._suspect
        if seen is None or seen[1] != gap or not self._follows(seen[0], point):
            self._suspect = (point, gap)
            return ReadingVerdict.SUSPECT
        if gap == Gap.COUNTER_RESET:
            self._before = _Before(last, point.counter_wh, self._taint)
        self._taint, self._suspect, self._last = gap, None, point
        return ReadingVerdict.GOOD

    def _has_returned(self, point: CounterReading) -> bool:
        """Whether this step makes up more than half of an earlier fall: then the fall was the error."""
        before, last = self._before, self._last
        if before is None or last is None or not last.counter_wh < before.last.counter_wh <= point.counter_wh:
            return False
        drop_wh = before.last.counter_wh - before.fell_to_wh
        return point.counter_wh - last.counter_wh > drop_wh / 2 and self._follows(before.last, point)

    def _come_back(self, point: CounterReading) -> ReadingVerdict:
        if self._before is not None:
            self._taint = self._before.taint
        self._before = None
        return self._believe(point)

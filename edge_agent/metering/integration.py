"""Energy of a device that has no counter: power integrated over time, in whole numbers, marked as derived.

Pure: samples and boundaries go in, closed slots come out. Trapezoid rule; gaps are not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.metering.counters import ClosedCounterSlot
from protocols.quantities import Gap, Mark
from protocols.slots import SLOT_S

# 1 Wh in units of W times ms, doubled because a trapezoid's area has a factor of one half.
AREA_PER_WH = 2 * 1000 * 3600
_FULL_MS = SLOT_S * 1000


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ms: int
    power_w: int


class PowerMeter:
    """The running integral of one power, split by its sign: `[0]` above zero, `[1]` below.

    Slots get whole Wh and the remainder is carried over, so that the slots add up to the integral.
    """

    def __init__(self, longest_hole_s: float) -> None:
        self._longest_hole_ms = int(longest_hole_s * 1000)
        self._last: _Sample | None = None
        self._areas = [0, 0]
        self._covered_ms = 0
        self._has_begun = False
        self._is_time_doubted = False

    def add_sample(self, at_s: float, power_w: int) -> None:
        """One sample. A sample not later than the one before is ignored."""
        sample = _Sample(round(at_s * 1000), power_w)
        last, self._last = self._last, sample
        if last is None:
            return
        if sample.at_ms <= last.at_ms:
            self._last = last
            return
        length_ms = sample.at_ms - last.at_ms
        if length_ms > self._longest_hole_ms:
            return
        above, below = areas(last.power_w, sample.power_w, length_ms)
        self._areas[0] += above
        self._areas[1] += below
        self._covered_ms += length_ms

    def step_time(self, by_s: float) -> None:
        """The clock was changed: the last sample moves with it, and this slot does not have a slot's length."""
        self._is_time_doubted = True
        if self._last is not None:
            self._last = replace(self._last, at_ms=self._last.at_ms + round(by_s * 1000))

    def open(self) -> None:
        """Count from the last sample, taken at the start of a slot."""
        if not self._has_begun and self._last is not None:
            self._has_begun, self._areas, self._covered_ms = True, [0, 0], 0

    def close(self, missed: Gap) -> tuple[ClosedCounterSlot, ClosedCounterSlot] | None:
        """Close a slot: energy above and below zero. `missed` says why there is no sample at the slot's end.

        Returns None until there was a sample at a boundary.
        """
        covered_ms, self._covered_ms = self._covered_ms, 0
        if not self._has_begun:
            self._has_begun = missed == Gap.NONE and self._last is not None
            self._areas = [0, 0]
            return None
        reason = missed if missed != Gap.NONE else Gap.DEVICE_SILENT
        if self._is_time_doubted:
            reason, self._is_time_doubted = Gap.CLOCK_UNTRUSTED, False
            covered_ms = min(covered_ms, _FULL_MS - 1)
        above, below = (self._drawn(which, covered_ms=covered_ms, reason=reason) for which in (0, 1))
        return above, below

    def _drawn(self, which: int, *, covered_ms: int, reason: Gap) -> ClosedCounterSlot:
        if covered_ms == 0:
            return ClosedCounterSlot(None, Mark.MISSING, reason)
        energy_wh, self._areas[which] = divmod(self._areas[which], AREA_PER_WH)
        if covered_ms >= _FULL_MS:
            return ClosedCounterSlot(energy_wh, Mark.DERIVED, Gap.NONE)
        return ClosedCounterSlot(energy_wh, Mark.PARTIAL, reason)


def areas(first_w: int, second_w: int, length_ms: int) -> tuple[int, int]:
    """Twice the area above and below zero of the line from one sample to the next."""
    if first_w >= 0 and second_w >= 0:
        return (first_w + second_w) * length_ms, 0
    if first_w <= 0 and second_w <= 0:
        return 0, -(first_w + second_w) * length_ms
    crossing_ms = length_ms * abs(first_w) // (abs(first_w) + abs(second_w))
    parts = (abs(first_w) * crossing_ms, abs(second_w) * (length_ms - crossing_ms))
    return parts if first_w > 0 else (parts[1], parts[0])

"""Samples that were taken before now, put through the meter in order of time: which of them end a slot.

Pure: the meter is driven, nothing is read or stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.metering.counters import ReadingVerdict
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from protocols.quantities import Gap
from protocols.slots import Slot, slot_of, start_of


class SampleFeed:
    """A moment is a boundary's when it lies in the window after a slot began; the first good one of a place counts."""

    def __init__(self, metering: HomeMeter, *, window_s: float) -> None:
        self._metering = metering
        self._window_s = window_s
        self._from_s = start_of(metering.next_slot)

    def add_samples(
        self, at_s: float, samples: Mapping[MeasuringPoint, Sample], missed: Gap = Gap.DEVICE_SILENT
    ) -> None:
        """One moment; closes the slots that end at it or ended unseen before, these with `missed` as the reason.

        What lies before the meter's next slot was kept by an earlier run and is passed over.
        """
        if at_s < self._from_s:
            return
        boundary = slot_of(at_s)
        is_boundary = at_s - start_of(boundary) <= self._window_s
        self.miss_through(boundary - 1 if is_boundary else boundary, missed)
        for place, sample in samples.items():
            # What is not good leaves the boundary to the next moment, and after the window to `miss_through`.
            if self._metering.add_sample(place, sample) is not ReadingVerdict.GOOD or not is_boundary:
                continue
            if self._metering.next_of(place) + 1 == boundary:
                self._metering.close(place)
            elif self._metering.next_of(place) == boundary:
                self._metering.open(place)

    def miss_through(self, boundary: Slot, missed: Gap = Gap.DEVICE_SILENT) -> None:
        """Close everything up to this boundary."""
        for place in self._metering.places:
            while self._metering.next_of(place) + 1 <= boundary:
                self._metering.close(place, missed)

"""Samples from the past, given to the meter in time order: which of them close a slot.

Pure: the meter is driven, nothing is read or stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from protocols.quantities import Gap
from protocols.slots import Slot, slot_of, start_of


class SampleFeed:
    """A sample belongs to a boundary if it lies in the window after it; the first good one of a point counts."""

    def __init__(self, metering: HomeMeter, *, window_s: float) -> None:
        self._metering = metering
        self._window_s = window_s
        self._from_s = start_of(metering.next_slot)

    def add_samples(
        self, at_s: float, samples: Mapping[MeasuringPoint, Sample], missed: Gap = Gap.DEVICE_SILENT
    ) -> None:
        """One instant. Closes the slots that end at it, and with `missed` as the reason those without a sample.

        Anything before the meter's next slot was stored by an earlier run and is skipped.
        """
        if at_s < self._from_s:
            return
        boundary = slot_of(at_s)
        is_boundary = at_s - start_of(boundary) <= self._window_s
        self.miss_through(boundary - 1 if is_boundary else boundary, missed)
        for place, sample in samples.items():
            # A bad sample leaves the boundary to the next one, and after the window to `miss_through`.
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

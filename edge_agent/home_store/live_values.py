"""What each measuring point shows now, and the mean power of each minute: for the household itself, in memory.

Pure. Bounded: the minutes of a day, and one value a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import FIELDS_OF_ROLE, HomeMeter, MeasuringPoint, Sample
from protocols.quantities import Measure
from protocols.slots import SLOT_S, Slot, start_of

MINUTES_KEPT = 26 * 60


@dataclass(frozen=True, slots=True)
class LiveValue:
    """The newest power of a point. `at_s`: when it was read; `power_w`: None where the device showed none."""

    at_s: float
    power_w: int | None


class LiveValues:
    """Takes in every reading the meter judged good; hands out the newest values and, once, the minutes of a slot."""

    def __init__(self) -> None:
        self.newest: dict[MeasuringPoint, LiveValue] = {}
        self.refused: dict[MeasuringPoint, int] = {}
        """How many readings since the start could not be true."""
        self._minutes: dict[int, dict[str, tuple[int, int]]] = {}

    def note(self, place: MeasuringPoint, sample: Sample, verdict: ReadingVerdict) -> None:
        """One reading of a point, with what the meter thought of it."""
        if verdict is ReadingVerdict.SUSPECT:
            self.refused[place] = self.refused.get(place, 0) + 1
            return
        power_w = place.bounded_w(sample.power_w)
        self.newest[place] = LiveValue(sample.at_s, power_w)
        if power_w is None:
            return
        minute = self._minutes.setdefault(int(sample.at_s // 60), {})
        key = place_key(place)
        sum_w, count = minute.get(key, (0, 0))
        minute[key] = (sum_w + power_w, count + 1)
        if len(self._minutes) > MINUTES_KEPT:
            del self._minutes[min(self._minutes)]

    def take_minutes(self, slot: Slot) -> Mapping[str, tuple[int | None, ...]]:
        """The minute means of a closed slot by device and role; what is older is dropped with them."""
        first = start_of(slot) // 60
        minutes = [self._minutes.get(minute, {}) for minute in range(first, first + SLOT_S // 60)]
        places = sorted({place for minute in minutes for place in minute})
        for passed in [minute for minute in self._minutes if minute < first + SLOT_S // 60]:
            del self._minutes[passed]
        return {place: tuple(_mean(minute.get(place)) for minute in minutes) for place in places}


class WatchedMeter(HomeMeter):
    """A home's meter that shows every reading and its verdict to `LiveValues`."""

    live: LiveValues | None = None

    def add_sample(self, place: MeasuringPoint, sample: Sample) -> ReadingVerdict:
        """As the home meter does."""
        verdict = super().add_sample(place, sample)
        if self.live is not None:
            self.live.note(place, sample, verdict)
        return verdict

    def running_wh(self) -> dict[Measure, int | None]:
        """What the counters show of each measure beyond the last closed slot; None while that is not certain.

        0 for what is only known when a slot is closed: derived from power, or recalculated there.
        """
        found: dict[Measure, int | None] = {}
        for place in self.places:
            for name, measure in FIELDS_OF_ROLE[place.role].items():
                part, before = self._running_of(place, name), found.get(measure, 0)
                found[measure] = None if part is None or before is None else before + part
        return found

    def _running_of(self, place: MeasuringPoint, name: str) -> int | None:
        if place in self.phases or place in self._powers or self._dc_side.is_inside(place):
            return 0
        meter = self._counters.get((place, name))
        return meter.running_wh if meter is not None and (place, name) in self._good_at else None


def place_key(place: MeasuringPoint) -> str:
    """The name of a point in the home's own history."""
    return f"{place.device}/{place.role}"


def _mean(found: tuple[int, int] | None) -> int | None:
    return None if found is None else round(found[0] / found[1])

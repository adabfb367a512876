"""The home's energies as totals that only ever rise, for programs in the home that count by them.

A total is the sum of the closed quarter hours and outage totals; between them it follows the counters as far as the
meter believes them. What cannot be told holds the last value. What was shown last is written down with each quarter
hour only: after a kill or a power cut a total is not shown before it is certainly no less.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.metering.home_meter import ClosedSlot, MeasuringPoint
from protocols.durable_files import write_durably
from protocols.quantities import Mark, Measure
from protocols.slots import Slot

log = logging.getLogger("commonwatt.agent")

FILE_NAME: Final = "energy_totals.json"
FAR_BACK_SLOTS: Final = 2 * 96
"""A slot so far before the last counted one shows that the clock had been ahead."""

UNSAVED_S: Final = 1800
"""What was shown and not written down flowed in no longer a time: the quarter hour that ran, and one not yet closed."""

MOST_W: Final = 43_000
"""The most power where the settings give none: a large connection of a home."""


@dataclass(slots=True)
class _Total:
    """One measure: what is counted, through which slot, and the highest value shown. Units: Wh.

    `unsure_wh`: how much more may have been shown than `shown_wh` says; 0 if that is exact. `is_behind`: what was shown
    rests on slots that are lost, or were counted before a clock was set back: the next one does not have it all.
    """

    counted_wh: int = 0
    through: Slot = -1
    shown_wh: int = 0
    unsure_wh: int = 0
    is_behind: bool = False

    def add(self, energy_wh: int, *, first: Slot, last: Slot, is_whole: bool = True) -> None:
        """Count the energy of these slots, unless any of them is counted already."""
        if last < self.through - FAR_BACK_SLOTS:
            self.through = first - 1
        if first > self.through:
            if first == self.through + 1 and is_whole and not self.is_behind:
                # What was shown of this time is in it.
                self.unsure_wh = 0
            self.is_behind |= self.unsure_wh > 0
            self.counted_wh += energy_wh
            self.through = last
            self.is_behind = self.is_behind and self.counted_wh < self.shown_wh + self.unsure_wh

    def note_slot(self, slot: Slot) -> None:
        """A slot is over, whatever is known of it. One that was counted before, while values are shown, came twice."""
        self.is_behind |= self.unsure_wh == 0 and slot <= self.through

    def show(self, beyond_wh: int) -> int | None:
        """The total now, with what the counters show beyond it; None while more may have been shown before."""
        total_wh = self.counted_wh + beyond_wh
        if self.unsure_wh and total_wh < self.shown_wh + self.unsure_wh:
            return None
        self.unsure_wh, self.shown_wh = 0, max(self.shown_wh, total_wh)
        return self.shown_wh


class EnergyTotals:
    """The totals of one home, kept over restarts. `running`: what the counters show beyond the last closed slot.

    `most_w`: the most power of each measure, where it is known.
    """

    def __init__(self, folder: Path, *, most_w: Mapping[Measure, int] | None = None) -> None:
        self._path = folder / FILE_NAME
        self.running: Callable[[], Mapping[Measure, int | None]] = dict
        self._totals = _read(self._path, most_w or {})
        self._ready: set[Measure] = set()
        self._is_stuck = False
        if self._totals:
            # From here on more may be shown than is written: a kill must not leave the word of a clean end behind.
            self.save()

    def add(self, closed: Sequence[ClosedSlot]) -> None:
        """Count closed slots; those counted before, as after a restart, count once."""
        for each in closed:
            for measure, value in each.values.items():
                self._ready.add(measure)
                self._total(measure).note_slot(each.slot)
                if value.energy_wh is not None:
                    is_whole = value.mark is not Mark.PARTIAL
                    self._total(measure).add(value.energy_wh, first=each.slot, last=each.slot, is_whole=is_whole)
            for long in each.long_intervals:
                last = long.first_slot + long.slots - 1
                self._total(long.measure).add(long.energy_wh, first=long.first_slot, last=last)
        self.shown_wh()

    def shown_wh(self) -> dict[Measure, int]:
        """Each total now; without those of which nothing has been read since the start, or that are not certain."""
        found: dict[Measure, int] = {}
        running, is_certain_now = self.running(), False
        for measure in sorted({*self._totals, *running}):
            beyond_wh = running.get(measure)
            if beyond_wh is not None:
                self._ready.add(measure)
            total = self._total(measure)
            was_unsure = total.unsure_wh > 0
            shown_wh = total.show(beyond_wh or 0) if measure in self._ready else None
            if shown_wh is not None:
                found[measure] = shown_wh
                is_certain_now |= was_unsure
        if is_certain_now:
            # Once a start: a later kill then counts from what is shown now.
            self.save()
        return found

    def save(self, *, is_end: bool = False) -> None:
        """Write them down, all or nothing; `is_end`: nothing is shown any more. A full disk is logged once.

        Values that were uncertain when they were read stay so for the next start.
        """
        rows: dict[str, list[int | bool]] = {
            each.code: [total.counted_wh, total.through, total.shown_wh, total.unsure_wh, total.is_behind, is_end]
            for each, total in self._totals.items()
        }
        try:
            write_durably(self._path, json.dumps(rows).encode(), replace=True)
            self._is_stuck = False
        except OSError as cause:
            if not self._is_stuck:
                log.error("%s: cannot be written: %s: is the disk full?", self._path, cause.strerror or cause)
            self._is_stuck = True

    def _total(self, measure: Measure) -> _Total:
        return self._totals.setdefault(measure, _Total())


def most_power_w(places: Iterable[MeasuringPoint]) -> dict[Measure, int]:
    """The most power of each measure at these points together; without those of which the settings do not say it."""
    found: dict[Measure, int] = {}
    unknown: set[Measure] = set()
    for place in places:
        for measure in place.measures:
            if place.max_power_w is None:
                unknown.add(measure)
            found[measure] = found.get(measure, 0) + (place.max_power_w or 0)
    return {measure: power_w for measure, power_w in found.items() if measure not in unknown}


def _read(path: Path, most_w: Mapping[Measure, int]) -> dict[Measure, _Total]:
    measures = {measure.code: measure for measure in Measure}
    try:
        rows = json.loads(path.read_bytes())
        return {
            measures[code]: _total_of(*row, most_w=most_w.get(measures[code], MOST_W)) for code, row in rows.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        log.error("%s: cannot be read: the energies for Home Assistant begin at 0 again", path)
        return {}


def _total_of(  # noqa: PLR0917 - a row as it is written
    counted_wh: int,
    through: int,
    shown_wh: int,
    unsure_wh: int = 0,
    is_behind: bool = False,
    is_end: bool = False,
    *,
    most_w: int,
) -> _Total:
    """The total in a row; one that an agent wrote while it showed it may have been shown higher since."""
    since_wh = 0 if is_end or unsure_wh else most_w * UNSAVED_S // 3600
    return _Total(int(counted_wh), int(through), int(shown_wh), int(unsure_wh) or since_wh, bool(is_behind))

"""The home's energies as totals that only ever rise, for programs in the home that count by them.

A total is the sum of the closed quarter hours and outage totals; between them it follows the counters as far as the
meter believes them. What cannot be told holds the last value.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.metering.home_meter import ClosedSlot
from protocols.durable_files import write_durably
from protocols.quantities import Measure
from protocols.slots import Slot

log = logging.getLogger("commonwatt.agent")

FILE_NAME: Final = "energy_totals.json"
FAR_BACK_SLOTS: Final = 2 * 96
"""A slot so far before the last counted one shows that the clock had been ahead."""


@dataclass(slots=True)
class _Total:
    """One measure: what is counted, through which slot, and the highest value shown. Units: Wh."""

    counted_wh: int = 0
    through: Slot = -1
    shown_wh: int = 0

    def add(self, energy_wh: int, *, first: Slot, last: Slot) -> None:
        """Count the energy of these slots, unless any of them is counted already."""
        if last < self.through - FAR_BACK_SLOTS:
            self.through = first - 1
        if first > self.through:
            self.counted_wh += energy_wh
            self.through = last


class EnergyTotals:
    """The totals of one home, kept over restarts. `running`: what the counters show beyond the last closed slot."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.running: Callable[[], Mapping[Measure, int | None]] = dict
        self._totals = _read(self._path)
        self._ready: set[Measure] = set()
        self._is_stuck = False

    def add(self, closed: Sequence[ClosedSlot]) -> None:
        """Count closed slots; those counted before, as after a restart, count once."""
        for each in closed:
            for measure, value in each.values.items():
                self._ready.add(measure)
                if value.energy_wh is not None:
                    self._total(measure).add(value.energy_wh, first=each.slot, last=each.slot)
            for long in each.long_intervals:
                last = long.first_slot + long.slots - 1
                self._total(long.measure).add(long.energy_wh, first=long.first_slot, last=last)
        self.shown_wh()

    def shown_wh(self) -> dict[Measure, int]:
        """Each total now; without those of which nothing has been read since the start."""
        found: dict[Measure, int] = {}
        running = self.running()
        for measure in sorted({*self._totals, *running}):
            beyond_wh = running.get(measure)
            if beyond_wh is not None:
                self._ready.add(measure)
            total = self._total(measure)
            if measure in self._ready:
                total.shown_wh = max(total.shown_wh, total.counted_wh + (beyond_wh or 0))
                found[measure] = total.shown_wh
        return found

    def save(self) -> None:
        """Write them down, all or nothing. A full disk is logged once and stops nothing."""
        rows = {each.code: [total.counted_wh, total.through, total.shown_wh] for each, total in self._totals.items()}
        try:
            write_durably(self._path, json.dumps(rows).encode(), replace=True)
            self._is_stuck = False
        except OSError as cause:
            if not self._is_stuck:
                log.error("%s: cannot be written: %s: is the disk full?", self._path, cause.strerror or cause)
            self._is_stuck = True

    def _total(self, measure: Measure) -> _Total:
        return self._totals.setdefault(measure, _Total())


def _read(path: Path) -> dict[Measure, _Total]:
    measures = {measure.code: measure for measure in Measure}
    try:
        rows = json.loads(path.read_bytes())
        return {measures[code]: _total_of(*row) for code, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        log.error("%s: cannot be read: the energies for Home Assistant begin at 0 again", path)
        return {}


def _total_of(counted_wh: int, through: int, shown_wh: int) -> _Total:
    return _Total(int(counted_wh), int(through), int(shown_wh))

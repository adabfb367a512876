"""Netted import by the calmer side at every moment: of power above zero where it feeds in, below zero where it draws.

Pure arithmetic. While power stays on one side of zero, the other side is still, and its integral has no error at all;
what passed on this side follows from the counters, because import less export is the same however phases are counted.
Each change of sides costs a step of the counters, so the cheapest way through a quarter hour is looked for, reading by
reading. Every way is within its own bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OFTEN_ENOUGH_S: Final = 20.0
"""Readings further apart do not show on which side the power was between them: a hob switches within the minute."""

ABOVE: Final = 0
BELOW: Final = 1


@dataclass(frozen=True, slots=True)
class SidedImport:
    """Netted import and how far it may be off, by what the power changed by and by the counters' steps. Units: Wh."""

    import_wh: float
    spread_wh: float


class CalmerSide:
    """One quarter hour of readings. `step_wh` is the coarser of the two counters' steps."""

    def __init__(self) -> None:
        self._ways: dict[int, SidedImport] = {}
        self._last: tuple[float, int, int | None] | None = None
        self._is_whole = True

    def open(self) -> None:
        """The last reading was taken at the start of a quarter hour."""
        self._ways = {side: SidedImport(0.0, 0.0) for side in (ABOVE, BELOW)}
        self._is_whole = self._last is not None

    def step_time(self, by_s: float) -> None:
        """The clock was changed: the last reading moves with it."""
        if self._last is not None:
            self._last = self._last[0] + by_s, *self._last[1:]

    def add(self, at_s: float, power_w: int | None, difference_wh: int | None, *, step_wh: int) -> None:
        """The total power, and the believed counters' import less export; None where there is none."""
        before, self._last = self._last, None if power_w is None else (at_s, power_w, difference_wh)
        if before is None or power_w is None or not 0 < at_s - before[0] <= OFTEN_ENOUGH_S:
            self._is_whole = False
            return
        length_s, (_, first_w, first_wh) = at_s - before[0], before
        if not self._ways:
            return
        if first_wh is not None:
            self._ways = {side: self._entered(side, step_wh) for side in (ABOVE, BELOW)}
        moved_wh = None if first_wh is None or difference_wh is None else difference_wh - first_wh
        self._ways = {
            side: _longer(way, side, first_w, power_w, length_s=length_s, moved_wh=moved_wh)
            for side, way in self._ways.items()
        }

    def best(self) -> SidedImport | None:
        """The way with the least doubt since the start of the quarter hour; None if the readings do not reach."""
        if not self._is_whole or not self._ways:
            return None
        return min(self._ways.values(), key=lambda way: way.spread_wh)

    def _entered(self, side: int, step_wh: int) -> SidedImport:
        """The cheaper way to be on this side from now on: to stay on it, or to change to it."""
        stay, other = self._ways[side], self._ways[1 - side]
        changed = SidedImport(other.import_wh, other.spread_wh + step_wh)
        return stay if stay.spread_wh <= changed.spread_wh else changed


def _longer(
    way: SidedImport, side: int, first_w: int, last_w: int, *, length_s: float, moved_wh: int | None
) -> SidedImport:
    sign = 1 if side == ABOVE else -1
    first, last = max(0, sign * first_w), max(0, sign * last_w)
    flowed_wh = (first + last) / 2 * length_s / 3600
    spread_wh = way.spread_wh + abs(last - first) / 2 * length_s / 3600
    if side == ABOVE:
        return SidedImport(way.import_wh + flowed_wh, spread_wh)
    if moved_wh is None:
        return SidedImport(way.import_wh, float("inf"))
    return SidedImport(way.import_wh + flowed_wh + moved_wh, spread_wh)

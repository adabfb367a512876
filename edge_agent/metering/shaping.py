"""Refines a counter too coarse for a quarter hour by the power measured between its steps.

Pure. The refined value never leaves the step the counter shows, so over any time both agree to less than a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.metering.integration import AREA_PER_WH, areas


@dataclass(frozen=True, slots=True)
class _Power:
    at_ms: int
    power_w: int


@dataclass(frozen=True, slots=True)
class _Offered:
    """The refined reading, if the meter believes it."""

    fine_wh: int
    shown_wh: int
    area: int
    has_fallen: bool


class CounterShape:
    """One coarse counter and the half of the power that drives it: `[0]` above zero, `[1]` below.

    Where within a step the counter started is unknown; `found_wh` is what the first observed step says about it.
    A reading changes nothing until `confirm_reading` reports that the meter believed it.
    """

    def __init__(self, half: int, longest_hole_s: float, *, begins_at_wh: int | None = None) -> None:
        self._half = half
        self._longest_hole_ms = int(longest_hole_s * 1000)
        self._fine_wh = begins_at_wh
        self._is_placed = begins_at_wh is not None
        self._shown_wh: int | None = None
        self._offered: _Offered | None = None
        self._area = 0
        self._last: _Power | None = None
        self.found_wh = 0

    def refine_reading(self, at_s: float, counter_wh: int | None, *, power_w: int | None, step_wh: int) -> int | None:
        """The refined reading for this coarse one; a missing value, or the 0 of a sleeping device, stays as it is."""
        self.found_wh, self._offered = 0, None
        self._integrate(at_s, power_w)
        if not counter_wh:
            return counter_wh
        before_wh, shown_wh = self._fine_wh, self._shown_wh
        drawn_wh, area = divmod(self._area, AREA_PER_WH)
        fine_wh = counter_wh if before_wh is None else before_wh + drawn_wh
        has_fallen = before_wh is not None and counter_wh + 2 * step_wh <= before_wh
        if has_fallen:
            # It restarted or was misread: the meter behind this decides which.
            fine_wh = counter_wh
        elif not self._is_placed and shown_wh is not None and shown_wh < counter_wh <= shown_wh + step_wh:
            # Less than a step, also where no power was reported: the start was within the step shown then.
            self.found_wh = min(max(0, counter_wh - fine_wh), step_wh - 1)
            self._is_placed = True
        fine_wh = min(max(fine_wh, counter_wh), counter_wh + step_wh - 1)
        if before_wh is not None and not has_fallen:
            # One step back is a flutter or a misread: the path so far was right, or the counter will soon reach it.
            fine_wh = max(fine_wh, before_wh)
        self._offered = _Offered(fine_wh, counter_wh, area, has_fallen)
        return fine_wh

    def confirm_reading(self, *, has_begun_again: bool = False) -> None:
        """The last reading is believed; `has_begun_again` if the meter judged a fall in it to be a restart."""
        if (offered := self._offered) is None:
            return
        self._fine_wh, self._shown_wh, self._area = offered.fine_wh, offered.shown_wh, offered.area
        self._offered = None
        if offered.has_fallen and has_begun_again:
            self._is_placed = False

    def step_time(self, by_s: float) -> None:
        """The clock was changed: the last power sample moves with it."""
        if self._last is not None:
            self._last = replace(self._last, at_ms=self._last.at_ms + round(by_s * 1000))

    def _integrate(self, at_s: float, power_w: int | None) -> None:
        last = self._last
        if power_w is None or (last and round(at_s * 1000) <= last.at_ms):
            return
        self._last = _Power(round(at_s * 1000), power_w)
        if last and self._last.at_ms - last.at_ms <= self._longest_hole_ms:
            self._area += areas(last.power_w, power_w, self._last.at_ms - last.at_ms)[self._half]

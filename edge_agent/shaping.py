"""A counter too coarse for a quarter hour, made fine by the power measured between its steps.

Pure. What comes out never leaves the step the counter shows, so over any time both tell the same to less than a step.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.integration import AREA_PER_WH, areas


@dataclass(frozen=True, slots=True)
class _Power:
    at_ms: int
    power_w: int


class CounterShape:
    """One coarse counter and the half of the power that drives it: `[0]` above zero, `[1]` below.

    Where in a step the counter stood at first cannot be known; `found_wh` is what the first step seen tells of it.
    """

    def __init__(self, half: int, longest_hole_s: float, *, begins_at_wh: int | None = None) -> None:
        self._half = half
        self._longest_hole_ms = int(longest_hole_s * 1000)
        self._fine_wh = begins_at_wh
        self._is_placed = begins_at_wh is not None
        self._shown_wh: int | None = None
        self._area = 0
        self._last: _Power | None = None
        self.found_wh = 0

    def take(self, at_s: float, counter_wh: int | None, *, power_w: int | None, step_wh: int) -> int | None:
        """The fine reading that stands for this coarse one; what is missing, or a sleeper's 0, stays as it is."""
        self.found_wh = 0
        self._integrate(at_s, power_w)
        shown, self._shown_wh = self._shown_wh, counter_wh or self._shown_wh
        if not counter_wh:
            return counter_wh
        fine_wh = counter_wh if self._fine_wh is None else self._fine_wh + self._draw()
        if shown is not None and counter_wh < shown:
            # It began again, or was read wrongly: what that is, the meter behind this decides.
            fine_wh, self._is_placed = counter_wh, False
        if shown is not None and shown < counter_wh <= shown + step_wh and not self._is_placed:
            self.found_wh = max(0, counter_wh - fine_wh)
            self._is_placed = True
        self._fine_wh = min(max(fine_wh, counter_wh), counter_wh + step_wh - 1)
        return self._fine_wh

    def _integrate(self, at_s: float, power_w: int | None) -> None:
        last = self._last
        if power_w is None or (last and round(at_s * 1000) <= last.at_ms):
            return
        self._last = _Power(round(at_s * 1000), power_w)
        if last and self._last.at_ms - last.at_ms <= self._longest_hole_ms:
            self._area += areas(last.power_w, power_w, self._last.at_ms - last.at_ms)[self._half]

    def _draw(self) -> int:
        energy_wh, self._area = divmod(self._area, AREA_PER_WH)
        return energy_wh

"""The time a running agent goes by: the system clock, but never through a jump that nothing confirms.

Once a time was trusted, the boot clock says how much later it is. A system clock that suddenly says something else
is believed if the hub's signed time agrees, or if a time service confirms it for a while. Until then, time goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_agent.metering.clock.trusted import HUB_TOLERANCE_S, PATIENCE_S, BootClock, FindBounds

log = logging.getLogger("commonwatt.agent")

STEP_S = 60.0
"""A time service moves a good clock by less than this; such changes are followed at once."""

CONFIRMED_AFTER_S = 300.0


class ClockGuard:
    """Follows the system clock until a time is trusted, and guards it from then on."""

    def __init__(
        self,
        wall: Callable[[], float],
        *,
        boot_clock: BootClock,
        is_synchronised: Callable[[], bool],
        hub_bounds: FindBounds,
    ) -> None:
        self._wall = wall
        self._boot_clock = boot_clock
        self._is_synchronised = is_synchronised
        self._hub_bounds = hub_bounds
        self._anchor: tuple[float, float] | None = None
        self._stepped_at: float | None = None
        self.off_s = 0.0
        """How far the system clock is from the time of the last look."""

    @property
    def is_held(self) -> bool:
        """Whether the system clock was changed and is not believed."""
        return self._stepped_at is not None

    def trust(self, now_s: float) -> None:
        """It is this time now, whatever the system clock says."""
        self._anchor, self._stepped_at = (now_s, self._boot_clock()), None

    def now(self) -> float:
        """The time, in Unix seconds."""
        wall_s, boot_s = self._wall(), self._boot_clock()
        self.off_s = 0.0
        if self._anchor is None:
            return wall_s
        expected_s = self._anchor[0] + boot_s - self._anchor[1]
        if abs(wall_s - expected_s) <= STEP_S:
            if self._stepped_at is not None:
                log.warning("the system clock is right again")
            self._anchor, self._stepped_at = (wall_s, boot_s), None
            return wall_s
        if self._stepped_at is None:
            self._stepped_at = boot_s
            log.error(
                "the system clock was changed by %+.0f s: not trusted until the hub's signed time or a time service"
                " confirms it; slots go on by the time since this computer started",
                wall_s - expected_s,
            )
        if self._is_confirmed(wall_s, expected_s, stepped_for_s=boot_s - self._stepped_at):
            log.warning("the change of the system clock by %+.0f s is confirmed", wall_s - expected_s)
            self._anchor, self._stepped_at = (wall_s, boot_s), None
            return wall_s
        self.off_s = wall_s - expected_s
        return expected_s

    def _is_confirmed(self, wall_s: float, expected_s: float, *, stepped_for_s: float) -> bool:
        bounds = self._hub_bounds()
        if bounds is not None:
            off_s, was_off_s = abs(bounds.distance_s(wall_s)), abs(bounds.distance_s(expected_s))
            return off_s <= HUB_TOLERANCE_S and off_s <= was_off_s
        return stepped_for_s >= (CONFIRMED_AFTER_S if self._is_synchronised() else PATIENCE_S)

"""A home's three phases: the panels feed the first, the loads draw from all three.

A meter that nets them shows import and export as `physics` counts them; one that counts each phase by itself counts the
same energy more in both directions. The difference of the two directions is the same to the watt-second.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.world.arrays import IntArray
from simulator.world.site import DAY_S, STEP_S, STEPS_PER_DAY

if TYPE_CHECKING:
    from simulator.world.physics import DayFlows, HomePhysics

LOAD_PERCENT: Final = (20, 45, 35)
"""What each phase carries of the load; batteries and turbines are on all three alike."""


def phase_powers_w(power_w: Mapping[str, float]) -> tuple[float, float, float]:
    """The power of each phase at the connection, import +; together they are what the grid gives or takes.

    >>> phase_powers_w({"load": 1000, "solar": 900, "wind": 0, "charge": 0, "discharge": 0})
    (-700.0, 450.0, 350.0)
    """
    shared = (power_w["charge"] - power_w["discharge"] - power_w["wind"]) / 3
    first, second, third = (power_w["load"] * percent / 100 + shared for percent in LOAD_PERCENT)
    return first - power_w["solar"], second, third


class CountedApart:
    """What a meter that counts each phase by itself has counted more than a netting one, in both directions alike."""

    def __init__(self, physics: "HomePhysics") -> None:
        self._physics = physics
        self._until_ws: list[IntArray] = []

    def more_ws(self, at_s: float) -> float:
        """The excess of both counters at an instant, in watt-seconds, from the street's first day on."""
        day, second = divmod(at_s, DAY_S)
        place = int(day) - self._physics.first_day
        while len(self._until_ws) <= place:
            flows = self._physics.day(self._physics.first_day + len(self._until_ws))
            before = int(self._until_ws[-1][-1]) if self._until_ws else 0
            self._until_ws.append(before + _cumulated(flows))
        counted, step = self._until_ws[place], int(second // STEP_S)
        into_s = second - step * STEP_S
        return float(counted[step]) + float(counted[step + 1] - counted[step]) * into_s / STEP_S

    def forget(self) -> None:
        """Count again from the first day: the balance has changed."""
        self._until_ws.clear()


def _cumulated(flows: "DayFlows") -> IntArray:
    load, solar, wind, charge, discharge, bought = (flows.power_w[row] for row in range(6))
    # In hundredths and thirds, so that every sum is exact.
    shared = (charge - discharge - wind) * 100
    phases = [load * percent * 3 + shared - (solar * 300 if n == 0 else 0) for n, percent in enumerate(LOAD_PERCENT)]
    drawn = sum(np.maximum(phase, 0) for phase in phases)
    more_w = np.rint(drawn / 300).astype(np.int64) - bought
    counted = np.zeros(STEPS_PER_DAY + 1, dtype=np.int64)
    np.cumsum(np.maximum(more_w, 0) * STEP_S, out=counted[1:])
    return counted

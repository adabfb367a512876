"""What moving an appliance's run is worth to the neighbourhood, on many paths of net demand at once.

Members play no part here: prompter.py decides whom to ask. Paths are net demand (demand less supply) in Wh per slot;
net demand above zero is drawn from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Floats, Ints
from hub.core.forecasting.scenarios import TOP_HOURS
from protocols.slots import SLOTS_PER_HOUR

HIGH_LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class ShiftValue:
    """What moving one run would be worth. `score_wh` is import relief plus the weighted relief of peak hours.

    `robust_share` is the share of paths on which the move is worth more than nothing.
    """

    usual: int
    proposed: int
    score_wh: float
    relief_wh: float
    peak_relief_wh: float
    robust_share: float


class ShiftPlan:
    """The forecast paths plus everything assigned so far; places count slots from the first one forecast.

    It keeps two accounts. The expected one (each move weighted by its chance) changes the value of the next move. The
    promised one (each move in full) limits how much could arrive in a slot if everybody said yes.
    """

    def __init__(self, net_wh: Floats, *, peak_weight: float, limit_wh: float | None) -> None:
        self._net_wh = net_wh.copy()
        self._peak_weight = peak_weight
        self.is_top = _top_hours(net_wh)
        self._high_wh = np.quantile(net_wh, HIGH_LEVEL, axis=0)
        self._promised_wh = np.zeros(net_wh.shape[1])
        self._ceiling_wh = np.minimum(_expected_peak(net_wh), np.inf if limit_wh is None else limit_wh)

    @property
    def slots(self) -> int:
        """The number of slots forecast."""
        return int(self._net_wh.shape[1])

    def room_wh(self) -> Floats:
        """The energy each slot can still take without a new peak if all promised runs happen and demand is high."""
        return self._ceiling_wh - self._high_wh - self._promised_wh

    def surplus_wh(self, place: int, duration: int) -> float:
        """Expected surplus in a window, before it is used. Shape: a number, 0 or more."""
        return float(np.maximum(-self._net_wh[:, place : place + duration], 0.0).sum(axis=1).mean())

    def peak_risk(self, place: int, duration: int) -> float:
        """Share of paths on which the window touches one of the day's highest hours."""
        return float(self.is_top[:, place : place + duration].any(axis=1).mean())

    def assign(self, usual: int, proposed: int, duration: int, *, energy_wh: float, chance: float) -> None:
        """Add a move to the plan: weighted by its chance to the expected account, in full to the promised one."""
        per_slot = energy_wh / duration
        self._net_wh[:, usual : usual + duration] -= chance * per_slot
        self._net_wh[:, proposed : proposed + duration] += chance * per_slot
        self._promised_wh[proposed : proposed + duration] += per_slot

    def best_move(self, usual: int, targets: Ints, duration: int, *, energy_wh: float) -> ShiftValue | None:
        """The most valuable of the `targets` that have room for the whole run; None if there are none.

        Among moves of equal value to the nearest watt-hour, the one into the slots with the most room wins, then the
        earliest.
        """
        per_slot = energy_wh / duration
        room = np.lib.stride_tricks.sliding_window_view(self.room_wh(), duration).min(axis=1)
        allowed = targets[room[targets] >= per_slot]
        if not len(allowed):
            return None
        net, drawn = self._net_wh, np.maximum(self._net_wh, 0.0)
        added = _window_sums(np.maximum(net + per_slot, 0.0) - drawn, duration)[:, allowed]
        saved = (drawn - np.maximum(net - per_slot, 0.0))[:, usual : usual + duration].sum(axis=1)
        top = _window_sums(self.is_top * per_slot, duration)
        relief, peak_relief = saved[:, None] - added, top[:, usual, None] - top[:, allowed]
        gain = relief + self._peak_weight * peak_relief
        score = gain.mean(axis=0)
        best = int(np.lexsort((allowed, -room[allowed], -np.round(score)))[0])
        return ShiftValue(
            usual=usual,
            proposed=int(allowed[best]),
            score_wh=float(score[best]),
            relief_wh=float(relief[:, best].mean()),
            peak_relief_wh=float(peak_relief[:, best].mean()),
            robust_share=float((gain[:, best] > 0).mean()),
        )


def _window_sums(values: Floats, duration: int) -> Floats:
    """Sums over every window of `duration` slots. Shape: (paths, slots) -> (paths, slots - duration + 1)."""
    total = np.cumsum(values, axis=1)
    sums = total[:, duration - 1 :].copy()
    sums[:, 1:] -= total[:, :-duration]
    return sums


def _top_hours(net_wh: Floats) -> Floats:
    """1 where a slot's hour is among the three with the highest draw on its path in each 24 hours from the issue on."""
    top = np.zeros_like(net_wh)
    for start in range(0, net_wh.shape[1], SLOTS_PER_DAY):
        day = np.maximum(net_wh[:, start : start + SLOTS_PER_DAY], 0.0)
        hours = np.add.reduceat(day, np.arange(0, day.shape[1], SLOTS_PER_HOUR), axis=1)
        highest = np.argsort(-hours, axis=1, kind="stable")[:, :TOP_HOURS]
        is_top = np.zeros_like(hours)
        np.put_along_axis(is_top, highest, 1.0, axis=1)
        is_top *= hours > 0
        top[:, start : start + SLOTS_PER_DAY] = np.repeat(is_top, SLOTS_PER_HOUR, axis=1)[:, : day.shape[1]]
    return top


def _expected_peak(net_wh: Floats) -> Floats:
    """For each slot, the highest median in its 24 hours, counted from the issue: a moved run must stay below it."""
    middle = np.median(net_wh, axis=0)
    peak = np.empty_like(middle)
    for start in range(0, len(middle), SLOTS_PER_DAY):
        peak[start : start + SLOTS_PER_DAY] = middle[start : start + SLOTS_PER_DAY].max()
    return peak

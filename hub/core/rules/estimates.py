"""Estimates for missing values. Only a rule that names a method allows them; they never replace a reading.

Every estimate is recomputed from the readings each time, so a late reading takes its place.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.rules.estimate_rule import EstimateRule
from protocols.slots import SLOTS_PER_UTC_DAY

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

WEEK_SLOTS: Final = 7 * SLOTS_PER_UTC_DAY


def estimate_gaps(energy_wh: Whole, rule: EstimateRule, *, before: Whole | None = None) -> Whole:
    """The series with its gaps filled by the rule, in whole Wh rounded down; known values stay unchanged.

    Units: Wh, -1 where nothing is known.

    `before` has the values of the same slots one week earlier, two weeks earlier and so on, [weeks, slots].
    Without it, the earlier part of the series is used.

    >>> estimate_gaps(np.array([100, -1, -1, 130]), EstimateRule("straight_line")).tolist()
    [100, 110, 120, 130]
    """
    filled = energy_wh.copy()
    missing = energy_wh < 0
    if rule.method != "none" and missing.any():
        past = _own_past(energy_wh, rule.weeks) if before is None else before[: rule.weeks]
        for start, stop in _gaps(missing):
            if stop - start > rule.longest:
                continue
            if rule.method == "straight_line":
                filled[start:stop] = _line(energy_wh, start, stop)
            else:
                filled[start:stop] = [_middle(past[:, place], rule) for place in range(start, stop)]
    return filled


def _own_past(energy: Whole, weeks: int) -> Whole:
    past = np.full((weeks, len(energy)), -1, dtype=np.int64)
    for week in range(1, weeks + 1):
        shift = week * WEEK_SLOTS
        past[week - 1, shift:] = energy[: max(0, len(energy) - shift)]
    return past


def _gaps(missing: Truth) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _line(energy: Whole, start: int, stop: int) -> Whole | int:
    if start == 0 or stop == len(energy):
        return -1
    before, after = int(energy[start - 1]), int(energy[stop])
    steps = np.arange(1, stop - start + 1)
    line: Whole = before + (after - before) * steps // (stop - start + 1)
    return line


def _middle(past: Whole, rule: EstimateRule) -> int:
    """The median of the same slot in earlier weeks, rounded down; -1 if too few weeks are known."""
    known = sorted(past[past >= 0].tolist())
    if len(known) < rule.least:
        return -1
    middle: int = (known[(len(known) - 1) // 2] + known[len(known) // 2]) // 2
    return middle

"""Estimates for missing values. Only a rule that names a method allows them; they never replace a reading.

Every estimate is recomputed from the readings each time, so a late reading takes its place.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from protocols.slots import SLOTS_PER_UTC_DAY

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

WEEK_SLOTS: Final = 7 * SLOTS_PER_UTC_DAY

Method = Literal["none", "straight_line", "same_time_of_week"]
METHODS_OF_ESTIMATE: Final[dict[str, Method]] = {
    "none": "none",
    "straight_line": "straight_line",
    "same_time_of_week": "same_time_of_week",
}
MOST_WEEKS: Final = 8


@dataclass(frozen=True, slots=True)
class EstimateRule:
    """How the rulebook fills gaps of up to `longest` slots; longer gaps stay gaps.

    `none`: all gaps stay. `straight_line`: values on a line between those before and after the gap.
    `same_time_of_week`: the median of the same quarter hour in the last `weeks` weeks, if it is known in at least
    `least` of them.
    """

    method: Method = "none"
    longest: int = 4
    weeks: int = 4
    least: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS_OF_ESTIMATE:
            raise ValueError(f"{self.method} is not a way to estimate: use one of {', '.join(METHODS_OF_ESTIMATE)}")
        if self.longest < 1 or not 1 <= self.least <= self.weeks <= MOST_WEEKS:
            raise ValueError(f"an estimate needs a longest gap of 1 or more, and 1 <= least <= weeks <= {MOST_WEEKS}")


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

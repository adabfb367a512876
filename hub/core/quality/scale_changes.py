"""Homes whose grid meter began to count more of everything, as after a changed factor or a wrong transformer ratio.

Two explanations of a home's last days are weighed against each other: the meter counts as before, or times a factor.
Each implies what the home used, grid and own production together, and the likelier is the one under which it used what
it usually does. The difference of their logarithms is the evidence, in nats; independent witnesses add up:

- what the home makes: with a wrong factor, each cloud and each gust seems to change what the home uses;
- its appliances: each draws the same power every day;
- its habits by hour, less what the cold and the whole street changed. They drift for weeks, so they weigh little.

Source: sums of logarithms of likelihood ratios against limits, E. S. Page, Continuous inspection schemes, 1954.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.forecasting.day_grid import Bools, Floats
from hub.core.quality.cold_days import BLOCKS, cold_excess
from hub.core.quality.usual_use import (
    known_median,
    log_share_above,
    log_steps,
    log_use,
    medians_of_others,
    step_densities,
    step_log_density,
    use_densities,
    use_log_density,
)

DAYS: Final = 3
MANY_DAYS: Final = 28
DAYS_BEFORE: Final = 42
LEAST_DAYS: Final = 21
LEAST_HOMES: Final = 5
HOMES_AT_ONCE: Final = 100
HABIT_WEIGHT: Final = 0.06
HABIT_WEIGHT_OF_A_MAKER: Final = 0.12
STREET_WEIGHT: Final = 0.8
LARGEST: Final = 6.0
LARGEST_STEP: Final = 4.0
LEAST_STEP_WH: Final = 200.0
STILL_WH: Final = 15.0
"""Where a battery holds the meter at zero, the meter's factor shows nothing."""
FACTORS: Final[Mapping[int, Sequence[float]]] = {DAYS: (1.5, 2.2, 3.3, 5, 10, 30, 100, 1000), MANY_DAYS: (1.1,)}
"""The spans of days, and the factors that are looked for in each."""
LEAST_NATS: Final[Mapping[int, float]] = {DAYS: 5.0, MANY_DAYS: 12.0}
LEAST_NATS_OF_A_MAKER: Final[Mapping[int, float]] = {DAYS: 3.0, MANY_DAYS: 12.0}
"""Evidence of a finding. Over a month habits drift, so it takes more; a home that makes energy is far below zero on
almost every day without a wrong factor, so it takes less."""
PERCENT_FACTORS: Final = (1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7, 2, 2.5, 3, 4, 5, 7, 10, 20, 30, 50, 100, 300, 1000)


@dataclass(frozen=True, slots=True)
class StreetDays:
    """Energy of a street's last days, oldest first, NaN where it is unknown. Shape: [days, 96, homes], Wh.

    `net_wh` is import less export. `made_wh` is what sun, wind and batteries gave less what batteries took, 0 in a home
    that makes nothing. `heat` is the heat demand of the outdoor temperature, 0 without weather; shape [days, 96].
    """

    net_wh: Floats
    made_wh: Floats
    heat: Floats


@dataclass(frozen=True, slots=True)
class ScaleChange:
    """A home whose last `days` are about this percentage of what is usual for it; `score` is the evidence in nats."""

    home: str
    percent: int
    days: int
    score: float


def find_scale_changes(homes: Sequence[str], street: StreetDays) -> tuple[ScaleChange, ...]:
    """The homes that began to count more.

    Needs 45 days and five homes, otherwise nothing is found; 70 days are used.
    """
    shifts = {days: street_shifts(street, days) for days in FACTORS if _is_long_enough(street, days)}
    found = (scale_change(home, column, street, shifts) for column, home in enumerate(homes))
    return tuple(each for each in found if each is not None)


def scale_change(
    home: str, column: int, street: StreetDays, shifts: Mapping[int, Floats] | None = None
) -> ScaleChange | None:
    """The change of the home in this column, if any; of two spans the one with more evidence than it needs.

    `shifts` are the street's for each span, if they are known: working them out takes as long for one home as for all.
    """
    if street.net_wh.shape[2] < LEAST_HOMES:
        return None
    use = np.maximum(street.net_wh[:, :, column] + street.made_wh[:, :, column], 0.0)
    steps = log_steps(use, np.isfinite(use) & (street.made_wh[:, :, column] == 0))
    best, most = None, 1.0
    for days, factors in FACTORS.items():
        if not _is_long_enough(street, days):
            continue
        shift = shifts[days] if shifts is not None else street_shifts(street, days)
        case = _case(street, column, days, steps=steps, street_shift=shift[:, :, column])
        if case is None:
            continue
        nats = max(case.evidence(factor) for factor in factors)
        share = nats / (LEAST_NATS_OF_A_MAKER if case.is_maker else LEAST_NATS)[days]
        if share > most:
            likeliest = max(PERCENT_FACTORS, key=case.evidence)
            best, most = ScaleChange(home, round(100 * likeliest), days, round(nats, 1)), share
    return best


@dataclass(frozen=True, slots=True)
class _Case:
    """A home's last days and what is usual for it. Shape: [days, 96] but for the densities.

    `as_counted` is the logarithm of how likely the use is if the meter counts as before, `is_below` where that use is
    less than nothing, and `weight` how much each quarter hour says, 0 for nothing.
    """

    net_wh: Floats
    made_wh: Floats
    usual_shift: Floats
    steps: Floats
    use_densities: Floats
    step_densities: Floats | None
    is_maker: bool
    as_counted: Floats
    is_below: Bools
    weight: Floats

    def evidence(self, factor: float) -> float:
        """The evidence for this factor, in nats; below zero it speaks against."""
        return self._by_use(factor) + self._by_steps(factor)

    def _by_use(self, factor: float) -> float:
        use = self.net_wh / factor + self.made_wh
        ratio = _likely(use, self.use_densities, self.usual_shift) - self.as_counted - np.log(factor)
        # Nobody uses less than nothing.
        below = use < 1
        ratio = np.where(self.is_below, LARGEST, np.where(below, -LARGEST, np.clip(ratio, -LARGEST, LARGEST)))
        says_nothing = (self.weight == 0) | (self.is_below & below)
        return float((np.where(says_nothing, 0.0, ratio) * self.weight).sum())

    def _by_steps(self, factor: float) -> float:
        """How well the large steps fit; how many there are says nothing, because that is a habit."""
        if self.step_densities is None:
            return 0.0
        shift, least = float(np.log(factor)), float(np.log(LEAST_STEP_WH))
        large = self.steps[self.steps > least + shift]
        ratio = step_log_density(self.step_densities, large - shift) - step_log_density(self.step_densities, large)
        ratio -= log_share_above(self.step_densities, least) - log_share_above(self.step_densities, least + shift)
        return float(np.clip(ratio, -LARGEST_STEP, LARGEST_STEP).sum())


def _is_long_enough(street: StreetDays, days: int) -> bool:
    return len(street.net_wh) >= days + DAYS_BEFORE


def _case(street: StreetDays, column: int, days: int, *, steps: Floats, street_shift: Floats) -> _Case | None:
    """The home's last days beside the 42 before them; None if too little of either is known."""
    span, new = slice(-days - DAYS_BEFORE, None), slice(DAYS_BEFORE, None)
    net, made = street.net_wh[span, :, column], street.made_wh[span, :, column]
    use = np.maximum(net + made, 0.0)
    known = np.isfinite(use)
    if _days_known(known[:DAYS_BEFORE]) < LEAST_DAYS or _days_known(known[new]) < (days + 1) // 2:
        return None
    cold = cold_excess(use, street.heat[span], past_days=DAYS_BEFORE)
    shift = STREET_WEIGHT * np.repeat(street_shift, use.shape[1] // BLOCKS, axis=1) if cold is None else cold
    steps = steps[span]
    is_maker = bool((np.nan_to_num(made) != 0).any())
    past = use_densities(log_use(use[:DAYS_BEFORE]) - shift[:DAYS_BEFORE])
    counted = net[new] + made[new]
    return _Case(
        *(net[new], made[new], shift[new], steps[new], past, step_densities(steps[:DAYS_BEFORE]), is_maker),
        as_counted=_likely(counted, past, shift[new]),
        is_below=counted < 1,
        weight=_weight(net[new], made[new], is_maker=is_maker),
    )


def _likely(use: Floats, densities: Floats, shift: Floats) -> Floats:
    """The logarithm of how likely each use is."""
    logs = log_use(use)
    return use_log_density(densities, logs - shift) - logs


def _weight(net: Floats, made: Floats, *, is_maker: bool) -> Floats:
    """How much each quarter hour says: the more, the larger the home's own production is beside what it exchanges."""
    part = np.nan_to_num(np.abs(made) / np.maximum(np.abs(made) + np.abs(net), 1.0))
    own = np.minimum(1.0, 2 * part)
    habit = HABIT_WEIGHT_OF_A_MAKER if is_maker else HABIT_WEIGHT
    says_nothing = ~np.isfinite(net + made) | ((made != 0) & (np.abs(net) <= STILL_WH))
    return np.where(says_nothing, 0.0, own + (1 - own) * habit)


def _days_known(known: Bools) -> int:
    """Days of which at least four hours are known."""
    return int((known.mean(axis=1) >= 1 / BLOCKS).sum())


def street_shifts(street: StreetDays, days: int) -> Floats:
    """For each home, how far the middle of the others is from its own past, in logarithms. Shape: [days, 6, homes]."""
    homes = street.net_wh.shape[2]
    # Some homes at a time: sorting them takes several times the memory of what is sorted.
    parts = [
        _from_own_past(street, days, slice(first, first + HOMES_AT_ONCE)) for first in range(0, homes, HOMES_AT_ONCE)
    ]
    return np.nan_to_num(medians_of_others(np.concatenate(parts, axis=2)))


def _from_own_past(street: StreetDays, days: int, homes: slice) -> Floats:
    span = slice(-days - DAYS_BEFORE, None)
    use = street.net_wh[span, :, homes] + street.made_wh[span, :, homes]
    logs = log_use(known_median(use.reshape(len(use), BLOCKS, -1, use.shape[2]), axis=2))
    own: Floats = logs - known_median(logs[:DAYS_BEFORE])
    return own

"""Estimates what the neighbourhood produces and uses from sums over its homes, with one rule for gaps and scaling."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.rules.group_size import GroupRule
from protocols.quantities import Measure

Floats = NDArray[np.float64]

REPORTING_SHARE_MIN: Final = 0.5
"""If less than this share of the usual homes reported a measure in a slot, the slot is a gap, not a small number."""

MEASURES: Final = (
    Measure.GRID_IMPORT,
    Measure.GRID_EXPORT,
    Measure.PV_PRODUCTION,
    Measure.WIND_PRODUCTION,
    Measure.BATTERY_CHARGE,
    Measure.BATTERY_DISCHARGE,
)
MADE: Final = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)
STORED: Final = (Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE)


@dataclass(frozen=True, slots=True)
class MeasureSums:
    """One measure over contiguous slots. Units: Wh. Shape: both (slots,); `homes` is how many homes reported it."""

    energy_wh: NDArray[np.int64]
    homes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Units: Wh per slot; NaN is a gap. Shape: every array is (slots,).

    `demand_wh` is what the homes used, `pv_wh` and `wind_wh` what they produced; wind is 0 without turbines.
    `in_use` is what one to four homes make or store and therefore is in `demand_wh` instead: see CountedMeasures.
    """

    demand_wh: Floats
    pv_wh: Floats
    wind_wh: Floats
    in_use: frozenset[Measure] = frozenset()


@dataclass(frozen=True, slots=True)
class CountedMeasures:
    """What is added up by measure. `left_in_use` is the kind of production that only one to four homes have.

    A sum by measure over one to four homes would be theirs, so their production, and what one to four batteries take
    and give, is left in the use: the street uses less, and what is beyond its use counts as that kind of production.
    """

    measures: tuple[Measure, ...]
    left_in_use: Measure | None = None

    @property
    def made(self) -> tuple[Measure, ...]:
        """The kinds of production among them."""
        return tuple(measure for measure in self.measures if measure in MADE)

    def in_use(self, homes: Mapping[Measure, Set[str]]) -> frozenset[Measure]:
        """What of that which these homes send is left in the use."""
        return frozenset(m for m in (*MADE, *STORED) if homes.get(m) and m not in self.measures)


def counted_measures(homes: Mapping[Measure, Set[str]], rule: GroupRule) -> CountedMeasures:
    """What may be added up where these homes send each measure.

    >>> few, many = {"h1"}, {f"h{n}" for n in range(2, 8)}
    >>> found = counted_measures({Measure.PV_PRODUCTION: many, Measure.WIND_PRODUCTION: few}, GroupRule())
    >>> found.made, found.left_in_use
    ((<Measure.PV_PRODUCTION: 3>,), <Measure.WIND_PRODUCTION: 4>)
    """
    batteries = frozenset[str]().union(*(homes.get(measure, ()) for measure in STORED))
    few = [measure for measure in MADE if not rule.allows(homes.get(measure, frozenset()))]
    left = few[0] if len(few) == 1 else None
    counted = [m for m in MEASURES if m != left and (m not in STORED or rule.allows(batteries))]
    return CountedMeasures(tuple(counted), left)


def estimate_neighbourhood(
    sums: Mapping[Measure, MeasureSums],
    *,
    slots: int,
    usual: Mapping[Measure, int] | None = None,
    left_in_use: Measure | None = None,
) -> Neighbourhood:
    """The neighbourhood in these slots, scaled to all homes that usually report.

    In each slot the sum of a measure is multiplied by usual homes / reporting homes. Unless it is given in `usual`, the
    usual number is the largest number of homes that reported the measure in any one slot of the last seven days. A slot
    in which fewer than half of them reported is a gap. Energy used is import - export + production + discharging -
    charging, so a home that shares only its meter readings counts with what it draws from the grid. Agents send
    production and battery so that they balance on the AC side, without the battery's and the inverter's losses.
    `left_in_use`: see CountedMeasures; `sums` is without it.
    """
    scaled = {measure: _scaled(sums.get(measure), slots, (usual or {}).get(measure)) for measure in MEASURES}
    grid = scaled[Measure.GRID_IMPORT] - scaled[Measure.GRID_EXPORT]
    battery = scaled[Measure.BATTERY_DISCHARGE] - scaled[Measure.BATTERY_CHARGE]
    made = scaled[Measure.PV_PRODUCTION] + scaled[Measure.WIND_PRODUCTION]
    used = grid + made + battery
    beyond = {left_in_use: np.maximum(-used, 0.0)}
    return Neighbourhood(
        demand_wh=np.maximum(used, 0.0),
        pv_wh=scaled[Measure.PV_PRODUCTION] + beyond.get(Measure.PV_PRODUCTION, 0.0),
        wind_wh=scaled[Measure.WIND_PRODUCTION] + beyond.get(Measure.WIND_PRODUCTION, 0.0),
    )


def _scaled(sums: MeasureSums | None, slots: int, usual: int | None) -> Floats:
    if sums is None or not sums.homes.any():
        return np.full(slots, np.nan) if usual else np.zeros(slots)
    if usual is None:
        usual = int(sums.homes[-7 * 96 :].max()) or int(sums.homes.max())
    reporting = sums.homes >= max(1.0, usual * REPORTING_SHARE_MIN)
    factor = usual / np.maximum(sums.homes, 1)
    return np.where(reporting, sums.energy_wh * factor, np.nan)

"""What is wrong with a home's slot values, as findings that people can read, based on the home's own series alone.

settlement_check.py decides which grid readings are held back from settlement, and neighbour_checks.py compares homes.
Findings made in this module change nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import Ints
from hub.core.forecasting.sun_position import sun_elevation_deg
from protocols.quantities import Gap, Measure
from protocols.slots import SLOT_S, SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY, Slot, format_slot, start_of

Bools = NDArray[np.bool_]
Severity = Literal["note", "check", "hold"]

SETTLED: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
MADE: Final = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION, Measure.BATTERY_DISCHARGE)
NIGHT_DEG: Final = -6.0


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """The limits beyond which something is a finding; a board may set them.

    `plate_percent` is the share of the nameplate a slot may reach. Tolerances are in Wh per slot or in percent.
    """

    plate_percent: int = 102
    same_value_slots: int = 16
    same_value_wh: int = 100
    night_wh: int = 5
    balance_wh: int = 20
    balance_percent: int = 2
    register_wh: int = 100
    register_percent: int = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should see: a code for programs, numbers by name, and one plain sentence.

    It concerns `slots` slots from `first_slot` on; `measure` is None where it concerns the home as a whole.
    """

    code: str
    home: str
    measure: Measure | None
    first_slot: Slot
    slots: int
    numbers: tuple[tuple[str, int], ...]
    sentence: str
    severity: Severity


@dataclass(frozen=True)
class HomeSlots:
    """A home's values on contiguous slots: -1 where nothing is known, with the reason in `gaps`.

    Units: Wh; `nameplate_w` in W. `integral_wh` is the integral of power, for devices that report both a
    counter and power. Shape: every array is (slots,).
    """

    home: str
    first_slot: Slot
    energy_wh: Mapping[Measure, Ints]
    gaps: Mapping[Measure, NDArray[np.int8]] = field(default_factory=dict)
    nameplate_w: Mapping[Measure, int] = field(default_factory=dict)
    integral_wh: Mapping[Measure, Ints] = field(default_factory=dict)

    def finding(
        self, code: str, measure: Measure | None, *, run: slice, severity: Severity, sentence: str, **numbers: int
    ) -> Finding:
        """A finding about a run of these slots; the start of the run is added to the sentence."""
        first = self.first_slot + run.start
        length = run.stop - run.start
        return Finding(
            code,
            self.home,
            measure,
            first,
            length,
            tuple(numbers.items()),
            f"{sentence} from {format_slot(first)} on.",
            severity,
        )


def find_all(
    home: HomeSlots, *, place_deg: tuple[float, float] | None = None, limits: QualityLimits | None = None
) -> tuple[Finding, ...]:
    """Every finding of this module, by slot; without `place_deg` (latitude, longitude) the sun is not considered."""
    bounds = limits or QualityLimits()
    found = [
        *find_missing(home),
        *find_frozen(home, bounds),
        *find_impossible(home, bounds),
        *find_unbalanced(home, bounds),
        *find_register_errors(home, bounds),
    ]
    if place_deg is not None:
        found += find_night_sun(home, bounds, place_deg=place_deg)
    return tuple(sorted(found, key=lambda finding: (finding.first_slot, finding.code, finding.measure or 0)))


def find_missing(home: HomeSlots) -> Iterator[Finding]:
    """One finding for all slots that cannot be settled because one or both directions of the grid meter are unknown."""
    grid = [home.energy_wh[measure] for measure in SETTLED if measure in home.energy_wh]
    missing = np.any([energy < 0 for energy in grid], axis=0) if grid else np.zeros(0, dtype=np.bool_)
    if not missing.any():
        return
    reasons = [home.gaps[measure][home.energy_wh[measure] < 0] for measure in SETTLED if measure in home.gaps]
    reason = Gap(int(np.bincount(np.concatenate(reasons)).argmax())) if reasons else Gap.NONE
    places, count = np.flatnonzero(missing), int(missing.sum())
    span = slice(int(places[0]), int(places[-1]) + 1)
    why = f" because {reason.label}" if reason else ""
    yield home.finding(
        "gap",
        None,
        run=span,
        severity="note",
        sentence=f"The grid meter's reading is missing for {_quarters(slice(0, count))}{why},",
        missing=count,
        reason=int(reason),
    )


def find_frozen(home: HomeSlots, limits: QualityLimits) -> Iterator[Finding]:
    """The same value again and again, except for batteries, which may charge at constant power for hours, and the grid
    meter, which settlement_check.py checks.
    """
    for measure, energy in home.energy_wh.items():
        if measure in {*SETTLED, Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE}:
            continue
        same = np.append(False, (np.diff(energy) == 0) & (energy[1:] >= limits.same_value_wh))
        for run in runs(same, least=limits.same_value_slots - 1):
            whole = slice(run.start - 1, run.stop)
            yield home.finding(
                "frozen_value",
                measure,
                run=whole,
                severity="check",
                sentence=f"{int(energy[run.start])} Wh {measure.label} in each of {_quarters(whole)}",
                energy_wh=int(energy[run.start]),
            )


def find_impossible(home: HomeSlots, limits: QualityLimits) -> Iterator[Finding]:
    """More energy in a slot than the nameplate allows; settlement_check.py checks the grid meter."""
    for measure, plate_w in home.nameplate_w.items():
        if measure in SETTLED or measure not in home.energy_wh:
            continue
        energy, most_wh = home.energy_wh[measure], plate_w * limits.plate_percent // (100 * SLOTS_PER_HOUR)
        for run in runs(energy > most_wh):
            peak = int(energy[run].max())
            yield home.finding(
                "impossible",
                measure,
                run=run,
                severity="check",
                sentence=f"{peak} Wh {measure.label} in a quarter hour is more than the {most_wh} Wh possible",
                energy_wh=peak,
                most_wh=most_wh,
            )


def find_night_sun(home: HomeSlots, limits: QualityLimits, *, place_deg: tuple[float, float]) -> Iterator[Finding]:
    """Solar energy in slots in which the sun stays more than 6 degrees below the horizon (after civil twilight)."""
    energy = home.energy_wh.get(Measure.PV_PRODUCTION)
    if energy is None:
        return
    night = night_slots(home.first_slot, len(energy), place_deg=place_deg)
    for run in runs(night & (energy > limits.night_wh)):
        total = int(energy[run].sum())
        yield home.finding(
            "night_sun",
            Measure.PV_PRODUCTION,
            run=run,
            severity="check",
            sentence=f"{total} Wh made by the solar panels at night, in {_quarters(run)}",
            energy_wh=total,
        )


def find_unbalanced(home: HomeSlots, limits: QualityLimits) -> Iterator[Finding]:
    """Slots in which a home gave away more than it had: export + charging > import + production + discharging.

    Only slots in which every measure of the home is known are checked. This reveals unreported devices and wrong signs.
    """
    energy = {measure: wh for measure, wh in home.energy_wh.items() if measure is not Measure.SUBMETER}
    if not set(SETTLED) <= set(energy) or not set(MADE) & set(energy):
        return
    count = len(energy[Measure.GRID_IMPORT])
    known = np.all([wh >= 0 for wh in energy.values()], axis=0)
    nothing = np.zeros(count, dtype=np.int64)
    had = sum((energy.get(measure, nothing) for measure in (Measure.GRID_IMPORT, *MADE)), nothing)
    gave = sum((energy.get(measure, nothing) for measure in (Measure.GRID_EXPORT, Measure.BATTERY_CHARGE)), nothing)
    allowed = limits.balance_wh + had * limits.balance_percent // 100
    for run in runs(known & (gave - had > allowed)):
        worst = int((gave - had)[run].max())
        yield home.finding(
            "unbalanced",
            None,
            run=run,
            severity="check",
            sentence=f"The home gave away up to {worst} Wh more than it had, in {_quarters(run)}",
            excess_wh=worst,
        )


def find_register_errors(home: HomeSlots, limits: QualityLimits) -> Iterator[Finding]:
    """UTC days on which a counter and the integral of power differ, over the slots that have both."""
    for measure, integral in home.integral_wh.items():
        energy = home.energy_wh.get(measure)
        if energy is None:
            continue
        both = (energy >= 0) & (integral >= 0)
        for run in utc_days(home.first_slot, len(energy)):
            here = both[run]
            by_counter, by_power = int(energy[run][here].sum()), int(integral[run][here].sum())
            allowed = max(limits.register_wh, max(by_counter, by_power) * limits.register_percent // 100)
            if abs(by_counter - by_power) > allowed:
                yield home.finding(
                    "register",
                    measure,
                    run=run,
                    severity="check",
                    sentence=f"Energy {measure.label} is {by_counter} Wh by the counter and {by_power} Wh by power",
                    counter_wh=by_counter,
                    power_wh=by_power,
                )


@lru_cache(maxsize=4)
def night_slots(first_slot: Slot, count: int, *, place_deg: tuple[float, float]) -> Bools:
    """The slots in which the sun is below -6 degrees throughout, checked every five minutes."""
    instants = start_of(first_slot) + np.arange(3 * count + 1, dtype=np.float64) * (SLOT_S / 3)
    dark = sun_elevation_deg(instants, latitude_deg=place_deg[0], longitude_deg=place_deg[1]) < NIGHT_DEG
    night: Bools = dark[0:-1:3] & dark[1::3] & dark[2::3] & dark[3::3]
    night.flags.writeable = False  # shared by all homes in a quality check
    return night


def runs(chosen: Bools, *, least: int = 1) -> list[slice]:
    """The unbroken runs of at least `least` chosen slots.

    >>> runs(np.array([True, False, True, True]), least=2)
    [slice(2, 4, None)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [slice(start, stop) for start, stop in pairs if stop - start >= least]


def utc_days(first_slot: Slot, count: int) -> list[slice]:
    """The slots grouped by UTC day; the first and last days may be incomplete."""
    ends = [*range(SLOTS_PER_UTC_DAY - first_slot % SLOTS_PER_UTC_DAY, count, SLOTS_PER_UTC_DAY), count]
    return [slice(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True) if stop > start]


def _quarters(run: slice) -> str:
    count = run.stop - run.start
    return "a quarter hour" if count == 1 else f"{count} quarter hours"

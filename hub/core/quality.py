"""What is wrong with a home's slot values, as findings a person can read: from the home's own series alone.

Comparisons with neighbours are in quality_neighbours.py, estimates in estimates.py. A finding changes nothing: with
severity `hold` the credits of its slots wait until the board has decided.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.sun_position import sun_elevation_deg
from protocols.quantities import Gap, Measure
from protocols.slots import SLOT_S, SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY, Slot, iso, start_of

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]
Severity = Literal["note", "check", "hold"]

SETTLED: Final = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
MADE: Final = (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION, Measure.BATTERY_DISCHARGE)
NIGHT_DEG: Final = -6.0


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is a finding; a board may set them.

    `plate_percent` is how much of the nameplate a slot may reach. Tolerances are in Wh per slot or in percent.
    """

    plate_percent: int = 102
    frozen_slots: int = SLOTS_PER_UTC_DAY
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

    Units: Wh; `nameplate_w` in W, of the connection for the grid measures. `integral_wh` is the energy by the integral
    of power, where a device gives both. Shape: every array is (slots,).
    """

    home: str
    first_slot: Slot
    energy_wh: Mapping[Measure, Whole]
    gaps: Mapping[Measure, NDArray[np.int8]] = field(default_factory=dict)
    nameplate_w: Mapping[Measure, int] = field(default_factory=dict)
    integral_wh: Mapping[Measure, Whole] = field(default_factory=dict)

    def finding(
        self, code: str, measure: Measure | None, *, run: slice, severity: Severity, sentence: str, **numbers: int
    ) -> Finding:
        """A finding about a run of these slots; the sentence is completed with when it begins."""
        first = self.first_slot + run.start
        length = run.stop - run.start
        return Finding(
            code,
            self.home,
            measure,
            first,
            length,
            tuple(numbers.items()),
            f"{sentence} from {iso(first)} on.",
            severity,
        )


def find_all(
    home: HomeSlots, *, place_deg: tuple[float, float] | None = None, limits: Limits | None = None
) -> tuple[Finding, ...]:
    """Every finding of this module, by slot; `place_deg` is (latitude, longitude), without it the sun is not asked."""
    bounds = limits or Limits()
    found = [
        *find_gaps(home),
        *find_frozen(home, bounds),
        *find_impossible(home, bounds),
        *find_unbalanced(home, bounds),
        *find_register_errors(home, bounds),
    ]
    if place_deg is not None:
        found += find_night_sun(home, bounds, place_deg=place_deg)
    return tuple(sorted(found, key=lambda finding: (finding.first_slot, finding.code, finding.measure or 0)))


def find_gaps(home: HomeSlots) -> Iterator[Finding]:
    """Runs of slots without a value, one finding for each reason in turn; they hold credits where the grid is meant."""
    for measure, energy in home.energy_wh.items():
        reasons = home.gaps.get(measure, np.zeros(len(energy), dtype=np.int8))
        for reason in np.unique(reasons[energy < 0]).tolist():
            for run in runs((energy < 0) & (reasons == reason)):
                why = f" because {Gap(reason).label}" if reason else ""
                yield home.finding(
                    "gap",
                    measure,
                    run=run,
                    severity="hold" if measure in SETTLED else "note",
                    sentence=f"What was {measure.label} is missing for {_quarters(run)}{why}",
                    reason=reason,
                )


def find_frozen(home: HomeSlots, limits: Limits) -> Iterator[Finding]:
    """Counters that stand still: the grid meter in both directions at once, or one value over and over.

    Night-time zeros of the sun are none, and a battery may well charge at one power for hours.
    """
    grid = [home.energy_wh[measure] for measure in SETTLED if measure in home.energy_wh]
    if len(grid) == len(SETTLED):
        still = (grid[0] == 0) & (grid[1] == 0)
        for run in runs(still, least=limits.frozen_slots):
            yield home.finding(
                "frozen",
                None,
                run=run,
                severity="hold",
                sentence=f"The grid meter stood still in both directions for {_quarters(run)}",
            )
    for measure, energy in home.energy_wh.items():
        if measure in {Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE}:
            continue
        same = np.append(False, (np.diff(energy) == 0) & (energy[1:] >= limits.same_value_wh))
        for run in runs(same, least=limits.same_value_slots - 1):
            whole = slice(run.start - 1, run.stop)
            yield home.finding(
                "frozen_value",
                measure,
                run=whole,
                severity="hold" if measure in SETTLED else "check",
                sentence=f"What was {measure.label} is {int(energy[run.start])} Wh in each of {_quarters(whole)}",
                energy_wh=int(energy[run.start]),
            )


def find_impossible(home: HomeSlots, limits: Limits) -> Iterator[Finding]:
    """More energy in a slot than the nameplate can make, or less than none."""
    for measure, energy in home.energy_wh.items():
        if measure in home.nameplate_w:
            most_wh = home.nameplate_w[measure] * limits.plate_percent // (100 * SLOTS_PER_HOUR)
            for run in runs(energy > most_wh):
                peak = int(energy[run].max())
                yield home.finding(
                    "impossible",
                    measure,
                    run=run,
                    severity="hold",
                    sentence=f"{peak} Wh {measure.label} in a quarter hour is more than the {most_wh} Wh possible",
                    energy_wh=peak,
                    most_wh=most_wh,
                )
        for run in runs(energy < -1):
            least = int(energy[run].min())
            yield home.finding(
                "negative",
                measure,
                run=run,
                severity="hold",
                sentence=f"{least} Wh {measure.label} in a quarter hour: a counter does not run backwards",
                energy_wh=least,
            )


def find_night_sun(home: HomeSlots, limits: Limits, *, place_deg: tuple[float, float]) -> Iterator[Finding]:
    """Solar energy while the sun is more than 6 degrees under the horizon all through the slot (civil night)."""
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


def find_unbalanced(home: HomeSlots, limits: Limits) -> Iterator[Finding]:
    """Slots in which a home gave away more than it had: export and charging beyond import, making and discharging.

    Only where every measure of the home is known; a device nobody told of, or a wrong sign, shows here.
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


def find_register_errors(home: HomeSlots, limits: Limits) -> Iterator[Finding]:
    """Days, by UTC, on which a counter and the integral of power differ, over the slots that have both."""
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
                    sentence=f"Of what was {measure.label} the counter says {by_counter} Wh and power {by_power} Wh",
                    counter_wh=by_counter,
                    power_wh=by_power,
                )


def held_slots(findings: Iterable[Finding], *, released: Container[Finding] = ()) -> dict[str, frozenset[Slot]]:
    """The slots whose credits wait, by home: those of findings that hold and that the board has not released."""
    held: dict[str, set[Slot]] = defaultdict(set)
    for finding in findings:
        if finding.severity == "hold" and finding not in released:
            held[finding.home].update(range(finding.first_slot, finding.first_slot + finding.slots))
    return {home: frozenset(slots) for home, slots in held.items()}


def night_slots(first_slot: Slot, count: int, *, place_deg: tuple[float, float]) -> Truth:
    """The slots through which the sun stays under -6 degrees, seen every five minutes."""
    instants = start_of(first_slot) + np.arange(3 * count + 1, dtype=np.float64) * (SLOT_S / 3)
    dark = sun_elevation_deg(instants, latitude_deg=place_deg[0], longitude_deg=place_deg[1]) < NIGHT_DEG
    night: Truth = dark[0:-1:3] & dark[1::3] & dark[2::3] & dark[3::3]
    return night


def runs(chosen: Truth, *, least: int = 1) -> list[slice]:
    """The unbroken runs of chosen slots that are at least so long."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [slice(start, stop) for start, stop in pairs if stop - start >= least]


def utc_days(first_slot: Slot, count: int) -> list[slice]:
    """The slots by UTC day; the first and the last may be cut."""
    ends = [*range(SLOTS_PER_UTC_DAY - first_slot % SLOTS_PER_UTC_DAY, count, SLOTS_PER_UTC_DAY), count]
    return [slice(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True) if stop > start]


def _quarters(run: slice) -> str:
    count = run.stop - run.start
    return "a quarter hour" if count == 1 else f"{count} quarter hours"

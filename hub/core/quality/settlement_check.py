"""The check before settlement: which grid readings of a day are suspect, and what is settled in their place.

A day is judged by grid readings alone: its own and, where it is far above every neighbour's, the home's days before.
What is held depends on the readings, the limits and the board's decisions. Nothing is stored here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.quality.home_checks import runs
from hub.core.quality.proportions import PastDays, find_out_of_proportion
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.estimates import Whole, estimate_gaps
from hub.core.settlement.prepared_readings import MISSING_WH, Presence, Readings, membership
from hub.core.settlement.slot_marks import SlotMarks, runs_of, slots_in
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_HOUR

QualityVerdict = Literal["accept", "reject", "estimate"]
VERDICTS: Final[tuple[QualityVerdict, ...]] = ("accept", "reject", "estimate")

PLATE_PERCENT: Final = 102
IMPOSSIBLE_SLOTS: Final = 4
FUSE_PERCENT: Final = 160
SAME_VALUE_SLOTS: Final = 16
SAME_VALUE_WH: Final = 100
SAME_VALUE_STEPS: Final = 20
WHOLE_DAY_SLOTS: Final = 92
STEPS_WH: Final = (1000, 100, 10)

_GOOD, _ESTIMATE, _REJECTED, _HELD = range(4)
_STATUS: Final = {"accept": _GOOD, "estimate": _ESTIMATE, "reject": _REJECTED}
SlotStates = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class SuspectSlots:
    """A run of a member's slots that fails a check; `measure` is None where both directions fail it."""

    code: str
    member: str
    measure: Measure | None
    first_slot: int
    slots: int
    numbers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class QualityDecision:
    """The board's decision on a run of a member's slots, for the check that failed there."""

    code: str
    member: str
    measure: Measure | None
    first_slot: int
    slots: int
    verdict: QualityVerdict


@dataclass(frozen=True)
class WeeksBefore:
    """Energy registered in the same slots one week before, two weeks, and so on. Shape: [weeks, slots, members]."""

    surplus_wh: Whole
    demand_wh: Whole


def find_suspect_slots(
    readings: Readings, *, connection_w: int, agreed_w: Mapping[str, int] | None = None, past: PastDays | None = None
) -> tuple[SuspectSlots, ...]:
    """Every run of suspect slots, by member, slot and check.

    `impossible`: more than the connection carries, with 2 % to spare: `connection_w`, or the member's in `agreed_w`.
    `out_of_proportion`: a whole day with an hour or more of impossible slots, of which one is more than a fuse lets
    through, or see find_out_of_proportion. It is the member's only finding about too much energy that day.
    `frozen_value`: the same value for 4 hours or more, if it is at least 20 of the counter's steps.
    `frozen`: nothing in either direction for a whole day, although the agent itself uses power.
    """
    found: list[SuspectSlots] = []
    too_much: list[SuspectSlots] = []
    limits_w = np.array([(agreed_w or {}).get(member, connection_w) for member in readings.members], dtype=np.int64)
    for measure, energy in ((Measure.GRID_EXPORT, readings.surplus_wh), (Measure.GRID_IMPORT, readings.demand_wh)):
        too_much += _impossible(readings, measure, energy, most_wh=limits_w * PLATE_PERCENT // (100 * SLOTS_PER_HOUR))
        found += _frozen_values(readings, measure, energy)
    whole_days = tuple(_out_of_proportion(readings, too_much, past))
    held = {each.member for each in whole_days}
    found += [*whole_days, *(each for each in too_much if each.member not in held)]
    if len(readings.slots) >= WHOLE_DAY_SLOTS:
        still = np.all((readings.surplus_wh == 0) & (readings.demand_wh == 0), axis=0)
        for column in np.flatnonzero(still).tolist():
            found.append(SuspectSlots("frozen", readings.members[column], None, readings.slots[0], len(readings.slots)))
    return tuple(sorted(found, key=lambda each: (each.member, each.first_slot, each.code, each.measure or 0)))


def apply_quality_check(
    readings: Readings,
    *,
    connection_w: int,
    agreed_w: Mapping[str, int] | None = None,
    past: PastDays | None = None,
    estimate: EstimateRule,
    decisions: Sequence[QualityDecision] = (),
    before: WeeksBefore | None = None,
) -> Readings:
    """The readings to settle: suspect slots that are undecided or rejected are treated as missing, and marked.

    If the rule has estimates, gaps and the slots the board decided to estimate are filled. Of two decisions on the same
    slot and check, the later one counts. Slots must be contiguous.
    """
    suspects = find_suspect_slots(readings, connection_w=connection_w, agreed_w=agreed_w, past=past)
    surplus, demand = readings.surplus_wh, readings.demand_wh
    gaps = (surplus == MISSING_WH) | (demand == MISSING_WH)
    fills = estimate.method != "none" and bool(gaps.any())
    if not suspects and not decisions and not fills:
        return readings
    status = _status(readings, suspects, decisions)
    inside = membership(readings)
    nothing = (surplus == MISSING_WH) & (demand == MISSING_WH)
    # Without a reading there is nothing to hold, and nobody is settled before joining or after leaving.
    status[~inside | (nothing & (status >= _REJECTED))] = _GOOD
    removed = status != _GOOD
    left = _Pair(np.where(removed, MISSING_WH, surplus), np.where(removed, MISSING_WH, demand))
    wanted = inside & ((status == _ESTIMATE) | ((status == _GOOD) & gaps))
    settled, filled = _fill(left, wanted, estimate, before)
    rejected = (status == _REJECTED) | ((status == _ESTIMATE) & ~filled & ~nothing)
    marks = _marks(readings, settled, held=status == _HELD, rejected=rejected, filled=filled)
    return replace(readings, surplus_wh=settled.surplus_wh, demand_wh=settled.demand_wh, marks=marks)


@dataclass(frozen=True)
class _Pair:
    """Both directions. Shape: [slots, members]."""

    surplus_wh: Whole
    demand_wh: Whole


def _status(readings: Readings, suspects: Iterable[SuspectSlots], decisions: Iterable[QualityDecision]) -> SlotStates:
    """Each member's state in each slot; where several checks apply, the strictest counts."""
    first, count = readings.slots[0], len(readings.slots)
    columns = {member: column for column, member in enumerate(readings.members)}
    rows: dict[tuple[str, str, Measure | None], SlotStates] = defaultdict(lambda: np.zeros(count, dtype=np.int8))
    for suspect in suspects:
        start = suspect.first_slot - first
        rows[suspect.member, suspect.code, suspect.measure][start : start + suspect.slots] = _HELD
    for decision in decisions:
        here = slice(max(0, decision.first_slot - first), max(0, decision.first_slot + decision.slots - first))
        if decision.member in columns:
            rows[decision.member, decision.code, decision.measure][here] = _STATUS[decision.verdict]
    status = np.zeros((count, len(columns)), dtype=np.int8)
    for (member, _, _), row in rows.items():
        np.maximum(status[:, columns[member]], row, out=status[:, columns[member]])
    return status


def _fill(left: _Pair, wanted: Presence, rule: EstimateRule, before: WeeksBefore | None) -> tuple[_Pair, Presence]:
    """The remaining readings, with estimates where they are wanted and the rule gives one for both directions."""
    filled = np.zeros_like(wanted)
    if rule.method == "none":
        return left, filled
    surplus, demand = left.surplus_wh.copy(), left.demand_wh.copy()
    for column in np.flatnonzero(wanted.any(axis=0)).tolist():
        past = (None, None) if before is None else (before.surplus_wh[:, :, column], before.demand_wh[:, :, column])
        given = estimate_gaps(left.surplus_wh[:, column], rule, before=past[0])
        drawn = estimate_gaps(left.demand_wh[:, column], rule, before=past[1])
        here = wanted[:, column] & (given >= 0) & (drawn >= 0)
        surplus[here, column], demand[here, column], filled[:, column] = given[here], drawn[here], here
    return _Pair(surplus, demand), filled


def _marks(
    readings: Readings, settled: _Pair, *, held: Presence, rejected: Presence, filled: Presence
) -> dict[str, SlotMarks]:
    slots = np.array(readings.slots, dtype=np.int64)
    marks = dict(readings.marks)
    for column in np.flatnonzero((held | rejected | filled).any(axis=0)).tolist():
        here = filled[:, column]
        gone = set(slots[held[:, column] | rejected[:, column] | here].tolist())
        derived = marks.get(readings.members[column], SlotMarks()).derived
        energy = (settled.surplus_wh[here, column].tolist(), settled.demand_wh[here, column].tolist())
        marks[readings.members[column]] = SlotMarks(
            runs_of(slots[held[:, column]].tolist()),
            runs_of(slots[rejected[:, column]].tolist()),
            tuple(zip(slots[here].tolist(), *energy, strict=True)),
            runs_of(slot for slot in slots_in(derived) if slot not in gone),
        )
    return marks


def _impossible(readings: Readings, measure: Measure, energy: Whole, *, most_wh: Whole) -> Iterable[SuspectSlots]:
    over = energy > most_wh
    for column in np.flatnonzero(over.any(axis=0)).tolist():
        for run in runs(over[:, column]):
            peak = int(energy[run, column].max())
            most = int(most_wh[column])
            yield _suspect(readings, column, run, code="impossible", measure=measure, energy_wh=peak, most_wh=most)


def _out_of_proportion(
    readings: Readings, impossible: Sequence[SuspectSlots], past: PastDays | None
) -> Iterable[SuspectSlots]:
    """Whole days: a wrong factor shows where it exceeds the connection, and is as wrong in the other slots.

    A fuse carries a quarter more than its rating for an hour, and some carry up to 1.6 times it; beyond that the meter
    is wrong. Source: conventional fusing current of gG fuses, IEC 60269-1.
    """
    slots: dict[str, int] = defaultdict(int)
    beyond_fuse = set()
    for each in impossible:
        numbers_of = dict(each.numbers)
        slots[each.member] += each.slots
        if 100 * numbers_of["energy_wh"] > FUSE_PERCENT * numbers_of["most_wh"]:
            beyond_fuse.add(each.member)
    days = find_out_of_proportion(readings, past)
    for member in readings.members:
        numbers: tuple[tuple[str, int], ...] = ()
        if member in days:
            numbers = (("energy_wh", days[member]),)
        elif slots[member] >= IMPOSSIBLE_SLOTS and member in beyond_fuse:
            numbers = (("impossible", slots[member]),)
        if numbers:
            count = len(readings.slots)
            yield SuspectSlots("out_of_proportion", member, None, readings.slots[0], count, numbers)


def _frozen_values(readings: Readings, measure: Measure, energy: Whole) -> Iterable[SuspectSlots]:
    """A coarse counter naturally repeats values, so only a value of many steps counts."""
    same = (energy[1:] == energy[:-1]) & (energy[1:] >= SAME_VALUE_WH)
    for column in np.flatnonzero(same.sum(axis=0) >= SAME_VALUE_SLOTS - 1).tolist():
        least_wh = SAME_VALUE_STEPS * _step_wh(energy[:, column])
        for run in runs(same[:, column] & (energy[1:, column] >= least_wh), least=SAME_VALUE_SLOTS - 1):
            whole = slice(run.start, run.stop + 1)
            value = int(energy[run.start, column])
            yield _suspect(readings, column, whole, code="frozen_value", measure=measure, energy_wh=value)


def _step_wh(energy: Whole) -> int:
    """The counter's step as the day's values show it: the largest power of ten, up to 1,000, that divides them all."""
    known = energy[energy > 0]
    return next((step for step in STEPS_WH if not (known % step).any()), 1)


def _suspect(
    readings: Readings, column: int, run: slice, *, code: str, measure: Measure, **numbers: int
) -> SuspectSlots:
    first, count = readings.slots[run.start], run.stop - run.start
    return SuspectSlots(code, readings.members[column], measure, first, count, tuple(numbers.items()))

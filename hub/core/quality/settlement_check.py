"""The gate before settlement: which grid readings of a day are in doubt, and what is settled in their place.

A day is judged by its own grid readings alone, so what is held depends on readings, rule and the board's decisions, and
not on when any of them came. It keeps and tells nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hub.core.quality.home_checks import runs
from hub.core.rules.estimates import EstimateRule, Whole, estimate_gaps
from hub.core.settlement.prepared_readings import MISSING_WH, Presence, Readings, membership
from hub.core.settlement.slot_marks import SlotMarks, runs_of
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_HOUR

QualityVerdict = Literal["accept", "reject", "estimate"]
VERDICTS: Final[tuple[QualityVerdict, ...]] = ("accept", "reject", "estimate")

PLATE_PERCENT: Final = 102
SAME_VALUE_SLOTS: Final = 16
SAME_VALUE_WH: Final = 100
SAME_VALUE_STEPS: Final = 20
WHOLE_DAY_SLOTS: Final = 92
STEPS_WH: Final = (1000, 100, 10)

_STANDS, _ESTIMATE, _REJECTED, _HELD = range(4)
_STATUS: Final = {"accept": _STANDS, "estimate": _ESTIMATE, "reject": _REJECTED}
SlotStates = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class SuspectSlots:
    """A run of a member's slots that fails a check; `measure` is None where both directions do."""

    code: str
    member: str
    measure: Measure | None
    first_slot: int
    slots: int
    numbers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class QualityDecision:
    """The board's word on a run of a member's slots, for the check that failed there."""

    code: str
    member: str
    measure: Measure | None
    first_slot: int
    slots: int
    verdict: QualityVerdict


@dataclass(frozen=True)
class WeeksBefore:
    """What was registered in the same slots one week before, two, and so on. Shape: [weeks, slots, members]."""

    surplus_wh: Whole
    demand_wh: Whole


def find_suspect_slots(readings: Readings, *, connection_w: int) -> tuple[SuspectSlots, ...]:
    """Every run of slots in doubt, by member, slot and check.

    `impossible`: more than the connection carries, with 2 % to spare; `connection_w` 0 is not known.
    `frozen_value`: one value over and over for 4 hours, of at least 20 of the counter's steps.
    `frozen`: nothing in either direction all through a whole day, though the agent itself draws power.
    """
    found: list[SuspectSlots] = []
    for measure, energy in ((Measure.GRID_EXPORT, readings.surplus_wh), (Measure.GRID_IMPORT, readings.demand_wh)):
        if connection_w:
            found += _impossible(
                readings, measure, energy, most_wh=connection_w * PLATE_PERCENT // (100 * SLOTS_PER_HOUR)
            )
        found += _frozen_values(readings, measure, energy)
    if len(readings.slots) >= WHOLE_DAY_SLOTS:
        still = np.all((readings.surplus_wh == 0) & (readings.demand_wh == 0), axis=0)
        for column in np.flatnonzero(still).tolist():
            found.append(SuspectSlots("frozen", readings.members[column], None, readings.slots[0], len(readings.slots)))
    return tuple(sorted(found, key=lambda each: (each.member, each.first_slot, each.code, each.measure or 0)))


def apply_quality_check(
    readings: Readings,
    *,
    connection_w: int,
    estimate: EstimateRule,
    decisions: Sequence[QualityDecision] = (),
    before: WeeksBefore | None = None,
) -> Readings:
    """The readings as they are settled: what is in doubt and undecided or rejected is missing, and marked.

    Where the rule estimates, gaps and what the board said to estimate are filled. Of two decisions on the same slot and
    check the later stands. Slots ascend one by one.
    """
    doubts = find_suspect_slots(readings, connection_w=connection_w)
    surplus, demand = readings.surplus_wh, readings.demand_wh
    gaps = (surplus == MISSING_WH) | (demand == MISSING_WH)
    fills = estimate.method != "none" and bool(gaps.any())
    if not doubts and not decisions and not fills:
        return readings
    status = _status(readings, doubts, decisions)
    inside = membership(readings)
    nothing = (surplus == MISSING_WH) & (demand == MISSING_WH)
    # Where nothing was read there is nothing to hold, and who is no member is not settled at all.
    status[~inside | (nothing & (status >= _REJECTED))] = _STANDS
    struck = status != _STANDS
    left = _Pair(np.where(struck, MISSING_WH, surplus), np.where(struck, MISSING_WH, demand))
    wanted = inside & ((status == _ESTIMATE) | ((status == _STANDS) & gaps))
    settled, filled = _fill(left, wanted, estimate, before)
    rejected = (status == _REJECTED) | ((status == _ESTIMATE) & ~filled & ~nothing)
    marks = _marks(readings, settled, held=status == _HELD, rejected=rejected, filled=filled)
    return replace(readings, surplus_wh=settled.surplus_wh, demand_wh=settled.demand_wh, marks=marks)


@dataclass(frozen=True)
class _Pair:
    """Both directions. Shape: [slots, members]."""

    surplus_wh: Whole
    demand_wh: Whole


def _status(readings: Readings, doubts: Iterable[SuspectSlots], decisions: Iterable[QualityDecision]) -> SlotStates:
    """How each slot of each member stands; where several checks speak, the one that holds back most."""
    first, count = readings.slots[0], len(readings.slots)
    columns = {member: column for column, member in enumerate(readings.members)}
    rows: dict[tuple[str, str, Measure | None], SlotStates] = defaultdict(lambda: np.zeros(count, dtype=np.int8))
    for doubt in doubts:
        start = doubt.first_slot - first
        rows[doubt.member, doubt.code, doubt.measure][start : start + doubt.slots] = _HELD
    for word in decisions:
        here = slice(max(0, word.first_slot - first), max(0, word.first_slot + word.slots - first))
        if word.member in columns:
            rows[word.member, word.code, word.measure][here] = _STATUS[word.verdict]
    status = np.zeros((count, len(columns)), dtype=np.int8)
    for (member, _, _), row in rows.items():
        np.maximum(status[:, columns[member]], row, out=status[:, columns[member]])
    return status


def _fill(left: _Pair, wanted: Presence, rule: EstimateRule, before: WeeksBefore | None) -> tuple[_Pair, Presence]:
    """What is left with estimates where they are wanted and the rule has one for both directions."""
    filled = np.zeros_like(wanted)
    if rule.method == "none":
        return left, filled
    surplus, demand = left.surplus_wh.copy(), left.demand_wh.copy()
    for column in np.flatnonzero(wanted.any(axis=0)).tolist():
        past = (None, None) if before is None else (before.surplus_wh[:, :, column], before.demand_wh[:, :, column])
        given = estimate_gaps(left.surplus_wh[:, column], rule, before=past[0]).energy_wh
        drawn = estimate_gaps(left.demand_wh[:, column], rule, before=past[1]).energy_wh
        here = wanted[:, column] & (given >= 0) & (drawn >= 0)
        surplus[here, column], demand[here, column], filled[:, column] = given[here], drawn[here], here
    return _Pair(surplus, demand), filled


def _marks(
    readings: Readings, settled: _Pair, *, held: Presence, rejected: Presence, filled: Presence
) -> dict[str, SlotMarks]:
    slots = np.array(readings.slots, dtype=np.int64)
    marks = {}
    for column in np.flatnonzero((held | rejected | filled).any(axis=0)).tolist():
        here = filled[:, column]
        energy = (settled.surplus_wh[here, column].tolist(), settled.demand_wh[here, column].tolist())
        marks[readings.members[column]] = SlotMarks(
            runs_of(slots[held[:, column]].tolist()),
            runs_of(slots[rejected[:, column]].tolist()),
            tuple(zip(slots[here].tolist(), *energy, strict=True)),
        )
    return marks


def _impossible(readings: Readings, measure: Measure, energy: Whole, *, most_wh: int) -> Iterable[SuspectSlots]:
    over = energy > most_wh
    for column in np.flatnonzero(over.any(axis=0)).tolist():
        for run in runs(over[:, column]):
            peak = int(energy[run, column].max())
            yield _doubt(readings, column, run, code="impossible", measure=measure, energy_wh=peak, most_wh=most_wh)


def _frozen_values(readings: Readings, measure: Measure, energy: Whole) -> Iterable[SuspectSlots]:
    """A coarse counter repeats itself by nature, so the value must be many of its steps."""
    same = (energy[1:] == energy[:-1]) & (energy[1:] >= SAME_VALUE_WH)
    for column in np.flatnonzero(same.sum(axis=0) >= SAME_VALUE_SLOTS - 1).tolist():
        least_wh = SAME_VALUE_STEPS * _step_wh(energy[:, column])
        for run in runs(same[:, column] & (energy[1:, column] >= least_wh), least=SAME_VALUE_SLOTS - 1):
            whole = slice(run.start, run.stop + 1)
            value = int(energy[run.start, column])
            yield _doubt(readings, column, whole, code="frozen_value", measure=measure, energy_wh=value)


def _step_wh(energy: Whole) -> int:
    """The counter's step as the day shows it: the largest power of ten that divides all its values."""
    known = energy[energy > 0]
    return next((step for step in STEPS_WH if not (known % step).any()), 1)


def _doubt(readings: Readings, column: int, run: slice, *, code: str, measure: Measure, **numbers: int) -> SuspectSlots:
    first, count = readings.slots[run.start], run.stop - run.start
    return SuspectSlots(code, readings.members[column], measure, first, count, tuple(numbers.items()))

"""A day's stored readings in the form in which they are settled: arranged by member, then checked for quality.

hub.core.quality.settlement_check decides what passes; this module fetches what it needs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from hub.core.quality.connection_limits import connection_limits
from hub.core.quality.proportions import HISTORY_DAYS, PastDays, day_totals, members_far_above
from hub.core.quality.settlement_check import QualityDecision, QualityVerdict, WeeksBefore, apply_quality_check
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.rules.estimates import WEEK_SLOTS
from hub.core.rules.rulebook import Rule
from hub.core.settlement.prepared_readings import MISSING_WH, Readings, membership
from hub.core.settlement.slot_marks import SlotMarks, runs_of
from hub.storage.contract import FindingStore, MemberStore, ReadingStore
from hub.storage.finding_records import SlotDecision
from hub.storage.records import Access, SettlementInputs
from protocols.slots import SLOTS_PER_UTC_DAY

_VERDICTS: Final[dict[str, QualityVerdict]] = {"accept": "accept", "reject": "reject", "estimate": "estimate"}


@dataclass(frozen=True)
class SettlementLimits:
    """What readings are checked against: the usual connection, those of members with an agreement, and past days."""

    connection_w: int
    agreed_w: Mapping[str, int]
    past: PastDays | None


class QualityCheckStores(MemberStore, ReadingStore, FindingStore, Protocol):
    """The parts of the store that the quality check reads."""


def weeks_back(estimate: EstimateRule) -> tuple[int, ...]:
    """How far before a slot the values for its estimate lie: one number of slots for each week."""
    weeks = estimate.weeks if estimate.method == "same_time_of_week" else 0
    return tuple(week * WEEK_SLOTS for week in range(1, weeks + 1))


def reach_of(estimate: EstimateRule, slots: range) -> range:
    """A range that covers these slots and all earlier slots that their estimates may use."""
    return range(slots.start - max(weeks_back(estimate), default=0), slots.stop)


async def check_day_readings(
    store: QualityCheckStores, readings: Readings, *, rule: Rule, decisions: Sequence[SlotDecision], access: Access
) -> Readings:
    """The readings after the quality check. `decisions` are those on slots within reach of the readings, in order."""
    by_member = await _by_member(store, decisions)
    limits = await settlement_limits(store, readings, rule=rule, access=access)
    before = None
    is_whole = bool((readings.surplus_wh >= 0).all() and (readings.demand_wh >= 0).all())
    if weeks_back(rule.estimate) and not (is_whole and not by_member):
        before = await _weeks_before(store, readings, limits=limits, rule=rule, decisions=by_member, access=access)
    return await asyncio.to_thread(
        apply_quality_check,
        readings,
        connection_w=limits.connection_w,
        agreed_w=limits.agreed_w,
        past=limits.past,
        estimate=rule.estimate,
        decisions=by_member,
        before=before,
    )


async def settlement_limits(
    store: QualityCheckStores, readings: Readings, *, rule: Rule, access: Access
) -> SettlementLimits:
    """The limits in force at the first slot; the past only if a member's day is far above every neighbour's."""
    tz, first = (await store.coop()).tz, readings.slots[0]
    agreements = await store.connection_agreements(first)
    holder = {home.id: home.member_id for home in await store.homes()}
    agreed_w = {holder[home]: row.power_w for home, row in agreements.items() if home in holder}
    limits = connection_limits([""], agreed_w={}, rule_w=rule.connection_w, tz=tz)
    past = await _past_days(store, readings, rule=rule, access=access) if members_far_above(readings) else None
    return SettlementLimits(limits[""].power_w, agreed_w, past)


async def _past_days(store: QualityCheckStores, readings: Readings, *, rule: Rule, access: Access) -> PastDays:
    """The days before, in runs of as many slots, which start at the same time of day but for a change of the clock."""
    first, count = readings.slots[0], SLOTS_PER_UTC_DAY
    slots = range(first - HISTORY_DAYS * count, first)
    raw = readings_of(await store.settlement_inputs(slots=slots, access=access, derived=rule.derived))
    inside = membership(raw)
    totals = {}
    for name, energy in (("surplus_wh", raw.surplus_wh), ("demand_wh", raw.demand_wh)):
        known = np.where(inside, energy, MISSING_WH)
        rows = np.array([day_totals(known[place : place + count]) for place in range(0, len(raw.slots), count)])
        totals[name] = {member: rows[:, column] for column, member in enumerate(raw.members)}
    return PastDays(totals["surplus_wh"], totals["demand_wh"])


async def _by_member(store: QualityCheckStores, decisions: Sequence[SlotDecision]) -> tuple[QualityDecision, ...]:
    """The decisions, grouped by the member who holds the home's contract."""
    if not decisions:
        return ()
    holder = {home.id: home.member_id for home in await store.homes()}
    return tuple(
        QualityDecision(
            each.code, holder[each.home], each.measure, each.first_slot, each.slots, _VERDICTS[each.verdict]
        )
        for each in decisions
    )


async def _weeks_before(
    store: QualityCheckStores,
    readings: Readings,
    *,
    limits: SettlementLimits,
    rule: Rule,
    decisions: Sequence[QualityDecision],
    access: Access,
) -> WeeksBefore:
    """The same slots in the preceding weeks. Each week is checked too: no estimate uses doubtful values."""
    shape = (len(weeks_back(rule.estimate)), len(readings.slots), len(readings.members))
    surplus_wh, demand_wh = (np.full(shape, MISSING_WH, dtype=np.int64) for _ in range(2))
    columns = {member: column for column, member in enumerate(readings.members)}
    for week, back in enumerate(weeks_back(rule.estimate)):
        slots = range(readings.slots[0] - back, readings.slots[-1] + 1 - back)
        raw = readings_of(await store.settlement_inputs(slots=slots, access=access, derived=rule.derived))
        passed = await asyncio.to_thread(
            apply_quality_check,
            raw,
            connection_w=limits.connection_w,
            agreed_w=limits.agreed_w,
            estimate=EstimateRule(),
            decisions=decisions,
        )
        inside = membership(passed)
        for column, member in enumerate(passed.members):
            if member in columns:
                for past, energy in ((surplus_wh, passed.surplus_wh), (demand_wh, passed.demand_wh)):
                    past[week, :, columns[member]] = np.where(inside[:, column], energy[:, column], MISSING_WH)
    return WeeksBefore(surplus_wh, demand_wh)


def readings_of(inputs: SettlementInputs) -> Readings:
    """The store's rows as readings for hub.core. A member takes part from the first to the last slot of membership."""
    slots = range(inputs.first_slot, inputs.first_slot + inputs.surplus_wh.shape[0])
    columns = np.flatnonzero(inputs.present.any(axis=0))
    if len(columns) == len(inputs.members):
        surplus_wh, demand_wh, present, derived = inputs.surplus_wh, inputs.demand_wh, inputs.present, inputs.derived
    else:
        surplus_wh, demand_wh = (
            np.ascontiguousarray(each[:, columns]) for each in (inputs.surplus_wh, inputs.demand_wh)
        )
        present, derived = inputs.present[:, columns], inputs.derived[:, columns]
    members = tuple(inputs.members[column] for column in columns)
    return Readings(
        members=members,
        slots=tuple(slots),
        surplus_wh=surplus_wh,
        demand_wh=demand_wh,
        windows=windows_of(members, present, slots),
        marks=_derived_marks(members, derived & present, slots),
    )


def _derived_marks(members: Sequence[str], derived: npt.NDArray[np.bool_], slots: range) -> dict[str, SlotMarks]:
    """The slots in which a member's reading is the one that the agent derived."""
    found = np.flatnonzero(derived.any(axis=0)).tolist()
    return {
        members[column]: SlotMarks(derived=runs_of((slots.start + np.flatnonzero(derived[:, column])).tolist()))
        for column in found
    }


def windows_of(
    members: Sequence[str], present: npt.NDArray[np.bool_], slots: range
) -> dict[str, tuple[int, int | None]]:
    """The memberships that begin or end within these slots; one with none of them starts after the last."""
    windows: dict[str, tuple[int, int | None]] = {}
    for column, member in enumerate(members):
        here = np.flatnonzero(present[:, column])
        first, end = (int(here[0]), int(here[-1]) + 1) if here.size else (len(slots), len(slots))
        if (first, end) != (0, len(slots)):
            windows[member] = (slots.start + first, None if end == len(slots) else slots.start + end)
    return windows

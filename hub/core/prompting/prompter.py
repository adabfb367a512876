"""The prompter: chooses whom to ask to move which appliance, one prompt at a time, each allowing for the earlier ones.

Pure and deterministic: it decides and gives reasons; it does not store, send or read answers. shift_value.py computes
what a move is worth, and effect.py what it achieved.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hub.core.forecasting.day_grid import SLOTS_PER_DAY, Ints, wall_slots
from hub.core.forecasting.forecaster import Forecast
from hub.core.forecasting.scenarios import net_paths
from hub.core.prompting.shift_value import ShiftPlan, ShiftValue
from hub.core.prompting.terms import MemberHistory, PromptProposal, PromptRules, ShiftableAppliance

WEEK_SLOTS = 7 * SLOTS_PER_DAY


@dataclass(frozen=True, slots=True)
class _Option:
    """A run that could be moved: where it usually starts and where it could start, as places in the forecast."""

    member: MemberHistory
    appliance: ShiftableAppliance
    usual: int
    targets: Ints
    chance: float
    weight: float

    @property
    def id(self) -> tuple[str, str, str, int]:
        return self.member.member, self.appliance.home, self.appliance.kind, self.usual


@dataclass(frozen=True, slots=True)
class _Chosen:
    option: _Option
    value: ShiftValue
    surplus_wh: float
    peak_risk: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """How often a member was asked: today (local day) and in the last seven days."""

    today: int
    week: int


def propose(
    forecasts: Sequence[Forecast],
    appliances: Sequence[ShiftableAppliance],
    members_history: Sequence[MemberHistory],
    *,
    now_slot: int,
    tz: str,
    rules: PromptRules,
) -> list[PromptProposal]:
    """The prompts to send now, most valuable first; an empty list in quiet hours or when nothing is worth asking.

    The same inputs give the same list; ties are broken by member, home and appliance.
    Known at: now_slot. Raises: ValueError if there is no demand forecast, or if forecasts cover different slots.
    """
    demand, supplies = _by_target(forecasts)
    if _is_quiet(now_slot, tz=tz, rules=rules):
        return []
    first_slot = demand.first_slot
    plan = ShiftPlan(net_paths(demand, supplies), peak_weight=rules.peak_weight, limit_wh=rules.limit_wh)
    chances = response_chances(members_history, rules)
    for member in members_history:
        _assign_open_prompts(plan, member, chances[member.member], first_slot=first_slot)
    asked = _asked(members_history, now_slot=now_slot, tz=tz)
    own: dict[str, list[ShiftableAppliance]] = defaultdict(list)
    for appliance in appliances:
        own[appliance.home].append(appliance)
    walls = wall_slots(first_slot, plan.slots, tz=tz)
    soonest = now_slot - first_slot + rules.notice_slots
    options = [
        option
        for member in sorted(members_history, key=lambda one: (one.member, one.home))
        if member.is_willing
        for appliance in own[member.home]
        if _may_ask(member, appliance)
        for option in _runs(
            member, appliance, walls, soonest=soonest, first_slot=first_slot, chance=chances[member.member], rules=rules
        )
    ]
    return [
        _proposal(one, asked[one.option.member.member], first_slot=first_slot, now_slot=now_slot, rules=rules)
        for one in _allocate(plan, options, asked, rules)
    ]


def response_chances(members_history: Sequence[MemberHistory], rules: PromptRules) -> dict[str, float]:
    """How likely each member is to say yes.

    The group's rate is moved towards the prior, and each member's own rate towards the group's, both as if there had
    been `response_prior_asks` more prompts.
    """
    counts = {
        member.member: (sum(ask.answer == "yes" for ask in member.earlier_prompts), len(member.earlier_prompts))
        for member in members_history
    }
    yes, asks = (sum(part) for part in zip(*counts.values(), strict=True)) if counts else (0, 0)
    strength = rules.response_prior_asks
    group = (yes + strength * rules.response_prior) / (asks + strength)
    return {member: (own + strength * group) / (count + strength) for member, (own, count) in counts.items()}


def _by_target(forecasts: Sequence[Forecast]) -> tuple[Forecast, list[Forecast]]:
    demand = [one for one in forecasts if one.target == "demand"]
    if len(demand) != 1:
        raise ValueError(f"prompts need exactly one forecast of demand, not {len(demand)}")
    supplies = [one for one in forecasts if one.target != "demand"]
    return demand[0], sorted(supplies, key=lambda one: one.target)


def _is_quiet(now_slot: int, *, tz: str, rules: PromptRules) -> bool:
    now = int(wall_slots(now_slot, 1, tz=tz)[0]) % SLOTS_PER_DAY
    start, end = rules.quiet_from_slot_of_day, rules.quiet_until_slot_of_day
    return start <= now < end if start <= end else now >= start or now < end


def _asked(members_history: Sequence[MemberHistory], *, now_slot: int, tz: str) -> dict[str, _Asked]:
    """Of each member. The local day is worked out once for all asks."""
    issued = [ask.issued_slot for member in members_history for ask in member.earlier_prompts]
    first, last = min([now_slot, *issued]), max([now_slot, *issued])
    days = (wall_slots(first, last - first + 1, tz=tz) // SLOTS_PER_DAY).tolist()
    found = {}
    for member in members_history:
        slots = [ask.issued_slot for ask in member.earlier_prompts]
        today = sum(days[slot - first] == days[now_slot - first] for slot in slots)
        found[member.member] = _Asked(today, sum(now_slot - WEEK_SLOTS < slot <= now_slot for slot in slots))
    return found


def _may_ask(member: MemberHistory, appliance: ShiftableAppliance) -> bool:
    refused = any(ask.answer == "never_appliance" and ask.appliance == appliance.kind for ask in member.earlier_prompts)
    return appliance.is_asked and not refused and appliance.energy_wh > 0 and appliance.duration_slots > 0


def _assign_open_prompts(plan: ShiftPlan, member: MemberHistory, chance: float, *, first_slot: int) -> None:
    """Assign runs that earlier prompts may still move: with certainty after a yes, by the chance while unanswered."""
    for ask in member.earlier_prompts:
        usual, proposed = ask.usual_slot - first_slot, ask.proposed_slot - first_slot
        is_ahead = min(usual, proposed) >= 0 and max(usual, proposed) + ask.duration_slots <= plan.slots
        if is_ahead and ask.answer in (None, "yes"):
            sure = 1.0 if ask.answer == "yes" else chance
            plan.assign(usual, proposed, ask.duration_slots, energy_wh=ask.energy_wh, chance=sure)


def _runs(
    member: MemberHistory,
    appliance: ShiftableAppliance,
    walls: Ints,
    *,
    soonest: int,
    first_slot: int,
    chance: float,
    rules: PromptRules,
) -> list[_Option]:
    """The appliance's upcoming runs that may still be moved: one for each local day within the look-ahead."""
    weight = rules.fairness_per_ask ** len(member.earlier_prompts)
    open_usual = [ask.usual_slot for ask in member.earlier_prompts if ask.appliance == appliance.kind]
    last = min(len(walls), soonest + rules.lookahead_slots)
    options = []
    for usual in np.flatnonzero(walls % SLOTS_PER_DAY == appliance.usual_slot_of_day % SLOTS_PER_DAY):
        is_repeat = usual > 0 and walls[usual] in walls[:usual]
        is_asked = any(abs(first_slot + int(usual) - other) < SLOTS_PER_DAY // 2 for other in open_usual)
        if is_repeat or is_asked or not soonest <= usual <= last - appliance.duration_slots:
            continue
        targets = _targets(appliance, walls[:last], int(usual), soonest=soonest)
        if len(targets):
            options.append(_Option(member, appliance, int(usual), targets, chance, weight))
    return options


def _targets(appliance: ShiftableAppliance, walls: Ints, usual: int, *, soonest: int) -> Ints:
    """Possible starts: the whole run is within the household's own window and does not overlap the usual run."""
    duration = appliance.duration_slots
    day = walls[usual] // SLOTS_PER_DAY
    earliest, latest = appliance.earliest_slot_of_day, appliance.latest_slot_of_day
    if latest < earliest:
        day -= walls[usual] % SLOTS_PER_DAY < earliest
        latest += SLOTS_PER_DAY
    inside = np.flatnonzero((walls >= day * SLOTS_PER_DAY + earliest) & (walls <= day * SLOTS_PER_DAY + latest))
    inside = inside[inside >= soonest]
    if len(inside) < duration:
        return np.empty(0, dtype=np.int64)
    starts = np.arange(inside[0], inside[-1] - duration + 2, dtype=np.int64)
    return np.asarray(starts[np.abs(starts - usual) >= duration])


def _allocate(
    plan: ShiftPlan, options: Sequence[_Option], asked: Mapping[str, _Asked], rules: PromptRules
) -> list[_Chosen]:
    """Choose one prompt at a time, each valued against a plan that includes the earlier ones.

    Values only fall as slots fill up, so the queue holds upper bounds: an option is revalued only when its old value is
    the highest, and is chosen once its value is from the current round.
    """
    chosen: list[_Chosen] = []
    given: dict[str, int] = {}
    values: _Values = {}
    queue = [entry for option in options if (entry := _entry(plan, option, rules, round_=0, values=values)) is not None]
    heapq.heapify(queue)
    while queue and len(chosen) < rules.prompts_max:
        _, _, round_, option, value = heapq.heappop(queue)
        member = option.member.member
        if not _has_ask_left(asked[member], given.get(member, 0), rules):
            continue
        if round_ < len(chosen):
            entry = _entry(plan, option, rules, round_=len(chosen), values=values)
            if entry is not None:
                heapq.heappush(queue, entry)
            continue
        duration = option.appliance.duration_slots
        surplus = plan.surplus_wh(value.proposed, duration)
        chosen.append(_Chosen(option, value, surplus, plan.peak_risk(value.usual, duration)))
        given[member] = given.get(member, 0) + 1
        energy_wh = option.appliance.energy_wh
        plan.assign(value.usual, value.proposed, duration, energy_wh=energy_wh, chance=option.chance)
        values.clear()
    return chosen


_Entry = tuple[float, tuple[str, str, str, int], int, _Option, ShiftValue]


_Values = dict[tuple[int, int, int, bytes], ShiftValue | None]
"""What moves are worth until the plan changes: many households have the same appliance at the same hour."""


def _entry(plan: ShiftPlan, option: _Option, rules: PromptRules, *, round_: int, values: _Values) -> _Entry | None:
    duration, energy_wh = option.appliance.duration_slots, option.appliance.energy_wh
    run = (option.usual, duration, energy_wh, option.targets.tobytes())
    if run not in values:
        values[run] = plan.best_move(option.usual, option.targets, duration, energy_wh=energy_wh)
    value = values[run]
    if value is None or value.robust_share < rules.robust_share_min:
        return None
    if option.chance * value.score_wh < rules.relief_min_wh:
        return None
    return -option.chance * value.score_wh * option.weight, option.id, round_, option, value


def _has_ask_left(asked: _Asked, given: int, rules: PromptRules) -> bool:
    return asked.today + given < rules.asks_per_day_max and asked.week + given < rules.asks_per_week_max


def _proposal(chosen: _Chosen, asked: _Asked, *, first_slot: int, now_slot: int, rules: PromptRules) -> PromptProposal:
    option, value = chosen.option, chosen.value
    usual, proposed = first_slot + value.usual, first_slot + value.proposed
    return PromptProposal(
        member=option.member.member,
        home=option.member.home,
        appliance=option.appliance.kind,
        energy_wh=option.appliance.energy_wh,
        usual_slot=usual,
        proposed_slot=proposed,
        duration_slots=option.appliance.duration_slots,
        relief_wh=round(value.relief_wh),
        peak_relief_wh=round(value.peak_relief_wh),
        chance=option.chance,
        reasons=(
            ("forecast_issued_slot", first_slot),
            ("expected_surplus_wh", round(chosen.surplus_wh)),
            ("relief_wh", round(value.relief_wh)),
            ("peak_risk_per_100", round(100 * chosen.peak_risk)),
            ("asked_this_week", asked.week),
            ("asks_per_week_max", rules.asks_per_week_max),
            ("asks_per_day_max", rules.asks_per_day_max),
            ("relief_min_wh", round(rules.relief_min_wh)),
        ),
        issued_slot=now_slot,
        answer_by_slot=min(usual, proposed) - 1,
    )

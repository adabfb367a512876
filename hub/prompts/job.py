"""Asks members to move appliances, and later measures the effect: reads, calls hub.core, stores and sends."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from hub.core.forecasting.forecaster import Forecast, History
from hub.core.homes.consents import HomeConsents, homes_allowing
from hub.core.neighbourhood import MEASURES, MeasureSums, estimate_neighbourhood
from hub.core.prompting.effect import local_day, measured_effect
from hub.core.prompting.prompter import propose
from hub.core.prompting.terms import MemberHistory, PromptProposal, PromptRules
from hub.storage.contract import MemberStore, PromptStore, ReadingStore
from hub.storage.records import Access, Home, HomeSeries, PromptRow
from protocols.quantities import Measure
from protocols.slots import Slot, slot_of, start_of

SLOTS_PER_DAY: Final = 96
LOOK_BACK_SLOTS: Final = 28 * SLOTS_PER_DAY
EFFECT_HISTORY_SLOTS: Final = 50 * SLOTS_PER_DAY
EFFECT_WITHIN_SLOTS: Final = 7 * SLOTS_PER_DAY
HOMES_AT_ONCE: Final = 100
"""Of how many homes the effects are measured together: their readings of 50 days are held at once."""

PURPOSE: Final = "prompt.shift"
EFFECT_ACCESS: Final = Access(actor="job:prompt-effect", role="job", purpose=PURPOSE)

SendPrompt = Callable[[PromptRow], Awaitable[bool]]


class PromptStores(MemberStore, ReadingStore, PromptStore, Protocol):
    """The parts of the store that these jobs need."""


class ForecastSource(Protocol):
    """A source of the forecasts issued at a time, with their error paths."""

    async def issued(self, due_s: int) -> tuple[Forecast, ...]: ...


class PromptJob:
    """Sends each hour's prompts. Nobody is asked when no forecast was issued at that hour."""

    def __init__(
        self,
        store: PromptStores,
        *,
        forecasts: ForecastSource,
        send: SendPrompt,
        tz: str,
        rules: PromptRules | None = None,
    ) -> None:
        self._store = store
        self._forecasts = forecasts
        self._send = send
        self._tz = tz
        self._rules = rules or PromptRules()

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a prompt's id is derived from its question, and a known one is not stored again.

        A run that ended between storing and sending is made up for: what is stored for this hour, and neither answered
        nor without consent by now, is sent by each further run for it. An agent keeps a prompt of the same id once.
        """
        now_slot = slot_of(due_s)
        forecasts = await self._forecasts.issued(due_s)
        if not any(made.target == "demand" for made in forecasts):
            return
        earlier = await self._store.prompts(home=None, issued=range(now_slot - LOOK_BACK_SLOTS, now_slot + 1))
        members = await self._members(earlier, now_slot=now_slot)
        proposals = await asyncio.to_thread(
            propose,
            forecasts,
            await self._store.appliances(),
            members,
            now_slot=now_slot,
            tz=self._tz,
            rules=self._rules,
        )
        known = {prompt.id for prompt in earlier}
        fresh = [row for row in map(prompt_row, proposals) if row.id not in known]
        await self._store.add_prompts(fresh)
        willing = {member.home for member in members if member.is_willing}
        stored = [row for row in earlier if row.issued_slot == now_slot and row.answer is None and row.home in willing]
        for row in (*stored, *fresh):
            await self._send(row)

    async def _members(self, earlier: Sequence[PromptRow], *, now_slot: Slot) -> list[MemberHistory]:
        consents = await self._store.consents(lasting_at=start_of(now_slot))
        return await asyncio.to_thread(_histories, await self._store.homes(), consents, earlier, now_slot)


class PromptEffectJob:
    """Measures each night how much energy the moved runs shifted, against the home's own comparable days."""

    def __init__(self, store: PromptStores, *, tz: str) -> None:
        self._store = store
        self._tz = tz

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a measured prompt keeps its value; one that cannot be measured yet is tried again."""
        now_slot = slot_of(due_s)
        recent = await self._store.prompts(home=None, issued=range(now_slot - LOOK_BACK_SLOTS, now_slot))
        moved: dict[str, list[PromptRow]] = defaultdict(list)
        for prompt in recent:
            if prompt.answer == "yes":
                moved[prompt.home].append(prompt)
        homes = [home for home, prompts in moved.items() if any(_is_due(each, now_slot) for each in prompts)]
        slots = range(now_slot - EFFECT_HISTORY_SLOTS, now_slot)
        for first in range(0, len(homes), HOMES_AT_ONCE):
            part = homes[first : first + HOMES_AT_ONCE]
            series = await self._store.homes_series(dict.fromkeys(part, MEASURES), slots=slots, access=EFFECT_ACCESS)
            effects = await asyncio.to_thread(self._measured, series, moved, slots)
            await self._store.set_measured(effects)

    def _measured(
        self, series: Mapping[str, Mapping[Measure, HomeSeries]], moved: Mapping[str, Sequence[PromptRow]], slots: range
    ) -> dict[str, tuple[int, int]]:
        """The effects that can be told of these homes' prompts: what was moved and its uncertainty, by prompt."""
        found: dict[str, tuple[int, int]] = {}
        for home, own in series.items():
            demand = _demand(own, slots)
            days = {prompt.id: local_day(prompt.usual_slot, tz=self._tz) for prompt in moved[home]}
            for prompt in moved[home]:
                if not _is_due(prompt, slots.stop):
                    continue
                effect = measured_effect(
                    demand,
                    usual_slot=prompt.usual_slot,
                    proposed_slot=prompt.proposed_slot,
                    duration_slots=prompt.duration_slots,
                    tz=self._tz,
                    event_days={day for other, day in days.items() if other != prompt.id},
                )
                if effect.moved_wh is not None and effect.uncertainty_wh is not None:
                    found[prompt.id] = effect.moved_wh, effect.uncertainty_wh
        return found


def _histories(
    homes: Sequence[Home], consents: HomeConsents, earlier: Sequence[PromptRow], now_slot: Slot
) -> list[MemberHistory]:
    asked: dict[str, list[PromptRow]] = defaultdict(list)
    for prompt in earlier:
        asked[prompt.home].append(prompt)
    willing = set(homes_allowing(consents, PURPOSE, slot=now_slot))
    return [
        MemberHistory(
            member=home.member_id,
            home=home.id,
            is_willing=home.id in willing,
            earlier_prompts=tuple(asked[home.id]),
        )
        for home in homes
    ]


def _is_due(prompt: PromptRow, now_slot: Slot) -> bool:
    """Whether the effect of this accepted prompt is to be measured now."""
    is_over = max(prompt.usual_slot, prompt.proposed_slot) + prompt.duration_slots <= now_slot
    return prompt.measured_wh is None and is_over and prompt.issued_slot >= now_slot - EFFECT_WITHIN_SLOTS


def _demand(series: Mapping[Measure, HomeSeries], slots: range) -> History:
    sums = {
        measure: MeasureSums(np.maximum(one.energy_wh, 0), (one.energy_wh >= 0).astype(np.int32))
        for measure, one in series.items()
    }
    return History("demand", slots.start, estimate_neighbourhood(sums, slots=len(slots)).demand_wh)


def prompt_row(proposal: PromptProposal) -> PromptRow:
    """A proposal as it is stored and sent; its id is a digest of its question, so equal questions have equal ids."""
    asked = "|".join(
        map(str, (proposal.home, proposal.appliance, proposal.issued_slot, proposal.usual_slot, proposal.proposed_slot))
    )
    return PromptRow(
        id="p-" + hashlib.sha256(asked.encode()).hexdigest()[:16],
        home=proposal.home,
        member=proposal.member,
        appliance=proposal.appliance,
        energy_wh=proposal.energy_wh,
        usual_slot=proposal.usual_slot,
        proposed_slot=proposal.proposed_slot,
        duration_slots=proposal.duration_slots,
        relief_wh=proposal.relief_wh,
        reasons=proposal.reasons,
        issued_slot=proposal.issued_slot,
        answer_by_slot=proposal.answer_by_slot,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )

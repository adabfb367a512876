"""Asks members to move appliances, and later measures the effect: reads, calls hub.core, stores and sends."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import numpy as np

from hub.core.forecasting.forecaster import Forecast, History
from hub.core.homes.consents import homes_allowing
from hub.core.neighbourhood import MEASURES, MeasureSums, estimate_neighbourhood
from hub.core.prompting.effect import local_day, measured_effect
from hub.core.prompting.prompter import propose
from hub.core.prompting.terms import MemberHistory, PromptProposal, PromptRules
from hub.storage.contract import MemberStore, PromptStore, ReadingStore
from hub.storage.records import Access, PromptRow
from protocols.slots import Slot, slot_of, start_of

SLOTS_PER_DAY: Final = 96
LOOK_BACK_SLOTS: Final = 28 * SLOTS_PER_DAY
EFFECT_HISTORY_SLOTS: Final = 50 * SLOTS_PER_DAY
EFFECT_WITHIN_SLOTS: Final = 7 * SLOTS_PER_DAY
PURPOSE: Final = "prompt.shift"
EFFECT_ACCESS: Final = Access(actor="job:prompt-effect", role="job", purpose=PURPOSE)

SendPrompt = Callable[[PromptRow], Awaitable[bool]]


class PromptStores(MemberStore, ReadingStore, PromptStore, Protocol):
    """The parts of the store that these jobs need."""


class ForecastSource(Protocol):
    """A source of the newest forecasts with their error paths."""

    @property
    def newest(self) -> tuple[Forecast, ...]: ...


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
        """Idempotent: a prompt's id is derived from its question, and a known one is neither stored nor sent again."""
        now_slot = slot_of(due_s)
        forecasts = [made for made in self._forecasts.newest if made.issued_slot == now_slot]
        if not any(made.target == "demand" for made in forecasts):
            return
        earlier = await self._store.prompts(home=None, issued=range(now_slot - LOOK_BACK_SLOTS, now_slot + 1))
        proposals = propose(
            forecasts,
            await self._store.appliances(),
            await self._members(earlier, now_slot=now_slot),
            now_slot=now_slot,
            tz=self._tz,
            rules=self._rules,
        )
        known = {prompt.id for prompt in earlier}
        fresh = [row for row in map(prompt_row, proposals) if row.id not in known]
        await self._store.add_prompts(fresh)
        for row in fresh:
            await self._send(row)

    async def _members(self, earlier: Sequence[PromptRow], *, now_slot: Slot) -> list[MemberHistory]:
        willing = set(homes_allowing(await self._store.consents(lasting_at=start_of(now_slot)), PURPOSE, slot=now_slot))
        return [
            MemberHistory(
                member=home.member_id,
                home=home.id,
                is_willing=home.id in willing,
                earlier_prompts=tuple(prompt for prompt in earlier if prompt.home == home.id),
            )
            for home in await self._store.homes()
        ]


class PromptEffectJob:
    """Measures each night how much energy the moved runs shifted, against the home's own comparable days."""

    def __init__(self, store: PromptStores, *, tz: str) -> None:
        self._store = store
        self._tz = tz

    async def __call__(self, due_s: int) -> None:
        """Idempotent: a measured prompt keeps its value; one that cannot be measured yet is tried again."""
        now_slot = slot_of(due_s)
        recent = await self._store.prompts(home=None, issued=range(now_slot - LOOK_BACK_SLOTS, now_slot))
        for prompt in recent:
            is_over = max(prompt.usual_slot, prompt.proposed_slot) + prompt.duration_slots <= now_slot
            is_fresh = prompt.issued_slot >= now_slot - EFFECT_WITHIN_SLOTS
            if prompt.answer == "yes" and prompt.measured_wh is None and is_over and is_fresh:
                await self._measure(prompt, recent, now_slot=now_slot)

    async def _measure(self, prompt: PromptRow, recent: Sequence[PromptRow], *, now_slot: Slot) -> None:
        others = {
            local_day(other.usual_slot, tz=self._tz)
            for other in recent
            if other.home == prompt.home and other.id != prompt.id and other.answer == "yes"
        }
        effect = measured_effect(
            await self._demand(prompt.home, slots=range(now_slot - EFFECT_HISTORY_SLOTS, now_slot)),
            usual_slot=prompt.usual_slot,
            proposed_slot=prompt.proposed_slot,
            duration_slots=prompt.duration_slots,
            tz=self._tz,
            event_days=others,
        )
        if effect.moved_wh is not None and effect.uncertainty_wh is not None:
            await self._store.set_measured(prompt.id, measured_wh=effect.moved_wh, uncertainty_wh=effect.uncertainty_wh)

    async def _demand(self, home: str, *, slots: range) -> History:
        series = await self._store.home_series(home, MEASURES, slots=slots, access=EFFECT_ACCESS)
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

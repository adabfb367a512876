"""The members of a street: whether they follow a prompt, and the run they really move when they do.

A decision depends on (seed, home, the prompt's proposal) and the home's plan, never on run-time randomness.
`member_client` talks to the hub.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from protocols.slots import SLOT_S
from simulator.errors import SimulatorError
from simulator.services.member_client import MemberClient, MemberRefusedError, MemberRequestError, OfferedPrompt
from simulator.world.appliances import ApplianceRun, SimulatedAppliance
from simulator.world.homes import SimulatedHome
from simulator.world.streams import draw_chance
from simulator.world.street import Street

ResidentChoice = Literal["yes", "no", "never_appliance"]
AROUND_USUAL_S = 6 * 3600
"""A planned run this close to the usual time is the one a prompt means."""
_NEVER_BELOW = 0.01
_log = logging.getLogger(__name__)


class MemberApi(Protocol):
    """What a resident needs from the hub's pages."""

    def sign_in(self) -> None: ...
    def enter_appliances(self, appliances: tuple[SimulatedAppliance, ...]) -> None: ...
    def open_prompts(self) -> tuple[OfferedPrompt, ...]: ...
    def answer(self, prompt_id: str, choice: str) -> None: ...


@dataclass(slots=True)
class ResidentTally:
    """What the residents have done so far. Units: Wh."""

    signed_in: int = 0
    seen: int = 0
    yes: int = 0
    no: int = 0
    never: int = 0
    moved_wh: float = 0.0
    problems: int = 0
    checked_through_s: float = 0.0


@dataclass(slots=True)
class _Resident:
    home: SimulatedHome
    client: MemberApi
    is_signed_in: bool = False
    has_told: bool = False
    done: set[str] = field(default_factory=set)


class Residents:
    """All members of the street who have an account with the hub."""

    def __init__(self, street: Street, clients: Mapping[str, MemberApi], now: Callable[[], float]) -> None:
        self._street = street
        self._now = now
        self._residents = [_Resident(street.home(home), client) for home, client in sorted(clients.items())]
        self._lock = asyncio.Lock()
        self.tally = ResidentTally()

    async def answer_prompts(self) -> ResidentTally:
        """Every resident checks their prompts once and answers the open ones, in the order of the homes."""
        async with self._lock:
            now_s = self._now()
            for resident in self._residents:
                try:
                    await self._answer_prompts_of(resident)
                except MemberRequestError as problem:
                    self.tally.problems += 1
                    _log.warning("%s: %s", resident.home.id, problem)
            self.tally.checked_through_s = now_s
            return self.tally

    async def _answer_prompts_of(self, resident: _Resident) -> None:
        if not resident.is_signed_in:
            await asyncio.to_thread(resident.client.sign_in)
            resident.is_signed_in = True
            self.tally.signed_in += 1
        if "prompt.shift" not in resident.home.purposes:
            return
        if not resident.has_told:
            await asyncio.to_thread(resident.client.enter_appliances, resident.home.appliances)
            resident.has_told = True
        for prompt in await asyncio.to_thread(resident.client.open_prompts):
            if prompt.id not in resident.done:
                await self._answer(resident, prompt)

    async def _answer(self, resident: _Resident, prompt: OfferedPrompt) -> None:
        home, now_s = resident.home, self._now()
        choice, run = decide(self._street, home, prompt, now_s=now_s)
        # Answer first: an answer the hub does not accept must not move anything.
        try:
            await asyncio.to_thread(resident.client.answer, prompt.id, choice)
        except MemberRefusedError:
            resident.done.add(prompt.id)
            raise
        resident.done.add(prompt.id)
        self.tally.seen += 1
        self.tally.never += choice == "never_appliance"
        self.tally.no += choice == "no"
        if choice == "yes" and run is not None:
            self.tally.yes += 1
            start_s = prompt.proposed_slot * SLOT_S
            moved = self._street.move_run(home.id, run, start_s=start_s, now_s=now_s, prompt=prompt.id)
            self.tally.moved_wh += moved.energy_ws / 3600


def decide(
    street: Street, home: SimulatedHome, prompt: OfferedPrompt, *, now_s: float
) -> tuple[ResidentChoice, ApplianceRun | None]:
    """What this home's member answers, and the planned run the answer moves."""
    usual_s, proposed_s = prompt.usual_slot * SLOT_S, prompt.proposed_slot * SLOT_S
    run = street.physics(home.id).plan.next_run(
        prompt.appliance, after_s=max(now_s, usual_s - AROUND_USUAL_S), until_s=usual_s + AROUND_USUAL_S
    )
    said = draw_chance(street.seed, home.id, "answer", prompt.appliance, prompt.usual_slot, prompt.proposed_slot)
    if said < _NEVER_BELOW:
        return "never_appliance", None
    if run is None or proposed_s <= now_s or said >= home.willingness:
        return "no", None
    return "yes", run


def read_links(path: Path, street: Street) -> dict[str, MemberApi]:
    """The members' clients from a JSON file `{"h01": "http://127.0.0.1:8400/sign-in/...", ...}`.

    Raises: SimulatorError.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SimulatorError(f"{path}: expected a JSON object of home ids and sign-in links") from None
    known = {home.id for home in street.homes}
    if not isinstance(content, dict) or not set(content) <= known:
        raise SimulatorError(f"{path}: expected a JSON object whose keys are homes of this street")
    try:
        return {home: MemberClient(str(link)) for home, link in content.items()}
    except ValueError as problem:
        raise SimulatorError(f"{path}: {problem}") from None

"""Shows the home in Home Assistant and takes its answers to prompts. Only the home's own broker hears of it.

Values are not retained, so that none is taken for a present one when the agent is gone; only what there is, and
whether the agent is there, stays at the broker.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edge_agent.home_assistant.credits import credit_details, credit_states
from edge_agent.home_assistant.discovery import POWER_OF_ROLE, QUESTION, SPARE, HomeTopics, discovery
from edge_agent.home_assistant.questions import (
    UNKNOWN,
    open_question,
    pressed,
    question_details,
    question_state,
    spare_details,
    spare_sun,
)
from edge_agent.home_broker.address import Credentials
from edge_agent.home_broker.session import HomeBrokerSession
from edge_agent.home_store.credit_days import CreditBook, yesterday
from edge_agent.home_store.energy_totals import EnergyTotals
from edge_agent.local_time import LocalTime
from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.view import PromptStatus, leave_answer, list_prompts
from edge_agent.page.flows import power_flow
from edge_agent.page.running_home import RunningHome
from edge_agent.sections.home_assistant import HomeAssistantChoice

log = logging.getLogger("commonwatt.agent")

LOOK_EVERY_S: Final = 5.0
FRESH_INTERVALS: Final = 2.5
MAX_PRESSES: Final = 20
MAX_COMPLAINTS: Final = 20
"""Lines about presses that were not taken, for each connection: whoever floods the topic does not fill the log."""


@dataclass(frozen=True, slots=True)
class HomeEnergies:
    """The home's energies: totals that rise, and what the hub told of settled days."""

    totals: EnergyTotals
    credits: CreditBook


class HomeAssistantLink:
    """One home at one broker; its task runs `run`."""

    def __init__(
        self, choice: HomeAssistantChoice, home: RunningHome, *, energies: HomeEnergies, credentials: Credentials
    ) -> None:
        self._choice = choice
        self._home = home
        self._totals = energies.totals
        self._credits = energies.credits
        self._local = LocalTime(home.tz)
        self._topics = HomeTopics(home.agent, choice.prefix)
        self._session = HomeBrokerSession(
            self,
            choice.broker,
            credentials=credentials,
            client_id=f"commonwatt-{home.agent}",
            topics=(self._topics.answer, self._topics.birth),
            will=(self._topics.availability, "offline"),
        )
        self._wake = asyncio.Event()
        self._presses: deque[bytes] = deque(maxlen=MAX_PRESSES)
        self._said: dict[str, tuple[str, float]] = {}
        self._told: dict[str, str] = {}
        self._down_said: set[str] = set()
        self._prompts: Sequence[PromptStatus] = ()
        self._is_first = True
        self._complaints = 0
        self._is_stuck = False

    async def run(self) -> None:
        """Show and listen until cancelled. Never raises for anything the broker does."""
        self._session.start()
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
                self._wake.clear()
                await self._take_presses()
                if self._session.is_up:
                    await self._look_at_prompts()
                    self._show()
        finally:
            self._session.publish(self._topics.availability, "offline", is_retained=True)
            await self._session.leave()
            await asyncio.to_thread(self._totals.save, is_end=True)

    def note_up(self) -> None:
        """The broker is connected: everything is sent to it again."""
        if self._down_said or self._is_first:
            log.info("Home Assistant's broker %s: connected", self._choice.broker.shown)
        self._is_first = False
        self._complaints = 0
        self._down_said.clear()
        self._said.clear()
        self._told.clear()
        self._session.publish(self._topics.availability, "online", is_retained=True)
        self._wake.set()

    def note_down(self, words: str) -> None:
        """There is no connection now; each reason is said once."""
        if words not in self._down_said:
            log.warning("Home Assistant's broker %s: %s; measuring goes on", self._choice.broker.shown, words)
            self._down_said.add(words)

    def note_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A button was pressed, or Home Assistant has started. A press that the broker kept is nobody's answer now."""
        if topic == self._topics.answer and not is_retained:
            self._presses.append(payload)
        elif topic == self._topics.birth and payload == b"online":
            self._said.clear()
            self._told.clear()
        self._wake.set()

    async def _take_presses(self) -> None:
        while self._presses:
            found = pressed(self._presses.popleft())
            if found is None:
                self._complain(f"a message at {self._topics.answer} names no answer and prompt")
                continue
            prompt_id, choice = found
            try:
                await asyncio.to_thread(
                    leave_answer, self._home.folder, prompt_id, choice=choice, now_s=self._home.now()
                )
            except OutboxError as error:
                self._complain(str(error)[:200])

    def _complain(self, words: str) -> None:
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            log.warning("an answer from Home Assistant was not taken: %s", words)

    async def _look_at_prompts(self) -> None:
        try:
            self._prompts = await asyncio.to_thread(list_prompts, self._home.folder)
            self._is_stuck = False
        except OutboxError as error:
            if not self._is_stuck:
                log.error("prompts are not shown in Home Assistant: %s", error)
            self._is_stuck = True

    def _show(self) -> None:
        home, now_s = self._home, self._home.now()
        prompt = open_question(self._prompts, now_s=now_s)
        powers = {POWER_OF_ROLE[place.role] for place in home.places}
        powers |= {"home_power"} if "grid_power" in powers else set()
        described = discovery(
            self._topics,
            powers=powers,
            measures={measure for place in home.places for measure in place.measures},
            expire_s=max(60, 4 * home.interval_s),
            prompt_id=prompt.prompt_id if prompt else None,
            has_credits=not self._credits.is_empty,
        )
        for topic, text in described.items():
            if self._told.get(topic) != text:
                self._told[topic] = text
                self._session.publish(topic, text, is_retained=True)
        for name, power_w in self._powers(now_s).items():
            if name in powers:
                self._say(self._topics.state(name), UNKNOWN if power_w is None else str(power_w))
        for measure, energy_wh in self._totals.shown_wh().items():
            self._say(self._topics.state(measure.code), f"{energy_wh / 1000:.3f}")
        self._show_credits(now_s)
        spare = spare_sun(self._prompts, now_s=now_s)
        self._say(self._topics.details(QUESTION), json.dumps(question_details(prompt, self._local)))
        self._say(self._topics.state(QUESTION), question_state(prompt, self._local))
        self._say(self._topics.details(SPARE), json.dumps(spare_details(spare)))
        self._say(self._topics.state(SPARE), spare.state)

    def _show_credits(self, now_s: float) -> None:
        if self._credits.is_empty:
            return
        day = self._credits.day(yesterday(now_s, self._home.tz))
        for name, state in credit_states(day).items():
            self._say(self._topics.details(name), json.dumps(credit_details(day, self._home.tz)))
            self._say(self._topics.state(name), json.dumps(state))

    def _powers(self, now_s: float) -> dict[str, int | None]:
        home, newest = self._home, self._home.live.newest
        not_before_s = now_s - FRESH_INTERVALS * home.interval_s - FRESH_INTERVALS
        flow = power_flow(home.places, newest, not_before_s=not_before_s)
        loads = [newest.get(place) for place in home.places if place.role == "load"]
        is_known = all(each and each.power_w is not None and each.at_s >= not_before_s for each in loads)
        return {
            "grid_power": flow.grid_w,
            "sun_power": flow.sun_w,
            "wind_power": flow.wind_w,
            "battery_power": flow.battery_w,
            "load_power": sum(each.power_w or 0 for each in loads if each) if loads and is_known else None,
            "home_power": flow.use_w,
        }

    def _say(self, topic: str, text: str) -> None:
        """A state when it changes, and again with each reading so that Home Assistant knows it is still true."""
        before, at_s = self._said.get(topic, ("", 0.0))
        now_s = asyncio.get_running_loop().time()
        if before != text or now_s - at_s >= self._home.interval_s or topic not in self._said:
            self._said[topic] = (text, now_s)
            self._session.publish(topic, text)

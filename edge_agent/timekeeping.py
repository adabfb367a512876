"""The agent's time while it runs: found at the start, guarded afterwards, checked against the hub's signed time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from math import inf

from edge_agent.metering.clock.guard import ClockGuard
from edge_agent.metering.clock.sources import is_synchronised
from edge_agent.metering.clock.trusted import (
    HUB_TOLERANCE_S,
    BootClock,
    ClockBounds,
    TrustedTime,
    is_sealed_too_far,
    trusted_now,
)
from edge_agent.metering.home_meter import HomeMeter
from edge_agent.uplink.beside import BesideLog
from edge_agent.uplink.hub_time import HubTime
from edge_agent.uplink.sealing import AgentSigner
from protocols.slots import SLOT_S, Slot, start_of
from protocols.timeline import Clock
from protocols.wire.clock_check import ClockState

CHECK_EVERY_S = 30.0
REMEMBERED_S = 10.0


class RememberedAnswer:
    """Asks this computer's time sources at most once in REMEMBERED_S: some are asked over a socket."""

    def __init__(
        self, ask: Callable[[], bool] = is_synchronised, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._asked_at = -inf
        self._answer = False

    def __call__(self) -> bool:
        """Whether the clock is synchronised."""
        if self._monotonic() - self._asked_at >= REMEMBERED_S:
            self._answer, self._asked_at = self._ask(), self._monotonic()
        return self._answer


class GuardedClock(Clock):
    """A clock behind a guard; it sleeps by the clock it guards."""

    def __init__(self, inner: Clock, guard: ClockGuard) -> None:
        super().__init__(guard.now)
        self._inner, self._guard = inner, guard

    async def sleep_towards(self, when_s: float, *, at_most_s: float = inf) -> None:
        """Sleep once, as the guarded clock does."""
        self.now()
        await self._inner.sleep_towards(when_s + self._guard.off_s, at_most_s=at_most_s)


class Timekeeper:
    """Gives the agent its clock. Without a boot clock (a developer's timeline) nothing is guarded or asked.

    `beside`: what left beside the numbered messages. `first_whole`: the first quarter hour that this run sees whole.
    """

    def __init__(
        self,
        clock: Clock,
        signer: AgentSigner,
        *,
        boot_clock: BootClock | None,
        is_synchronised: Callable[[], bool],
    ) -> None:
        self._wall = clock
        self._boot_clock = boot_clock
        self._is_synchronised = is_synchronised
        self._is_found = False
        self.clock = clock
        self.beside = BesideLog(now=clock.now)
        self.first_whole: Slot | None = None
        self.hub_time: HubTime | None = None
        self._guard: ClockGuard | None = None
        if boot_clock is not None:
            self.hub_time = HubTime(
                signer, boot_clock=boot_clock, wall=clock.now, nonces=os.urandom, state=self.clock_state
            )
            self.hub_time.note_asked = self.beside.note
            self._guard = ClockGuard(
                clock.now, boot_clock=boot_clock, is_synchronised=is_synchronised, hub_bounds=self.hub_time.bounds
            )
            self.clock = GuardedClock(clock, self._guard)

    def is_confirmed(self) -> bool:
        """Whether a time source sets the clock that the agent goes by."""
        return self._is_synchronised() and not (self._guard and self._guard.is_held)

    def clock_state(self) -> ClockState:
        """What the hub is told of the clock."""
        if not self._is_found or (self._guard is not None and self._guard.is_held):
            return ClockState.HELD
        return ClockState.SYNCHRONISED if self._is_synchronised() else ClockState.UNCONFIRMED

    async def find(self, bounds: ClockBounds) -> TrustedTime:
        """Wait until the time can be trusted; from then on it is guarded."""
        self._is_found = False
        found = await trusted_now(
            self._wall,
            bounds,
            is_synchronised=self._is_synchronised,
            boot_clock=self._boot_clock,
            hub_bounds=self.hub_time.bounds if self.hub_time else lambda: None,
        )
        if self._guard is not None:
            self._guard.trust(found.now_s)
        self._is_found = True
        return found

    async def sealed_too_far(self, metering: HomeMeter) -> None:
        """Return once the hub's time shows that slots were sealed by a clock that was ahead."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            hub = self.hub_time.bounds() if self.hub_time else None
            sealed_s = float(start_of(metering.next_slot))
            is_back = sealed_s > self.clock.now() + HUB_TOLERANCE_S + SLOT_S
            if hub is not None and is_back and is_sealed_too_far(ClockBounds(sealed_s), hub):
                return

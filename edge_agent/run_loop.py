"""The agent's main loop: devices to meter, meter through consent to sealed batches in the outbox, outbox to hub.

The parts are passed in; `program` chooses the concrete ones.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_agent.consent.watch import ConsentWatch
from edge_agent.devices.silence import TroubleLog
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter
from edge_agent.outbox.dropped_slots import DroppedSlots
from edge_agent.outbox.messages import OutboxError, SealMessage
from edge_agent.outbox.store import Outbox
from edge_agent.outbox.waking import Signal, to_the_beat
from edge_agent.uplink.sealing import AgentSigner, BatchContext, ConsentFilter, seal_answer
from protocols.slots import format_slot
from protocols.timeline import Clock
from protocols.wire.readings import MAX_DEVICES, ClockTrust, DeviceState

log = logging.getLogger("commonwatt.agent")

ANSWERS_EVERY_S = 5.0
CONSENT_EVERY_S = 5.0
BESIDE_AGAIN_S = 60.0
FORGET_EVERY_S = 6 * 3600.0
GROUP = 96
MAX_PENDING = 2 * GROUP


class BusReader(Protocol):
    """A connection with its devices, read until cancelled."""

    async def run(self) -> None: ...
    def states(self) -> list[DeviceState]: ...


@dataclass(frozen=True, slots=True)
class LoopParts:
    """The parts of the loop. `is_synchronised` says whether a time service sets the system clock."""

    clock: Clock
    signer: AgentSigner
    consent_filter: ConsentFilter
    outbox: Outbox
    keep_days: int
    is_synchronised: Callable[[], bool]
    consent_watch: ConsentWatch | None = None


@dataclass(frozen=True, slots=True)
class _QueuedSlot:
    """A slot the meter has closed, and the circumstances."""

    closed: ClosedSlot
    checkpoint: bytes
    states: list[DeviceState]
    context: BatchContext


class SlotCloser:
    """Takes slots as the meter closes them and puts their batches into the outbox, in order, in groups.

    While the outbox is full, MAX_PENDING slots wait in memory; of earlier ones only totals are kept, and their batches
    give the full outbox as the reason. `left_out` counts them since the start. `is_stuck`: the last try failed.
    """

    def __init__(self, parts: LoopParts, metering: HomeMeter) -> None:
        self._parts = parts
        self._metering = metering
        self._sealed: list[tuple[SealMessage, bytes]] = []
        self._left_out = DroppedSlots()
        self._left_out_through: _QueuedSlot | None = None
        self._waiting: deque[_QueuedSlot] = deque()
        self.is_stuck = False
        self.left_out = 0
        self.readers: Sequence[BusReader] = ()
        self.trouble_log: TroubleLog | None = None
        self.keep_at_home: Callable[[Sequence[ClosedSlot]], Awaitable[None]] | None = None
        self.signal = Signal()

    async def run(self, wake: Callable[[], None], *, hold: Callable[[], None], stored: Callable[[], None]) -> None:
        """Seal and store until cancelled. `wake` hears of a new consent, `hold` and `stored` before and after slots."""
        while True:
            await self.signal.wait(to_the_beat(CONSENT_EVERY_S))
            if await self.take_up_consent():
                wake()
            if self.signal.take():
                hold()
                if await self.store_closed():
                    stored()

    async def take_up_consent(self) -> bool:
        """Put a new version of the household's consent into force; whether there was one.

        Not while batches that were sealed under the old one wait for room: they come before it in the chain.
        """
        watch, filtering = self._parts.consent_watch, self._parts.consent_filter
        if watch is None or self._sealed:
            return False
        before = filtering.consent
        filtering.consent = await watch.look(before)
        return filtering.consent != before

    async def store_closed(self, trust: ClockTrust | None = None) -> bool:
        """Seal and store every closed slot. Returns whether anything was stored. `trust`: overrides the clock's own."""
        states = [state for reader in self.readers for state in reader.states()][:MAX_DEVICES]
        if self.trouble_log is not None:
            self.trouble_log.note(states, now_s=self._parts.clock.now())
        context = self._context(trust)
        found: list[ClosedSlot] = []
        while closed := self._metering.next_closed_slot():
            self._waiting.append(_QueuedSlot(*closed, states, context))
            found.append(closed[0])
        stored = await self._store_waiting()
        if found and self.keep_at_home is not None:
            try:
                await self.keep_at_home(found)
            except Exception as error:
                log.error("the home's own history failed with %s; measuring goes on", type(error).__name__)
        return stored

    async def _store_waiting(self) -> bool:
        stored = False
        while self._sealed or self._waiting or self._left_out:
            self._sealed = self._sealed or self._seal_next()
            if not await self._store():
                self._leave_out_oldest()
                break
            self._sealed, stored = [], True
        return stored

    def _seal_next(self) -> list[tuple[SealMessage, bytes]]:
        """A group of batches in order. Dropped slots are sent all at once, with one checkpoint after them."""
        group = []
        if through := self._left_out_through:
            group = [(self._batch(closed, through), through.checkpoint) for closed in self._left_out.slots()]
            log.warning("%d slots dropped: outbox full (reported to the hub)", len(self._left_out))
            self._left_out, self._left_out_through = DroppedSlots(), None
        while self._waiting and len(group) < GROUP:
            queued = self._waiting.popleft()
            group.append((self._batch(queued.closed, queued), queued.checkpoint))
        return group

    def _batch(self, closed: ClosedSlot, of: _QueuedSlot) -> SealMessage:
        return self._parts.consent_filter.batch(self._parts.signer, closed, devices=of.states, context=of.context)

    async def _store(self) -> bool:
        group = self._sealed
        try:
            await self._parts.outbox.append(
                [sealing for sealing, _ in group], now_s=self._parts.clock.now(), checkpoint=group[-1][1]
            )
        except OutboxError as error:
            if not self.is_stuck:
                log.error("slots are waiting in memory: %s", error)
            self.is_stuck = True
            return False
        self.is_stuck = False
        return True

    def _leave_out_oldest(self) -> None:
        while len(self._waiting) > MAX_PENDING:
            self._left_out_through = self._waiting.popleft()
            if not self._left_out:
                first = format_slot(self._left_out_through.closed.slot)
                log.error("memory is full too: slots from %s on are dropped, only totals are kept", first)
            self._left_out.add(self._left_out_through.closed)
            self.left_out += 1

    def _context(self, trust: ClockTrust | None) -> BatchContext:
        if trust is None:
            trust = ClockTrust.TRUSTED if self._parts.is_synchronised() else ClockTrust.ESTIMATED
        return BatchContext(self._parts.outbox.boot, trust, int(self._parts.clock.now()))


async def run_beside(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what the home only looks at, until cancelled: if it fails it is begun again, and measuring goes on."""
    while True:
        try:
            await work()
        except Exception as error:
            # Without the error's message: it may contain a value of the home.
            place = traceback.extract_tb(error.__traceback__)[-1]
            failed = type(error).__name__
            log.error("%s failed with %s in %s line %d; measuring goes on", name, failed, place.name, place.lineno)
        await asyncio.sleep(BESIDE_AGAIN_S)


async def send_answers(parts: LoopParts, wake: Callable[[], None]) -> None:
    """Pick up the answers people left for the running agent, until cancelled."""
    while True:
        try:
            for prompt_id, choice, at in await parts.outbox.given_answers():
                sealing = seal_answer(parts.signer, prompt_id, choice=choice, at=at)
                await parts.outbox.append_answer(prompt_id, sealing, choice=choice, at=at, now_s=parts.clock.now())
                wake()
        except OutboxError as error:
            log.error("answers are waiting: %s", error)
        await asyncio.sleep(to_the_beat(ANSWERS_EVERY_S))


async def forget(parts: LoopParts) -> None:
    """Delete what the hub receipted long enough ago, until cancelled."""
    while True:
        try:
            gone = await parts.outbox.forget(before_s=parts.clock.now() - parts.keep_days * 86400)
            if gone:
                log.info("outbox: %d messages receipted more than %d days ago deleted", gone, parts.keep_days)
        except OutboxError as error:
            log.error("old messages were not deleted: %s", error)
        await asyncio.sleep(FORGET_EVERY_S)

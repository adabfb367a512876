"""The shards of one worker as intake follows them: what its turns in the store gave it, and what it works on.

The two differ for a moment: a shard is given back only when intake has ceased to work on it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from hub.intake.leases.sharing import LEASE_MS, Turn, lease_name, next_turn, shards_in
from hub.storage.errors import LeaseLostError, StoreError
from hub.storage.shared.records import HubProcess, Lease, LeaseTable, SharedStore
from protocols.wire.topics import SHARDS, shard_of

log = logging.getLogger(__name__)

TURN_S: Final = 2.0
LEASE_S: Final = LEASE_MS / 1000


def boot_s() -> float:
    """A clock that never jumps and goes on while the computer sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Shards:
    """`own` is this life of the worker. `can_work` says whether it hears the broker; `changed` wakes intake."""

    def __init__(
        self,
        store: SharedStore,
        own: HubProcess,
        *,
        can_work: Callable[[], bool],
        changed: Callable[[], None],
        steady_s: Callable[[], float] = boot_s,
    ) -> None:
        self._store = store
        self._own = own
        self._can_work = can_work
        self._changed = changed
        self._steady_s = steady_s
        self._granted: dict[int, int] = {}
        self._surplus: frozenset[int] = frozenset()
        self._working: dict[int, int] = {}
        self._ceased: set[int] = set()
        self._valid_until_s = float("-inf")
        self._heard = (0, 0.0)
        self._agents_ms: int | None = None
        self._turn_now = asyncio.Event()
        self._was_problem = False
        self.has_turned = asyncio.Event()
        """Set once a turn has succeeded."""

    @property
    def working(self) -> Mapping[int, int]:
        """The shards that intake works on, with the token of each."""
        return self._working

    @property
    def leases(self) -> dict[str, int]:
        """The same by the names of their leases: every commit of intake checks these."""
        return {lease_name(shard): token for shard, token in self._working.items()}

    @property
    def is_behind(self) -> bool:
        """Whether intake works on other shards than it should."""
        return self._wanted() != self._working

    def covers(self, agent: str) -> bool:
        """Whether intake works on this agent's shard."""
        return shard_of(agent) in self._working

    def may_tell(self, agent: str) -> bool:
        """Whether this worker may speak for this agent's shard: by its own clock, which begins before the store's."""
        return self.covers(agent) and self._steady_s() < self._valid_until_s

    def follow(self) -> tuple[dict[int, int], frozenset[int]]:
        """Work on what the last turn gave; (what is new with its tokens, what intake must forget)."""
        wanted = self._wanted()
        lost = frozenset(shard for shard, token in self._working.items() if wanted.get(shard) != token)
        new = {shard: token for shard, token in wanted.items() if self._working.get(shard) != token}
        self._working = wanted
        return new, lost

    def cease(self, shards: Collection[int]) -> None:
        """Intake has forgotten these: the next turn, which comes at once, gives back those that are still held."""
        self._ceased |= set(shards) - self._working.keys()
        if self._ceased & self._granted.keys():
            self._turn_now.set()

    def note_lost(self, names: Collection[str]) -> None:
        """A commit was refused because others have these leases."""
        for shard in shards_in(names):
            self._granted.pop(shard, None)

    async def confirm(self) -> None:
        """Ask the store, before a word that no commit proves. Raises: LeaseLostError, StoreError."""
        table = await self._store.lease_table()
        held = {each.name: each.token for each in table.leases.values() if each.holder == self._own.id}
        if lost := frozenset(name for name, token in self.leases.items() if held.get(name) != token):
            raise LeaseLostError(lost)

    def looks_at_agents(self) -> Callable[[bool], None]:
        """Call it before a look at which agents there are, and what it gives when intake acts on what was seen: whoever
        waits for that then hears that intake knows all agents of the time before the look.
        """
        at_ms, heard_s = self._heard
        at_ms += int((self._steady_s() - heard_s) * 1000)

        def looked(is_news: bool) -> None:
            self._agents_ms = at_ms
            if is_news:
                self._turn_now.set()

        return looked

    async def run(self) -> None:
        """Take a turn every two seconds until cancelled, then give everything back."""
        try:
            while True:
                await self.turn_once()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._turn_now.wait(), TURN_S)
        finally:
            with suppress(StoreError):
                await self._store.leave(self._own.id)

    async def turn_once(self) -> None:
        """One turn. While the store cannot be written, the shards stay as they are until their time is over."""
        self._turn_now.clear()
        began_s, ceased = self._steady_s(), frozenset(self._ceased)
        own = replace(self._own, wants_shards=self._can_work(), agents_ms=self._agents_ms)
        turns: list[Turn] = []

        def decide(table: LeaseTable) -> tuple[Lease, ...]:
            turns.append(next_turn(table, me=own.id, held=held, given_back=ceased))
            return turns[-1].written

        held = dict(self._granted)
        try:
            table = await self._store.take_turn(own, decide)
        except StoreError as error:
            if not self._was_problem and not error.is_said:
                log.error("leases: %s; trying again", error)
            self._was_problem = True
            return
        self._was_problem = False
        self._heard = (table.now_ms, self._steady_s())
        self._take(turns[-1], table, ceased=ceased)
        # Counted from before the question: by the store's clock the leases last longer than by this one.
        self._valid_until_s = began_s + LEASE_S
        self.has_turned.set()

    def _take(self, turn: Turn, table: LeaseTable, *, ceased: frozenset[int]) -> None:
        before = set(self._granted)
        self._granted, self._surplus = dict(turn.held), turn.surplus
        self._ceased -= ceased
        if before != self._granted.keys():
            log.info("this worker has %d of %d shards", len(self._granted), SHARDS)
        if self.is_behind:
            self._changed()

    def _wanted(self) -> dict[int, int]:
        return {
            shard: token
            for shard, token in self._granted.items()
            if shard not in self._surplus and shard not in self._ceased
        }

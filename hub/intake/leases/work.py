"""What part of the co-op's messages this worker takes: all of them, or those of its shards, while it has these."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from hub.broker.connection import Delivery
from hub.intake.leases.home_facts import facts_assumed, facts_before
from hub.intake.leases.shards import Shards
from hub.intake.state import IntakeState
from hub.storage.contract import ReadingStore
from hub.storage.errors import LeaseLostError
from hub.storage.records import AcceptedMessage
from hub.storage.shared.records import HomeFacts, SharedStore

log = logging.getLogger(__name__)

Facts = Mapping[str, HomeFacts]


class SharedLink(Protocol):
    """The part of the broker link that workers need who share the messages."""

    def hear_shards(self, shards: Collection[int]) -> None:
        """Hear the messages of exactly these shards from now on."""

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These are for another worker: the broker gives them to it if it can."""


class AllAgents:
    """One worker takes every message: nothing is shared, and what it judges by is what is stored."""

    is_behind = False

    def __init__(self, store: ReadingStore) -> None:
        self._store = store

    def covers(self, _agent: str) -> bool:
        """Every agent is this worker's."""
        return True

    def own(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Every message is this worker's."""
        return deliveries

    def begin_change(self) -> bool:
        """Nothing ever changes."""
        return False

    def complete_change(self) -> None:
        """Nothing ever changes."""

    def give_back(self, _deliveries: Sequence[Delivery]) -> None:
        """Nothing is another worker's."""

    def note_lost(self, error: LeaseLostError) -> None:
        """It has no leases to lose: the error is a broken program's."""
        raise error

    async def confirmed(self, now_s: float, *, is_proven: bool) -> int | None:
        """Nobody has to be asked before a receipt, which says the time at which it is made."""
        return None

    def before(self, _state: IntakeState, _agents: Iterable[str]) -> Facts:
        """Nobody else changes what a group is judged by."""
        return {}

    async def store_messages(self, accepted: Sequence[AcceptedMessage], _before: Facts, _state: IntakeState) -> None:
        """Store them. Raises: StoreError."""
        await self._store.store_messages(accepted)


class OwnShards(AllAgents):
    """`store` is fenced by the leases of `shards`: what is written through it is written while all of them are held."""

    def __init__(self, shards: Shards, *, link: SharedLink, store: "FencedStore") -> None:
        super().__init__(store)
        self._shards = shards
        self._link = link
        self._fenced: SharedStore = store
        self._lost: frozenset[int] = frozenset()
        self._is_complete = False
        self._changed = asyncio.Event()

    @property
    def is_behind(self) -> bool:  # type: ignore[override] # a constant where nothing is shared
        """Whether intake has to take up or forget shards before it goes on."""
        return self._shards.is_behind or not self._is_complete

    def covers(self, agent: str) -> bool:
        """Whether this agent's shard is this worker's."""
        return self._shards.covers(agent)

    def own(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those of this worker's shards; the others go back."""
        working = self._shards.working
        own = [each for each in deliveries if _shard(each.topic) in working]
        if len(own) < len(deliveries):
            kept = set(map(id, own))
            self._link.give_back([each for each in deliveries if id(each) not in kept])
        return own

    def begin_change(self) -> bool:
        """Whether there are new shards. Nothing of lost ones is heard any more."""
        self._is_complete = False
        new, lost = self._shards.follow()
        self._lost |= lost
        self._link.hear_shards(self._shards.working.keys() - new.keys())
        return bool(new)

    def complete_change(self) -> None:
        """Intake knows exactly its agents: hear them all, and let others have what is lost."""
        self._link.hear_shards(self._shards.working.keys())
        self._shards.cease(self._lost)
        self._lost, self._is_complete = frozenset(), True
        self._changed.set()

    async def next_change(self) -> None:
        """Returns when intake has taken up or forgotten shards once more."""
        self._changed.clear()
        await self._changed.wait()

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """These waited here and are another worker's."""
        self._link.give_back(deliveries)

    def note_lost(self, error: LeaseLostError) -> None:
        """A commit was refused: these shards are another worker's."""
        log.warning("intake: %s (%s); nothing of it was written", error, ", ".join(sorted(error.names)))
        self._shards.note_lost(error.names)

    async def confirmed(self, now_s: float, *, is_proven: bool) -> int | None:
        """The time that receipts say: at it, or later, this worker still had its shards, as a commit has proven or the
        store is asked now. A receipt that is sent long after it, by a worker that was held up, counts as an old one.

        Raises: LeaseLostError, StoreError.
        """
        if not is_proven:
            await self._shards.confirm()
        return int(now_s)

    def before(self, state: IntakeState, agents: Iterable[str]) -> Facts:
        """What is known of these agents' homes before a group is judged."""
        return facts_before(state, {state.chains[agent].home for agent in agents if agent in state.chains})

    async def store_messages(self, accepted: Sequence[AcceptedMessage], before: Facts, state: IntakeState) -> None:
        """Store them, if this worker still has its shards and what they were judged by still holds.

        Raises: LeaseLostError, HomesChangedError, StoreError.
        """
        await self._fenced.store_messages_if(accepted, assumed=facts_assumed(accepted, before, state.shared))


class FencedStore(ReadingStore, SharedStore, Protocol):
    """The slices of the store that are written here."""


def _shard(topic: str) -> int:
    """The shard that a topic names; -1 for a topic that no agent has."""
    part = topic.split("/", 3)[2:3]
    return int(part[0]) if part and part[0].isascii() and part[0].isdecimal() and len(part[0]) <= 2 else -1

"""Sends the receipts of a group: one for each agent and epoch, cumulative, signed when its turn to be sent has come."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.health.intake_tally import IntakeTally
from hub.health.trail import batch_id, is_kept, step
from hub.intake.acceptance import receipt_for
from hub.intake.conduct import Excess
from hub.intake.group.asking_again import AskingAgain
from hub.intake.state import AgentChain, DuplicateMessage, EarlyMessage, IntakeVerdict, Rejection
from hub.storage.contract import ReadingStore
from hub.storage.records import AcceptedMessage
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.envelope import seal
from protocols.wire.receipts import Receipt, encode_receipt

MOST_NAMED: Final = 1000
"""How many batches a receipt names in the trail; the newest."""


class LatestSender(Protocol):
    """The part of the broker link that receipts need."""

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None: ...


class Receipts:
    """Says to agents what is stored, and asks for what is not."""

    def __init__(
        self,
        store: ReadingStore,
        broker: LatestSender,
        *,
        coop: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        tally: IntakeTally,
    ) -> None:
        self._store = store
        self._broker = broker
        self._coop = coop
        self._key = key
        self._clock = clock
        self._tally = tally
        self._covered: dict[tuple[str, int], deque[str]] = {}

    def note_stored(self, accepted: Iterable[AcceptedMessage]) -> None:
        """Write these batches into the trail; the next receipt of their agent names them there."""
        if is_kept():
            for message in accepted:
                batch = batch_id(message.hash)
                step("batch stored", batch=batch)
                self._covered.setdefault((message.agent, message.epoch), deque(maxlen=MOST_NAMED)).append(batch)

    async def send(
        self,
        asked: Iterable[tuple[str, int]],
        chains: dict[str, AgentChain],
        asking: AskingAgain,
        *,
        stored_at: int | None = None,
    ) -> None:
        """One receipt for each (agent, epoch), after the commit that it reports. Raises: StoreError.

        `stored_at` is now if it is not given.
        """
        at = int(self._clock.now()) if stored_at is None else stored_at
        for agent, epoch in sorted(set(asked)):
            receipt = await self._receipt(agent, chains[agent], epoch=epoch, asking=asking, stored_at=at)
            self._tally.note_receipt(receipt.gaps)
            topic = topics.downlink_topic(self._coop, agent, kind="receipt")
            self._broker.publish_latest(topic, partial(self._signed, topic, receipt), of=epoch)

    def _signed(self, topic: str, receipt: Receipt) -> bytes:
        step("receipt signed", batches=list(self._covered.pop((receipt.agent, receipt.epoch), ())))
        return seal(self._key, topic, encode_receipt(receipt))

    async def _receipt(
        self, agent: str, chain: AgentChain, *, epoch: int, asking: AskingAgain, stored_at: int
    ) -> Receipt:
        if epoch < chain.position.epoch:
            head = await self._store.epoch_head(agent, epoch=epoch)
            if head is not None:
                # Nothing more of an earlier epoch is taken: who was to be asked for it is told what is stored, once.
                asking.asks_through(agent, epoch=epoch, above=head.seq)
                return Receipt(agent, epoch, head.seq, head.hash, (), stored_at, ())
        above = chain.position.seq if epoch == chain.position.epoch else 0
        missing = asking.asks_through(agent, epoch=epoch, above=above)
        return receipt_for(agent, chain, epoch=epoch, stored_at=stored_at, missing_through=missing)


def asked_for(verdicts: Iterable[IntakeVerdict | Excess], accepted: Sequence[AcceptedMessage]) -> set[tuple[str, int]]:
    """The (agent, epoch) that a group's messages are answered with."""
    asked = {(message.agent, message.epoch) for message in accepted}
    told = list(verdicts)
    asked |= {(v.agent, v.epoch) for v in told if isinstance(v, DuplicateMessage | EarlyMessage)}
    # Refused messages get one answer at most per agent and group, so that a flood is not doubled.
    return asked | {v.agent: v.answer_epoch for v in told if isinstance(v, Rejection) and v.answer_epoch}.items()

"""From a closed slot to a sealed message: what the home's consent allows, numbered and signed, and nothing else.

Pure except for the key it is given. Every message of the agent is made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.metering.home_meter import ClosedSlot
from edge_agent.outbox.messages import ChainLink, SealedMessage, SealMessage
from protocols.consent.reduction import SlotValue, filter_devices, filter_long_intervals, filter_values
from protocols.consent.rules import ConsentSet, encode_consent
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot, start_of
from protocols.wire import topics
from protocols.wire.envelope import open_sealed, seal
from protocols.wire.messages import (
    AnswerChoice,
    ConsentNotice,
    PromptAnswer,
    encode_answer,
    encode_consent_notice,
)
from protocols.wire.payloads import decode_payload, encode_payload
from protocols.wire.readings import Batch, ClockTrust, DeviceState, encode_batch
from protocols.wire.refusal_reasons import WireError


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """The agent's name, co-op and signing key."""

    coop: str
    agent: str
    key: Ed25519PrivateKey

    def seal(self, kind: str, payload: bytes) -> SealedMessage:
        """A payload under this agent's topic for its kind."""
        topic = topics.uplink_topic(self.coop, self.agent, kind=kind)
        return SealedMessage(kind, topic, seal(self.key, topic, payload))


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The circumstances that a batch reports."""

    boot: int
    clock: ClockTrust
    made_at: int


class ConsentFilter:
    """Applies the household's consent between meter and wire. Keeps a day of slots for hourly and daily sums."""

    def __init__(self, consent: ConsentSet) -> None:
        self.consent = consent
        self._recent: dict[tuple[Measure, Slot], SlotValue] = {}

    def batch(
        self, signer: AgentSigner, closed: ClosedSlot, *, devices: Iterable[DeviceState], context: BatchContext
    ) -> SealMessage:
        """The message of a closed slot. Call once for each slot, in order."""
        self._remember(closed)
        columns = filter_values(self.consent, closed.slot, self._recent)
        long_intervals = filter_long_intervals(self.consent, closed.long_intervals)
        states = filter_devices(self.consent, closed.slot, sorted(devices, key=lambda device: device.name))
        version = self.consent.version

        def sealing(link: ChainLink) -> SealedMessage:
            batch = Batch(
                agent=signer.agent,
                epoch=link.epoch,
                seq=link.seq,
                previous=link.previous,
                boot=context.boot,
                clock=context.clock,
                consent_version=version,
                # A clock set back meanwhile would close a slot before it ended; the hub takes no such batch.
                made_at=max(context.made_at, start_of(closed.slot + 1)),
                slot=closed.slot,
                columns=columns,
                long_intervals=long_intervals,
                devices=states,
            )
            return signer.seal("batch", encode_batch(batch))

        return sealing

    def _remember(self, closed: ClosedSlot) -> None:
        for measure, value in closed.values.items():
            self._recent[measure, closed.slot] = value
            self._recent.pop((measure, closed.slot - SLOTS_PER_UTC_DAY), None)


def seal_answer(signer: AgentSigner, prompt_id: str, *, choice: AnswerChoice, at: int) -> SealMessage:
    """A household's answer as a message."""

    def sealing(link: ChainLink) -> SealedMessage:
        message = PromptAnswer(
            agent=signer.agent,
            epoch=link.epoch,
            seq=link.seq,
            previous=link.previous,
            prompt_id=prompt_id,
            choice=choice,
            at=at,
        )
        return signer.seal("answer", encode_answer(message))

    return sealing


def seal_consent_notice(signer: AgentSigner, consent: ConsentSet) -> SealMessage:
    """The message that puts a consent into force for everything after it."""
    canonical = encode_consent(consent)

    def sealing(link: ChainLink) -> SealedMessage:
        message = ConsentNotice(signer.agent, link.epoch, link.seq, link.previous, canonical)
        return signer.seal("consent", encode_consent_notice(message))

    return sealing


def reseal_message(signer: AgentSigner, kept: SealedMessage) -> SealMessage | None:
    """The same content at another position in the chain; None if the stored bytes are not this agent's."""
    try:
        payload = open_sealed(kept.sealed, kept.topic, signer.key.public_key())
        body = decode_payload(kept.kind, payload)
    except WireError:
        return None

    def sealing(link: ChainLink) -> SealedMessage:
        moved = replace(body, agent=signer.agent, epoch=link.epoch, seq=link.seq, previous=link.previous)
        return signer.seal(kept.kind, encode_payload(moved))

    return sealing

"""A home that seals real messages for tests of the hub: real keys, a real chain, values made from the slot number."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.storage.records import Agent, Coop, Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.rules import ConsentSet, encode_consent
from protocols.public_keys import agent_name_of
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.wire import topics
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import batch_hash, seal
from protocols.wire.messages import AnswerChoice, ConsentNotice, PromptAnswer, encode_answer, encode_consent_notice
from protocols.wire.readings import Batch, ClockTrust, Column, DeviceState, LongInterval, encode_batch

COOP = Coop("street", "The Street", "Europe/Madrid", "EUR")
FIRST_SLOT = 1_990_000
NOW_S = start_of(FIRST_SLOT + 500)


@dataclass
class SendingHome:
    """The agent of one home; each call seals the next message of its chain and gives (topic, sealed bytes)."""

    home: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    epoch: int = 1
    seq: int = 0
    previous: bytes = FIRST_PREVIOUS
    consent_version: int = 1

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def agent(self) -> str:
        return agent_name_of(self.public_key)

    def new_epoch(self) -> None:
        self.epoch, self.seq, self.previous = self.epoch + 1, 0, FIRST_PREVIOUS

    def batch(
        self,
        slot: int | None = None,
        *,
        columns: Sequence[Column] | None = None,
        made_at: int | None = None,
        long_intervals: tuple[LongInterval, ...] = (),
        devices: tuple[DeviceState, ...] = (),
    ) -> tuple[str, bytes]:
        slot = FIRST_SLOT + self.seq if slot is None else slot
        batch = Batch(
            *(self.agent, self.epoch, self.seq + 1, self.previous),
            boot=1,
            clock=ClockTrust.TRUSTED,
            consent_version=self.consent_version,
            made_at=start_of(slot + 1) if made_at is None else made_at,
            slot=slot,
            columns=tuple(columns) if columns is not None else grid_columns(slot),
            long_intervals=long_intervals,
            devices=devices,
        )
        return self._seal("batch", encode_batch(batch))

    def answer(self, prompt_id: str, *, choice: AnswerChoice = AnswerChoice.YES, at: int = NOW_S) -> tuple[str, bytes]:
        answer = PromptAnswer(self.agent, self.epoch, self.seq + 1, self.previous, prompt_id, choice, at)
        return self._seal("answer", encode_answer(answer))

    def consent(self, consent: ConsentSet) -> tuple[str, bytes]:
        self.consent_version = consent.version
        return self.consent_bytes(encode_consent(consent))

    def consent_bytes(self, document: bytes) -> tuple[str, bytes]:
        notice = ConsentNotice(self.agent, self.epoch, self.seq + 1, self.previous, document)
        return self._seal("consent", encode_consent_notice(notice))

    def _seal(self, kind: str, payload: bytes) -> tuple[str, bytes]:
        topic = topics.uplink_topic(COOP.id, self.agent, kind=kind)
        sealed = seal(self.key, topic, payload)
        self.seq += 1
        self.previous = batch_hash(sealed)
        return topic, sealed


def grid_columns(slot: int) -> tuple[Column, ...]:
    """Import and export whose Wh tell the slot, so that a misplaced value is seen."""
    return (
        Column(Measure.GRID_IMPORT, 1, slot % 977, 0, Mark.MEASURED, Gap.NONE),
        Column(Measure.GRID_EXPORT, 1, slot % 53, 0, Mark.MEASURED, Gap.NONE),
    )


async def open_store(folder: Path, homes: Sequence[SendingHome] = ()) -> SqliteStore:
    """A fresh store in which these homes are enrolled, members since long ago."""
    store = await SqliteStore.open(folder / "hub.sqlite", now=time.time, create=True)
    await store.set_coop(COOP)
    for number, home in enumerate(homes, start=1):
        await enrol(store, home, member=f"m{number:02d}")
    return store


async def enrol(
    store: SqliteStore, home: SendingHome, *, member: str, is_further: bool = False, instead_of: str | None = None
) -> None:
    """Make the home's member if it is new, and enrol this agent for it, beside those it has or in place of one."""
    if await store.member(member) is None:
        await store.add_member(
            Member(member, member.upper(), f"{member}@x.org", "en", False, 0), Home(home.home, home.home, member)
        )
    token_hash = batch_hash(home.public_key)
    live = next((a.id for a in await store.agents() if a.home_id == home.home and a.revoked_at is None), None)
    replaces = None if is_further else instead_of or live
    await store.add_invite(token_hash, home_id=home.home, expires_at=NOW_S, replaces=replaces, is_further=is_further)
    agent = Agent(home.agent, home.home, topics.shard_of(home.agent), home.public_key, 1, None)
    assert await store.redeem_invite(token_hash, agent=agent, now=1) is None

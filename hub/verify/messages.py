"""Opens every stored message again and compares the tables with what the homes signed; changes nothing."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.console.progress import ReportProgress, ignore_progress
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.records import Access, Agent, ChainHead
from hub.verify.check_result import CheckResult
from protocols.consent.rules import decode_consent
from protocols.quantities import Mark, Measure
from protocols.slots import Slot, format_slot
from protocols.wire.chain import FIRST_PREVIOUS, Header
from protocols.wire.envelope import batch_hash, open_sealed
from protocols.wire.messages import decode_answer, decode_consent_notice
from protocols.wire.readings import Batch, Column, decode_batch
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import Topic

PAGE: Final = 500
LOCAL_DAY_SLOTS_MAX: Final = 100
ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the books")

Cell = tuple[Measure, Slot]


class MessageStores(MemberStore, ReadingStore, Protocol):
    """The two parts of the store that this check needs."""


@dataclass
class MessageCheck(CheckResult):
    """What was checked, and every contradiction found.

    `chains` gives each agent's chain as one hash: SHA-256 over one line `epoch seq hash` per message, in order.
    """

    messages: int = 0
    readings: int = 0
    consents: int = 0
    chains: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Opened:
    """A message's place in its chain, and its content if that is a batch or a consent."""

    header: Header
    batch: Batch | None = None
    consent: bytes | None = None


@dataclass
class _Chain:
    epoch: int = 0
    seq: int = 0
    head: bytes = FIRST_PREVIOUS


async def check_messages(store: MessageStores, *, report: ReportProgress = ignore_progress) -> MessageCheck:
    """Check that signatures are valid, chains have no gaps, and the tables hold exactly what the signed bytes say."""
    check = MessageCheck()
    expected = await store.message_count()
    coop = (await store.coop()).id
    heads = await store.chain_heads()
    of_home: dict[str, list[Agent]] = {home.id: [] for home in await store.homes()}
    for agent in sorted(await store.agents(), key=lambda agent: (agent.enrolled_at, agent.id)):
        of_home[agent.home_id].append(agent)
    checked = await _checked_slots(store)
    for home in sorted(of_home):
        signed: dict[Cell, Column] = {}
        consents: list[bytes] = []
        for agent in of_home[home]:
            async for opened in _opened_messages(store, agent, coop=coop, head=heads.get(agent.id), check=check):
                if opened.batch is not None:
                    _remember(signed, opened.batch)
                if opened.consent is not None:
                    consents.append(opened.consent)
                report("messages", check.messages, expected)
        await _compare(store, home, signed=signed, checked=checked, check=check)
        await _compare_consents(store, home, signed=consents, check=check)
    return check


async def _checked_slots(store: MessageStores) -> range:
    """Every slot that a settled day can hold: from a local day before the first batch to a day after the last."""
    first = await store.first_slot()
    last = max((await store.received_through()).values(), default=None)
    if first is None or last is None:
        return range(0)
    return range(max(0, first - LOCAL_DAY_SLOTS_MAX), last + LOCAL_DAY_SLOTS_MAX)


async def _opened_messages(
    store: MessageStores, agent: Agent, *, coop: str, head: ChainHead | None, check: MessageCheck
) -> AsyncIterator[_Opened]:
    chain = _Chain()
    is_head_there = head is None
    key = Ed25519PublicKey.from_public_bytes(agent.public_key)
    after = (0, 0)
    lines = hashlib.sha256()
    while page := await store.sealed_messages(agent.id, after=after, limit=PAGE):
        for epoch, seq, kind, held_hash, sealed in page:
            check.messages += 1
            after = (epoch, seq)
            lines.update(f"{epoch} {seq} {held_hash.hex()}\n".encode())
            opened = _opened(sealed, Topic(coop, agent.shard, agent.id, "up", kind), key) if sealed else None
            problem = _problem(chain, (epoch, seq, held_hash, sealed), header=opened.header if opened else None)
            if problem:
                check.note(f"{agent.id} message {epoch}/{seq}: {problem}")
            chain.epoch, chain.seq, chain.head = epoch, seq, held_hash
            is_head_there |= head is not None and (head.epoch, head.seq, head.hash) == (epoch, seq, held_hash)
            if opened is not None:
                yield opened
    check.chains[agent.id] = lines.hexdigest()
    if head is not None and not is_head_there:
        check.note(f"{agent.id} message {head.epoch}/{head.seq}: it was receipted and is missing")


def _opened(sealed: bytes, topic: Topic, key: Ed25519PublicKey) -> _Opened | None:
    try:
        payload = open_sealed(sealed, topic.text(), key)
        if topic.kind == "batch":
            batch = decode_batch(payload)
            return _Opened(batch.header, batch=batch)
        if topic.kind == "answer":
            return _Opened(decode_answer(payload).header)
        notice = decode_consent_notice(payload)
        return _Opened(notice.header, consent=notice.consent)
    except WireError:
        return None


def _problem(chain: _Chain, held: tuple[int, int, bytes, bytes], *, header: Header | None) -> str | None:
    epoch, seq, held_hash, sealed = held
    expected = chain.seq + 1 if epoch == chain.epoch else 1
    if seq != expected:
        return f"number {expected} is missing"
    if not sealed:
        return None  # refused for its content: only its number and hash are stored; the next message names the hash
    if header is None:
        return "the stored bytes do not open with the agent's key"
    if (header.epoch, header.seq) != (epoch, seq):
        return "its stored number differs from the signed one"
    if batch_hash(sealed) != held_hash:
        return "the hash of the stored bytes differs from the one in the receipt"
    previous = chain.head if epoch == chain.epoch else FIRST_PREVIOUS
    return None if header.previous == previous else "it does not follow the message before it"


def _remember(signed: dict[Cell, Column], batch: Batch) -> None:
    for column in batch.columns:
        cell = (column.measure, batch.slot)
        known = signed.get(cell)
        # The table's own rule: a mark is replaced only by a better one, never by an equal one.
        if column.span == 1 and (known is None or column.mark < known.mark):
            signed[cell] = column


async def _compare(
    store: MessageStores, home: str, *, signed: dict[Cell, Column], checked: range, check: MessageCheck
) -> None:
    if not checked:
        return
    series = await store.home_series(home, tuple(Measure), slots=checked, access=ACCESS)
    for (measure, slot), column in signed.items():
        check.readings += 1
        at = slot - checked.start
        held_wh = int(series[measure].energy_wh[at])
        said_wh = -1 if column.energy_wh is None else column.energy_wh
        if held_wh != said_wh or (int(series[measure].mark[at]) == Mark.MISSING) != (column.mark == Mark.MISSING):
            check.note(
                f"{home} {measure.name.lower()} {format_slot(slot)}: the table differs from what the home signed"
            )
    for measure, row in series.items():
        # Only measured values are settled; values spread from a longer total are marked derived.
        for place in np.flatnonzero(row.mark == Mark.MEASURED):
            slot = checked.start + int(place)
            if (measure, slot) not in signed:
                check.note(
                    f"{home} {measure.name.lower()} {format_slot(slot)}: the table holds a value that nobody signed"
                )


async def _compare_consents(store: MessageStores, home: str, *, signed: Sequence[bytes], check: MessageCheck) -> None:
    """If a version was sent twice, both are the same, or the second notice would have been refused."""
    check.consents += len(signed)
    try:
        said = {decode_consent(document).version: document for document in signed}
    except WireError as error:
        check.note(f"{home}: a consent it signed cannot be read ({error.detail})")
        return
    held = await store.consent_versions(home)
    for version in sorted(said.keys() | held.keys()):
        if version not in held:
            check.note(f"{home} consent {version}: signed by the home but missing from the table")
        elif version not in said:
            check.note(f"{home} consent {version}: the table holds it and nobody signed it")
        elif said[version] != held[version]:
            check.note(f"{home} consent {version}: the table differs from what the home signed")

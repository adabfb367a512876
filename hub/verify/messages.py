"""Opens every stored message again and compares the tables with what the homes signed; changes nothing."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.console.progress import ReportProgress, ignore_progress
from hub.core.homes.measure_sources import MeterSource, SourceHistory
from hub.storage.audit_records import StoredHead, StoredMessage, StoredRows
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.life_records import HomeErasure
from hub.storage.records import Access, Agent
from hub.storage.rule_records import day_of
from hub.verify.check_result import CheckResult
from hub.verify.signed_rows import FirstEnergy, SignedHome, of_one_home, wrong_takeovers
from protocols.public_keys import is_name_of
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import batch_hash, open_sealed
from protocols.wire.messages import ConsentNotice, PromptAnswer
from protocols.wire.payloads import decode_payload
from protocols.wire.readings import Batch
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import Topic, shard_of

PAGE: Final = 500
LEAST_MONTH_S: Final = 28 * 86_400
ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the books")
REASONS: Final = frozenset(reason.value for reason in RefusalReason)

Body = Batch | PromptAnswer | ConsentNotice


class MessageStores(MemberStore, ReadingStore, StoredRows, Protocol):
    """The parts of the store that this check needs."""


@dataclass
class MessageCheck(CheckResult):
    """What was checked, and every contradiction found.

    `chains` gives each agent's chain as one hash: SHA-256 over one line `epoch seq hash` per message, in order.
    """

    messages: int = 0
    readings: int = 0
    consents: int = 0
    erased: list[str] = field(default_factory=list)
    chains: dict[str, str] = field(default_factory=dict)


@dataclass
class _Chain:
    """How far an agent's chain was followed, and the head that the hub must have stored for it."""

    epoch: int = 0
    seq: int = 0
    head: bytes = FIRST_PREVIOUS
    position: int = 0
    last_slot: int | None = None
    received_at: int = 0
    accepted: int = 0

    def stored_head(self) -> StoredHead:
        return StoredHead(self.epoch, self.seq, self.head, self.last_slot, self.received_at, self.accepted)


async def check_messages(
    store: MessageStores,
    *,
    report: ReportProgress = ignore_progress,
) -> MessageCheck:
    """Check that signatures are valid, chains have no gaps, and the tables hold exactly what the signed bytes say."""
    check = MessageCheck()
    expected = await store.message_count()
    coop = (await store.coop()).id
    heads = await store.stored_heads()
    of_home: dict[str, list[Agent]] = {home.id: [] for home in await store.homes()}
    for agent in sorted(await store.agents(), key=lambda agent: (agent.enrolled_at, agent.id)):
        of_home.setdefault(agent.home_id, []).append(agent)
        if not is_name_of(agent.id, agent.public_key) or agent.shard != shard_of(agent.id):
            check.note(f"{agent.id}: its id or shard does not belong to its key")
    erased = {each.home: each for each in await store.erasures()}
    check.erased = [erased_line(each, tz=(await store.coop()).tz) for each in erased.values()]
    for each in erased.values():
        await _check_erasure(store, each, check)
    sources: tuple[MeterSource, ...] = ()
    with check.reading("measure_source"):
        sources = await store.meter_sources()
        for sentence in wrong_takeovers(sources, await store.agents()):
            check.note(sentence)
    for home in sorted(of_home):
        seats = {agent.id: agent.seat for agent in of_home[home]}
        own_sources, energy = of_one_home(sources, home), FirstEnergy(of_home[home])
        signed, consents = SignedHome(history=SourceHistory(own_sources, seats=seats)), 0
        with check.reading(f"home {home}"):
            for agent in of_home[home]:
                head = heads.get(agent.id)
                async for row, body in _opened_messages(
                    store, agent, coop=coop, head=head, history=signed.history, check=check, is_erased=home in erased
                ):
                    consents += isinstance(body, ConsentNotice)
                    _remember(signed, row, body, agent=agent, check=check)
                    if isinstance(body, Batch):
                        energy.add(body, agent, position=row.position, received_at=row.received_at)
                    report("messages", check.messages, expected)
            stored = await store.stored_home(home, access=ACCESS)
            check.readings += len(signed.readings)
            for sentence in signed.differences(home, stored):
                check.note(sentence)
            # Once a home's messages are erased, nobody can say any more who sent energy first.
            for sentence in energy.contradictions(home, own_sources) if home not in erased else ():
                check.note(sentence)
        check.consents += consents
    return check


async def _opened_messages(
    store: MessageStores,
    agent: Agent,
    *,
    coop: str,
    head: StoredHead | None,
    history: SourceHistory,
    check: MessageCheck,
    is_erased: bool = False,
) -> AsyncIterator[tuple[StoredMessage, Body | None]]:
    chain, after, is_head_there = _Chain(), (0, 0), head is None
    lines = hashlib.sha256()
    try:
        key = Ed25519PublicKey.from_public_bytes(agent.public_key)
    except ValueError:
        check.note(f"{agent.id}: its public key is not one")
        return
    while page := await store.stored_messages(agent.id, after=after, limit=PAGE):
        for row in page:
            check.messages += 1
            after = (row.epoch, row.seq)
            lines.update(f"{row.epoch} {row.seq} {row.hash.hex()}\n".encode())
            body = _opened(row, Topic(coop, agent.shard, agent.id, "up", row.kind), key) if row.sealed else None
            if is_erased:
                problem = _order_problem(chain, row) or ("its bytes were not erased" if row.sealed else None)
            else:
                problem = _problem(chain, row, body) or _column_problem(row, body, history)
            if problem:
                check.note(f"{agent.id} message {row.epoch}/{row.seq}: {problem}")
            _follow(chain, row, body, is_erased=is_erased)
            is_head_there |= head is not None and (head.epoch, head.seq, head.hash) == (row.epoch, row.seq, row.hash)
            yield row, body
    check.chains[agent.id] = lines.hexdigest()
    if head is not None and not is_head_there:
        check.note(f"{agent.id} message {head.epoch}/{head.seq}: it was receipted and is missing")
    elif chain.position and head != chain.stored_head():
        check.note(f"{agent.id} chain_head: it is not the end of the agent's messages")


def _opened(row: StoredMessage, topic: Topic, key: Ed25519PublicKey) -> Body | None:
    try:
        return decode_payload(topic.kind, open_sealed(row.sealed, topic.text(), key))
    except (WireError, KeyError):
        return None


async def _check_erasure(store: MessageStores, erasure: HomeErasure, check: MessageCheck) -> None:
    """An erasure that no move-out and no time passed explains would be a way to make readings disappear."""
    member = await store.member(erasure.member)
    if member is None or member.left_at != erasure.left_at:
        check.note(f"erasure {erasure.home}: its membership did not end at that time")
    elif erasure.erased_at < erasure.left_at + erasure.months * LEAST_MONTH_S:
        check.note(f"erasure {erasure.home}: it was erased before {erasure.months} months had passed")


def erased_line(erasure: HomeErasure, *, tz: str) -> str:
    """What was erased, when and by which rule."""
    day = day_of(erasure.erased_at, tz)
    return (
        f"{erasure.home}: {erasure.messages} messages and the readings in them were erased on {day} by rule"
        f" ({erasure.months} months after the move-out); their numbers and hashes are held"
    )


def _order_problem(chain: _Chain, row: StoredMessage) -> str | None:
    expected = chain.seq + 1 if row.epoch == chain.epoch else 1
    if row.seq != expected:
        return f"number {expected} is missing"
    return None if row.position > chain.position else "its position is not after that of the message before it"


def _problem(chain: _Chain, row: StoredMessage, body: Body | None) -> str | None:
    if problem := _order_problem(chain, row):
        return problem
    if not row.sealed:
        # Refused for its content: only its number and hash are stored; the next message names the hash.
        return None if row.refused in REASONS else "its bytes are gone, though its content was not refused"
    if body is None:
        return "the stored bytes do not open with the agent's key"
    if row.refused is not None:
        return "it is called refused, and its content is stored"
    if (body.header.epoch, body.header.seq) != (row.epoch, row.seq):
        return "its stored number differs from the signed one"
    if batch_hash(row.sealed) != row.hash:
        return "the hash of the stored bytes differs from the one in the receipt"
    previous = chain.head if row.epoch == chain.epoch else FIRST_PREVIOUS
    return None if body.header.previous == previous else "it does not follow the message before it"


def _column_problem(row: StoredMessage, body: Body | None, history: SourceHistory) -> str | None:
    first = last = None
    if isinstance(body, Batch):
        # What another agent of the home brings was left out before the message was stored.
        begun = [(column.measure, body.slot - column.span + 1) for column in body.columns]
        counted = (
            slot
            for measure, slot in begun
            if history.counts(measure, agent=body.agent, position=row.position, first_slot=slot)
        )
        first, last = min(counted, default=body.slot), body.slot
    return None if (row.first_slot, row.last_slot) == (first, last) else "its stored slots differ from the signed ones"


def _follow(chain: _Chain, row: StoredMessage, body: Body | None, *, is_erased: bool) -> None:
    chain.epoch, chain.seq, chain.head, chain.position = row.epoch, row.seq, row.hash, row.position
    chain.received_at = row.received_at
    chain.accepted += row.refused is None
    if isinstance(body, Batch):
        chain.last_slot = max(chain.last_slot or 0, body.slot)
    elif is_erased and row.last_slot is not None:
        chain.last_slot = max(chain.last_slot or 0, row.last_slot)


def _remember(signed: SignedHome, row: StoredMessage, body: Body | None, *, agent: Agent, check: MessageCheck) -> None:
    if isinstance(body, Batch):
        signed.add_batch(body, position=row.position, seat=agent.seat)
    elif isinstance(body, ConsentNotice):
        try:
            signed.add_consent(body.consent, position=row.position, received_at=row.received_at, seat=agent.seat)
        except WireError as error:
            check.note(f"{agent.home_id}: a consent it signed cannot be read ({error.detail})")

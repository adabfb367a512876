"""Intake over a real store: only stored messages get a receipt, and a failing store loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.intake.fair_queues import MAX_EACH
from hub.intake.receiver import Intake
from hub.storage.errors import StoreError
from hub.storage.fleet_records import AgentClock, FormerAgent
from hub.storage.records import AcceptedMessage, Agent, PromptRow
from hub.storage.sqlite.store import SqliteStore
from hub.storage.sqlite.threads.connection import Connection
from protocols.consent.rules import default_consent
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of
from protocols.timeline import Clock
from protocols.wire.chain import FIRST_PREVIOUS, MAX_AHEAD
from protocols.wire.clock_check import ClockAnswer, ClockQuestion, ClockState, decode_clock_answer, encode_question
from protocols.wire.envelope import batch_hash, open_sealed, seal
from protocols.wire.messages import AnswerChoice
from protocols.wire.meter_notices import MeterNotice, encode_meter
from protocols.wire.readings import Column
from protocols.wire.receipts import Receipt, decode_receipt
from protocols.wire.refusal_notices import RefusalNotice, decode_refusal
from protocols.wire.refusal_reasons import RefusalReason
from protocols.wire.revocations import RevocationCause, RevocationNotice, decode_revocation
from protocols.wire.topics import downlink_topic, uplink_topic
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, enrol, open_store

KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)


@dataclass
class RecordingBroker:
    """Records what the hub would send and what it acknowledged."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    acknowledged: list[Delivery] = field(default_factory=list)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged.extend(each for each in deliveries if each.qos > 0)

    def publish(self, topic: str, sealed: bytes) -> None:
        self.sent.append((topic, sealed))

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        self.publish(topic, seal())

    def receipts(self) -> list[Receipt]:
        return [decode_receipt(open_sealed(sealed, topic, KEY.public_key())) for topic, sealed in self.sent]

    def opened(self, home: SendingHome, kind: str) -> list[bytes]:
        """The payloads of one kind that the hub signed for this home's agent."""
        wanted = downlink_topic(COOP.id, home.agent, kind=kind)
        return [open_sealed(sealed, wanted, KEY.public_key()) for topic, sealed in self.sent if topic == wanted]


@dataclass
class Bench:
    """One intake over one store."""

    store: SqliteStore
    intake: Intake
    broker: RecordingBroker

    async def receive(self, *messages: tuple[str, bytes]) -> None:
        deliveries = [Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(messages)]
        self.intake.offer(deliveries)
        done = len(self.broker.acknowledged) + len(deliveries)
        while len(self.broker.acknowledged) < done:
            await asyncio.wait_for(self.intake.work_once(), 10)


def bench_on(store: SqliteStore) -> Bench:
    broker = RecordingBroker()
    clock = Clock(real=lambda: float(NOW_S))
    return Bench(store, Intake(store, coop=COOP.id, key=KEY, clock=clock, broker=broker), broker)


@pytest.fixture
def home() -> SendingHome:
    return SendingHome("h01")


@pytest.fixture
async def bench(tmp_path: Path, home: SendingHome) -> AsyncIterator[Bench]:
    store = await open_store(tmp_path, [home])
    yield bench_on(store)
    await store.close()


async def test_a_receipt_shows_what_the_store_has(bench: Bench, home: SendingHome) -> None:
    sent = [home.batch() for _ in range(5)]
    await bench.receive(*sent)
    (receipt,) = bench.broker.receipts()
    assert receipt == Receipt(home.agent, 1, 5, home.previous, (), NOW_S, ())
    held = await bench.store.stored_messages(home.agent, after=(0, 0), limit=9)
    assert [row.sealed for row in held] == [sealed for _, sealed in sent], "exactly the bytes that were signed"
    assert len(bench.broker.acknowledged) == 5


async def test_a_repeated_message_gets_another_receipt_and_is_stored_once(bench: Bench, home: SendingHome) -> None:
    first = home.batch()
    await bench.receive(first)
    await bench.receive(first, first)
    assert [receipt.through_seq for receipt in bench.broker.receipts()] == [1, 1]
    assert await bench.store.message_count() == 1


async def test_a_restarted_hub_continues_from_the_store(bench: Bench, home: SendingHome) -> None:
    old = [home.batch() for _ in range(3)]
    await bench.receive(*old)
    again = bench_on(bench.store)
    await again.receive(old[0], home.batch())
    assert [receipt.through_seq for receipt in again.broker.receipts()] == [4]
    copy = SendingHome(home.home, home.key)
    await again.receive(copy.batch(FIRST_SLOT + 400))
    assert [(r.reason, r.count) for r in await bench.store.refusals()] == [("replayed", 1)]


async def test_an_earlier_epochs_message_gets_a_receipt_for_its_epoch(bench: Bench, home: SendingHome) -> None:
    old = [home.batch() for _ in range(2)]
    old_head = home.previous
    home.new_epoch()
    await bench.receive(*old, home.batch(FIRST_SLOT + 5))
    await bench.receive(old[0])
    receipts = {(r.epoch, r.through_seq, r.head) for r in bench.broker.receipts()}
    assert receipts == {(1, 2, old_head), (2, 1, home.previous)}


async def test_a_hole_is_reported_and_filled(bench: Bench, home: SendingHome) -> None:
    sent = [home.batch() for _ in range(4)]
    await bench.receive(sent[0], sent[2], sent[3])
    assert bench.broker.receipts()[-1].gaps == ((2, 2),)
    assert await bench.store.message_count() == 1
    await bench.receive(sent[1])
    assert (bench.broker.receipts()[-1].through_seq, bench.broker.receipts()[-1].gaps) == (4, ())
    assert await bench.store.message_count() == 4


async def test_a_hub_restored_from_an_older_backup_reports_what_it_has(bench: Bench, home: SendingHome) -> None:
    first = home.batch()
    head = home.previous
    await bench.receive(first)
    lost = [home.batch() for _ in range(2 * MAX_AHEAD)]
    live = [home.batch() for _ in range(3)]
    bench.broker.sent.clear()
    await bench.receive(*live)
    assert bench.broker.receipts() == [Receipt(home.agent, 1, 1, head, (), NOW_S, ())], "one answer for all three"
    assert [(r.reason, r.count) for r in await bench.store.refusals()] == [("out_of_order", 3)]
    await bench.receive(*lost, *live)
    assert bench.broker.receipts()[-1] == Receipt(home.agent, 1, 132, home.previous, (), NOW_S, ())


async def test_a_hub_that_lost_a_whole_epoch_reports_that_it_has_nothing_of_it(bench: Bench, home: SendingHome) -> None:
    await bench.receive(home.batch())
    home.new_epoch()
    lost = [home.batch() for _ in range(MAX_AHEAD + 1)]
    await bench.receive(home.batch())
    assert bench.broker.receipts()[-1] == Receipt(home.agent, 2, 0, FIRST_PREVIOUS, (), NOW_S, ())
    await bench.receive(*lost)
    assert bench.broker.receipts()[-1].through_seq == MAX_AHEAD + 1


@pytest.mark.parametrize("epochs_behind", [0, 1])
async def test_an_agent_with_an_older_copy_of_its_storage_learns_how_far_it_had_been(
    bench: Bench, home: SendingHome, epochs_behind: int
) -> None:
    await bench.receive(home.batch())
    copy = replace(home)
    await bench.receive(home.batch(), home.batch())
    for _ in range(epochs_behind):
        home.new_epoch()
        await bench.receive(home.batch(FIRST_SLOT + 50))
    bench.broker.sent.clear()
    await bench.receive(copy.batch(FIRST_SLOT + 90))
    expected = Receipt(home.agent, home.epoch, home.seq, home.previous, (), NOW_S, ())
    assert bench.broker.receipts() == [expected], "the newest epoch, so that the agent can choose a later one"
    assert [r.reason for r in await bench.store.refusals()] == ["replayed"]
    copy.epoch, copy.seq, copy.previous = home.epoch + 1, 0, FIRST_PREVIOUS
    await bench.receive(copy.batch(FIRST_SLOT + 90))
    assert bench.broker.receipts()[-1].through_seq == 1


async def test_a_stranger_gets_no_answer(bench: Bench, home: SendingHome) -> None:
    topic, sealed = home.batch()
    await bench.receive((topic, sealed[:-1] + bytes([sealed[-1] ^ 1])), SendingHome("h08").batch())
    assert bench.broker.sent == []


async def test_refusals_are_counted_and_not_stored(bench: Bench, home: SendingHome) -> None:
    topic, sealed = home.batch()
    stranger = SendingHome("h09")
    await bench.receive((topic, sealed[:-1] + b"!"), (topic, b"junk"), ("x", b""), stranger.batch(), stranger.batch())
    counts = {(r.agent, r.reason): r.count for r in await bench.store.refusals()}
    assert counts == {
        (home.agent, "bad_signature"): 1,
        (home.agent, "garbage"): 1,
        ("", "foreign_topic"): 1,
        ("", "unknown_agent"): 2,
    }
    assert bench.broker.sent == []
    assert await bench.store.message_count() == 0
    assert len(bench.broker.acknowledged) == 5


async def test_a_receipt_lists_refused_content_also_after_a_restart(bench: Bench, home: SendingHome) -> None:
    pv = Column(Measure.PV_PRODUCTION, 1, 4, 0, Mark.MEASURED, Gap.NONE)
    await bench.receive(home.batch(columns=[pv]), home.batch())
    expected = ((1, RefusalReason.OUTSIDE_CONSENT),)
    assert [(r.through_seq, r.refused) for r in bench.broker.receipts()] == [(2, expected)]
    again = bench_on(bench.store)
    await again.receive(home.batch())
    assert [(r.through_seq, r.refused) for r in again.broker.receipts()] == [(3, expected)]


async def test_a_consent_is_in_force_after_a_restart(bench: Bench, home: SendingHome) -> None:
    await bench.receive(home.consent(default_consent(home.home, 4)), home.batch())
    again = bench_on(bench.store)
    await again.receive(home.batch())
    home.consent_version = 1
    await again.receive(home.batch())
    assert await bench.store.message_count() == 3
    assert [r.reason for r in await bench.store.refusals()] == ["outside_consent"]


async def test_an_answer_reaches_its_prompt(bench: Bench, home: SendingHome) -> None:
    now_slot = slot_of(NOW_S)
    prompt = PromptRow(
        *("p-1", home.home, "m01", "dryer", 900, now_slot + 40, now_slot + 20, 4, 100),
        reasons=(),
        issued_slot=now_slot,
        answer_by_slot=now_slot + 20,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )
    await bench.store.add_prompts([prompt])
    await bench.receive(home.answer("p-1", choice=AnswerChoice.NO))
    (row,) = await bench.store.prompts(home=home.home, issued=range(now_slot, now_slot + 1))
    assert (row.answer, row.answered_at) == ("no", NOW_S)


async def test_an_unnumbered_refusal_is_told_once_per_group_and_logged_once(
    bench: Bench, home: SendingHome, caplog: pytest.LogCaptureFixture
) -> None:
    topic = uplink_topic(COOP.id, home.agent, kind="batch")
    junk = [seal(home.key, topic, bytes([n])) for n in range(3)]
    for _ in range(2):
        await bench.receive(*((topic, sealed) for sealed in junk), (topic, b"forged"))
    told = [decode_refusal(payload) for payload in bench.broker.opened(home, "refused")]
    assert told == 2 * [RefusalNotice(home.agent, NOW_S, batch_hash(junk[-1]), RefusalReason.GARBAGE)]
    said = [record.getMessage() for record in caplog.records if "was refused" in record.getMessage()]
    assert len(said) == 1, "once per agent and reason"
    assert home.agent in said[0]
    assert "garbage" in said[0]


async def test_the_time_is_told_signed_and_fresh_and_what_the_agent_said_is_kept(
    bench: Bench, home: SendingHome
) -> None:
    topic = uplink_topic(COOP.id, home.agent, kind="time")
    ahead_s = 5 * 365 * 86400
    for at, state in ((NOW_S, ClockState.SYNCHRONISED), (NOW_S + ahead_s, ClockState.HELD)):
        question = ClockQuestion(home.agent, bytes([at % 251]) * 16, at, state)
        await bench.receive((topic, seal(home.key, topic, encode_question(question))))
        (*_, answer) = bench.broker.opened(home, "time")
        assert decode_clock_answer(answer) == ClockAnswer(home.agent, question.nonce, NOW_S)
    (row,) = await bench.store.fleet(slots=range(0))
    assert row.clock == AgentClock(home.agent, NOW_S, ahead_s, "held")
    assert await bench.store.message_count() == 0, "nothing of it is stored in the chain"


async def test_what_an_agent_tells_of_its_meter_is_kept_once_and_only_from_itself(
    bench: Bench, home: SendingHome
) -> None:
    topic = uplink_topic(COOP.id, home.agent, kind="meter")
    mine = MeterNotice(home.agent, NOW_S, FIRST_SLOT, "bronze", "separate", "netted", True, "none")
    foreign, early = replace(mine, agent="a-other"), replace(mine, from_slot=NOW_S // 900 + 50, quality="gold")
    for notice in (mine, replace(mine, at=NOW_S + 1), foreign, early):
        await bench.receive((topic, seal(home.key, topic, encode_meter(notice))))
    (told,) = await bench.store.told_meters()
    assert (told.home, told.from_slot, told.quality, told.is_derived) == (home.home, FIRST_SLOT, "bronze", True)
    assert {row.reason for row in await bench.store.refusals()} == {"foreign_topic", "clock_window"}
    assert await bench.store.message_count() == 0


async def test_an_older_slot_does_not_take_the_last_slot_back(bench: Bench, home: SendingHome) -> None:
    await bench.receive(home.batch(FIRST_SLOT + 9))
    await bench.receive(home.batch(FIRST_SLOT + 3), home.batch(FIRST_SLOT + 4))
    (row,) = await bench.store.fleet(slots=range(0))
    assert row.last_slot == FIRST_SLOT + 9


async def test_a_newly_enrolled_agent_is_known_at_once_and_a_revoked_one_is_not(
    bench: Bench, home: SendingHome
) -> None:
    await bench.receive(home.batch())
    fresh = SendingHome("h01")
    await enrol(bench.store, fresh, member="m01")
    await bench.intake.agents_changed()
    await bench.receive(fresh.batch(FIRST_SLOT + 7), home.batch())
    assert await bench.store.received_through() == {home.agent: FIRST_SLOT, fresh.agent: FIRST_SLOT + 7}
    assert [(r.agent, r.reason) for r in await bench.store.refusals()] == [(home.agent, "revoked")]


async def test_a_replaced_agent_is_told_at_once_and_with_each_group_it_sends(bench: Bench, home: SendingHome) -> None:
    await bench.receive(home.batch())
    await enrol(bench.store, SendingHome("h01"), member="m01")
    bench.broker.sent.clear()
    await bench.intake.agents_changed()
    await bench.intake.agents_changed()
    await bench.receive(home.batch(), home.batch())
    topic = downlink_topic(COOP.id, home.agent, kind="revoked")
    assert [sent for sent, _ in bench.broker.sent] == [topic, topic], "once when it happens, once per group"
    (row,) = await bench.store.fleet(slots=range(0))
    assert row.former == (FormerAgent(home.agent, 1, NOW_S),), "the board's fleet shows that it still sends"
    notices = {decode_revocation(open_sealed(sealed, topic, KEY.public_key())) for _, sealed in bench.broker.sent}
    assert notices == {RevocationNotice(home.agent, 1, RevocationCause.REPLACED)}


async def test_an_agent_revoked_without_a_successor_is_told_that_and_a_forger_gets_nothing(
    bench: Bench, home: SendingHome
) -> None:
    await bench.receive(home.batch())

    async def revoke(db: Connection) -> None:
        await db.execute("UPDATE agent SET revoked_at = ?", (NOW_S,))

    await bench.store.write(revoke)
    await bench.intake.agents_changed()
    ((topic, sealed),) = bench.broker.sent[1:]
    told = decode_revocation(open_sealed(sealed, topic, KEY.public_key()))
    assert told == RevocationNotice(home.agent, NOW_S, RevocationCause.REVOKED)
    own_topic, genuine = home.batch()
    await bench.receive((own_topic, genuine[:-1] + bytes([genuine[-1] ^ 1])))
    assert len(bench.broker.sent) == 2, "who cannot sign for the agent makes the hub send nothing"


async def test_a_store_that_fails_gets_no_receipt_and_loses_nothing(
    bench: Bench, home: SendingHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.intake.receiver.STORE_RETRY_S", 0.0)
    await bench.receive(home.batch())
    pages: list[int] = []

    async def limit(db: Connection, most: int) -> None:
        pages.extend(row[0] for row in await db.execute_fetchall("PRAGMA page_count"))
        await db.execute_fetchall(f"PRAGMA max_page_count = {most}")

    await bench.store.write(lambda db: limit(db, 1))
    sent = [home.batch() for _ in range(60)]
    await bench.receive(*sent)
    assert [receipt.through_seq for receipt in bench.broker.receipts()] == [1]
    assert await bench.store.message_count() == 1
    await bench.store.write(lambda db: limit(db, 10**9))
    await bench.receive(*sent)
    assert bench.broker.receipts()[-1].through_seq == 61
    assert await bench.store.message_count() == 61


async def test_a_failed_note_of_clocks_does_not_overtake_the_messages_beside_it(
    bench: Bench, home: SendingHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chains are read again only when the group's messages are stored; else the next one seems to leave a hole."""
    monkeypatch.setattr("hub.intake.receiver.STORE_RETRY_S", 0.0)
    store_messages, agents, done = bench.store.store_messages, bench.store.agents, list[str]()

    async def fails(clocks: Sequence[AgentClock]) -> None:
        raise StoreError("the disk is full")

    async def takes_a_while(messages: Sequence[AcceptedMessage]) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        await store_messages(messages)
        done.append("stored")

    async def read_again() -> tuple[Agent, ...]:
        done.append("read again")
        return await agents()

    await bench.intake.agents_changed()
    monkeypatch.setattr(bench.store, "note_clocks", fails)
    monkeypatch.setattr(bench.store, "store_messages", takes_a_while)
    monkeypatch.setattr(bench.store, "agents", read_again)
    topic = uplink_topic(COOP.id, home.agent, kind="time")
    question = ClockQuestion(home.agent, bytes(16), NOW_S, ClockState.SYNCHRONISED)
    await bench.receive((topic, seal(home.key, topic, encode_question(question))), home.batch())
    assert done == ["stored", "read again"]
    await bench.receive(home.batch())
    (receipt,) = bench.broker.receipts()
    assert (receipt.through_seq, receipt.gaps) == (2, ())


async def test_a_flood_is_left_beyond_a_bound_acknowledged_and_counted(bench: Bench, home: SendingHome) -> None:
    await bench.intake.agents_changed()
    flood = [Delivery("x", b"", 1, n, 1) for n in range(MAX_EACH + 10)]
    bench.intake.offer(flood)
    assert len(bench.broker.acknowledged) == 10
    while len(bench.broker.acknowledged) < len(flood):
        await bench.intake.work_once()
    counts = {(r.agent, r.reason): r.count for r in await bench.store.refusals()}
    assert counts == {("", "foreign_topic"): MAX_EACH, ("", "too_many"): 10}
    await bench.receive(home.batch())
    assert bench.broker.receipts()[-1].through_seq == 1

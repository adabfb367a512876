"""Intake over a real store under floods: the flooder is slowed and cut off by name, and nothing of others is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.broker.connection import Delivery
from hub.folder.intake_settings import IntakeLimits
from hub.intake import receiver
from hub.intake.admission import GRACE_S, Admission
from hub.intake.conduct import Conduct
from hub.intake.fair_queues import MAX_EACH
from hub.intake.receiver import Intake
from hub.storage.fleet_records import CutOff
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.rules import default_consent
from protocols.timeline import Clock
from tests.hub.intake.test_receiver import KEY, RecordingBroker
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, open_store

LIMITS = IntakeLimits(
    messages_a_day=40, bytes_a_day=2**20, consents_a_day=3, new_epochs_a_day=4, slow_after=1000, cut_off_after=10**6
)


@dataclass
class Hub:
    store: SqliteStore
    broker: RecordingBroker = field(default_factory=RecordingBroker)
    now_s: float = float(NOW_S)

    def intake(self, limits: IntakeLimits = LIMITS) -> Intake:
        clock = Clock(real=lambda: self.now_s)
        return Intake(self.store, coop=COOP.id, key=KEY, clock=clock, broker=self.broker, limits=limits)

    async def receive(self, intake: Intake, *messages: tuple[str, bytes]) -> None:
        deliveries = [Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(messages)]
        done = len(self.broker.acknowledged) + len(deliveries)
        intake.offer(deliveries)
        while len(self.broker.acknowledged) < done:
            await asyncio.wait_for(intake.work_once(), 20)

    async def counts(self) -> dict[tuple[str, str], int]:
        return {(r.agent, r.reason): r.count for r in await self.store.refusals()}


@pytest.fixture
def homes() -> list[SendingHome]:
    return [SendingHome("h01"), SendingHome("h02")]


@pytest.fixture
async def hub(tmp_path: Path, homes: list[SendingHome], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(receiver, "COUNT_EACH_S", 0.0)
    monkeypatch.setattr(receiver, "AGENTS_FRESH_S", 0.0)
    monkeypatch.setattr("hub.intake.admission.GRACE_S", 0.0)
    store = await open_store(tmp_path, homes)
    yield Hub(store)
    await store.close()


async def test_more_messages_than_a_day_may_bring_are_left_and_come_in_the_next_day(
    hub: Hub, homes: list[SendingHome]
) -> None:
    intake = hub.intake()
    await intake.agents_changed()
    sent = [homes[0].batch(FIRST_SLOT + n) for n in range(45)]
    await hub.receive(intake, *sent, homes[1].batch())
    assert await hub.store.message_count() == 41
    assert (await hub.counts())[(homes[0].agent, "day_limit")] == 5
    hub.now_s += 86_400
    await hub.receive(intake, *sent[40:])
    assert hub.broker.receipts()[-1].through_seq == 45, "nothing is lost: the agent sends it again"


async def test_a_restart_gives_nobody_a_new_day(hub: Hub, homes: list[SendingHome]) -> None:
    intake = hub.intake()
    await intake.agents_changed()
    sent = [homes[0].batch(FIRST_SLOT + n) for n in range(45)]
    await hub.receive(intake, *sent[:40])
    again = hub.intake()
    running = asyncio.create_task(again.run())
    again.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(sent[40:])])
    async with asyncio.timeout(20):
        while (await hub.counts()).get((homes[0].agent, "day_limit")) != 5:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await hub.store.message_count() == 40
    await hub.receive(again, homes[1].batch())
    assert await hub.store.message_count() == 41, "the others have their day"


async def test_consents_without_end_and_new_epochs_are_left_beyond_the_days_limit(
    hub: Hub, homes: list[SendingHome]
) -> None:
    intake = hub.intake()
    await intake.agents_changed()
    consents = [homes[0].consent(default_consent(homes[0].home, number)) for number in range(2, 9)]
    await hub.receive(intake, *consents)
    epochs = []
    for _ in range(9):
        homes[1].new_epoch()
        epochs.append(homes[1].batch())
    await hub.receive(intake, *epochs)
    assert await hub.store.message_count() == 3 + 4
    left = await hub.counts()
    assert left[(homes[0].agent, "day_limit")] == 4
    assert left[(homes[1].agent, "day_limit")] == 5


async def test_what_is_stored_already_is_answered_beyond_any_limit(hub: Hub, homes: list[SendingHome]) -> None:
    intake = hub.intake()
    sent = [homes[0].batch(FIRST_SLOT + n) for n in range(40)]
    await hub.receive(intake, *sent)
    hub.broker.sent.clear()
    await hub.receive(intake, sent[0])
    assert [each.through_seq for each in hub.broker.receipts()] == [40]


async def test_a_flood_is_cut_off_by_name_and_shown_and_let_in_by_command(
    hub: Hub, homes: list[SendingHome], caplog: pytest.LogCaptureFixture
) -> None:
    limits = IntakeLimits(slow_after=100, cut_off_after=500)
    intake = hub.intake(limits)
    await intake.agents_changed()
    honest, hostile = homes
    topic, _ = hostile.batch()
    while not await hub.store.cut_offs():
        await hub.receive(intake, *([(topic, b"x")] * 1000), honest.batch())
    assert f"agent {hostile.agent} was cut off" in caplog.text
    (cut,) = await hub.store.cut_offs()
    assert cut.agent == hostile.agent
    assert cut.messages > 500
    assert {row.home: row.cut_off for row in await hub.store.fleet(slots=range(0))} == {"h01": None, "h02": cut}
    counted = (await hub.counts())[(hostile.agent, "garbage")]
    await hub.receive(intake, *([(topic, b"x")] * 100), honest.batch())
    assert (await hub.counts())[(hostile.agent, "garbage")] == counted, "nothing of it is read any more"
    assert (await hub.counts())[(hostile.agent, "cut_off")] >= 100
    assert hub.broker.receipts()[-1].through_seq == honest.seq

    again = hub.intake(limits)
    await again.agents_changed()
    hostile.seq, hostile.previous = 0, b""
    fresh = SendingHome(hostile.home, hostile.key)
    first = fresh.batch()
    await hub.receive(again, first)
    assert hub.broker.receipts()[-1].agent == honest.agent, "a restart lets nobody in"
    assert await hub.store.change_role("m01", "board", begins=True, by="") is None
    assert await hub.store.let_in(hostile.agent, by="m01") is None
    assert "is not cut off" in str(await hub.store.let_in(hostile.agent, by="m01"))
    await again.agents_changed()
    await hub.receive(again, first)
    assert (hub.broker.receipts()[-1].agent, hub.broker.receipts()[-1].through_seq) == (hostile.agent, 1)


async def test_an_honest_message_has_its_receipt_after_one_group_of_a_flood(hub: Hub, homes: list[SendingHome]) -> None:
    intake = hub.intake()
    await intake.agents_changed()
    honest, hostile = homes
    topic, sealed = hostile.batch()
    flood = [Delivery(topic, sealed[:-1] + b"!", 1, n, 1) for n in range(MAX_EACH)]
    own_topic, own = honest.batch()
    intake.offer([*flood, Delivery(own_topic, own, 1, 9999, 1)])
    await intake.work_once()
    assert [each.agent for each in hub.broker.receipts()] == [honest.agent]


async def test_strangers_are_slowed_together_and_enrolled_agents_are_not(hub: Hub, homes: list[SendingHome]) -> None:
    intake = hub.intake(IntakeLimits(slow_after=100, cut_off_after=500))
    await intake.agents_changed()
    strangers = [(f"cw1/{COOP.id}/1/a-{n:08x}/up/batch", b"x") for n in range(1000)]
    for _ in range(3):
        await hub.receive(intake, *strangers, homes[0].batch())
    assert await hub.store.cut_offs() == (), "a name that anybody may use cannot be cut off"
    async with asyncio.timeout(60):
        while sum((await hub.counts()).values()) < 3000:
            await intake.work_once()
    assert {agent for agent, _ in await hub.counts()} == {""}, "none goes uncounted"
    assert hub.broker.receipts()[-1].through_seq == 3


def test_what_the_broker_kept_while_the_hub_was_away_counts_against_nobody(homes: list[SendingHome]) -> None:
    admission = Admission(COOP.id, IntakeLimits(slow_after=100, cut_off_after=500))
    topic, sealed = homes[0].batch()
    many = [Delivery(topic, sealed, 1, n, 1) for n in range(5000)]
    assert len(admission.arrive(many, {}, steady_s=100.0)) == 5000 - MAX_EACH
    assert admission.new_cut_offs(at=1, steady_s=100.0) == []
    assert admission.has_counts, "but it is counted and shown"
    admission.arrive(many, {}, steady_s=100.0 + GRACE_S)
    assert [count.reason for count in admission.counts(at=1)] == ["too_many"]


def test_what_was_in_vain_is_forgotten_after_two_minutes() -> None:
    conduct = Conduct(IntakeLimits(slow_after=100, cut_off_after=500))
    conduct.note_in_vain("a-1", 600, steady_s=0.0)
    assert conduct.slowed(steady_s=1.0) == {"a-1"}
    assert conduct.to_cut_off(steady_s=1.0) == {"a-1": 600}
    assert conduct.to_cut_off(steady_s=80.0) == {}
    assert conduct.slowed(steady_s=80.0) == {"a-1"}
    assert conduct.slowed(steady_s=121.0) == frozenset()


async def test_a_cut_off_agent_keeps_its_first_line(hub: Hub, homes: list[SendingHome]) -> None:
    agent = homes[0].agent
    await hub.store.cut_off_agents([CutOff(agent, 5, 6000)])
    await hub.store.cut_off_agents([CutOff(agent, 9, 7000)])
    assert await hub.store.cut_offs() == (CutOff(agent, 5, 6000),)

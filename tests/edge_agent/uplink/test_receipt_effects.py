"""A hub or an agent that was restored from an older copy: noticed from receipts, said in one line, and caught up."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.outbox.messages import ChainLink, OutboxError, ReceiptState, SealedMessage
from edge_agent.outbox.opening import FILE_NAME, open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.uplink.receipt_effects import ReceiptMeaning, advance_receipts, meaning_of
from edge_agent.uplink.sealing import reseal_message, seal_answer, seal_consent_notice
from protocols.consent.rules import default_consent
from protocols.wire.chain import MAX_AHEAD, MAX_NUMBER
from protocols.wire.envelope import batch_hash
from protocols.wire.messages import AnswerChoice
from protocols.wire.receipts import Receipt
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, Line, line
from tests.edge_agent.stub_hub import AGENT, HOME, BrokerProcess, running_broker

FIRST = 2_000_000
HEAD = bytes([3]) * 32


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with running_broker(tmp_path) as running:
        yield running


def slots_of(made: Line) -> list[int]:
    return [batch.slot for batch in made.hub.batches]


async def everything_receipted(made: Line, slots: int) -> None:
    """Every slot is at the hub and nothing waits."""
    await until(lambda: set(slots_of(made)) == set(range(FIRST, FIRST + slots)), 60, "the hub has all")
    async with asyncio.timeout(60):
        while await made.waiting():
            await asyncio.sleep(0.02)


def copy_of(folder: Path, image: Path) -> None:
    """The outbox as it would lie on an image of the card."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, closing(sqlite3.connect(image)) as copy:
        db.backup(copy)


def put_back(folder: Path, image: Path) -> None:
    for tail in ("-wal", "-shm"):
        (folder / (FILE_NAME + tail)).unlink(missing_ok=True)
    shutil.copyfile(image, folder / FILE_NAME)


@pytest.mark.parametrize("through", [0, 1, 100, 199])
async def test_a_restored_hub_gets_everything_again_in_the_same_chain(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture, through: int
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(200)
        await made.all_receipted(200)
        sealed = dict(made.hub.messages)
        made.hub.restore(through)
        await made.add(1)
        await made.all_receipted(201)
        assert {key: made.hub.messages[key] for key in sealed} == sealed, "the very same bytes"
        assert slots_of(made) == list(range(FIRST, FIRST + 201))
        lines = [r.getMessage() for r in caplog.records if "restored from a backup?" in r.getMessage()]
        if through + MAX_AHEAD < 200:
            assert lines == [
                f"the hub has our messages up to {through} only, though it had receipted 200"
                f" (was it restored from a backup?): sending {200 - through} messages again"
            ]


async def test_a_restore_is_noticed_by_an_agent_that_was_off_meanwhile(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        async with made.running():
            await made.add(150)
            await made.all_receipted(150)
        made.hub.restore(20)
        made.uplink = made.make_uplink()
        async with made.running():
            await made.add(2)
            await made.all_receipted(152)
        assert slots_of(made) == list(range(FIRST, FIRST + 152))


async def test_old_receipts_that_come_late_take_nothing_back_and_let_go_of_nothing(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker) as made:
        async with made.running():
            await made.add(90)
            await made.all_receipted(90)
            sent_before = made.hub.deliveries
            made.hub.send_receipt()
            newest = made.hub.position
            made.hub.restore(5)
            late = Receipt(AGENT, newest.epoch, 5, made.hub.position.head, (), made.hub.at_s - 3600, ())
            await made.uplink._settle(late)
            assert (await made.waiting(), made.hub.deliveries) == (0, sent_before)
            await made.uplink._settle(replace(late, stored_at=made.hub.at_s))
            assert await made.waiting() == 85
            made.hub.answers = False
        for uplink in (made.uplink, made.make_uplink()):
            made.uplink = uplink
            uplink._receipted = await made.outbox.receipted()
            await uplink._settle(Receipt(AGENT, newest.epoch, 90, newest.head, (), made.hub.at_s - 3600, ()))
            await uplink._save(at_once=True)
            assert await made.waiting() >= 65, "a receipt from before the restore is not believed any more"


async def test_a_hub_that_needs_more_than_is_kept_gets_a_new_epoch_with_all_that_is(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.outbox.append([seal_consent_notice(made.signer, default_consent(HOME))], now_s=NOW)
        await made.add(80)
        await made.all_receipted(81)
        epoch = made.hub.position.epoch
        with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME, isolation_level=None)) as db:
            db.execute("UPDATE message SET receipted_at = 1 WHERE seq <= 30")
        assert await made.outbox.forget(before_s=2) == 29, "the consent stays"
        made.hub.restore(10)
        await made.add(1)
        await until(lambda: made.hub.position.epoch > epoch and made.hub.position.seq == 53, 60)
        kinds = [kind for (at, _), (kind, _, _) in sorted(made.hub.messages.items()) if at > epoch]
        assert kinds == ["consent", *["batch"] * 52]
        assert slots_of(made)[-52:] == list(range(FIRST + 29, FIRST + 81))
        assert (
            sum("needs messages that can no longer be sent as they were" in r.getMessage() for r in caplog.records) == 1
        )
        await made.add(1)
        await until(lambda: made.hub.position.seq == 54)


async def test_a_hub_restored_to_an_earlier_epoch_loses_nothing_of_either(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(40)
        await made.all_receipted(40)
        first = made.hub.position.epoch
        await made.uplink._begin_epoch(Receipt(AGENT, first, 40, made.hub.position.head, (), 1, ()), everything=False)
        made.uplink._epoch_begun_at = float("-inf")
        await made.add(40)
        await until(lambda: len(slots_of(made)) == 80)
        await everything_receipted(made, 80)
        made.hub.restore(15, epoch=first)
        await made.add(30)
        await everything_receipted(made, 110)
        assert made.hub.position.epoch > first + 1


async def test_an_agent_restored_from_an_old_image_begins_a_new_epoch(
    tmp_path: Path, broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(50)
        await made.all_receipted(50)
        copy_of(tmp_path / "data", tmp_path / "image")
        signer, hub = made.signer, made.hub
        await made.add(30)
        await made.all_receipted(80)
        epoch = hub.position.epoch
    put_back(tmp_path / "data", tmp_path / "image")
    async with open_outbox(tmp_path / "data", max_mb=8, now_s=NOW) as (outbox, _):
        await asyncio.to_thread(hub.restart)
        copy = Line(outbox, hub, signer.key, tmp_path / "data")
        copy.slot, copy.boot = FIRST + 50, 2
        async with copy.running():
            await copy.add(45)
            await until(lambda: hub.position.epoch > epoch and hub.position.seq == 45, 60)
            await copy.add(5)
            await until(lambda: hub.position.seq == 50)
            assert set(slots_of(copy)) == set(range(FIRST, FIRST + 100))
            said = [r.getMessage() for r in caplog.records if "older copy" in r.getMessage()]
            assert len(said) == 1
            assert f"starting epoch {hub.position.epoch} and sealing 45 messages again" in said[0]
            async with asyncio.timeout(60):
                while await copy.waiting():
                    await asyncio.sleep(0.02)
        await asyncio.to_thread(hub.stop)


async def test_two_computers_with_one_key_do_not_answer_each_other_without_end(
    tmp_path: Path, broker: BrokerProcess
) -> None:
    async with line(tmp_path, broker) as made, made.running():
        await made.add(3)
        await made.all_receipted(3)
        for n in range(5):
            foreign = Receipt(AGENT, made.outbox.next_link.epoch + 7, 1, HEAD, (), 100 + n, ())
            await made.uplink._settle(foreign)
        assert made.outbox.next_link.epoch == int(NOW) + 8
        assert made.uplink.ignored == 4


def fill(outbox: Outbox, made: Line):
    return outbox.append(
        [
            seal_consent_notice(made.signer, default_consent(HOME)),
            seal_answer(made.signer, "p1", choice=AnswerChoice.NEVER_APPLIANCE, at=5),
        ],
        now_s=NOW,
    )


async def test_every_kind_of_message_keeps_its_content_in_another_epoch(tmp_path: Path, broker: BrokerProcess) -> None:
    async with line(tmp_path, broker) as made:
        await fill(made.outbox, made)
        await made.add(2)
        before = await made.outbox.waiting(after=0, limit=9)
        again = [
            reseal_message(made.signer, SealedMessage(each.topic.rpartition("/")[2], each.topic, each.sealed))
            for each in before
        ]
        broken = SealedMessage("batch", before[-1].topic, before[-1].sealed[:-1] + b"!")
        assert reseal_message(made.signer, broken) is None
        link = made.outbox.next_link
        for each, sealing in zip(before, again, strict=True):
            assert sealing is not None
            assert sealing(ChainLink(link.epoch, each.seq, _previous(before, each.seq))).sealed == each.sealed
        assert await made.outbox.begin_epoch(
            lambda kept: reseal_message(made.signer, kept), later_than=link.epoch + 5, everything=False, now_s=NOW
        ) == (4, 0)
        async with made.running():
            await made.all_receipted(4)
        assert made.hub.position.epoch == link.epoch + 6
        assert [kind for kind, _, _ in made.hub.messages.values()] == ["consent", "answer", "batch", "batch"]
        assert [batch.slot for batch in made.hub.batches] == [FIRST, FIRST + 1]


def _previous(kept, seq: int) -> bytes:
    return bytes(32) if seq == 1 else batch_hash(kept[seq - 2].sealed)


async def test_a_new_epoch_is_begun_whole_or_not_at_all(tmp_path: Path) -> None:
    def message(content: bytes):
        return lambda link: SealedMessage("batch", "t", b"%d/%d/" % (link.epoch, link.seq) + content)

    def fails(link: ChainLink) -> SealedMessage:
        if link.seq == 150:
            raise RuntimeError("pulled")
        return SealedMessage("batch", "t", b"again %d" % link.seq)

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.append([message(b"x")] * 200, now_s=NOW)
        link = outbox.next_link
        with pytest.raises(RuntimeError):
            await outbox.begin_epoch(lambda _: fails, later_than=0, everything=True, now_s=NOW)
        assert outbox.next_link == link
        assert len(await outbox.waiting(after=0, limit=300)) == 200
        with pytest.raises(OutboxError, match="no epoch can follow"):
            await outbox.begin_epoch(lambda _: fails, later_than=MAX_NUMBER, everything=True, now_s=NOW)

        def opens(kept: SealedMessage):
            return None if kept.sealed.startswith(b"%d/7/" % link.epoch) else message(b"new")

        assert await outbox.begin_epoch(opens, later_than=0, everything=True, now_s=NOW) == (199, 1)
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert (outbox.next_link.epoch, outbox.next_link.seq) == (link.epoch + 1, 200)
        assert len(await outbox.waiting(after=0, limit=300)) == 199


@given(st.integers(1, 4), st.integers(0, 6), st.sampled_from([HEAD, bytes([4]) * 32]), st.integers(0, 5), st.booleans())
def test_a_receipt_means_one_thing(epoch: int, through: int, head: bytes, at: int, is_kept: bool) -> None:
    told = Receipt(AGENT, epoch, through, bytes(32) if through == 0 else head, (), at, ())
    own = bytes(32) if through == 0 else HEAD if is_kept else None
    so_far = ReceiptState(3, 3, 2)
    meaning = meaning_of(told, next_link=ChainLink(2, 6, HEAD), own_hash=own, so_far=so_far, now_s=10)
    made_here = epoch == 2 and through < 6 and (own is None or own == told.head)
    if epoch == 1 or at < 2:
        assert meaning is ReceiptMeaning.OLD
    elif not made_here:
        assert meaning is ReceiptMeaning.COPY
    elif through >= 3:
        assert meaning is ReceiptMeaning.ONWARD
        assert advance_receipts(told, so_far, now_s=10) == ReceiptState(through, max(3, at), 2)
    else:
        assert meaning is (ReceiptMeaning.BACK if at > 3 else ReceiptMeaning.OLD)
        assert advance_receipts(told, so_far, now_s=10) == ReceiptState(through, at, at)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12),
    st.data(),
)
def test_receipts_of_a_chain_that_only_grows_take_nothing_back_in_whatever_order_they_come(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each says what was stored at its time. One may be signed late, by a worker that was held up, or come twice."""
    made, through, at = [], 0, 5
    for more, later in steps:
        through, at = through + more, at + later
        made.append(Receipt(AGENT, 1, through, bytes([through]) * 32, (), at, ()))
    came = data.draw(st.lists(st.sampled_from(made), max_size=30)) + data.draw(st.permutations(made))
    so_far = ReceiptState(0)
    for receipt in came:
        meaning = meaning_of(
            receipt, next_link=ChainLink(1, through + 1, HEAD), own_hash=receipt.head, so_far=so_far, now_s=at
        )
        assert meaning in (ReceiptMeaning.ONWARD, ReceiptMeaning.OLD)
        if meaning is ReceiptMeaning.ONWARD:
            later_on = advance_receipts(receipt, so_far, now_s=at)
            assert later_on.through >= so_far.through
            so_far = later_on
    assert so_far.through == through


def test_a_clock_that_was_wrong_once_makes_no_later_receipt_old() -> None:
    told = Receipt(AGENT, 1, 2, HEAD, (), 1000, ())
    so_far = advance_receipts(replace(told, stored_at=10**9), ReceiptState(1), now_s=900)
    assert so_far == ReceiptState(2, 900, 0)
    assert meaning_of(
        told, next_link=ChainLink(1, 9, HEAD), own_hash=HEAD, so_far=ReceiptState(5, 5000, 5000), now_s=1000
    ) is (ReceiptMeaning.BACK)


async def test_a_new_epoch_is_remembered_like_any_other(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.begin_epoch(lambda _: None, later_than=0, everything=False, now_s=NOW + 50)
        assert outbox.next_link == ChainLink(int(NOW) + 50, 1, bytes(32))
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert outbox.next_link == ChainLink(int(NOW) + 50, 1, bytes(32))
        assert await outbox.receipted() == ReceiptState(0)

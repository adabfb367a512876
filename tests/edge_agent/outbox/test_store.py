"""The outbox: one chain, all or nothing, nothing lost, bounded, and only one writer."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox.messages import ChainLink, OutboxError, SealedMessage
from edge_agent.outbox.opening import FILE_NAME, open_outbox
from edge_agent.outbox.store import PROMPTS_KEPT, Outbox
from edge_agent.outbox.view import PromptStatus, leave_answer, list_prompts, read_overview
from edge_agent.uplink.sealing import AgentSigner, reseal_message, seal_answer
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import batch_hash
from protocols.wire.messages import AnswerChoice, PromptNotice, encode_prompt
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason
from tests.edge_agent.hand_clock import until

NOW = 1_790_000_000.0
SIGNER = AgentSigner("c", "a", Ed25519PrivateKey.generate())


def message(content: bytes = b"x"):
    def sealing(link: ChainLink) -> SealedMessage:
        return SealedMessage("batch", "t", b"%d/%s/" % (link.seq, link.previous) + content)

    return sealing


def receipt(outbox: Outbox, through: int, **more) -> Receipt:
    fields = {"gaps": (), "refused": ()} | more
    return Receipt("a", outbox.next_link.epoch, through, bytes([1]) * 32, stored_at=0, **fields)


async def test_numbers_and_hashes_chain_over_restarts(tmp_path: Path) -> None:
    for start in range(3):
        async with open_outbox(tmp_path, max_mb=1, now_s=NOW + start) as (outbox, _):
            assert outbox.boot == start + 1
            await outbox.append([message(), message()], now_s=NOW)
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        waiting = await outbox.waiting(after=0, limit=100)
    assert [each.seq for each in waiting] == [1, 2, 3, 4, 5, 6]
    assert outbox.next_link.epoch == NOW
    previous = FIRST_PREVIOUS
    for each in waiting:
        assert each.sealed == b"%d/%s/x" % (each.seq, previous)
        previous = batch_hash(each.sealed)
    assert outbox.next_link.previous == previous


@pytest.mark.parametrize("began_s", [2.0**31, 2.0**32 - 9])
async def test_a_chain_that_a_clock_far_ahead_began_goes_on(tmp_path: Path, began_s: float) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=began_s) as (outbox, _):
        await outbox.append([message(), message(), message()], now_s=NOW)
        await outbox.note_receipt(receipt(outbox, 2), published=[1, 2], now_s=NOW)
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [3]
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert outbox.next_link.epoch == began_s
        assert (await outbox.receipted()).through == 2
        sealed, left = await outbox.begin_epoch(lambda old: message(), later_than=0, everything=True, now_s=NOW)
        assert (sealed, left, outbox.next_link.epoch) == (3, 0, began_s + 1)
    assert [(each.epoch, each.seq) for each in read_overview(tmp_path, limit=9).newest] == [
        (began_s + 1, 3),
        (began_s + 1, 2),
        (began_s + 1, 1),
    ]


async def test_the_checkpoint_is_kept_with_its_batch_or_not_at_all(tmp_path: Path) -> None:
    def broken(link: ChainLink) -> SealedMessage:
        raise RuntimeError("the key was pulled")

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert await outbox.checkpoint() is None
        await outbox.append([message()], now_s=NOW, checkpoint=b"one")
        with pytest.raises(RuntimeError):
            await outbox.append([message(), broken], now_s=NOW, checkpoint=b"two")
        assert await outbox.checkpoint() == b"one"
        assert outbox.next_link.seq == 2
        await outbox.append([message()], now_s=NOW, checkpoint=b"three")
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [1, 2]


async def test_a_receipt_moves_what_waits_and_refusals_are_remembered(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.append([message()] * 5, now_s=NOW)
        told = receipt(outbox, 3, refused=((2, RefusalReason.CLOCK_WINDOW),))
        assert await outbox.note_receipt(told, published=[1, 2, 3], now_s=NOW + 5) == 3
        assert await outbox.note_receipt(told, published=[], now_s=NOW + 6) == 0
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [4, 5]
        assert await outbox.forget(before_s=NOW + 5) == 0
        assert await outbox.forget(before_s=NOW + 6) == 3
        assert await outbox.message(1) is None
        assert outbox.next_link.seq == 6
    found = read_overview(tmp_path, limit=10)
    assert (found.messages, found.waiting, found.refused) == (2, 2, 0)


async def test_it_drops_receipted_messages_for_room_and_then_refuses(tmp_path: Path) -> None:
    big = message(b"x" * 100_000)
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.append([big] * 8, now_s=NOW)
        await outbox.note_receipt(receipt(outbox, 4), published=[], now_s=NOW)
        await outbox.append([big] * 4, now_s=NOW)
        assert outbox.dropped == 2
        await outbox.append([big] * 2, now_s=NOW)
        assert outbox.dropped == 4
        with pytest.raises(OutboxError, match=r"outbox\.max_mb"):
            await outbox.append([big], now_s=NOW, checkpoint=b"never")
        assert await outbox.checkpoint() is None
        assert [each.seq for each in await outbox.waiting(after=0, limit=99)] == list(range(5, 15))
        await outbox.note_receipt(receipt(outbox, 14), published=[], now_s=NOW)
        await outbox.append([big], now_s=NOW)
    assert read_overview(tmp_path, limit=1).dropped == 5


async def test_a_second_process_is_refused_in_one_line(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW):
        with pytest.raises(OutboxError, match="another agent is running on this folder"):
            async with open_outbox(tmp_path, max_mb=1, now_s=NOW):
                pass
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW):
        pass


@pytest.mark.parametrize("damage", ["overwritten", "torn", "foreign"])
async def test_a_damaged_file_is_set_aside_and_a_later_epoch_begins(tmp_path: Path, damage: str) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.append([message(b"y" * 3000)] * 30, now_s=NOW)
    path = tmp_path / FILE_NAME
    content = path.read_bytes()
    if damage == "overwritten":
        path.write_bytes(b"not a database at all" * 300)
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    else:
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA application_id = 7")
            other.execute("CREATE TABLE message (mine)")
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW + 60) as (outbox, aside):
        assert aside is not None
        assert aside.exists()
        assert outbox.next_link == ChainLink(int(NOW) + 60, 1, FIRST_PREVIOUS)
        await outbox.append([message()], now_s=NOW)


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="cannot be written"):
        async with open_outbox(tmp_path / "file" / "data", max_mb=1, now_s=NOW):
            pass


async def test_a_full_disk_is_said_and_leaves_no_thread_that_holds_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    before = threading.active_count()
    monkeypatch.setattr(aiosqlite.Connection, "executescript", full)
    with pytest.raises(OutboxError, match=r"outbox\.sqlite: cannot be written: database or disk is full"):
        async with open_outbox(tmp_path, max_mb=1, now_s=NOW):
            pass
    await until(lambda: threading.active_count() <= before, what="the end of the connection's thread")


async def test_prompts_and_answers_cross_between_processes(tmp_path: Path) -> None:
    prompt = PromptNotice("p1", "dishwasher", 10, 12, 20, 22, 900, (("surplus", 3),), int(NOW) + 600)
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        assert await outbox.keep_prompt("p1", encode_prompt(prompt), now_s=NOW)
        assert not await outbox.keep_prompt("p1", encode_prompt(prompt), now_s=NOW)
        with pytest.raises(OutboxError, match="not known here"):
            leave_answer(tmp_path, "p2", choice=AnswerChoice.YES, now_s=NOW)
        with pytest.raises(OutboxError, match="has passed"):
            leave_answer(tmp_path, "p1", choice=AnswerChoice.YES, now_s=NOW + 601)
        leave_answer(tmp_path, "p1", choice=AnswerChoice.NO, now_s=NOW)
        leave_answer(tmp_path, "p1", choice=AnswerChoice.YES, now_s=NOW + 1)
        assert list_prompts(tmp_path) == [PromptStatus(prompt, "yes", int(NOW) + 1, "given")]
        assert await outbox.given_answers() == [("p1", AnswerChoice.YES, int(NOW) + 1)]
        await put_answer(outbox, AnswerChoice.YES, int(NOW) + 1)
        assert await outbox.given_answers() == []
        assert [each.topic for each in await outbox.waiting(after=0, limit=9)] == ["cw1/c/10/a/up/answer"]


async def put_answer(outbox: Outbox, choice: AnswerChoice, at: int) -> None:
    sealing = seal_answer(SIGNER, "p1", choice=choice, at=at)
    await outbox.append_answer("p1", sealing, choice=choice, at=at, now_s=NOW)


async def test_what_became_of_an_answer_is_known_until_its_prompt_is_forgotten(tmp_path: Path) -> None:
    prompt = PromptNotice("p1", "dishwasher", 10, 12, 20, 22, 900, (), int(NOW) + 600)
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):

        def way() -> tuple[str | None, str | None]:
            (asked,) = list_prompts(tmp_path)
            return asked.choice, asked.way

        await outbox.keep_prompt("p1", encode_prompt(prompt), now_s=NOW)
        assert way() == (None, None)
        leave_answer(tmp_path, "p1", choice=AnswerChoice.YES, now_s=NOW)
        leave_answer(tmp_path, "p1", choice=AnswerChoice.NO, now_s=NOW + 1)
        await put_answer(outbox, AnswerChoice.YES, int(NOW))
        assert way() == ("no", "given"), "an answer changed while the first was sealed is not lost"
        await put_answer(outbox, AnswerChoice.NO, int(NOW) + 1)
        assert way() == ("no", "given")
        await outbox.note_published([1, 2], now_s=NOW)
        assert way() == ("no", "sent")
        await outbox.begin_epoch(lambda kept: reseal_message(SIGNER, kept), later_than=0, everything=True, now_s=NOW)
        assert way() == ("no", "given"), "sealed again in another epoch, not sent in it yet"
        await outbox.note_receipt(receipt(outbox, 2), published=[1, 2], now_s=NOW)
        assert way() == ("no", "receipted")
        await outbox.forget(before_s=NOW + 1)
        assert way() == ("no", "receipted"), "also when the message is kept no more"
        for at in range(PROMPTS_KEPT):
            other = PromptNotice(f"q{at}", "dishwasher", 10, 12, 20, 22, 900, (), int(NOW) + 600)
            await outbox.keep_prompt(other.prompt_id, encode_prompt(other), now_s=NOW + 1)
        (left,) = await outbox._all("SELECT count(*) FROM answered")
        assert left[0] == 0, "with the prompt goes its answer"


def test_looking_at_no_outbox_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="there is no outbox yet"):
        read_overview(tmp_path, limit=1)


def rows_on_disk(folder: Path) -> list[tuple[int, int | None]]:
    """Number and receipt of every committed message, as another program sees the file."""
    with closing(sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)) as db:
        return db.execute("SELECT seq, receipted_at FROM message ORDER BY epoch, seq").fetchall()


@pytest.mark.parametrize("steps", range(14))
async def test_nothing_leaves_before_it_is_durable(tmp_path: Path, steps: int) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        writing = asyncio.ensure_future(outbox.append([message()] * 40, now_s=NOW))
        await some_turns(steps)
        seen = [each.seq for each in await outbox.waiting(after=0, limit=99)]
        assert seen == [seq for seq, _ in rows_on_disk(tmp_path)][: len(seen)]
        await writing
        noting = asyncio.ensure_future(outbox.note_receipt(receipt(outbox, 40), published=(), now_s=NOW))
        await some_turns(steps)
        waiting = [each.seq for each in await outbox.waiting(after=0, limit=99)]
        assert set(waiting) >= {seq for seq, at in rows_on_disk(tmp_path) if at is None}, "half of a receipt was seen"
        await noting


async def some_turns(steps: int) -> None:
    """Let others run for a while that differs with `steps`, from nothing to past a whole transaction."""
    for _ in range(steps % 7):
        await asyncio.sleep(0)
    if steps >= 7:
        await asyncio.sleep((steps - 6) * 0.0004)


@pytest.mark.parametrize("steps", range(14))
async def test_a_cancel_in_the_middle_of_a_write_breaks_nothing_and_is_not_lost(tmp_path: Path, steps: int) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await outbox.append([message()], now_s=NOW)

        async def both() -> None:
            await outbox.append([message()] * 5, now_s=NOW)
            await outbox.note_receipt(receipt(outbox, 2), published=(1, 2), now_s=NOW)
            await asyncio.sleep(60)

        writing = asyncio.ensure_future(both())
        await some_turns(steps)
        writing.cancel()
        done, _ = await asyncio.wait({writing}, timeout=60)
        assert done, "the cancel was lost"
        assert writing.cancelled(), "an error stood in the cancel's place"
        assert [seq for seq, _ in rows_on_disk(tmp_path)] == list(range(1, outbox.next_link.seq))
        await outbox.append([message()], now_s=NOW)
        assert outbox.next_link.seq == len(rows_on_disk(tmp_path)) + 1


async def test_side_by_side_appends_keep_one_order(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        await asyncio.gather(*(outbox.append([message()] * 3, now_s=time.time()) for _ in range(10)))
        waiting = await outbox.waiting(after=0, limit=100)
    assert [each.seq for each in waiting] == list(range(1, 31))
    assert all(b"%d/" % each.seq == each.sealed[: len(b"%d/" % each.seq)] for each in waiting)

"""What was sent outlives the sealed messages, and is written in the form that the statement's script compares with."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox.messages import ChainLink, OutboxError, SealedMessage, SealMessage
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.sent_readings import KEPT_SLOTS, readings_of, sent_record, write_sent
from edge_agent.outbox.view import read_sent
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.envelope import seal
from protocols.wire.readings import Batch, ClockTrust, Column, encode_batch
from protocols.wire.receipts import Receipt

KEY = Ed25519PrivateKey.generate()
NOW = 1_790_000_000
FIRST = NOW // 900 - 10


def column(measure: Measure, energy_wh: int | None) -> Column:
    if energy_wh is None:
        return Column(measure, 1, None, 0, Mark.MISSING, Gap.DEVICE_SILENT)
    return Column(measure, 1, energy_wh, 0, Mark.MEASURED, Gap.NONE)


def batch(slot: int, export_wh: int | None, import_wh: int | None) -> SealMessage:
    def sealing(link: ChainLink) -> SealedMessage:
        columns = (column(Measure.GRID_IMPORT, import_wh), column(Measure.GRID_EXPORT, export_wh))
        made = Batch("a", link.epoch, link.seq, link.previous, 1, ClockTrust.TRUSTED, 1, NOW, slot, columns)
        return SealedMessage("batch", "t", seal(KEY, "t", encode_batch(made)))

    return sealing


async def test_what_was_sent_outlives_its_messages(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=4, now_s=NOW) as (outbox, _):
        await outbox.append([batch(FIRST + n, 10 * n, n) for n in range(4)], now_s=NOW)
        await outbox.append([batch(FIRST + 4, None, 7), batch(FIRST + 5, 50, 5)], now_s=NOW)
        before = read_sent(tmp_path, range(FIRST, FIRST + 10))
        receipt = Receipt("a", outbox.next_link.epoch, 5, bytes([1]) * 32, stored_at=0, gaps=(), refused=())
        await outbox.note_receipt(receipt, published=(), now_s=NOW)
        assert await outbox.forget(before_s=NOW + 1) == 5
    assert before == [(FIRST + n, 10 * n, n) for n in (0, 1, 2, 3, 5)]
    assert read_sent(tmp_path, range(FIRST, FIRST + 10)) == before
    assert read_sent(tmp_path, range(FIRST + 1, FIRST + 3)) == before[1:3]


async def test_readings_of_four_hundred_days_are_kept(tmp_path: Path) -> None:
    slots = [FIRST - KEPT_SLOTS - 1, FIRST - KEPT_SLOTS, FIRST]
    async with open_outbox(tmp_path, max_mb=4, now_s=NOW) as (outbox, _):
        await outbox.append([batch(slot, 1, 2) for slot in slots], now_s=NOW)
        receipt = Receipt("a", outbox.next_link.epoch, 3, bytes([1]) * 32, stored_at=0, gaps=(), refused=())
        await outbox.note_receipt(receipt, published=(), now_s=NOW)
        await outbox.forget(before_s=NOW + 1)
    assert [row[0] for row in read_sent(tmp_path, range(FIRST + 1))] == slots[1:]


def test_bytes_that_are_no_batch_are_no_reading() -> None:
    assert readings_of([b"", b"\xd2\x84", seal(KEY, "t", b"\xa0")]) == []


def test_the_file_is_the_owners_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    write_sent(path, sent_record("m06", [(5, 0, 12)]))
    assert json.loads(path.read_text()) == {"member": "m06", "readings": [[5, 0, 12]]}
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutboxError, match=r"own\.json: cannot be written: File exists"):
        write_sent(path, "{}")

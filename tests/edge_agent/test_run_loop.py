"""Where an agent goes on after a pause, when it trusts its clock, and that a full outbox stops nothing else."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.metering import Metering, Place, Sample, read_checkpoint
from edge_agent.outbox import Link, OutboxError, Sealed, Sealing
from edge_agent.outbox_file import open_outbox
from edge_agent.run_loop import (
    MAX_PENDING,
    MAX_SKIPPED_SLOTS,
    Closing,
    Parts,
    first_slot,
    gap_of_absence,
    is_synchronised,
    trusted_now,
)
from edge_agent.sealing import Gate, Signer
from protocols.consent_rules import default_consent
from protocols.envelope import open_sealed
from protocols.quantities import Gap, Measure
from protocols.readings import Batch, LongInterval, decode_batch
from protocols.slots import start_of
from protocols.timeline import Clock
from tests.edge_agent.hand_clock import HandClock

FIRST = 2_000_000
NOW = float(start_of(FIRST) + 100)


def test_a_first_start_begins_with_the_slot_it_is_in() -> None:
    assert first_slot(NOW, None) == (FIRST, 0)


@pytest.mark.parametrize(("away", "left_out"), [(0, 0), (3, 0), (MAX_SKIPPED_SLOTS, 0), (MAX_SKIPPED_SLOTS + 9, 9)])
def test_a_restart_goes_on_where_it_ended_but_for_very_long_absences(away: int, left_out: int) -> None:
    assert first_slot(NOW, FIRST - away) == (FIRST - away + left_out, left_out)


async def test_a_clock_is_trusted_at_once_when_it_can_be_true() -> None:
    assert await trusted_now(Clock(lambda: NOW), not_before_s=NOW - 5) == (NOW, False)


async def test_a_clock_behind_what_was_sealed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock(NOW)

    async def moves(_seconds: float) -> None:
        clock.move_to(clock.now_s + 10)

    monkeypatch.setattr("edge_agent.run_loop.asyncio.sleep", moves)
    assert await trusted_now(clock, not_before_s=NOW + 25) == (NOW + 30, True)
    assert gap_of_absence(True) is Gap.CLOCK_UNTRUSTED
    assert gap_of_absence(False) is Gap.AGENT_OFF


def test_the_time_service_says_whether_the_clock_is_set(tmp_path: Path) -> None:
    assert is_synchronised(tmp_path / "no service here")
    assert not is_synchronised(tmp_path)
    (tmp_path / "synchronized").touch()
    assert is_synchronised(tmp_path)


async def test_a_full_outbox_keeps_slots_in_memory_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place("meter", "grid", 15_000)

    def big(link: Link) -> Sealed:
        return Sealed("batch", "t", bytes(1_048_300))

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        signer = Signer("c", "a-1", Ed25519PrivateKey.generate())
        parts = Parts(Clock(lambda: NOW), signer, Gate(default_consent("h01")), outbox, 7, lambda: True)
        metering = Metering([place], next_slot=FIRST, longest_hole_s=300)
        closing = Closing(parts, metering)
        await outbox.append([big], now_s=NOW)
        for _ in range(3):
            metering.close(place)
            assert not await closing.store_finished()
        assert [record.message for record in caplog.records if "outbox.max_mb" in record.message] != []
        assert len(caplog.records) == 1
        await outbox._db.execute("UPDATE message SET receipted_at = 1")
        metering.close(place)
        assert await closing.store_finished()
        assert outbox.next_link.seq == 6


async def test_what_a_stuck_outbox_leaves_in_memory_is_bounded_and_what_is_left_out_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place("meter", "grid", 15_000)
    stuck = True

    class Sometimes:
        """An outbox whose disk is full for a while."""

        boot = 1

        def __init__(self) -> None:
            self.kept: list[Batch] = []
            self.checkpoint = b""

        async def append(self, sealings: list[Sealing], *, now_s: float, checkpoint: bytes) -> None:
            if stuck:
                raise OutboxError("the disk is full")
            for sealing in sealings:
                made = sealing(Link(1, len(self.kept) + 1, bytes([len(self.kept) > 0] * 32)))
                self.kept.append(decode_batch(open_sealed(made.sealed, made.topic, signer.key.public_key())))
            self.checkpoint = checkpoint

    outbox = Sometimes()
    signer = Signer("c", "a-1", Ed25519PrivateKey.generate())
    gate = Gate(default_consent("h01"))
    parts = Parts(Clock(lambda: NOW), signer, gate, outbox, 7, lambda: True)  # type: ignore[arg-type]
    metering = Metering([place], next_slot=FIRST, longest_hole_s=300)
    closing = Closing(parts, metering)
    for at in range(MAX_PENDING + 150):
        metering.take(place, Sample(float(start_of(FIRST + at + 1)), {"import_wh": 10 * at}))
        metering.close(place)
        assert not await closing.store_finished()
    stuck = False
    assert await closing.store_finished()
    everything = MAX_PENDING + 150
    assert closing.left_out == 149, "the first one had been sealed already"
    assert [batch.slot for batch in outbox.kept] == list(range(FIRST, FIRST + everything)), "each slot is answered for"
    columns = {batch.slot: batch.columns[0] for batch in outbox.kept}
    told = [slot for slot, column in columns.items() if column.gap is Gap.NOT_KEPT]
    assert told == list(range(FIRST + 1, FIRST + 150))
    (total,) = outbox.kept[149].long_intervals
    assert total == LongInterval(Measure.GRID_IMPORT, FIRST + 1, 149, 1490)
    counted = sum(column.energy_wh for column in columns.values() if column.energy_wh is not None)
    assert counted + total.energy_wh == 10 * (everything - 1), "the slot before the first boundary has no energy"
    assert read_checkpoint(outbox.checkpoint)[0] == FIRST + everything
    said = [record.message for record in caplog.records]
    assert [line.split(":")[0] for line in said] == [
        "slots wait in memory",
        "memory is full too",
        "149 slots were left out for want of room; the hub is told so",
    ]

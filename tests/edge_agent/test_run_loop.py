"""A full outbox stops nothing else: slots wait in memory, and what finds no room is told."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.consent.watch import ConsentWatch
from edge_agent.devices.silence import Trouble, TroubleLog, read_troubles
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample, read_checkpoint
from edge_agent.outbox.messages import ChainLink, OutboxError, SealedMessage, SealMessage
from edge_agent.outbox.opening import open_outbox
from edge_agent.run_loop import MAX_PENDING, LoopParts, SlotCloser, run_beside
from edge_agent.uplink.sealing import AgentSigner, ConsentFilter
from protocols.consent.rules import ConsentSet, default_consent, encode_consent
from protocols.consent.text import consent_toml
from protocols.quantities import Gap, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.readings import Batch, DeviceState, Liveness, LongInterval, decode_batch

FIRST = 2_000_000
NOW = float(start_of(FIRST) + 100)


async def test_a_full_outbox_keeps_slots_in_memory_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = MeasuringPoint("meter", "grid", 15_000)

    def big(link: ChainLink) -> SealedMessage:
        return SealedMessage("batch", "t", bytes(1_048_300))

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        signer = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
        parts = LoopParts(Clock(lambda: NOW), signer, ConsentFilter(default_consent("h01")), outbox, 7, lambda: True)
        metering = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
        closing = SlotCloser(parts, metering)
        await outbox.append([big], now_s=NOW)
        for _ in range(3):
            metering.close(place)
            assert not await closing.store_closed()
        assert [record.message for record in caplog.records if "outbox.max_mb" in record.message] != []
        assert len(caplog.records) == 1
        await outbox._db.execute("UPDATE message SET receipted_at = 1")
        metering.close(place)
        assert await closing.store_closed()
        assert outbox.next_link.seq == 6


async def test_a_silent_device_is_noted_when_a_slot_closes(tmp_path: Path) -> None:
    place = MeasuringPoint("meter", "grid", 15_000)

    class SilentBus:
        async def run(self) -> None: ...

        def states(self) -> list[DeviceState]:
            return [DeviceState("meter", Liveness.SILENT, 700)]

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        signer = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
        parts = LoopParts(Clock(lambda: NOW), signer, ConsentFilter(default_consent("h01")), outbox, 7, lambda: True)
        metering = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
        closing = SlotCloser(parts, metering)
        closing.readers, closing.trouble_log = [SilentBus()], TroubleLog(tmp_path, started_s=NOW - 800)
        metering.close(place)
        assert await closing.store_closed()
    assert read_troubles(tmp_path) == (Trouble("meter", Liveness.SILENT, int(NOW) - 700),)


async def test_what_a_stuck_outbox_leaves_in_memory_is_bounded_and_what_is_left_out_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = MeasuringPoint("meter", "grid", 15_000)
    stuck = True

    class Sometimes:
        """An outbox whose disk is full for a while."""

        boot = 1

        def __init__(self) -> None:
            self.kept: list[Batch] = []
            self.checkpoint = b""

        async def append(self, sealings: list[SealMessage], *, now_s: float, checkpoint: bytes) -> None:
            if stuck:
                raise OutboxError("the disk is full")
            for sealing in sealings:
                made = sealing(ChainLink(1, len(self.kept) + 1, bytes([len(self.kept) > 0] * 32)))
                self.kept.append(decode_batch(open_sealed(made.sealed, made.topic, signer.key.public_key())))
            self.checkpoint = checkpoint

    outbox = Sometimes()
    signer = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
    gate = ConsentFilter(default_consent("h01"))
    parts = LoopParts(Clock(lambda: NOW), signer, gate, outbox, 7, lambda: True)  # type: ignore[arg-type]
    metering = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
    closing = SlotCloser(parts, metering)
    for at in range(MAX_PENDING + 150):
        metering.add_sample(place, Sample(float(start_of(FIRST + at + 1)), {"import_wh": 10 * at}))
        metering.close(place)
        assert not await closing.store_closed()
    stuck = False
    assert await closing.store_closed()
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
        "slots are waiting in memory",
        "memory is full too",
        "149 slots dropped",
    ]
    assert said[2] == "149 slots dropped: outbox full (reported to the hub)"


async def test_a_new_consent_holds_from_the_next_sealed_slot_and_not_before_what_waits(tmp_path: Path) -> None:
    place = MeasuringPoint("meter", "grid", 15_000)
    path = tmp_path / "consent.toml"
    first, second = default_consent("h01"), default_consent("h01", version=2)
    stuck = True

    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):

        async def put(wanted: ConsentSet) -> ConsentSet:
            await outbox.append_consent(wanted.version, encode_consent(wanted), notice=None, now_s=NOW)
            return wanted

        signer = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
        watch = ConsentWatch(path, "h01", put)
        parts = LoopParts(Clock(lambda: NOW), signer, ConsentFilter(first), outbox, 7, lambda: True, watch)
        metering = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
        closing = SlotCloser(parts, metering)
        keep = outbox.append

        async def append(*given: object, **more: object) -> None:
            if stuck:
                raise OutboxError("the disk is full")
            await keep(*given, **more)  # type: ignore[arg-type]

        outbox.append = append  # type: ignore[method-assign]
        metering.close(place)
        assert not await closing.store_closed()
        path.write_text(consent_toml(second))
        assert not await closing.take_up_consent(), "a batch sealed under version 1 still waits for room"
        stuck = False
        assert await closing.store_closed()
        assert await closing.take_up_consent()
        assert not await closing.take_up_consent()
        metering.close(place)
        assert await closing.store_closed()
        sealed = await outbox._db.execute_fetchall("SELECT topic, sealed FROM message ORDER BY seq")
    opened = [decode_batch(open_sealed(row[1], row[0], signer.key.public_key())) for row in sealed]
    assert [batch.consent_version for batch in opened] == [1, 2]


async def test_what_fails_beside_the_measuring_is_told_without_a_value_and_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_agent.run_loop.BESIDE_AGAIN_S", 0)
    third = asyncio.Event()
    begun = []

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) == 3:
            third.set()
            await asyncio.Event().wait()
        raise ValueError("1234 W")

    running = asyncio.create_task(run_beside("the local page", work))
    await asyncio.wait_for(third.wait(), 10)
    assert not running.done()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert caplog.text.count("the local page failed with ValueError in work") == 2
    assert "1234" not in caplog.text


async def test_a_home_history_that_fails_in_an_unknown_way_stops_no_slot(tmp_path: Path) -> None:
    async with open_outbox(tmp_path, max_mb=1, now_s=NOW) as (outbox, _):
        signer = AgentSigner("c", "a-1", Ed25519PrivateKey.generate())
        parts = LoopParts(Clock(lambda: NOW), signer, ConsentFilter(default_consent("h01")), outbox, 7, lambda: True)
        place = MeasuringPoint("meter", "grid", 15_000)
        metering = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
        closing = SlotCloser(parts, metering)

        async def keep(closed: object) -> None:
            raise KeyError("damaged")

        closing.keep_at_home = keep
        for _ in range(2):
            metering.close(place)
            assert await closing.store_closed()
        assert outbox.next_link.seq == 3

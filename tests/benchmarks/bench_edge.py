"""What the agent costs: memory with two devices, requests per scan, CPU per sealed batch, bytes written in a day.

`measure()` gives plain numbers; times are CPU seconds as ratios to bare work measured in the same run.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.history import read_rows, replay
from edge_agent.home_store.keeping import HomeKeeper
from edge_agent.home_store.live_values import LiveValues, WatchedMeter
from edge_agent.home_store.store import HomeStore
from edge_agent.metering.home_meter import FIELDS_OF_ROLE, HomeMeter, MeasuringPoint, Sample
from edge_agent.outbox.messages import ReceiptState
from edge_agent.outbox.opening import open_outbox
from edge_agent.run_loop import LoopParts, SlotCloser
from edge_agent.uplink.sealing import AgentSigner, ConsentFilter
from protocols.consent.text import parse_consent
from protocols.slots import Slot, start_of
from protocols.timeline import Clock
from protocols.wire.receipts import Receipt
from tests.edge_agent.agent_process import FIRST, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.edge_agent.stub_hub import free_port

DAYS = 10
WRITTEN_DAYS = 2
BARS = {"edge_agent_resident_mb": 64, "edge_written_mb_per_day": 2}
KEY = Ed25519PrivateKey.generate()
EIGHT = [
    MeasuringPoint("meter", "grid", 15_000),
    MeasuringPoint("roof", "pv", 10_000),
    MeasuringPoint("barn", "pv", 10_000),
    MeasuringPoint("mill", "wind", 5_000),
    MeasuringPoint("cellar", "battery", 5_000),
    MeasuringPoint("attic", "battery", 5_000),
    MeasuringPoint("car", "load", 11_000),
    MeasuringPoint("pump", "load", 5_000),
]
PLACES = [MeasuringPoint("meter", "grid", 15_000), MeasuringPoint("sun", "pv", 10_000)]
CONSENT = parse_consent('home="h01"\nversion=2\n[[rule]]\npurpose="forecast.hood"\nvalid_from="2020-01-01T00:00Z"\n')


def measure() -> dict[str, float]:
    """All figures of the edge; about 20 seconds."""
    found = {"edge_agent_resident_mb": asyncio.run(_resident_mb())}
    return found | asyncio.run(_batch_cost()) | asyncio.run(_written_mb_per_day())


async def _resident_mb() -> float:
    """Of the running agent with its page, after it has sent batches of eight devices read every 10 s."""
    more = '\n[[device]]\nname = "d{}"\nmap = "eastron-sdm630"\nrole = "load"\nconnect = "{}"\nmax_power_w = 5000\n'
    stands = [await Stand(meter_words(1000 * at)).start() for at in range(1, 8)]
    with tempfile.TemporaryDirectory() as folder:
        devices = "".join(more.format(at, f"tcp://127.0.0.1:{stand.port}") for at, stand in enumerate(stands, 1))
        async with agent_home(Path(folder), Stand(meter_words(1000)), devices=devices) as home:
            text = home.config.read_text().replace("interval_s = 300", "interval_s = 10")
            home.config.write_text(text.replace('"off"', f'"127.0.0.1:{free_port()}"'))
            home.start()
            await until(lambda: home.stand.requests, 60)
            for at in (1, 2, 3):
                home.set_time(start_of(FIRST + at), rate=30, hold_at_s=start_of(FIRST + at) + 240)
                await until(lambda at=at: len(home.hub.batches) >= at, 60)
            resident = home.resident_mb()
            await asyncio.to_thread(home.stop)
    for stand in stands:
        await stand.stop()
    return resident


async def _batch_cost() -> dict[str, float]:
    """CPU of a recording's batches (meter, consent, seal, store) over bare signing plus bare durable inserts."""
    slots = DAYS * 96
    bare_s = _bare_seconds(slots)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        await _replay(Path(folder), slots)
        spent_s = time.process_time() - began
    return {"edge_batch_over_bare": spent_s / bare_s, "edge_batch_cpu_ms": 1000 * spent_s / slots}


def _bare_seconds(count: int) -> float:
    """Signing `count` payloads of a batch's size and inserting them with synchronous=FULL, 96 to a transaction."""
    payload = bytes(512)
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(Path(folder) / "bare.sqlite", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE bare (seq INTEGER PRIMARY KEY, sealed BLOB)")
        began = time.process_time()
        for first in range(0, count, 96):
            db.execute("BEGIN")
            for seq in range(first, min(first + 96, count)):
                KEY.sign(payload)
                db.execute("INSERT INTO bare VALUES (?, ?)", (seq, payload))
            db.execute("COMMIT")
        spent_s = time.process_time() - began
        db.close()
    return spent_s


async def _replay(folder: Path, slots: int) -> None:
    lines = ["commonwatt-recording,1\n"]
    for at in range(slots + 1):
        at_s = start_of(FIRST + at)
        lines += [f"{at_s},meter,import_wh,{90 * at}\n", f"{at_s},meter,export_wh,{20 * at}\n"]
        lines.append(f"{at_s},sun,production_wh,{33 * at}\n")
    clock = Clock(lambda: float(start_of(FIRST + slots)))
    async with open_outbox(folder, max_mb=64, now_s=clock.now()) as (outbox, _):
        parts = LoopParts(clock, AgentSigner("c", "a-1", KEY), ConsentFilter(CONSENT), outbox, 7, lambda: True)

        def make(first: Slot) -> tuple[HomeMeter, SlotCloser]:
            metering = HomeMeter(PLACES, next_slot=first, longest_hole_s=900)
            return metering, SlotCloser(parts, metering)

        await replay(read_rows(lines, name="-"), make=make, window_s=60, stored=lambda: None)
        assert outbox.next_link.seq == slots + 1


async def _written_mb_per_day() -> dict[str, float]:
    """What a live day of eight devices makes the agent write: a batch, its receipt and the home's own history for each
    of 96 slots, and what is forgotten.

    Counts what the kernel takes for the disk (write_bytes of /proc/self/io; whole pages of 4 kB), each slot's after the
    one before has reached it, as fifteen minutes apart. The write-ahead log's shared-memory index is mapped, not
    written; what the kernel puts on disk of it is the second figure.
    """
    found = {}
    for name, tails in (("edge_written_mb_per_day", ("", "-wal")), ("edge_written_with_index", ("", "-wal", "-shm"))):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = await _written_mb(Path(folder), tails) / WRITTEN_DAYS
    return found


async def _written_mb(folder: Path, tails: tuple[str, ...]) -> float:
    clock = Clock(lambda: float(start_of(FIRST + 96 * WRITTEN_DAYS)))
    live, store = LiveValues(), HomeStore(folder, now_s=clock.now())
    async with open_outbox(folder, max_mb=64, now_s=clock.now()) as (outbox, _):
        parts = LoopParts(clock, AgentSigner("c", "a-1", KEY), ConsentFilter(CONSENT), outbox, 7, lambda: True)
        metering = WatchedMeter(EIGHT, next_slot=FIRST, longest_hole_s=900)
        metering.live = live
        closing = SlotCloser(parts, metering)
        closing.keep_at_home = HomeKeeper(store, live).keep
        _reach_the_disk(folder, ("", "-wal", "-shm"))
        before = _write_bytes()
        for seq in range(1, 96 * WRITTEN_DAYS + 1):
            _measure_slot(metering, FIRST + seq - 1)
            await closing.store_closed()
            receipt = Receipt("a-1", outbox.next_link.epoch, seq, bytes([1]) * 32, (), 1, ())
            state = ReceiptState(seq, signed_at=int(clock.now()) + seq)
            await outbox.note_receipt(receipt, published=[seq], now_s=clock.now() + seq, state=state)
            if seq % 24 == 0:
                await outbox.forget(before_s=clock.now() + seq - 96)
            _reach_the_disk(folder, tails)
        written = _write_bytes() - before
    if written == 0:
        raise RuntimeError("nothing was counted: TMPDIR must not lie on a memory file system")
    return written / 1e6


def _measure_slot(metering: WatchedMeter, slot: Slot) -> None:
    """A reading of each device at both ends of the slot, and power each minute."""
    for number, place in enumerate(EIGHT):
        for minute in range(16):
            at_s = start_of(slot) + 60 * minute
            counted = (slot - FIRST) * 120 + 8 * minute + number
            counters = dict.fromkeys(FIELDS_OF_ROLE[place.role], counted)
            metering.add_sample(place, Sample(float(at_s), counters, 300 + (slot * 37 + minute * 91 + number) % 400))
            if minute == 0 and metering.next_of(place) == slot:
                metering.open(place)
        metering.close(place)


def _reach_the_disk(folder: Path, tails: tuple[str, ...]) -> None:
    names = [f"outbox.sqlite{tail}" for tail in tails] + ["history.sqlite", "history.recent"]
    for path in (folder / name for name in names):
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _write_bytes() -> int:
    line = next(each for each in Path("/proc/self/io").read_text().splitlines() if each.startswith("write_bytes"))
    return int(line.split()[1])


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name} {value:.3f}")

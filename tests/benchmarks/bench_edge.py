"""What the agent costs: memory with two devices, requests per scan, CPU per sealed batch, bytes written in a day.

`measure()` gives plain numbers; times are CPU seconds as ratios to bare work measured in the same run.
"""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.history import read_rows, replay
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint
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

DAYS = 10
BARS = {"edge_agent_resident_mb": 64}
KEY = Ed25519PrivateKey.generate()
PLACES = [MeasuringPoint("meter", "grid", 15_000), MeasuringPoint("sun", "pv", 10_000)]
CONSENT = parse_consent('home="h01"\nversion=2\n[[rule]]\npurpose="forecast.hood"\nvalid_from="2020-01-01T00:00Z"\n')


def measure() -> dict[str, float]:
    """All figures of the edge; about 20 seconds."""
    found = {"edge_agent_resident_mb": asyncio.run(_resident_mb())}
    return found | asyncio.run(_batch_cost()) | {"edge_written_mb_per_day": asyncio.run(_written_mb_per_day())}


async def _resident_mb() -> float:
    """Of the running agent, after it has sent batches of two devices."""
    second = '\n[[device]]\nname = "sun"\nmap = "shelly-pro3em"\nrole = "pv"\nconnect = "{}"\nmax_power_w = 5000\n'
    other = await Stand().start()
    with tempfile.TemporaryDirectory() as folder:
        devices = second.format(f"tcp://127.0.0.1:{other.port}")
        async with agent_home(Path(folder), Stand(meter_words(1000)), devices=devices) as home:
            home.start()
            await until(lambda: home.stand.requests, 30)
            for at in (1, 2, 3):
                home.set_time(start_of(FIRST + at), rate=60, hold_at_s=start_of(FIRST + at) + 240)
                await until(lambda at=at: len(home.hub.batches) >= at, 30)
            resident = home.resident_mb()
            await asyncio.to_thread(home.stop)
    await other.stop()
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


async def _written_mb_per_day() -> float:
    """What one live day makes the process write: a batch and a receipt for each of 96 slots, hourly forgetting.

    Counts the bytes the kernel took for the block device or file system (write_bytes of /proc/self/io, which on a
    memory file system stays 0: then the sizes of the log's frames are counted instead).
    """
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(lambda: float(start_of(FIRST + 96)))
        async with open_outbox(Path(folder), max_mb=64, now_s=clock.now()) as (outbox, _):
            before, frames = _write_bytes(), 0
            parts = LoopParts(clock, AgentSigner("c", "a-1", KEY), ConsentFilter(CONSENT), outbox, 7, lambda: True)
            metering = HomeMeter(PLACES, next_slot=FIRST, longest_hole_s=900)
            closing = SlotCloser(parts, metering)
            for seq in range(1, 97):
                for place in PLACES:
                    metering.close(place)
                await closing.store_closed()
                epoch = outbox.next_link.epoch
                await outbox.note_published([seq], now_s=clock.now())
                receipt = Receipt("a-1", epoch, seq, bytes([1]) * 32, (), 1, ())
                await outbox.note_receipt(receipt, published=[], now_s=clock.now())
                if seq % 4 == 0:
                    await outbox.forget(before_s=0)
            frames = sum(each.stat().st_size for each in Path(folder).iterdir())
            written = max(_write_bytes() - before, frames)
    return written / 1e6


def _write_bytes() -> int:
    if not Path("/proc/self/io").exists():
        return 0
    line = next(each for each in Path("/proc/self/io").read_text().splitlines() if each.startswith("write_bytes"))
    return int(line.split()[1])


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name} {value:.3f}")

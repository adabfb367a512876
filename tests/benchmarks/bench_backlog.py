"""A backlog of a street behind a real broker: what each part of intake costs a batch, and that nothing is dropped.

The agents send while the hub is away; then it comes and takes everything. CPU is told by thread.
"""

import asyncio
import gc
import json
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import BrokerLink, Delivery
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import plan_broker
from hub.broker.supervisor import BrokerProcess
from hub.folder.settings import parse_settings
from hub.intake.receiver import Intake
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.topics import up_filters
from tests.hub.broker.agents_at_broker import street_home
from tests.hub.sending_home import COOP, FIRST_SLOT, open_store

AGENTS = 100
BATCHES = 100
WINDOWS = {"backlog": BATCHES, "windowed": 20}
BROKERS = ("iotcore", "mosquitto") if find_mosquitto() is not None else ("iotcore",)
WITHIN_S = 100
BARS = {
    f"{broker}_{name}_{figure}": most
    for broker in BROKERS
    for name in WINDOWS
    for figure, most in {"left": 0, "time_outs": 0, "most_in_flight": 1200, "receipts_for_each_batch": 0.5}.items()
}


def measure() -> dict[str, object]:
    """For each broker: CPU per batch by thread, the most in flight, what was dropped, and receipts signed and sent."""
    return {
        f"{broker}_{name}_{figure}": value
        for broker in BROKERS
        for name, window in WINDOWS.items()
        for figure, value in asyncio.run(_taken(broker, window)).items()
    }


async def _taken(kind: str, window: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = parse_settings(
            f'[coop]\nid = "{COOP.id}"\nname = "C"\ntz = "Europe/Madrid"\n'
            f'[broker]\nkind = "{kind}"\nallow_other_users = true\n'.encode(),
            name="hub.toml",
            folder=folder,
        ).broker
        plan = plan_broker(settings, folder=folder / "broker", coop=COOP.id, port=0)
        broker = BrokerProcess(plan)
        serving = asyncio.create_task(broker.run())
        await asyncio.wait_for(broker.ready.wait(), 20)
        try:
            return await _street_taken(folder, plan, window=window)
        finally:
            serving.cancel()
            await asyncio.wait({serving})


async def _street_taken(folder: Path, plan, *, window: int) -> dict[str, float]:
    homes = [street_home(number) for number in range(1, AGENTS + 1)]
    store = await open_store(folder, homes)
    first = BrokerLink(client_id="hub-bench", filters=up_filters(COOP.id), deliver=lambda _: None)
    first.start(plan.address)
    await _until(lambda: first.is_connected)
    await asyncio.sleep(0.5)  # until the broker has the subscription
    await asyncio.to_thread(first.stop)
    street = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hub.broker.agents_at_broker"),
        *(str(each) for each in (plan.address.port, AGENTS, BATCHES, window)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert street.stdout is not None
    assert (await asyncio.wait_for(street.stdout.readline(), WITHIN_S)).strip() == b"sent"
    now_s = float(start_of(FIRST_SLOT + BATCHES + 1))
    box: list[Intake] = []
    most = 0

    def deliver(deliveries: list[Delivery]) -> None:
        nonlocal most
        most = max(most, len(link._owed))
        box[0].offer(deliveries)

    link = BrokerLink(client_id="hub-bench", filters=up_filters(COOP.id), deliver=deliver)
    box.append(
        Intake(store, coop=COOP.id, key=Ed25519PrivateKey.generate(), clock=Clock(real=lambda: now_s), broker=link)
    )
    gc.collect()
    cpu, wall_s, began = _cpu_by_thread(), time.monotonic(), time.process_time()
    link.start(plan.address)
    running = asyncio.create_task(box[0].run())
    said = json.loads(await asyncio.wait_for(street.stdout.readline(), WITHIN_S))
    spent_s, wall_s = time.process_time() - began, time.monotonic() - wall_s
    after = _cpu_by_thread()
    stored = await store.message_count()
    left = {(row.reason): row.count for row in await store.refusals()}
    running.cancel()
    await asyncio.to_thread(link.stop)
    await store.close()
    await street.wait()
    count = AGENTS * BATCHES
    assert stored == count, stored
    threads: dict[str, float] = {}
    for (name, thread), each_s in after.items():
        spent_us = (each_s - cpu.get((name, thread), 0.0)) / count * 1e6
        threads[f"cpu_us_{name}"] = threads.get(f"cpu_us_{name}", 0.0) + spent_us
    return {
        "cpu_us_per_batch": spent_s / count * 1e6,
        "wall_us_per_batch": wall_s / count * 1e6,
        **threads,
        "most_in_flight": most,
        "left": sum(left.values()),
        "receipts_signed": link.counts.sent,
        "receipts_asked": box[0].tally.receipts,
        "pauses": link.counts.pauses,
        "receipts_for_each_batch": link.counts.sent / count,
        "receipts_came": said["receipts"],
        "asked_again": said["again"],
        "time_outs": said["time_outs"],
    }


def _cpu_by_thread() -> dict[tuple[str, threading.Thread], float]:
    """By part and thread: a pool of an earlier case may end meanwhile, and its number be used again."""
    found: dict[tuple[str, threading.Thread], float] = {}
    for thread in threading.enumerate():
        if thread.ident is not None:
            name = "loop" if thread is threading.main_thread() else thread.name.split()[0].split("-")[0]
            found[name, thread] = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return found


async def _until(holds) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    for name, value in measure().items():
        print(name, value)

"""One worker of the hub that takes its share of a signed backlog, as a process of its own; it prints what it used.

Intake, the store and the row log are the hub's own. In place of the broker link stands a file: deliveries come as fast
as the link's window lets them, and receipts are sealed and counted.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import WINDOW, Delivery
from hub.intake.group.memory import collect_seldom
from hub.intake.receiver import Intake
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.store import PostgresStore
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.topics import uplink_topic
from tests.benchmarks.growth.stopped_loop import LongestStep, most_rss_mb
from tests.benchmarks.postgres_backlog.signed import DSN, Backlog, signed, street_home
from tests.hub.sending_home import COOP, FIRST_SLOT

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
AT_ONCE: Final = 200
"""How many deliveries the link hands over at a time."""


class FileLink:
    """The part of the broker link that intake needs, over a file."""

    def __init__(self, deliveries: Iterator[Delivery]) -> None:
        self._deliveries = deliveries
        self._in_flight = 0
        self._has_room = asyncio.Event()
        self.receipts = 0

    async def hand_over(self, offer: Callable[[Sequence[Delivery]], None]) -> None:
        """Hand everything over, with at most a window of it not acknowledged."""
        while lot := list(islice(self._deliveries, AT_ONCE)):
            while self._in_flight + len(lot) > WINDOW:
                self._has_room.clear()
                await self._has_room.wait()
            self._in_flight += len(lot)
            offer(lot)
            await asyncio.sleep(0)
        while self._in_flight:
            self._has_room.clear()
            await self._has_room.wait()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self._in_flight -= len(deliveries)
        self._has_room.set()

    def publish(self, topic: str, sealed: bytes) -> None: ...

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        seal()
        self.receipts += 1


async def _take(file: Path, backlog: Backlog, address: StoreAddress) -> dict[str, float]:
    topics = [uplink_topic(COOP.id, street_home(number).agent, kind="batch") for number in range(backlog.homes)]
    now_s = float(start_of(FIRST_SLOT + backlog.each + 1))
    store = await PostgresStore.open(address, now=lambda: now_s, signer=KEY)
    link = FileLink(Delivery(topics[number], sealed, 1, seq, 1) for number, seq, sealed in signed(file))
    intake = Intake(store, coop=COOP.id, key=KEY, clock=Clock(real=lambda: now_s), broker=link)
    await intake.agents_changed()
    gc.freeze()  # as each part of a hub does
    collect_seldom()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    longest = LongestStep()
    began_s, began_at = time.process_time(), time.monotonic()
    running = asyncio.create_task(intake.run())
    await link.hand_over(intake.offer)
    figures = {
        "cpu_s": time.process_time() - began_s,
        "wall_s": time.monotonic() - began_at,
        "longest_step_ms": longest.spent_s * 1e3,
        "receipts": link.receipts,
        "left": sum(intake.tally._left.values()),
        "rss_mb": most_rss_mb(),
    }
    running.cancel()
    await store.close()
    return figures


if __name__ == "__main__":
    _file, _schema, *_counts = sys.argv[1:]
    _address = StoreAddress(os.environ[DSN], _schema)
    _found = asyncio.run(_take(Path(_file), Backlog(*(int(each) for each in _counts)), _address))
    print(json.dumps(_found))

"""Intake against its floor: bare Ed25519 verification plus bare durable SQLite inserts of the same messages."""

import asyncio
import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.intake.fair_queues import MAX_GROUP
from hub.intake.receiver import Intake
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.envelope import external_aad, sig_structure
from protocols.wire.readings import Column
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome, open_store

HOMES = 12
BATCHES = 400
MEASURES = (
    Measure.GRID_IMPORT,
    Measure.GRID_EXPORT,
    Measure.PV_PRODUCTION,
    Measure.BATTERY_CHARGE,
    Measure.BATTERY_DISCHARGE,
)
TRIES = 3


class Nobody:
    """A broker that accepts everything and does nothing."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...

    def publish(self, topic: str, sealed: bytes) -> None: ...

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        self.publish(topic, seal())


def measure() -> dict[str, object]:
    """Batches of five columns verified and durably stored, by CPU and by wall time, best of three.

    `cpu_over_bare` and `wall_over_bare`: how many times the time of bare verification and insertion on one core.
    """
    homes, messages = _street()
    bare = [_bare_s(homes, messages) for _ in range(TRIES)]
    intake = [asyncio.run(_intake_s(homes, messages)) for _ in range(TRIES)]
    (floor_s, floor_wall_s), (intake_s, wall_s) = (
        (min(spent_s for spent_s, _ in tries), min(took_s for _, took_s in tries)) for tries in (bare, intake)
    )
    count = len(messages)
    return {
        "batches": count,
        "batches_per_cpu_s": count / intake_s,
        "bare_verify_and_insert_per_cpu_s": count / floor_s,
        "ratio_to_bare": floor_s / intake_s,
        "cpu_us_per_batch": intake_s / count * 1e6,
        "cpu_over_bare": intake_s / floor_s,
        "wall_us_per_batch": wall_s / count * 1e6,
        "wall_over_bare": wall_s / floor_wall_s,
    }


def _street() -> tuple[list[SendingHome], list[tuple[SendingHome, str, bytes]]]:
    homes = [
        SendingHome(f"h{n:02d}", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(1, HOMES + 1)
    ]
    messages = []
    for home in homes:
        rule = ConsentRule("forecast.hood", MEASURES, Resolution.PT15M, 0, None)
        messages.append((home, *home.consent(ConsentSet(home.home, 2, sort_rules([contract_rule(), rule])))))
    for n in range(BATCHES):
        for home in homes:
            columns = [Column(m, 1, (n * 7 + m) % 900, 0, Mark.MEASURED, Gap.NONE) for m in MEASURES]
            messages.append((home, *home.batch(FIRST_SLOT + n, columns=columns)))
    return homes, messages


async def _intake_s(
    homes: Sequence[SendingHome], messages: Sequence[tuple[SendingHome, str, bytes]]
) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder), homes)
        now_s = float(start_of(FIRST_SLOT + BATCHES + 1))
        intake = Intake(store, coop=COOP.id, key=homes[0].key, clock=Clock(real=lambda: now_s), broker=Nobody())
        await intake.agents_changed()
        gc.collect()
        began_s, began_at = time.process_time(), time.monotonic()
        for at in range(0, len(messages), MAX_GROUP):
            group = messages[at : at + MAX_GROUP]
            intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (_, topic, sealed) in enumerate(group)])
            await intake.work_once()
        spent_s, took_s = time.process_time() - began_s, time.monotonic() - began_at
        stored = await store.message_count()
        await store.close()
        if stored != len(messages):
            raise AssertionError(f"{stored} of {len(messages)} messages were stored")
        return spent_s, took_s


def _bare_s(homes: Sequence[SendingHome], messages: Sequence[tuple[SendingHome, str, bytes]]) -> tuple[float, float]:
    """Verify each signature and insert the same bytes and rows, durably, in the same groups; nothing else."""
    keys = {home.agent: home.key.public_key() for home in homes}
    work = []
    for number, (home, topic, sealed) in enumerate(messages):
        structure = sig_structure(sealed[3:16], external_aad(topic), _payload(sealed))
        rows = [(home.home, int(m), FIRST_SLOT + number, 1, 5, 0, 0) for m in MEASURES]
        work.append((keys[home.agent], sealed[-64:], structure, (home.agent, number, sealed), rows))
    with tempfile.TemporaryDirectory() as folder, sqlite3.connect(Path(folder) / "bare", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE message (agent TEXT, seq INTEGER, sealed BLOB)")
        db.execute(
            "CREATE TABLE reading (home TEXT, measure INT, slot INT, span INT, energy INT, mark INT, gap INT,"
            " PRIMARY KEY (home, measure, slot, span)) WITHOUT ROWID"
        )
        gc.collect()
        began_s, began_at = time.process_time(), time.monotonic()
        for at in range(0, len(work), MAX_GROUP):
            group = work[at : at + MAX_GROUP]
            for key, signature, structure, _, _ in group:
                key.verify(signature, structure)
            db.execute("BEGIN")
            db.executemany("INSERT INTO message VALUES (?, ?, ?)", [row for _, _, _, row, _ in group])
            db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)", [r for *_, rows in group for r in rows])
            db.execute("COMMIT")
        return time.process_time() - began_s, time.monotonic() - began_at


def _payload(sealed: bytes) -> bytes:
    start = 20 if sealed[17] == 0x59 else 19
    return sealed[start:-66]

"""What a home adds to the store in a year: two homes' batches as intake stores them, in bytes of pages.

`grid` sends import and export, `five` also solar production and a battery. Only the number of days is extrapolated.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.intake.receiver import Intake
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.readings import Column
from tests.benchmarks.bench_intake import MEASURES, Nobody
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome, open_store

DAYS = 25
SLOTS = DAYS * 96
YEAR_BATCHES = 35_040
TOGETHER = 50
"""Batches that intake stores in one commit: homes send by turns."""

BARS = {"grid_mb_per_home_and_year": 15.0}
_PAGES = """SELECT name, sum(pgsize) FROM dbstat WHERE name NOT LIKE 'sqlite_schema' GROUP BY name
HAVING sum(pgsize) > 40960"""


def measure() -> dict[str, object]:
    """MB per home and year of the whole store's file, and bytes per batch of each table and index that grows."""
    found: dict[str, object] = {}
    for name, measures in {"grid": MEASURES[:2], "five": MEASURES}.items():
        pages = asyncio.run(_pages(measures))
        found[f"{name}_mb_per_home_and_year"] = sum(pages.values()) * YEAR_BATCHES / 1e6
        found |= {f"{name}_bytes_{table}": each for table, each in sorted(pages.items())}
    return found


async def _pages(measures: Sequence[Measure]) -> dict[str, float]:
    homes = [SendingHome(f"h{n:02d}", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2)]
    rule = ConsentRule("forecast.hood", tuple(measures), Resolution.PT15M, 0, None)
    messages = [home.consent(ConsentSet(home.home, 2, sort_rules([contract_rule(), rule]))) for home in homes]
    for n in range(SLOTS):
        columns = [Column(m, 1, (n * 7 + m) % 900, 0, Mark.MEASURED, Gap.NONE) for m in measures]
        messages += [home.batch(FIRST_SLOT + n, columns=columns) for home in homes]
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder), homes)
        now_s = float(start_of(FIRST_SLOT + SLOTS + 1))
        intake = Intake(store, coop=COOP.id, key=homes[0].key, clock=Clock(real=lambda: now_s), broker=Nobody())
        await intake.agents_changed()
        for at in range(0, len(messages), TOGETHER):
            group = messages[at : at + TOGETHER]
            intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(group)])
            await intake.work_once()
        stored = await store.message_count()
        await store.close()
        assert stored == len(messages)
        with closing(sqlite3.connect(Path(folder) / "hub.sqlite")) as db:
            return {str(name): size / stored for name, size in db.execute(_PAGES)}


if __name__ == "__main__":
    for name, value in measure().items():
        print(name, value)

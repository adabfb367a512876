"""The least that taking a backlog can be, as a process of its own: signatures verified, the same bytes and as many
reading rows copied, committed in groups. Nothing is decoded, judged, chained or logged.
"""

import asyncio
import json
import os
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Final

import asyncpg

from hub.intake.fair_queues import MAX_GROUP
from protocols.wire.envelope import external_aad, payload_of, sig_structure
from protocols.wire.topics import uplink_topic
from tests.benchmarks.postgres_backlog.signed import DSN, MEASURES, Backlog, signed, street_home
from tests.hub.sending_home import COOP, FIRST_SLOT

TABLES: Final = """CREATE TABLE message (agent text COLLATE "C", seq bigint, sealed bytea);
CREATE TABLE reading (home text COLLATE "C", measure bigint, slot bigint, span bigint, energy_wh bigint, mark bigint,
    gap bigint, PRIMARY KEY (home, measure, slot, span))"""
_COLUMNS: Final = {
    "message": ["agent", "seq", "sealed"],
    "reading": ["home", "measure", "slot", "span", "energy_wh", "mark", "gap"],
}


async def _take(file: Path, backlog: Backlog, dsn: str) -> dict[str, float]:
    homes = [street_home(number) for number in range(backlog.homes)]
    known = [(home.home, home.agent, home.key.public_key()) for home in homes]
    aads = [external_aad(uplink_topic(COOP.id, home.agent, kind="batch")) for home in homes]
    session = await asyncpg.connect(dsn)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began_s, began_at = time.process_time(), time.monotonic()
    batches = signed(file)
    while group := list(islice(batches, MAX_GROUP)):
        messages, readings = [], []
        for number, seq, sealed in group:
            home, agent, key = known[number]
            key.verify(sealed[-64:], sig_structure(sealed[3:16], aads[number], payload_of(sealed)))
            messages.append((agent, seq, sealed))
            readings += [(home, int(measure), FIRST_SLOT + seq, 1, 5, 0, 0) for measure in MEASURES]
        async with session.transaction():
            await session.copy_records_to_table("message", records=messages, columns=_COLUMNS["message"])
            await session.copy_records_to_table("reading", records=readings, columns=_COLUMNS["reading"])
    figures = {"cpu_s": time.process_time() - began_s, "wall_s": time.monotonic() - began_at}
    await session.close()
    return figures


if __name__ == "__main__":
    _file, *_counts = sys.argv[1:]
    print(json.dumps(asyncio.run(_take(Path(_file), Backlog(*(int(each) for each in _counts)), os.environ[DSN]))))

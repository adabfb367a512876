"""`commonwatt-hub verify` against its floor, bare verification of the same signatures; whole, and since a checkpoint.

The minutes for a year of 1,000 homes are computed from CPU time per message on two cores, not waited for.
"""

import asyncio
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.folder.keys.salt_key import load_seals
from hub.folder.opening import open_store
from hub.folder.settings import load_settings
from hub.storage.contract import Store
from hub.verify.folder_check.checking import StoreOpening
from hub.verify.homes.checkpoints import CheckpointSeals, HomeCheckpoint
from hub.verify.homes.work import InProcesses
from hub.verify.messages import MessageCheck, check_messages
from hub.verify.rows import check_rows
from protocols.wire.envelope import external_aad, sig_structure
from protocols.wire.topics import uplink_topic
from tests.benchmarks.bench_intake import MEASURES
from tests.hub.sending_home import COOP, SendingHome
from tests.hub.verify.sending_street import CLOCK, SendingStreet, sending_street

HOMES: Final = 12
BATCHES: Final = 2_000
NEW_BATCHES: Final = 96
"""A day of each home."""
CORES: Final = 2
TRIES: Final = 3
YEAR_MESSAGES: Final = 1_000 * 365 * 96
DAY_MESSAGES: Final = 1_000 * 96

BARS = {"year_of_1000_homes_since_yesterday_minutes": 10.0, "whole_over_bare": 2.5}


def measure() -> dict[str, object]:
    """CPU of each message in microseconds: opened, and compared by its hash; and what it comes to for a year."""
    with tempfile.TemporaryDirectory() as folder:
        street = sending_street(Path(folder) / "hub", homes=HOMES, measures=MEASURES)
        street.send(BATCHES)
        count = HOMES * (BATCHES + 1)
        bare_us = _bare_s(street) / count * 1e6
        checkpoints: dict[str, HomeCheckpoint] = {}
        whole_s = _cpu_s(street, lambda store: _checked(street, store, into=checkpoints))
        rows_s = min(_cpu_s(street, _rows) for _ in range(TRIES))
        old_s = min(_cpu_s(street, lambda store: _checked(street, store, since=checkpoints)) for _ in range(TRIES))
        together_s, took_s = _in_processes(street)
        street.send(NEW_BATCHES)
        new_s = _cpu_s(street, lambda store: _checked(street, store, since=checkpoints)) - old_s
    whole_us, old_us, rows_us = (each / count * 1e6 for each in (whole_s, old_s, rows_s))
    new_us = new_s / (HOMES * NEW_BATCHES) * 1e6
    return {
        "messages": count,
        "bare_verify_us": bare_us,
        "whole_us": whole_us,
        "whole_over_bare": whole_us / bare_us,
        "whole_in_two_processes_us": together_s / count * 1e6,
        "whole_in_two_processes_wall_us": took_s / count * 1e6,
        "since_old_us": old_us,
        "since_new_us": new_us,
        "log_and_rows_us": rows_us,
        "year_of_1000_homes_whole_minutes": _minutes(YEAR_MESSAGES * (together_s / count * 1e6 + rows_us)),
        "year_of_1000_homes_since_yesterday_minutes": _minutes(
            YEAR_MESSAGES * (old_us + rows_us) + DAY_MESSAGES * new_us
        ),
    }


def _minutes(cpu_us: float) -> float:
    return cpu_us / 1e6 / CORES / 60


def _cpu_s(street: SendingStreet, work: Callable[[Store], Awaitable[object]]) -> float:
    async def run() -> float:
        store = await open_store(street.folder, clock=CLOCK)
        try:
            began_s = time.process_time()
            await work(store)
            return time.process_time() - began_s
        finally:
            await store.close()

    return asyncio.run(run())


async def _checked(
    street: SendingStreet,
    store: Store,
    *,
    since: dict[str, HomeCheckpoint] | None = None,
    into: dict[str, HomeCheckpoint] | None = None,
    processes: int = 1,
) -> MessageCheck:
    seals = CheckpointSeals(load_seals(street.folder).key)
    opening = StoreOpening(street.folder, load_settings(street.folder), CLOCK.now())
    work = None if processes == 1 else lambda _: InProcesses(opening, processes=processes)
    found = await check_messages(store, seals=seals, since=since, checkpoints=into, work=work)
    if found.wrong:
        raise AssertionError(found.findings[0])
    return found


async def _rows(store: Store) -> None:
    found, _ = await check_rows(store)
    if found.wrong:
        raise AssertionError(found.findings[0])


def _in_processes(street: SendingStreet) -> tuple[float, float]:
    """CPU of all processes, their starts included, and the time that passed."""
    began_s, began_at = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    own_s = _cpu_s(street, lambda store: _checked(street, store, processes=CORES))
    took_s, ended_s = time.monotonic() - began_at, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = ended_s.ru_utime + ended_s.ru_stime - began_s.ru_utime - began_s.ru_stime
    return own_s + spent_s, took_s


def _bare_s(street: SendingStreet) -> float:
    """Verify the signature of as many messages of this size, and nothing else."""
    home = SendingHome("h01")
    with closing(sqlite3.connect(street.folder / "hub.sqlite")) as db:
        ((count,),) = db.execute("SELECT count(*) FROM message")
    topic = uplink_topic(COOP.id, home.agent, kind="batch")
    _, sealed = home.batch(columns=())
    payload = sealed[20:-66]
    structure, signature = sig_structure(sealed[3:16], external_aad(topic), payload), sealed[-64:]
    key = Ed25519PublicKey.from_public_bytes(home.public_key)
    began_s = time.process_time()
    for _ in range(count):
        key.verify(signature, structure)
    return time.process_time() - began_s

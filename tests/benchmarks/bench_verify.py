"""`commonwatt-hub verify` against its floor, bare verification of the same signatures; whole, and since a checkpoint.

Measured with books and sums of periods, at 1,000 homes for a day and at 12 homes for months. The minutes for a year of
1,000 homes are computed from CPU time on two cores, not waited for: of the two sizes follows what each part costs a
message and a home, and the books a day and a day of a home. None of the disk's time is in it.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.folder.keys.salt_key import load_seals
from hub.folder.keys.signer import load_certificates
from hub.folder.opening import open_store
from hub.folder.settings import load_settings
from hub.storage.contract import Store
from hub.verify.books import BookCheck, CheckedDays, check_books
from hub.verify.check_result import CheckResult
from hub.verify.folder_check.checking import SUMS_AGAIN_SLOTS, StoreOpening, check_hub, identity_of
from hub.verify.folder_check.checkpoint import Checkpoint
from hub.verify.homes.checkpoints import CheckpointSeals
from hub.verify.homes.period_sums import check_sums
from hub.verify.homes.work import InProcesses
from hub.verify.messages import check_messages
from hub.verify.rows import check_rows
from protocols.slots import SLOTS_PER_UTC_DAY
from protocols.wire.envelope import external_aad, sig_structure
from protocols.wire.topics import uplink_topic
from tests.benchmarks.verifying.filled_hub import FilledHub
from tests.hub.sending_home import COOP, SendingHome

WIDE: Final = (1_000, 1)
LONG: Final = (12, 120)
"""(homes, days)."""
CORES: Final = 2
TRIES: Final = 2
YEAR_DAYS: Final = 365
YEAR_HOMES: Final = 1_000
DAY_MESSAGES: Final = YEAR_HOMES * SLOTS_PER_UTC_DAY
YEAR_MESSAGES: Final = YEAR_DAYS * DAY_MESSAGES
SUMS_DAYS: Final = SUMS_AGAIN_SLOTS // SLOTS_PER_UTC_DAY + 31
"""Months are added up again as a whole."""

BARS = {"year_of_1000_homes_since_yesterday_minutes": 10.0, "whole_over_bare": 2.5}


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of one hub's verification: everything from the beginning, and each part of one since then.

    `starts_s` is what two processes take more than one, for the messages and sums of that.
    """

    hub: FilledHub
    whole_s: float
    rows_s: float
    messages_s: float
    sums_s: float
    books_s: float
    starts_s: float

    def of_message_us(self, part_s: float) -> float:
        return part_s / self.hub.messages * 1e6

    @property
    def opened_us(self) -> float:
        """Of a message that is opened and compared with the tables, and its share of the books computed again."""
        return self.of_message_us(self.whole_s - self.rows_s - self.sums_s)


def measure() -> dict[str, object]:
    """CPU of each part in microseconds a message, and what it comes to for a year of 1,000 homes."""
    with tempfile.TemporaryDirectory() as folder:
        wide, long = (_costs(Path(folder) / name, *size) for name, size in (("wide", WIDE), ("long", LONG)))
    bare_us = _bare_us(long.hub.messages)
    whole_us = max(each.of_message_us(each.whole_s) for each in (wide, long))
    rows, messages, sums = (
        _shares(
            (wide.hub.messages, wide.hub.homes, parts[0]),
            (long.hub.messages, long.hub.homes, parts[1]),
        )
        for parts in (
            (wide.rows_s, long.rows_s),
            (wide.messages_s, long.messages_s),
            (wide.sums_s, long.sums_s),
        )
    )
    books = _shares(*((each.hub.homes * each.hub.days, each.hub.days, each.books_s) for each in (wide, long)))
    starts_s = max(wide.starts_s, long.starts_s)
    # One process reads the log of rows from its first line on; everything else is shared out.
    rows_s = _of_year_s(rows)
    since_s = (
        rows_s
        + _of_year_s(messages)
        + _of_year_s(sums) * SUMS_DAYS / YEAR_DAYS
        + books[0] * YEAR_HOMES * YEAR_DAYS
        + books[1] * YEAR_DAYS
        + DAY_MESSAGES * whole_us / 1e6
        + starts_s
    )
    measured = {
        f"{name}_{part}_us": costs.of_message_us(spent_s)
        for name, costs in (("wide", wide), ("long", long))
        for part, spent_s in (
            ("whole", costs.whole_s),
            ("rows", costs.rows_s),
            ("messages", costs.messages_s),
            ("sums", costs.sums_s),
            ("books", costs.books_s),
        )
    }
    return {
        "wide_messages": wide.hub.messages,
        "long_messages": long.hub.messages,
        **measured,
        "bare_verify_us": bare_us,
        "whole_over_bare": max(wide.opened_us, long.opened_us) / bare_us,
        "two_processes_start_s": starts_s,
        "year_of_1000_homes_whole_minutes": _minutes(YEAR_MESSAGES * whole_us / 1e6, longest_s=rows_s),
        "year_of_1000_homes_since_yesterday_minutes": _minutes(since_s, longest_s=rows_s),
        "year_of_1000_homes_since_yesterday_in_one_process_minutes": (since_s - starts_s) / 60,
    }


def _minutes(spent_s: float, *, longest_s: float) -> float:
    """On so many cores, where one process alone has `longest_s` to do."""
    return max(spent_s / CORES, longest_s) / 60


Measured = tuple[int, int, float]
"""How many of two things there were, such as messages and homes, and the CPU seconds that they cost together."""


def _shares(one: Measured, other: Measured) -> tuple[float, float]:
    """What each of the two things costs, in seconds; all of it is the first one's if that is what explains more.

    >>> _shares((100, 10, 120.0), (1000, 1, 1002.0))
    (1.0, 2.0)
    """
    (x, y, cost), (more_x, more_y, more_cost) = one, other
    of_y = (cost * more_x - more_cost * x) / (y * more_x - more_y * x)
    if of_y < 0:  # the measurements' own noise
        return max(cost / x, more_cost / more_x), 0.0
    return (more_cost - of_y * more_y) / more_x, of_y


def _of_year_s(shares: tuple[float, float]) -> float:
    """Of a year of 1,000 homes: what its messages and its homes cost."""
    return shares[0] * YEAR_MESSAGES + shares[1] * YEAR_HOMES


def _costs(folder: Path, homes: int, days: int) -> Costs:
    hub = FilledHub(folder, homes)
    hub.go_on(days)
    since, whole_s = _whole(hub)
    seals = CheckpointSeals(load_seals(folder).key)

    async def rows(store: Store) -> None:
        _require(await _rows(store, folder))

    async def books(store: Store) -> None:
        days = CheckedDays(since.days, seals=seals)
        found: BookCheck = await check_books(
            *(store, identity_of(folder)),
            certificates=[each for _, each in load_certificates(folder)],
            checkpoints=days,
        )
        _require(found)
        assert (found.taken_over, found.recomputed) == (hub.days, 0)

    async def messages(store: Store) -> None:
        found = await check_messages(store, seals=seals, since=since.homes, checkpoints={})
        _require(found)
        assert (found.messages, found.compared) == (0, hub.messages)

    async def sums(store: Store) -> None:
        found = CheckResult()
        await check_sums(store, found)
        _require(found)

    async def in_two(store: Store) -> None:
        opening = StoreOpening(folder, load_settings(folder), hub.clock.now())
        async with InProcesses(opening, processes=CORES) as workers:
            await check_messages(store, seals=seals, since=since.homes, checkpoints={}, workers=workers)
            await check_sums(store, CheckResult(), elsewhere=workers.look)

    rows_s, messages_s, sums_s, books_s = (
        min(_cpu_s(hub, part) for _ in range(TRIES)) for part in (rows, messages, sums, books)
    )
    starts_s = max(0.0, _cpu_s(hub, in_two) - messages_s - sums_s)
    return Costs(hub, whole_s, rows_s, messages_s, sums_s, books_s, starts_s)


def _whole(hub: FilledHub) -> tuple[Checkpoint, float]:
    """The checkpoint of a whole verification in this process, and its CPU seconds."""
    began_s = time.process_time()
    found = asyncio.run(check_hub(hub.folder, clock=hub.clock, program="benchmark"))
    spent_s = time.process_time() - began_s
    for each in found.parts.values():
        _require(each)
    assert found.checkpoint is not None
    return found.checkpoint, spent_s


async def _rows(store: Store, folder: Path) -> CheckResult:
    certificates = [each for _, each in load_certificates(folder)]
    return (await check_rows(store, identity_of(folder), certificates=certificates))[0]


def _require(found: CheckResult) -> None:
    if found.wrong:
        raise AssertionError(found.findings[0])


def _cpu_s(hub: FilledHub, work: Callable[[Store], Awaitable[object]]) -> float:
    """CPU of this process and of those that it starts."""

    async def run() -> float:
        store = await open_store(hub.folder, clock=hub.clock)
        try:
            began_s = _spent_s()
            await work(store)
            return _spent_s() - began_s
        finally:
            await store.close()

    return asyncio.run(run())


def _spent_s() -> float:
    use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in use)


def _bare_us(count: int) -> float:
    """Verify the signature of as many messages of this size, and nothing else."""
    home = SendingHome("h01")
    topic = uplink_topic(COOP.id, home.agent, kind="batch")
    _, sealed = home.batch(columns=())
    payload = sealed[20:-66]
    structure, signature = sig_structure(sealed[3:16], external_aad(topic), payload), sealed[-64:]
    key = Ed25519PublicKey.from_public_bytes(home.public_key)
    began_s = time.process_time()
    for _ in range(count):
        key.verify(signature, structure)
    return (time.process_time() - began_s) / count * 1e6

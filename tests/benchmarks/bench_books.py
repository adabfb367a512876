"""What booking costs: one day of 1,000 members from the file to the signed root, and a month again after late readings.

CPU seconds of the whole process, the best of a few tries; a ratio is taken within each try, and the middle one counts.
Memory is the most held at once by Python and numpy while a day is settled. Run it alone with
`python -m tests.benchmarks books`, or for other numbers of homes with `python -m tests.benchmarks.bench_books 1000`.
"""

import asyncio
import gc
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.core.ledger.run_calendar import days_of
from hub.storage.sqlite.store import SqliteStore
from hub.storage.sqlite.threads.connection import Connection
from protocols.slots import slots_of_day
from tests.hub.settled_street import COOP, KEY, Street, fill_street

MONTH = date(2026, 5, 1)
DAYS = days_of(MONTH)
DAY_MEMBERS, MONTH_SIZES = 1_000, (200, 500)
LATE_SHARE = 100
OUTAGE_DAYS = 3
TRIES = 3
NOW_S = 1_800_000_000.0
MIB = 2**20

BARS = {"day_cpu_s": 1.0, "day_extra_mib": 200, "resettle_per_first": 1.5, "rerun_rows": 0}

Place = tuple[int, int]
"""(home's number, slot)."""


def measure(sizes: Sequence[int] = MONTH_SIZES) -> dict[str, object]:
    """The figures of the settlement's bars, and the bars beside them."""
    figures = asyncio.run(one_day())
    months = {
        f"{name}_{members}": asyncio.run(_resettled(choose, members))
        for members in sizes
        for name, choose in (("spread", _spread), ("outage", _outage))
    }
    figures["resettle_per_first"] = max(found["ratio"] for found in months.values())
    figures["rerun_rows"] = sum(found["rerun_rows"] for found in months.values())
    for name, found in months.items():
        figures |= {f"resettle_{name}_{key}": value for key, value in found.items()}
    return figures


async def one_day() -> dict[str, object]:
    """One day end to end: read from SQLite, allocate, journal, chain, sign. Each try is a day never settled before."""
    with tempfile.TemporaryDirectory() as folder:
        days = DAYS[: TRIES + 1]
        store = await _filled(Path(folder), DAY_MEMBERS, days)
        seconds = [await _cpu_s(partial(settle_day, store, day=day, made_at=1, key=KEY)) for day in days[:-1]]
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await settle_day(store, day=days[-1], made_at=1, key=KEY)
        extra = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        await store.close()
        return {"members": DAY_MEMBERS, "day_cpu_s": min(seconds), "day_extra_mib": extra / MIB}


async def _resettled(choose: Callable[[random.Random, int], set[Place]], members: int) -> dict[str, float]:
    """A month's M1 after 1 % of its readings came late, over the first settlement of the days they belong to."""
    late = choose(random.Random(1), members)
    slots = {slot for _, slot in late}
    touched = [day for day in DAYS if not slots.isdisjoint(slots_of_day(day, COOP.tz))]
    with tempfile.TemporaryDirectory() as folder:
        store = await _filled(Path(folder), members, DAYS, without=late)
        await store.close()
        tries = [await _one_month(Path(folder), late=sorted(late), touched=touched) for _ in range(TRIES)]
    best = {name: min(each[name] for each in tries) for name in ("first_cpu_s", "again_cpu_s", "rerun_cpu_s")}
    rows = sum(each["rerun_rows"] for each in tries)
    ratio = median(each["again_cpu_s"] / each["first_cpu_s"] for each in tries)
    return {"ratio": ratio, "days": len(touched), **best, "rerun_rows": rows}


async def _one_month(filled: Path, *, late: Sequence[Place], touched: Sequence[date]) -> dict[str, float]:
    """On a copy of a store that nothing was settled in: each day of the month, M1 after what came late, M1 again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.sqlite"
        shutil.copy(filled / "hub.sqlite", path)
        store = await SqliteStore.open(path, now=lambda: NOW_S)
        first_s = {day: await _cpu_s(partial(settle_day, store, day=day, made_at=1, key=KEY)) for day in DAYS}
        await _insert_late(store, late)
        again_s = await _cpu_s(lambda: settle_month(store, month=MONTH, kind="M1", made_at=2, key=KEY))
        rows = await _rows(store)
        rerun_s = await _cpu_s(lambda: settle_month(store, month=MONTH, kind="M1", made_at=3, key=KEY))
        written = await _rows(store) - rows
        await store.close()
    affected_s = sum(first_s[day] for day in touched)
    return {"first_cpu_s": affected_s, "again_cpu_s": again_s, "rerun_cpu_s": rerun_s, "rerun_rows": written}


def _spread(dice: random.Random, members: int) -> set[Place]:
    """1 % of all readings of the month, anywhere: every day is affected."""
    places = [(home, slot) for day in DAYS for slot in slots_of_day(day, COOP.tz) for home in range(1, members + 1)]
    return set(dice.sample(places, len(places) // LATE_SHARE))


def _outage(dice: random.Random, members: int) -> set[Place]:
    """1 % of the month's readings, all of three days: some homes were cut off."""
    slots = [slot for day in DAYS[10 : 10 + OUTAGE_DAYS] for slot in slots_of_day(day, COOP.tz)]
    homes = dice.sample(range(1, members + 1), members * len(DAYS) // OUTAGE_DAYS // LATE_SHARE)
    return {(home, slot) for home in homes for slot in slots}


async def _filled(
    folder: Path, members: int, days: Sequence[date], *, without: set[Place] | None = None
) -> SqliteStore:
    store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: NOW_S, create=True)
    street: Street = await fill_street(store, homes=members)
    places = [(home, slot) for day in days for slot in slots_of_day(day, COOP.tz) for home in range(1, members + 1)]
    _insert(folder, [place for place in places if place not in (without or ())])
    return street.store


def _insert(folder: Path, places: Sequence[Place]) -> None:
    """Messages and readings as intake would leave them, without its work, which is measured elsewhere."""
    with closing(sqlite3.connect(folder / "hub.sqlite")) as db, db:
        for sql, rows in _rows_of(places, first_position=1):
            db.executemany(sql, rows)


async def _insert_late(store: SqliteStore, places: Sequence[Place]) -> None:
    """The same through the connection that writes everything, as what comes late does."""

    async def work(db: Connection) -> None:
        for sql, rows in _rows_of(places, first_position=10**9):
            await db.executemany(sql, rows)

    await store.write(work)


def _rows_of(places: Sequence[Place], *, first_position: int) -> list[tuple[str, Iterable[tuple[object, ...]]]]:
    messages = (
        (first_position + n, f"a-{home:02d}", first_position + n, slot, slot) for n, (home, slot) in enumerate(places)
    )
    readings = (
        (f"h{home:02d}", measure, slot, wh)
        for home, slot in places
        for measure, wh in zip((1, 2), _energy_wh(home, slot), strict=True)
    )
    return [
        ("INSERT INTO message VALUES (?, ?, 1, ?, 'batch', zeroblob(32), x'', 1, ?, ?, NULL)", messages),
        ("INSERT INTO reading VALUES (?, ?, ?, 1, ?, 0, 0)", readings),
    ]


def _energy_wh(home: int, slot: int) -> tuple[int, int]:
    """(import, export): odd homes have panels, all have a load."""
    sun = max(0, 48 - abs(slot % 96 - 48)) * 25 if home % 2 else 0
    net = (home * 7919 + slot * 104_729) % 900 - sun * (home % 7) // 7
    return max(net, 0), max(-net, 0)


async def _cpu_s(task: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    began_s = time.process_time()
    await task()
    return time.process_time() - began_s


async def _rows(store: SqliteStore) -> int:
    last = await store.last_attestation()
    runs = await store.runs(allocations=False)
    return (await store.ledger_head())[0] + len(runs) + (0 if last is None else last.position)


if __name__ == "__main__":
    for figure, value in measure([int(size) for size in sys.argv[1:]] or MONTH_SIZES).items():
        print(f"{figure}: {value:.4g}" if isinstance(value, float) else f"{figure}: {value}")

"""Workers that are killed or stand still in the middle of a settlement: the books come out as if nothing had been."""

import asyncio
import json
import random
import signal
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from hub.settlement_job import SettlementJob
from hub.storage.contract import Store
from hub.storage.jobs.queue import QueuedJob, Standing
from tests.hub.job_queue.blows import LOST_AFTER_S, end, is_struck, struck
from tests.hub.job_queue.struck_worker import settlement
from tests.hub.job_queue.workshop import WITHIN_S, Workshop, until_true
from tests.hub.settled_street import COOP, KEY, Street, arrivals_of, fill_street, open_street

FIRST: Final = date(2026, 6, 1)
KILLS: Final = 50
DAYS: Final = 7
SURE: Final = 7
UNSURE: Final = 4


def due_after(day: date) -> int:
    """When the night after this day is settled (unix s)."""
    return int(datetime(day.year, day.month, day.day, 0, 20, tzinfo=ZoneInfo(COOP.tz)).timestamp()) + 86_400


async def books_of(store: Store) -> tuple[object, ...]:
    """Every entry and run of the books, by their hashes, and what each signed document is about."""
    entries = [row.hash for row in await store.entries(after_position=0, limit=10**6)]
    runs = [replace(row, allocation=b"") for row in await store.runs(allocations=False)]
    # A document names the newest line of the log of looks too, and a killed worker has looked as well.
    documents = [
        (row.position, row.kind, row.subject, row.run_key, json.loads(row.document)["content"]["root"])
        for row in await store.attestations(("day-root", "month-run"))
    ]
    return entries, runs, documents


async def settled_undisturbed(folder: Path, *, days: int) -> tuple[object, ...]:
    """The books of one hub with a file, which nothing disturbs."""
    street = await open_street(folder)
    job = SettlementJob(street.store, tz=COOP.tz, key=KEY)
    for day in (FIRST + timedelta(days=n) for n in range(days)):
        await arrive(street, day)
        await job(due_after(day))
    books = await books_of(street.store)
    await street.store.close()
    return books


async def arrive(street: Street, day: date) -> None:
    """The day's readings, but for some that come a day late."""
    late = [each for each in arrivals_of(day - timedelta(days=1), street.homes) if each[1] % 17 == 0 and day > FIRST]
    await street.arrive(late)
    await street.arrive(each for each in arrivals_of(day, street.homes) if each[1] % 17 != 0)


@pytest.mark.parametrize(("how", "at"), [("kill", 4), ("stop", 4)])
async def test_a_settlement_that_is_struck_is_done_by_another_worker_with_the_same_result(
    workshop: Workshop, tmp_path: Path, how: str, at: int
) -> None:
    wanted = await settled_undisturbed(tmp_path, days=1)
    street = await fill_street(await workshop.store())  # type: ignore[arg-type]
    await arrive(street, FIRST)
    job = QueuedJob("settlement", due_after(FIRST), 0)
    workshop.time.move(job.due_s)
    queue = await workshop.queue()
    await queue.put(job, lane="settled")
    child = await struck(workshop, how=how, at=at, before=True)
    await until_true(lambda: is_struck(child))
    await workshop.worker([settlement(street.store)], "other", lost_after_s=LOST_AFTER_S)  # type: ignore[arg-type]

    async def is_done() -> bool:
        return await queue.standing(job) is Standing.GONE

    await until_true(is_done)
    assert await books_of(street.store) == wanted
    if how == "stop":
        child.send_signal(signal.SIGCONT)
        assert child.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while b"another one was given the job" not in (line := await child.stderr.readline()):
                assert line, "it ended"
        child.kill()
    await child.wait()
    assert await books_of(street.store) == wanted
    runs = await street.store.job_runs(since=0)
    assert [(run.worker, run.error) for run in runs] == [("other", "")]


async def _either(*answers: Awaitable[bool]) -> bool:
    return any([await each for each in answers])


@pytest.mark.campaign
@pytest.mark.timeout(1800)
async def test_a_week_with_fifty_killed_workers_has_the_books_of_a_week_without(
    workshop: Workshop, tmp_path: Path
) -> None:
    dice, killed = random.Random(20_261_130), 0
    wanted = await settled_undisturbed(tmp_path, days=DAYS)
    street, queue = await fill_street(await workshop.store()), await workshop.queue()  # type: ignore[arg-type]
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        await arrive(street, day)
        job = QueuedJob("settlement", due_after(day), 0)
        workshop.time.move(job.due_s)
        await queue.put(job, lane="settled")

        async def is_over(job: QueuedJob = job) -> bool:
            return await queue.standing(job) is Standing.GONE

        for blow in range(SURE + UNSURE):
            if await is_over():
                break
            # The first blows fall before anything is booked, so that the night is not over before them.
            at, before = (dice.randint(1, 2), True) if blow < SURE else (dice.randint(1, 5), dice.random() < 0.5)
            child = await struck(workshop, how="kill", at=at, before=before)
            await until_true(lambda child=child, is_over=is_over: _either(is_struck(child), is_over()))
            killed += await end(child)
        whole = await workshop.worker([settlement(street.store)], lost_after_s=LOST_AFTER_S)  # type: ignore[arg-type]
        await until_true(is_over)
        whole.cancel()
        await asyncio.gather(whole, return_exceptions=True)
    assert killed >= KILLS
    assert await books_of(street.store) == wanted

"""What a timetable learns of a job that has left the queue: how it went for this due time, or for a later one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.job_queue.planning import LEFT, QueuedAttempts
from hub.storage.jobs.queue import QueuedJob, Standing
from hub.storage.jobs.records import Job
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import PlannedJob, hourly
from protocols.timeline import Clock
from tests.hub.job_queue.workshop import NOON_S
from tests.hub.sending_home import open_store

LATER_S = NOON_S + 3600


async def work(_due_s: int) -> None:
    """Nothing: workers do it."""


MAIL = PlannedJob("mail", hourly(0), work)


class Queue:
    """Only this job is in it. Its worker is done with it in the moment before it is taken out."""

    def __init__(self, store: SqliteStore, told: Job, *, standing: Standing) -> None:
        self._store, self._told, self._standing = store, told, standing

    async def put(self, _job: QueuedJob, *, lane: str) -> None:
        assert lane == "only mail"

    async def standing(self, _job: QueuedJob) -> Standing:
        return self._standing

    async def withdraw(self, _job: QueuedJob) -> None:
        await self._store.put_job(self._told)
        self._standing = Standing.GONE


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    yield opened
    await opened.close()


async def problem(store: SqliteStore, told: Job, *, standing: Standing) -> str:
    """What the timetable says of the run that was due at noon, at the time when the next one is due."""
    queue = Queue(store, told, standing=standing)
    attempts = QueuedAttempts(queue, store=store, clock=Clock(real=lambda: LATER_S))  # type: ignore[arg-type]
    return (await attempts.make(MAIL, NOON_S, failures=0, begun=lambda: None)).problem


@pytest.mark.parametrize(
    ("run_at", "error", "said"),
    [
        (NOON_S, "", ""),
        (NOON_S, "no route", "no route"),
        (LATER_S, "no route", ""),  # another timetable's, and it says nothing of this due time
        (NOON_S - 3600, "", LEFT),
    ],
)
async def test_a_job_that_left_the_queue_went_as_the_store_says(
    store: SqliteStore, run_at: int, error: str, said: str
) -> None:
    told = Job("mail", LATER_S, run_at, error)
    await store.put_job(told)
    assert await problem(store, told, standing=Standing.GONE) == said


async def test_a_worker_that_is_done_just_before_the_job_is_taken_out_is_believed(store: SqliteStore) -> None:
    told = Job("mail", LATER_S, NOON_S, "")
    assert await problem(store, told, standing=Standing.WAITING) == ""
    assert await store.jobs() == (told,), "it is not said that no worker took it"

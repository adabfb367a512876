"""Jobs through the queue: once for each due time, lanes in order, retries, time limits, and a clock moved by hand."""

import asyncio

import pytest

from hub.job_queue.planning import NO_WORKER
from hub.job_queue.worker import JobWorker
from hub.storage.errors import StoreError
from hub.storage.jobs.queue import QueuedJob, Standing
from hub.storage.jobs.records import Job, JobRun
from hub.timetable import JobError, PlannedJob, daily, every, hourly
from tests.hub.job_queue.workshop import NOON_S, Attempted, Workshop, until, until_true


async def test_two_timetables_have_each_due_time_done_once(workshop: Workshop) -> None:
    async def work(due_s: int) -> None:
        workshop.noted("mail", due_s)

    jobs = [PlannedJob("mail", every(60), work)]
    first, second = await workshop.timetable(jobs), await workshop.timetable(jobs)
    for name in ("here:1", "there:2"):
        await workshop.worker(jobs, name)
    for minute in range(1, 6):
        workshop.time.move(NOON_S + 60 * minute)
        await until(lambda: min(first.done_through_s, second.done_through_s) > workshop.time.now_s)
    assert workshop.attempted == [Attempted("mail", 60 * minute, 60 * minute) for minute in range(1, 6)]
    told = await workshop.held("mail")
    assert told is not None
    assert (told.last_run_at, told.due_at, told.last_error) == (NOON_S + 300, NOON_S + 360, "")


async def test_of_a_lane_one_job_runs_at_a_time_and_in_the_order_they_fell_due(workshop: Workshop) -> None:
    running: list[str] = []
    seen: list[tuple[str, ...]] = []

    def job(name: str, minute: int, lane: str) -> PlannedJob:
        async def work(_due_s: int) -> None:
            running.append(name)
            seen.append(tuple(running))
            await asyncio.sleep(0.05)  # long enough for another worker to look for jobs meanwhile
            running.remove(name)

        return PlannedJob(name, hourly(minute), work, lane=lane)

    jobs = [job("weather", 4, "outlook"), job("forecast", 5, "outlook"), job("prompts", 6, "outlook"), job("x", 4, "")]
    queue = await workshop.queue()
    for name in ("here:1", "there:2", "there:3"):
        await workshop.worker(jobs, name)
    for hour in range(3):
        for each in jobs:
            await queue.put(QueuedJob(each.name, NOON_S + hour * 3600, 0), lane=each.lane or "only x")
    await until(lambda: len(seen) == 12 and not running)
    lane = [tuple(name for name in names if name != "x") for names in seen if names[-1] != "x"]
    assert lane == [("weather",), ("forecast",), ("prompts",)] * 3


async def test_a_failed_job_is_tried_again_after_1_2_and_4_minutes_for_the_same_due_time(workshop: Workshop) -> None:
    async def works_at_last(due_s: int) -> None:
        workshop.noted("settlement", due_s)
        if len(workshop.attempted) < 4:
            raise JobError("settlement: the disk is full")

    jobs = [PlannedJob("settlement", daily(12, 20, tz="UTC"), works_at_last)]
    table = await workshop.timetable(jobs)
    await workshop.worker(jobs)
    planned: list[int] = []
    for tries, at_s in enumerate((1200, 1260, 1380, 1620), start=1):
        workshop.time.move(NOON_S + at_s)
        await until(lambda tries=tries: bool(table.health()) and table.health()[0].runs == tries)
        told = await workshop.held("settlement")
        assert told is not None
        planned.append(told.due_at - NOON_S)
    assert planned == [1260, 1380, 1620, 86400 + 1200]
    assert workshop.attempted == [Attempted("settlement", 1200, at_s) for at_s in (1200, 1260, 1380, 1620)]
    runs = await (await workshop.store()).job_runs(since=0)
    assert [(run.began_at - NOON_S, run.worker, run.error) for run in runs] == [
        (1620, "here:1", ""), *((at_s, "here:1", "settlement: the disk is full") for at_s in (1380, 1260, 1200))
    ]  # fmt: skip


async def test_a_job_that_takes_too_long_is_stopped_by_its_worker(workshop: Workshop) -> None:
    async def hangs(_due_s: int) -> None:
        await asyncio.Event().wait()

    jobs = [PlannedJob("weather", hourly(4), hangs, time_limit_s=0.05)]
    table = await workshop.timetable(jobs)
    await workshop.worker(jobs)
    workshop.time.move(NOON_S + 240)
    await until(lambda: bool(table.health()) and table.health()[0].failures == 1)
    told = await workshop.held("weather")
    assert told is not None
    assert told.last_error == "stopped because it took longer than 0.05 seconds"
    assert told.due_at == NOON_S + 300


async def test_a_job_that_no_worker_takes_is_said_and_only_its_newest_due_time_is_done(workshop: Workshop) -> None:
    async def work(due_s: int) -> None:
        workshop.noted("forecast", due_s)

    jobs = [PlannedJob("forecast", hourly(5), work)]
    table, queue = await workshop.timetable(jobs), await workshop.queue()
    workshop.time.move(NOON_S + 300)

    async def waits() -> bool:
        return await queue.standing(QueuedJob("forecast", NOON_S + 300, 0)) is Standing.WAITING

    await until_true(waits)
    assert table.jobs_due == 1
    assert not table.health()[0].is_running
    workshop.time.move(NOON_S + 3900)
    await until(lambda: table.health()[0].failures == 1)
    told = await workshop.held("forecast")
    assert told is not None
    assert told.last_error == NO_WORKER
    await workshop.worker(jobs)
    await until(lambda: table.health()[0].failing_since is None)
    assert workshop.attempted == [Attempted("forecast", 3900, 3900)]


async def test_a_worker_that_is_stopped_gives_its_job_back_at_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.postgres.job_queue.server_queue.AGAIN_S", 3600.0)

    async def work(due_s: int) -> None:
        workshop.noted("settlement", due_s)
        if len(workshop.attempted) == 1:
            await asyncio.Event().wait()

    jobs = [PlannedJob("settlement", daily(12, 20, tz="UTC"), work)]
    table = await workshop.timetable(jobs)
    stopped = await workshop.worker(jobs, "here:1", lost_after_s=3600)
    workshop.time.move(NOON_S + 1200)
    await until(lambda: len(workshop.attempted) == 1)
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    await workshop.worker(jobs, "there:2", lost_after_s=3600)
    await until(lambda: bool(table.health()) and table.health()[0].runs == 1)
    assert workshop.attempted == [Attempted("settlement", 1200, 1200)] * 2
    runs = await (await workshop.store()).job_runs(since=0)
    assert [(run.worker, run.error) for run in runs] == [("there:2", "")]


async def test_a_job_that_a_worker_does_not_know_waits_for_one_that_does(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hub.storage.postgres.job_queue.server_queue.AGAIN_S", 0.01)

    async def work(due_s: int) -> None:
        workshop.noted("new", due_s)

    new, old = PlannedJob("new", hourly(1), work, lane="one"), PlannedJob("old", hourly(2), work, lane="one")
    await workshop.timetable([new])
    await workshop.worker([old], "old:1")
    workshop.time.move(NOON_S + 60)
    await until(lambda: "this worker knows no job new" in caplog.text)
    await workshop.worker([new, old], "new:2")
    await until(lambda: workshop.attempted == [Attempted("new", 60, 60)])

    async def is_told() -> bool:
        told = await workshop.held("new")
        return told is not None and told.last_error == ""

    await until_true(is_told)


async def test_a_job_whose_end_could_not_be_stored_runs_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves to be sent goes before it counts as done."""
    monkeypatch.setattr("hub.storage.postgres.job_queue.server_queue.AGAIN_S", 0.01)
    store, queue, seen = await workshop.store(), await workshop.queue(), list[str]()
    put_job = store.put_job

    async def work(_due_s: int) -> None:
        seen.append("ran")

    async def flush() -> None:
        seen.append("sent")

    async def fails_once(job: Job, *, run: JobRun | None = None) -> None:
        if seen == ["ran", "sent"]:
            seen.append("not stored")
            raise StoreError("the disk is full")
        await put_job(job, run=run)

    monkeypatch.setattr(store, "put_job", fails_once)
    job, queued = PlannedJob("mail", hourly(1), work), QueuedJob("mail", NOON_S, 0)
    worker = JobWorker([job], store=store, clock=workshop.time.clock, queue=queue, name="here:1", after=flush)
    workshop.run(worker.run())
    await queue.put(queued, lane="only mail")

    async def is_gone() -> bool:
        return await queue.standing(queued) is Standing.GONE

    await until_true(is_gone)
    assert seen == ["ran", "sent", "not stored", "ran", "sent"]
    told = await workshop.held("mail")
    assert told is not None
    assert (told.last_run_at, told.last_error) == (NOON_S, "")

"""A job whose worker was lost is done by another one, and the first worker changes nothing any more."""

import asyncio
import logging

import pytest

from hub.storage.errors import LostJobError, StoreError
from hub.storage.jobs.queue import QueuedJob, Standing, TakenJob, Verdict
from hub.storage.jobs.records import Job
from hub.storage.postgres.names import queue_of
from hub.storage.postgres.prepare import prepare_store
from hub.timetable import PlannedJob, hourly
from tests.hub.job_queue.workshop import NOON_S, Workshop, until, until_true
from tests.hub.postgres_server import crash, start_again, start_server

MAIL = QueuedJob("mail", NOON_S, 0)


async def give_to_another(workshop: Workshop) -> None:
    """As if another worker had found that nobody is heard of: the row is its own from now on."""
    admin = await workshop.server.ask(workshop.database)
    place = queue_of(workshop.address.schema)
    await admin.execute(f"UPDATE {place}.pgqueuer SET queue_manager_id = gen_random_uuid()")
    admin.terminate()


@pytest.mark.parametrize("verdict", Verdict)
async def test_a_worker_whose_job_another_one_was_given_writes_nothing_and_leaves_its_row(
    workshop: Workshop, verdict: Verdict
) -> None:
    store, queue = await workshop.store(), await workshop.queue()
    begun, goes_on, refused = asyncio.Event(), asyncio.Event(), list[str]()

    async def take(taken: TakenJob) -> Verdict:
        with queue.guarding(taken):
            await store.put_job(Job("mail", 1, None, "before"))
            begun.set()
            await goes_on.wait()
            try:
                await store.put_job(Job("mail", 2, None, "after"))
            except LostJobError as error:
                refused.append(str(error))
        return verdict

    await queue.put(MAIL, lane="mail")
    working = workshop.run(queue.work(["mail"], take))
    await begun.wait()
    await queue.withdraw(MAIL)
    assert await queue.standing(MAIL) is Standing.TAKEN, "what a worker has is not taken out"
    await give_to_another(workshop)
    goes_on.set()
    await until(lambda: bool(refused))
    await store.put_job(Job("other", 3, None, ""))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert refused == ["mail: another worker has been given this job"]
    assert await store.jobs() == (Job("mail", 1, None, "before"), Job("other", 3, None, ""))
    assert await queue.standing(MAIL) is Standing.TAKEN, "it is still the other one's"


async def test_a_worker_stops_a_job_that_another_one_was_given(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(_due_s: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await workshop.worker([PlannedJob("mail", hourly(0), work)], lost_after_s=0.4)
    await (await workshop.queue()).put(MAIL, lane="only mail")
    async with asyncio.timeout(60):
        await begun.wait()
    await give_to_another(workshop)
    async with asyncio.timeout(60):
        await stopped.wait()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_job_of_a_worker_that_is_not_heard_of_is_given_to_another_one(workshop: Workshop) -> None:
    seen: list[str] = []

    async def never_ends(_taken: TakenJob) -> Verdict:
        seen.append("first")
        await asyncio.Event().wait()
        return Verdict.DONE

    async def work(_due_s: int) -> None:
        seen.append("second")

    silent = await workshop.queue(lost_after_s=3600)  # says that it is there once in half an hour
    await silent.put(MAIL, lane="only mail")
    workshop.run(silent.work(["only mail"], never_ends))
    await until(lambda: seen == ["first"])
    await workshop.worker([PlannedJob("mail", hourly(0), work)], "there:2", lost_after_s=0.5)
    await until(lambda: seen == ["first", "second"])

    async def is_done() -> bool:
        return await silent.standing(MAIL) is Standing.GONE

    await until_true(is_done)


async def test_a_job_that_succeeded_before_its_worker_died_is_not_run_again(workshop: Workshop) -> None:
    ran: list[int] = []

    async def work(due_s: int) -> None:
        ran.append(due_s)

    store, queue = await workshop.store(), await workshop.queue()
    await store.put_job(Job("mail", NOON_S + 60, NOON_S, ""))
    await queue.put(MAIL, lane="only mail")
    await workshop.worker([PlannedJob("mail", hourly(0), work)])

    async def is_gone() -> bool:
        return await queue.standing(MAIL) is Standing.GONE

    await until_true(is_gone)
    assert ran == []


async def test_a_word_from_another_co_op_in_the_same_database_cancels_nothing(workshop: Workshop) -> None:
    begun, goes_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def take(_taken: TakenJob) -> Verdict:
        begun.set()
        await goes_on.wait()
        done.set()
        return Verdict.DONE

    queue = await workshop.queue()
    await queue.put(MAIL, lane="mail")
    workshop.run(queue.work(["mail"], take))
    await begun.wait()
    admin = await workshop.server.ask(workshop.database)
    place = queue_of(workshop.address.schema)
    number = await admin.fetchval(f"SELECT id FROM {place}.pgqueuer")
    said = (
        f'{{"channel": "{place}", "ids": [{number}], "sent_at": "2026-06-16T12:00:00Z", "type": "cancellation_event"}}'
    )
    await admin.execute(f"NOTIFY {place}, '{said}'")
    goes_on.set()
    await done.wait()
    log = f"SELECT status::text FROM {place}.pgqueuer_log WHERE status NOT IN ('queued', 'picked')"

    async def is_said() -> bool:
        return bool(await admin.fetch(log))

    await until_true(is_said)
    assert [row[0] for row in await admin.fetch(log)] == ["successful"]
    admin.terminate()


async def test_what_became_of_old_jobs_is_forgotten(workshop: Workshop) -> None:
    admin, queue = await workshop.server.ask(workshop.database), await workshop.queue()
    place = queue_of(workshop.address.schema)
    for days in (1, 3):
        await admin.execute(
            f"INSERT INTO {place}.pgqueuer_log (created, job_id, status, priority, entrypoint)"
            f" VALUES (now() - interval '{days} days', {days}, 'successful', 0, 'mail')"
        )
    await queue.put(MAIL, lane="mail")
    rows = await admin.fetch(f"SELECT job_id FROM {place}.pgqueuer_log WHERE status = 'successful'")
    admin.terminate()
    assert [row[0] for row in rows] == [1]


async def test_a_schema_without_a_queue_is_refused_with_what_to_do(workshop: Workshop) -> None:
    admin = await workshop.server.ask(workshop.database)
    await admin.execute(f"DROP SCHEMA {queue_of(workshop.address.schema)} CASCADE")
    admin.terminate()
    with pytest.raises(StoreError, match=r"no queue of jobs here.*commonwatt-hub db prepare"):
        await workshop.queue()


async def test_the_hubs_role_changes_no_table_of_the_queue(workshop: Workshop) -> None:
    queue = await workshop.queue()
    place = queue_of(workshop.address.schema)
    for sql in (
        f"DROP TABLE {place}.pgqueuer",
        f"ALTER TABLE {place}.pgqueuer ADD x int",
        f"CREATE TABLE {place}.x ()",
    ):
        with pytest.raises(Exception, match=r"must be owner|permission denied"):
            await queue._pool.execute(sql)


async def test_jobs_go_on_after_the_server_was_started_again(caplog: pytest.LogCaptureFixture) -> None:
    server = start_server()
    admin = await server.ask()
    await admin.execute("CREATE DATABASE made")
    admin.terminate()
    password = await prepare_store(server.admin("made"), now=lambda: 0.0, signer=None)
    assert password is not None
    workshop = Workshop(server, "made", server.hub("made", password))

    async def work(due_s: int) -> None:
        workshop.noted("mail", due_s)

    jobs = [PlannedJob("mail", hourly(1), work)]
    table = await workshop.timetable(jobs)
    await workshop.worker(jobs, lost_after_s=2.0)
    workshop.time.move(NOON_S + 60)
    await until(lambda: table.health()[0].runs == 1)
    caplog.set_level(logging.DEBUG, "hub.job_queue")
    crash(server)
    workshop.time.move(NOON_S + 3660)
    await until(lambda: "the jobs wait" in caplog.text and "this worker waits for it" in caplog.text)
    start_again(server)
    await until(lambda: table.health()[0].runs == 2)
    assert [each.due_s for each in workshop.attempted] == [60, 3660]
    loud = [line.getMessage() for line in caplog.records if line.levelno > logging.DEBUG]
    assert not [line for line in loud if "queue of jobs" in line], "the store says it, in one line for the process"
    await workshop.close()

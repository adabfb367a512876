"""The timetable's jobs: when each is due next, how its last run ended, and its runs of the last days."""

from typing import Final

from hub.storage.jobs.records import RUNS_KEPT_S, WORKER_LOST, Job, JobRun
from hub.storage.sql.connection import Connection, Transactions

_PUT_JOB: Final = """INSERT INTO job VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at,
last_run_at = excluded.last_run_at, last_error = excluded.last_error"""
_PUT_RUN: Final = """INSERT INTO job_run VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name, due_at, began_at) DO UPDATE SET
ended_at = excluded.ended_at, worker = excluded.worker, error = excluded.error"""
_RUNS: Final = """SELECT name, due_at, began_at, ended_at, worker, error FROM job_run
WHERE began_at >= ? AND (ended_at IS NULL OR ended_at >= ?) ORDER BY began_at DESC, name"""


class SqlJobs(Transactions):
    """The JobStore slice."""

    async def jobs(self) -> tuple[Job, ...]:
        """All jobs, earliest due time first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT name, due_at, last_run_at, last_error FROM job ORDER BY due_at, name"
            )
        return tuple(Job(*row) for row in rows)

    async def put_job(self, job: Job, *, run: JobRun | None = None) -> None:
        """Store how a job stands, with the run that it tells of."""

        async def work(db: Connection) -> None:
            await db.execute(_PUT_JOB, (job.name, job.due_at, job.last_run_at, job.last_error))
            if run is not None:
                await db.execute(_PUT_RUN, _cells(run))
                await db.execute("DELETE FROM job_run WHERE began_at < ?", (run.began_at - RUNS_KEPT_S,))

        await self.write(work)

    async def begin_job_run(self, run: JobRun) -> bool:
        """Store that a run has begun, unless the job has already succeeded for this due time or a later one."""

        async def work(db: Connection) -> bool:
            is_done = "SELECT 1 FROM job WHERE name = ? AND (last_run_at > ? OR (last_run_at = ? AND last_error = ''))"
            if await db.execute_fetchall(is_done, (run.name, run.due_at, run.due_at)):
                return False
            lost = "UPDATE job_run SET ended_at = ?, error = ? WHERE name = ? AND ended_at IS NULL AND began_at >= ?"
            await db.execute(lost, (run.began_at, WORKER_LOST, run.name, run.began_at - RUNS_KEPT_S))
            await db.execute(_PUT_RUN, _cells(run))
            return True

        return await self.write(work)

    async def job_runs(self, *, since: int) -> tuple[JobRun, ...]:
        """Runs that have not ended, or ended at `since` or later; the newest first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_RUNS, (since - RUNS_KEPT_S, since))
        return tuple(JobRun(*row) for row in rows)


def _cells(run: JobRun) -> tuple[object, ...]:
    return (run.name, run.due_at, run.began_at, run.ended_at, run.worker, run.error)

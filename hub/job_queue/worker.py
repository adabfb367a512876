"""A worker: takes jobs from the queue, runs each within its time limit and stores how it went.

What it writes for a job is refused once another worker has been given that job, so a worker that stood still, was cut
off or was thought dead changes nothing that the other one did.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from hub.storage.errors import LostJobError, StoreError
from hub.storage.jobs.queue import JobQueue, TakenJob, Verdict
from hub.storage.jobs.records import JobRun, JobStore
from hub.timetable import PlannedJob, attempt, lane_of, store_outcome
from protocols.timeline import Clock

log = logging.getLogger(__name__)

AWAY_S: Final = 2.0


async def _nothing() -> None:
    """After a job that leaves nothing on its way."""


class JobWorker:
    """One of any number of workers. `name` is what the board reads of it, such as "here:4711".

    `after` is awaited at the end of each job, before it counts as done: it sends what the job has left to be sent.
    """

    def __init__(
        self,
        jobs: Sequence[PlannedJob],
        *,
        store: JobStore,
        clock: Clock,
        queue: JobQueue,
        name: str,
        after: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._jobs = {job.name: replace(job, run=_with_end(job.run, after)) for job in jobs}
        self._store, self._clock, self._queue, self._name = store, clock, queue, name
        self._problem = ""

    async def run(self) -> None:
        """Do jobs until cancelled: then those that run go back into the queue at once."""
        lanes = sorted({lane_of(job) for job in self._jobs.values()})
        while True:
            began_s = time.monotonic()
            try:
                await self._queue.work(lanes, self._take)
            except StoreError as error:
                if str(error) != self._problem or time.monotonic() - began_s > AWAY_S:
                    # The store says by itself that its server is away, and that it is back.
                    level = logging.DEBUG if error.is_said else logging.WARNING
                    log.log(level, "%s; this worker waits for it", error)
                self._problem = str(error)
            await asyncio.sleep(AWAY_S)

    async def _take(self, taken: TakenJob) -> Verdict:
        name, due_s, failures = taken.job.name, taken.job.due_s, taken.job.failures
        job = self._jobs.get(name)
        if job is None:
            log.warning("this worker knows no job %s: is it of an older version?", name)
            return Verdict.BACK
        run = JobRun(name, due_s, int(self._clock.now()), None, self._name, "")
        try:
            with self._queue.guarding(taken):
                # A worker that died after the job succeeded, and before the queue heard of it, leaves nothing to do.
                if await self._store.begin_job_run(run):
                    outcome = await attempt(job, due_s, failures=failures)
                    now_s = self._clock.now()
                    await store_outcome(self._store, job, run, outcome.problem, failures=failures, now_s=now_s)
        except LostJobError:
            log.warning("%s: this worker was not heard of for a while, and another one was given the job", name)
        except StoreError as error:
            if not error.is_said:
                log.error("%s: cannot store how it went, so it runs again: %s", name, error)
            return Verdict.BACK
        return Verdict.DONE


def _with_end(
    run: Callable[[int], Awaitable[None]], after: Callable[[], Awaitable[None]]
) -> Callable[[int], Awaitable[None]]:
    async def whole(due_s: int) -> None:
        await run(due_s)
        await after()

    return whole

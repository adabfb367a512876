"""A timetable whose jobs are done by workers: it puts each into the queue when it is due, and waits until it is done.

Due times, retries and lanes are those of every timetable. Two at once do no harm: the queue holds a job and its due
time once, and a worker runs none that has succeeded.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from hub.storage.errors import StoreError
from hub.storage.jobs.queue import JobQueue, QueuedJob, Standing
from hub.storage.jobs.records import JobRun, JobStore
from hub.timetable import Outcome, PlannedJob, Timetable, lane_of, store_outcome
from protocols.timeline import Clock

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
AWAY_S: Final = 2.0
NO_WORKER: Final = "no worker took it before it was due again: see that one runs (--role worker)"
LEFT: Final = "it left the queue and nobody said how it went"


class QueuedTimetable(Timetable):
    """The timetable of a hub with workers of their own."""

    def __init__(self, jobs: Sequence[PlannedJob], *, store: JobStore, clock: Clock, queue: JobQueue) -> None:
        super().__init__(jobs, store=store, clock=clock, attempts=QueuedAttempts(queue, store=store, clock=clock))


class QueuedAttempts:
    """Attempts by workers. While the server is away it waits, and says so once."""

    def __init__(self, queue: JobQueue, *, store: JobStore, clock: Clock) -> None:
        self._queue, self._store, self._clock = queue, store, clock
        self._problem, self._was_said = "", False

    async def make(self, job: PlannedJob, due_s: int, *, failures: int, begun: Callable[[], None]) -> Outcome:
        """Put the job into the queue and wait until it is gone from there; a worker stores how it went.

        If nobody took it when it is due again, it is taken out, and that is the problem.
        """
        while True:
            try:
                outcome = await self._made(job, QueuedJob(job.name, due_s, failures), begun)
            except StoreError as error:
                # A job that is in the queue already is put there once, so that it is safe to ask again.
                self._say(str(error), is_said=error.is_said)
                await asyncio.sleep(AWAY_S)
            else:
                self._say("", is_said=self._was_said)
                return outcome

    async def _made(self, job: PlannedJob, queued: QueuedJob, begun: Callable[[], None]) -> Outcome:
        next_s = job.next_due(queued.due_s)
        await self._queue.put(queued, lane=lane_of(job))
        began_s: float | None = None
        while (standing := await self._queue.standing(queued)) is not Standing.GONE:
            if standing is Standing.TAKEN and began_s is None:
                began_s = time.monotonic()
                begun()
            elif standing is Standing.WAITING and self._clock.now() >= next_s:
                await self._queue.withdraw(queued)
                if await self._queue.standing(queued) is Standing.GONE and not await self._is_told(queued):
                    return await self._untaken(job, queued)
            await asyncio.sleep(LOOK_S)
        seconds = 0.0 if began_s is None else time.monotonic() - began_s
        return Outcome(await self._told(job, queued), seconds)

    async def _is_told(self, queued: QueuedJob) -> bool:
        last = next((each.last_run_at for each in await self._store.jobs() if each.name == queued.name), None)
        return last is not None and last >= queued.due_s

    async def _told(self, job: PlannedJob, queued: QueuedJob) -> str:
        """What the worker said went wrong. A run for a later due time says nothing of this one, and is as good."""
        for held in await self._store.jobs():
            if held.name == job.name and held.last_run_at is not None and held.last_run_at >= queued.due_s:
                return held.last_error if held.last_run_at == queued.due_s else ""
        log.warning("%s: %s", job.name, LEFT)
        return LEFT

    async def _untaken(self, job: PlannedJob, queued: QueuedJob) -> Outcome:
        now_s = int(self._clock.now())
        run = JobRun(job.name, queued.due_s, now_s, None, "", "")
        await store_outcome(self._store, job, run, NO_WORKER, failures=queued.failures, now_s=now_s)
        log.log(logging.DEBUG if queued.failures else logging.WARNING, "%s: %s", job.name, NO_WORKER)
        return Outcome(NO_WORKER, 0.0)

    def _say(self, problem: str, *, is_said: bool) -> None:
        """Once when it begins and once when it is over; the store says by itself that its server is away or back."""
        if problem and problem != self._problem:
            log.log(logging.DEBUG if is_said else logging.WARNING, "%s; the jobs wait", problem)
        elif self._problem and not problem:
            log.log(logging.DEBUG if is_said else logging.INFO, "the queue of jobs can be used again")
        self._problem, self._was_said = problem, is_said

"""The hub's timetable: what runs every hour and every day, in order, even after a restart.

It does not know what a job does. A job is passed the time it was DUE, not the time it runs, so its
result does not depend on how late it is.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.storage.contract import JobStore
from hub.storage.errors import StoreError
from hub.storage.records import Job
from protocols.errors import CommonwattError
from protocols.timeline import Clock

log = logging.getLogger(__name__)

ERROR_CHARS_MAX = 200


class JobError(CommonwattError):
    """A job failed for a reason a person should see; it is tried again at its next due time."""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job and when it is due: `next_due(after_s)` gives the first due time later than `after_s` (unix s)."""

    name: str
    next_due: Callable[[int], int]
    run: Callable[[int], Awaitable[None]]


def hourly(minute: int) -> Callable[[int], int]:
    """Due every hour at this minute."""

    def next_due(after_s: int) -> int:
        due_s = after_s - after_s % 3600 + minute * 60
        return due_s if due_s > after_s else due_s + 3600

    return next_due


def daily(hour: int, minute: int, *, tz: str) -> Callable[[int], int]:
    """Due every local day at this time; if the clocks skip it, at the time they jump to."""
    zone = ZoneInfo(tz)

    def next_due(after_s: int) -> int:
        day = datetime.fromtimestamp(after_s, UTC).astimezone(zone).date()
        while True:
            due_s = int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())
            if due_s > after_s:
                return due_s
            day += timedelta(days=1)

    return next_due


class Timetable:
    """Runs the jobs one after the other in the order they fall due (ties in the order given).

    A job missed while the hub was not running runs once, for its newest due time. A job that fails is logged, stored
    with its error for the board and tried again at its next due time; the other jobs continue.
    """

    def __init__(self, jobs: Sequence[PlannedJob], *, store: JobStore, clock: Clock) -> None:
        self._jobs = tuple(jobs)
        self._store = store
        self._clock = clock
        self._due_s: dict[str, int] = {}

    @property
    def jobs_due(self) -> int:
        """How many jobs are due and have not run yet."""
        now_s = self._clock.now()
        return sum(1 for due_s in self._due_s.values() if due_s <= now_s)

    @property
    def done_through_s(self) -> int:
        """Every job due before this time has run."""
        return min(self._due_s.values(), default=0)

    async def run(self) -> None:
        """Run the jobs until cancelled."""
        await self._plan()
        while True:
            job = min(self._jobs, key=lambda planned: self._due_s[planned.name])
            await self._clock.sleep_until(self._due_s[job.name])
            await self._run_one(job)

    async def _plan(self) -> None:
        remembered = {job.name: job for job in await self._store.jobs()}
        now_s = int(self._clock.now())
        for job in self._jobs:
            last = remembered.get(job.name)
            due_s = job.next_due(now_s)
            if last is not None and last.last_run_at is not None:
                missed_s = _newest_due(job, last.last_run_at, by_s=now_s)
                due_s = missed_s if missed_s is not None else due_s
            self._due_s[job.name] = due_s

    async def _run_one(self, job: PlannedJob) -> None:
        due_s = self._due_s[job.name]
        due_s = _newest_due(job, due_s - 1, by_s=int(self._clock.now())) or due_s
        problem = ""
        try:
            await job.run(due_s)
        except JobError as error:
            problem = str(error)[:ERROR_CHARS_MAX]
            log.warning("%s: %s", job.name, problem)
        except Exception as error:  # one failing job must not stop the others; its traceback is logged
            problem = f"{type(error).__name__}: see the hub's log"
            log.exception("%s failed", job.name)
        next_s = job.next_due(due_s)
        # If power fails before this row is committed, the job runs again for the same due time: jobs are idempotent.
        try:
            await self._store.put_job(Job(job.name, due_at=next_s, last_run_at=due_s, last_error=problem))
        except StoreError as error:
            log.error("%s: cannot store that it ran, a restart runs it again: %s", job.name, error)
        self._due_s[job.name] = next_s


def _newest_due(job: PlannedJob, after_s: int, *, by_s: int) -> int | None:
    """The last due time in (after_s, by_s], or None. Skips earlier ones, so a long downtime takes no longer."""
    due_s = job.next_due(after_s)
    if due_s > by_s:
        return None
    recent_s = job.next_due(max(after_s, by_s - 2 * 86400))
    while (following_s := job.next_due(recent_s)) <= by_s:
        recent_s = following_s
    return recent_s if recent_s <= by_s else due_s

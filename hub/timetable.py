"""The hub's timetable: what runs every hour and every day, in order, even after a restart.

It does not know what a job does. A job is passed the time it was DUE, not the time it runs, so its
result does not depend on how late it is. Jobs wait only for others in their own lane, and none longer than its limit.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from hub.health.facts import JobHealth
from hub.health.trail import new_id, working
from hub.storage.errors import LostJobError, StoreAwayError, StoreError
from hub.storage.jobs.records import Job, JobRun, JobStore
from protocols.errors import CommonwattError
from protocols.timeline import Clock

log = logging.getLogger(__name__)

ERROR_CHARS_MAX = 200
TIME_LIMIT_S = 600.0
RETRY_S = 60
RETRY_S_MAX = 3600


class JobError(CommonwattError):
    """A job failed for a reason a person should see; it is tried again soon, and at its next due time."""


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job and when it is due: `next_due(after_s)` gives the first due time later than `after_s` (unix s).

    Jobs with the same `lane` run one after the other, because a later one needs an earlier one's result; a job without
    a lane waits for no other. After `time_limit_s` real seconds a job is stopped and counts as failed.
    """

    name: str
    next_due: Callable[[int], int]
    run: Callable[[int], Awaitable[None]]
    lane: str = ""
    time_limit_s: float = TIME_LIMIT_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `problem` in one line, empty if it went well. It took `seconds` real ones."""

    problem: str
    seconds: float


class Attempts(Protocol):
    """Where a timetable's attempts are made: in its own process, or by workers that take them from a queue."""

    async def make(self, job: PlannedJob, due_s: int, *, failures: int, begun: Callable[[], None]) -> Outcome:
        """Have the job run once for this due time, and how that ended stored; `failures` attempts for it have failed.

        `begun` is called as soon as it is known to run.
        """
        ...


@dataclass(slots=True)
class _Tally:
    """What a job has done since the hub started; `failing_since_s` is the first due time for which it failed."""

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    last_seconds: float = 0.0
    last_run_s: int | None = None
    failing_since_s: int | None = None
    running_since_s: int | None = None


@dataclass(frozen=True, slots=True)
class _Retry:
    """A failed job's next attempt: for which due time, when, and how many attempts for it have failed."""

    due_s: int
    at_s: int
    failures: int


def lane_of(job: PlannedJob) -> str:
    """The name of the job's lane; one without a lane has one to itself."""
    return job.lane or f"only {job.name}"


def hourly(minute: int) -> Callable[[int], int]:
    """Due every hour at this minute."""

    def next_due(after_s: int) -> int:
        due_s = after_s - after_s % 3600 + minute * 60
        return due_s if due_s > after_s else due_s + 3600

    return next_due


def every(period_s: int) -> Callable[[int], int]:
    """Due whenever this many seconds of the clock divide the time."""
    return lambda after_s: after_s - after_s % period_s + period_s


def daily(hour: int, minute: int, *, tz: str, every_days: int = 1) -> Callable[[int], int]:
    """Due every local day at this time, or only every so many days; if the clocks skip it, at the time they jump to."""
    zone = ZoneInfo(tz)

    def next_due(after_s: int) -> int:
        day = datetime.fromtimestamp(after_s, UTC).astimezone(zone).date()
        while True:
            due_s = int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())
            if due_s > after_s and day.toordinal() % every_days == 0:
                return due_s
            day += timedelta(days=1)

    return next_due


def first_of(*dues: Callable[[int], int]) -> Callable[[int], int]:
    """Due whenever one of these is."""
    return lambda after_s: min(due(after_s) for due in dues)


class Timetable:
    """Runs each lane's jobs one after the other in the order they fall due (ties in the order given).

    A job missed while the hub was not running runs once, for its newest due time. A job that fails is logged, stored
    with its error for the board and tried again for the same due time after 1, 2, 4 minutes and so on up to an hour,
    until it succeeds or its next due time comes; also after a restart. The other lanes continue.
    """

    def __init__(
        self, jobs: Sequence[PlannedJob], *, store: JobStore, clock: Clock, attempts: Attempts | None = None
    ) -> None:
        self._jobs = tuple(jobs)
        self._store = store
        self._clock = clock
        self._attempts = attempts or OwnAttempts(store, clock=clock)
        self._due_s: dict[str, int] = {}
        self._retries: dict[str, _Retry] = {}
        self._tallies = {job.name: _Tally() for job in self._jobs}

    @property
    def has_jobs(self) -> bool:
        """Whether it has anything to do."""
        return bool(self._jobs)

    @property
    def jobs_due(self) -> int:
        """How many jobs are due and have not run yet."""
        now_s = self._clock.now()
        return sum(1 for due_s in self._due_s.values() if due_s <= now_s)

    @property
    def done_through_s(self) -> int:
        """Every job due before this time has run, well or not."""
        return min(self._due_s.values(), default=0)

    def health(self) -> list[JobHealth]:
        """Each job: when it is due, and how it has been since the hub started."""
        return [
            JobHealth(
                job.name,
                due_at=self._due_s[job.name],
                last_run_at=tally.last_run_s,
                failing_since=tally.failing_since_s,
                runs=tally.runs,
                failures=tally.failures,
                seconds=tally.seconds,
                last_seconds=tally.last_seconds,
                running_since=tally.running_since_s,
            )
            for job in self._jobs
            if job.name in self._due_s and (tally := self._tallies[job.name])
        ]

    async def run(self) -> None:
        """Run the jobs until cancelled."""
        await self._plan()
        lanes: dict[str, list[PlannedJob]] = {}
        for job in self._jobs:
            lanes.setdefault(lane_of(job), []).append(job)
        async with asyncio.TaskGroup() as group:
            for jobs in lanes.values():
                group.create_task(self._run_lane(jobs))

    async def _run_lane(self, jobs: Sequence[PlannedJob]) -> None:
        while True:
            job = min(jobs, key=self._next_s)
            await self._clock.sleep_until(self._next_s(job))
            await self._run_one(job)

    def _next_s(self, job: PlannedJob) -> int:
        retry = self._retries.get(job.name)
        return self._due_s[job.name] if retry is None else min(self._due_s[job.name], retry.at_s)

    async def _plan(self) -> None:
        remembered = {job.name: job for job in await self._store.jobs()}
        now_s = int(self._clock.now())
        for job in self._jobs:
            last = remembered.get(job.name)
            due_s = job.next_due(now_s)
            if last is not None and last.last_run_at is not None:
                missed_s = _newest_due(job, last.last_run_at, by_s=now_s)
                due_s = missed_s if missed_s is not None else due_s
                self._tallies[job.name].last_run_s = last.last_run_at
                if last.last_error:
                    self._tallies[job.name].failing_since_s = last.last_run_at
                    # The count starts at the first failure again, so that this log says once more what is wrong.
                    self._retries[job.name] = _Retry(last.last_run_at, now_s, 0)
            self._due_s[job.name] = due_s

    async def _run_one(self, job: PlannedJob) -> None:
        planned_s, retry = self._due_s[job.name], self._retries.pop(job.name, None)
        newest_s = _newest_due(job, planned_s - 1, by_s=int(self._clock.now()))
        if newest_s is None and retry is not None:
            due_s, failures = retry.due_s, retry.failures
        else:
            due_s, failures = newest_s or planned_s, 0
        problem = await self._counted_attempt(job, due_s, failures=failures)
        if problem:
            wait_s = retry_wait_s(failures)
            self._retries[job.name] = _Retry(due_s, int(self._clock.now()) + wait_s, failures + 1)
        self._due_s[job.name] = job.next_due(int(max(due_s, planned_s - 1)))
        self._tallies[job.name].running_since_s = None

    async def _counted_attempt(self, job: PlannedJob, due_s: int, *, failures: int) -> str:
        tally = self._tallies[job.name]

        def begun() -> None:
            tally.running_since_s = int(self._clock.now())

        outcome = await self._attempts.make(job, due_s, failures=failures, begun=begun)
        tally.last_seconds = outcome.seconds
        tally.seconds += tally.last_seconds
        tally.runs, tally.last_run_s = tally.runs + 1, due_s
        if outcome.problem:
            tally.failures += 1
            tally.failing_since_s = due_s if tally.failing_since_s is None else tally.failing_since_s
        else:
            tally.failing_since_s = None
        return outcome.problem


class OwnAttempts:
    """Attempts in this process."""

    def __init__(self, store: JobStore, *, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def make(self, job: PlannedJob, due_s: int, *, failures: int, begun: Callable[[], None]) -> Outcome:
        """Run the job, and store how that ended."""
        begun()
        run = JobRun(job.name, due_s, int(self._clock.now()), None, "", "")
        outcome = await attempt(job, due_s, failures=failures)
        # If power fails before this is committed, the job runs again for the same due time: jobs are idempotent.
        try:
            await store_outcome(self._store, job, run, outcome.problem, failures=failures, now_s=self._clock.now())
        except StoreError as error:
            if not error.is_said:
                log.error("%s: cannot store that it ran, a restart runs it again: %s", job.name, error)
        return outcome


async def attempt(job: PlannedJob, due_s: int, *, failures: int) -> Outcome:
    """Run the job once, within its time limit. Logs a first failure. Raises: LostJobError."""
    began_s = time.monotonic()
    with working("job", job=job.name, run=new_id()) as work:
        problem = await _problem_of(job, due_s, failures=failures)
        work.note(state="failed" if problem else "done")
    return Outcome(problem, time.monotonic() - began_s)


async def store_outcome(
    store: JobStore, job: PlannedJob, run: JobRun, problem: str, *, failures: int, now_s: float
) -> None:
    """Store how this run ended, and when the job is tried next. Raises: StoreError."""
    next_s = job.next_due(run.due_at)
    if problem:
        next_s = min(next_s, int(now_s) + retry_wait_s(failures))
    ended = replace(run, ended_at=int(now_s), error=problem)
    await store.put_job(Job(job.name, due_at=next_s, last_run_at=run.due_at, last_error=problem), run=ended)


def retry_wait_s(failures: int) -> int:
    """How long a job waits for its next attempt when this many had failed before the last one: 1, 2, 4 .. 60 min."""
    return min(RETRY_S << min(failures, 6), RETRY_S_MAX)


async def _problem_of(job: PlannedJob, due_s: int, *, failures: int) -> str:
    """What went wrong, in one line; empty if nothing did."""
    try:
        async with asyncio.timeout(job.time_limit_s) as limit:
            await job.run(due_s)
    except LostJobError:
        raise  # it is no longer this process's to say how the job went
    except JobError as error:
        problem = str(error)[:ERROR_CHARS_MAX]
    except StoreAwayError as error:
        return str(error)[:ERROR_CHARS_MAX]
    except Exception as error:  # one failing job must not stop the others; its traceback is logged
        if isinstance(error, TimeoutError) and limit.expired():
            problem = f"stopped because it took longer than {job.time_limit_s:g} seconds"
        else:
            problem = f"{type(error).__name__}: see the hub's log"
            log.log(logging.DEBUG if failures else logging.ERROR, "%s failed", job.name, exc_info=True)
    else:
        return ""
    log.log(logging.DEBUG if failures else logging.WARNING, "%s: %s", job.name, problem)
    return problem


def _newest_due(job: PlannedJob, after_s: int, *, by_s: int) -> int | None:
    """The last due time in (after_s, by_s], or None. Skips earlier ones, so a long downtime takes no longer."""
    due_s = job.next_due(after_s)
    if due_s > by_s:
        return None
    recent_s = job.next_due(max(after_s, by_s - 2 * 86400))
    if recent_s > by_s:
        recent_s = due_s  # it is due more rarely, so there are few to look at
    while (following_s := job.next_due(recent_s)) <= by_s:
        recent_s = following_s
    return recent_s

"""How each job stands now, from what the store remembers: the same for the board's page and `commonwatt-hub status`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hub.storage.jobs.records import Job, JobRun

DAY_S: Final = 86_400


class JobState(Enum):
    """A job runs, waits although it is due, has failed and is tried again, or is in order until it is due."""

    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    IN_ORDER = "in order"


@dataclass(frozen=True, slots=True)
class JobNow:
    """One job. `since` is when it began to run or fell due; None unless it runs or waits. `worker` runs it, or ran it
    last; empty where the hub has no workers of its own. Units: unix s, real seconds.
    """

    name: str
    state: JobState
    since: int | None
    next_at: int
    last_run_at: int | None
    error: str
    worker: str
    done_in_a_day: int
    failed_in_a_day: int


def jobs_now(
    jobs: Sequence[Job],
    runs: Sequence[JobRun],
    *,
    planned: Collection[str],
    running: Mapping[str, int],
    now_s: float,
) -> tuple[JobNow, ...]:
    """Each job, those first that need a look. `runs` are those of the last day, the newest first; `running` says since
    when jobs run that the hub does without workers.

    `planned` names the jobs of the hub that runs: the store also remembers what an earlier version or other settings
    planned. Empty if that is not known; then all are given.
    """
    if planned:
        jobs, runs = [job for job in jobs if job.name in planned], [run for run in runs if run.name in planned]
    order = {state: place for place, state in enumerate((JobState.FAILED, JobState.WAITING, JobState.RUNNING))}
    found = [_now(job, [run for run in runs if run.name == job.name], running.get(job.name), now_s) for job in jobs]
    known = {job.name for job in jobs}
    found += [_first(run) for run in runs if run.ended_at is None and run.name not in known]
    return tuple(sorted(found, key=lambda each: (order.get(each.state, len(order)), each.next_at, each.name)))


def _now(job: Job, runs: Sequence[JobRun], own_since: int | None, now_s: float) -> JobNow:
    begun = next((run for run in runs if run.ended_at is None), None)
    since = own_since if begun is None else begun.began_at
    last = begun or next(iter(runs), None)
    state = JobState.IN_ORDER
    if since is not None:
        state = JobState.RUNNING
    elif job.last_error:
        state = JobState.FAILED  # also while its next attempt is just due
    elif job.due_at <= now_s:
        state, since = JobState.WAITING, job.due_at
    ended = [run for run in runs if run.ended_at is not None]
    return JobNow(
        job.name,
        state,
        since=since,
        next_at=job.due_at,
        last_run_at=job.last_run_at,
        error=job.last_error,
        worker="" if last is None else last.worker,
        done_in_a_day=sum(not run.error for run in ended),
        failed_in_a_day=sum(bool(run.error) for run in ended),
    )


def _first(run: JobRun) -> JobNow:
    """A job that runs for the first time ever."""
    return JobNow(run.name, JobState.RUNNING, run.began_at, run.due_at, None, "", run.worker, 0, 0)

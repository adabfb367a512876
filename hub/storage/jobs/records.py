"""The timetable's jobs and their runs, and the slice of the store that remembers them across restarts."""

from dataclasses import dataclass
from typing import Final, Protocol

RUNS_KEPT_S: Final = 2 * 86_400
"""Runs that began longer ago are forgotten with the next one: the board looks at the last day."""

WORKER_LOST: Final = "its worker ended or was cut off before it was done"


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the timetable: when it is due next, and how its last run ended."""

    name: str
    due_at: int
    last_run_at: int | None
    last_error: str


@dataclass(frozen=True, slots=True)
class JobRun:
    """One attempt of a job for a due time. `ended_at` is None while it runs; `error` is empty if it went well.

    `worker` names the process that ran it; empty where the hub has no workers of its own. Units: unix s.
    """

    name: str
    due_at: int
    began_at: int
    ended_at: int | None
    worker: str
    error: str


class JobStore(Protocol):
    """The jobs that the timetable must remember across restarts."""

    async def jobs(self) -> tuple[Job, ...]: ...
    async def put_job(self, job: Job, *, run: JobRun | None = None) -> None:
        """Store how a job stands, with the run that it tells of; runs older than RUNS_KEPT_S are forgotten."""
        ...

    async def begin_job_run(self, run: JobRun) -> bool:
        """Store that a run has begun; one of the same job that never ended is closed with WORKER_LOST.

        False, and nothing is written, if the job has already succeeded for this due time or a later one.
        """
        ...

    async def job_runs(self, *, since: int) -> tuple[JobRun, ...]:
        """Runs that have not ended, or ended at `since` (unix s) or later; the newest first."""
        ...

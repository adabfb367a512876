"""The queue through which one timetable hands jobs to several workers; a store on a server has one."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits in the queue or was taken from it: for which due time (unix s), and how many attempts for it
    have failed before.
    """

    name: str
    due_s: int
    failures: int


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job that a worker was given. `number` is its place in the queue, `owner` who holds it."""

    job: QueuedJob
    number: int
    owner: str


class Standing(Enum):
    """Where a job is: not in the queue (any more), waiting there, or with a worker."""

    GONE = "gone"
    WAITING = "waiting"
    TAKEN = "taken"


class Verdict(Enum):
    """What becomes of a job that a worker had: it leaves the queue, or it waits for the next worker."""

    DONE = "done"
    BACK = "back"


Take = Callable[[TakenJob], Awaitable[Verdict]]
"""What a worker does with a job. It is cancelled if another worker has been given the job, or this one ends."""


class JobQueue(Protocol):
    """Jobs that wait for a worker. A job and due time is in it once at most; of a lane one job is with a worker."""

    async def put(self, job: QueuedJob, *, lane: str) -> None:
        """Have a worker do this; nothing happens if it waits or is being done already. Raises: StoreError."""
        ...

    async def standing(self, job: QueuedJob) -> Standing:
        """Where this job for this due time is. Raises: StoreError."""
        ...

    async def withdraw(self, job: QueuedJob) -> None:
        """Take it out of the queue if no worker has it. Raises: StoreError."""
        ...

    def guarding(self, taken: TakenJob) -> AbstractContextManager[None]:
        """Inside the block, a write to the store is refused (LostJobError) if another worker has been given the job.

        It is checked in the transaction of the write itself, so also a worker that stood still in between writes
        nothing.
        """
        ...

    async def work(self, lanes: Collection[str], take: Take) -> None:
        """Take jobs of these lanes, one at a time of each, until cancelled. Raises: StoreError if the server is away.

        A worker that is not heard of for a while loses its jobs to another one.
        """
        ...

    def close(self) -> None:
        """End the sessions with the server."""
        ...

"""What the tests of the queue share: timetables and workers on one server, and a clock that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hub.job_queue.planning import QueuedTimetable
from hub.job_queue.worker import JobWorker
from hub.storage.jobs.records import Job
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.job_queue.server_queue import ServerQueue
from hub.storage.postgres.store import PostgresStore
from hub.timetable import PlannedJob
from protocols.timeline import Clock
from tests.hub.postgres_server import Server

NOON_S: Final = int(datetime(2026, 6, 16, 12, 0, tzinfo=UTC).timestamp())
WITHIN_S: Final = 60.0


async def _nothing() -> None:
    """After a job that leaves nothing on its way."""


class MovedTime:
    """A clock that stands still until the test moves it."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s
        self._moved = asyncio.Event()
        self.clock = Clock(real=lambda: self.now_s, sleep=self._sleep)

    def move(self, to_s: int) -> None:
        self.now_s = to_s
        self._moved.set()
        self._moved = asyncio.Event()

    async def _sleep(self, _seconds: float) -> None:
        await self._moved.wait()


@dataclass(frozen=True, slots=True)
class Attempted:
    """One call of a job, as the job itself saw it."""

    name: str
    due_s: int
    at_s: int


class Workshop:
    """Timetables and workers over one co-op's store."""

    def __init__(self, server: Server, database: str, address: StoreAddress) -> None:
        self.server, self.database, self.address = server, database, address
        self.time = MovedTime(NOON_S)
        self.attempted: list[Attempted] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stores: list[PostgresStore] = []
        self._queues: list[ServerQueue] = []

    async def store(self) -> PostgresStore:
        store = await PostgresStore.open(self.address, now=lambda: float(self.time.now_s))
        self._stores.append(store)
        return store

    async def queue(self, *, lost_after_s: float = 30.0) -> ServerQueue:
        queue = await ServerQueue.open(self.address, lost_after_s=lost_after_s, look_s=0.2)
        self._queues.append(queue)
        return queue

    async def timetable(self, jobs: Sequence[PlannedJob]) -> QueuedTimetable:
        """A timetable that has begun, and has planned its jobs."""
        made = QueuedTimetable(jobs, store=await self.store(), clock=self.time.clock, queue=await self.queue())
        self.run(made.run())
        await until(lambda: len(made.health()) == len(jobs))
        return made

    async def worker(
        self,
        jobs: Sequence[PlannedJob],
        name: str = "here:1",
        *,
        lost_after_s: float = 30.0,
        after: Callable[[], Awaitable[None]] = _nothing,
    ) -> asyncio.Task[None]:
        """A worker that has begun; cancel it to stop it."""
        queue = await self.queue(lost_after_s=lost_after_s)
        made = JobWorker(jobs, store=await self.store(), clock=self.time.clock, queue=queue, name=name, after=after)
        return self.run(made.run())

    def run(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    def noted(self, name: str, due_s: int) -> None:
        self.attempted.append(Attempted(name, due_s - NOON_S, self.time.now_s - NOON_S))

    async def held(self, name: str) -> Job | None:
        """What the store says of a job."""
        return next((job for job in await self._stores[0].jobs() if job.name == name), None)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues:
            queue.close()
        for store in self._stores:
            await store.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(WITHIN_S):
        while not is_so():
            await asyncio.sleep(0.01)  # between two looks


async def until_true(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until this is answered with yes."""
    async with asyncio.timeout(WITHIN_S):
        while not await is_so():
            await asyncio.sleep(0.01)  # between two looks

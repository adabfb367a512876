"""The queue of jobs on a server, through pgqueuer: what is put there, where it stands, and how a worker takes it."""

# ruff: noqa: S608 - only the co-op's own schema is put into SQL here; values are bound.

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Self
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import FailingListenerError, RetryRequested

from hub.storage.errors import LostJobError, StoreAwayError, StoreError
from hub.storage.jobs.queue import QueuedJob, Standing, Take, TakenJob, Verdict
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connections import session_settings, told
from hub.storage.postgres.job_queue.guard import guarded
from hub.storage.postgres.job_queue.own_rows import OwnRows
from hub.storage.postgres.job_queue.place import TABLE, queries_over, queue_settings
from hub.storage.postgres.names import queue_of
from hub.storage.postgres.outage import kind_of
from hub.storage.postgres.session import TROUBLE, pooled
from hub.storage.sql.connection import Connection

log = logging.getLogger(__name__)

SESSIONS: Final = 6
ANSWER_S: Final = 30.0
LOST_AFTER_S: Final = 30.0
"""A worker that is not heard of for so long has lost its jobs. It says every half of this that it is there."""
LOOK_S: Final = 5.0
"""A worker looks for jobs this often, besides being told of new ones."""
AT_ONCE: Final = 8
AGAIN_S: Final = 10.0
"""A job that a worker could not do waits so long for the next one."""
CANCELLATION: Final = "cancellation_event"
LOG_KEPT: Final = "2 days"


class ServerQueue:
    """Implements hub.storage.jobs.queue.JobQueue; open it with `await ServerQueue.open(address)`."""

    def __init__(self, address: StoreAddress, pool: Any, *, lost_after_s: float, look_s: float) -> None:
        self._schema, self._place_name, self._pool = address.schema, address.place, pool
        self._lost_after, self._look = timedelta(seconds=lost_after_s), timedelta(seconds=look_s)
        self._table = f"{queue_of(address.schema)}.{TABLE}"
        self._queries = queries_over(AsyncpgPoolDriver(pool), address.schema)

    @classmethod
    async def open(cls, address: StoreAddress, *, lost_after_s: float = LOST_AFTER_S, look_s: float = LOOK_S) -> Self:
        """The queue of this co-op. Raises: StoreError if the server cannot be reached, or has no queue for it."""
        logging.getLogger("pgqueuer").setLevel(logging.WARNING)
        try:
            pool = await pooled(address.dsn, {**session_settings(address), "command_timeout": ANSWER_S}, most=SESSIONS)
        except TROUBLE as error:
            raise StoreError(f"{address.place}: cannot open the queue of jobs: {told(error)}") from None
        queue = cls(address, pool, lost_after_s=lost_after_s, look_s=look_s)
        try:
            await queue._verify()
        except BaseException:
            queue.close()
            raise
        return queue

    def close(self) -> None:
        """End the sessions."""
        self._pool.terminate()

    async def put(self, job: QueuedJob, *, lane: str) -> None:
        """Have a worker do this; nothing happens if it waits or is being done already."""
        payload = json.dumps({"job": job.name, "due_s": job.due_s, "failures": job.failures}).encode()
        async with self._asking():
            await self._queries.enqueue(lane, payload, dedupe_key=_key(job), on_conflict="skip")
            old = f"DELETE FROM {self._table}_log WHERE created < now() - interval '{LOG_KEPT}'"
            await self._pool.execute(old)

    async def standing(self, job: QueuedJob) -> Standing:
        """Where this job for this due time is."""
        sql = f"SELECT status FROM {self._table} WHERE dedupe_key = $1 AND status IN ('queued', 'picked')"
        async with self._asking():
            status = await self._pool.fetchval(sql, _key(job))
        return Standing.GONE if status is None else Standing.WAITING if status == "queued" else Standing.TAKEN

    async def withdraw(self, job: QueuedJob) -> None:
        """Take it out of the queue if no worker has it."""
        async with self._asking():
            await self._pool.execute(
                f"DELETE FROM {self._table} WHERE dedupe_key = $1 AND status = 'queued'", _key(job)
            )

    def guarding(self, taken: TakenJob) -> AbstractContextManager[None]:
        """Inside the block, a write to the store is refused if another worker has been given the job."""
        # The row stays as it is until the write is committed: whoever would be given the job waits for that. pgqueuer
        # takes the worker's name off a row that it puts back.
        sql = f"SELECT 1 FROM {self._table} WHERE id = ? AND queue_manager_id = ? FOR SHARE"

        async def is_ours(db: Connection) -> None:
            if not await db.execute_fetchall(sql, (taken.number, UUID(taken.owner))):
                raise LostJobError(f"{taken.job.name}: another worker has been given this job")

        return guarded(is_ours)

    async def work(self, lanes: Collection[str], take: Take) -> None:
        """Take jobs of these lanes, one at a time of each, until cancelled."""
        hands = _Hands(take)
        driver = _Listening(AsyncpgPoolDriver(self._pool))
        rows = OwnRows(self._pool, driver, self._schema, lost=hands.lose)
        manager = QueueManager(rows, channel=queue_settings(self._schema).channel)
        rows.owner = hands.owner = manager.queue_manager_id
        for lane in lanes:
            manager.entrypoint(lane, concurrency_limit=1, accepts_context=False)(hands.handle)
        running = asyncio.create_task(self._managed(manager))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            manager.shutdown.set()
            hands.give_back()
            await asyncio.wait({running})
            raise

    async def _managed(self, manager: Any) -> None:
        async with self._asking():
            await manager.run(
                dequeue_timeout=self._look,
                batch_size=1,
                max_concurrent_tasks=AT_ONCE,
                heartbeat_timeout=self._lost_after,
                log_aggregation_interval=timedelta(0),
                shutdown_on_listener_failure=True,
            )

    async def _verify(self) -> None:
        async with self._asking():
            if await self._pool.fetchval("SELECT to_regclass($1)::text", self._table) is not None:
                return
        raise StoreError(
            f"{self._place_name}: no queue of jobs here, or none that this role may see; make one with:"
            " commonwatt-hub db prepare"
        )

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            yield
        except (*TROUBLE, FailingListenerError) as error:
            kind = StoreAwayError if isinstance(error, FailingListenerError) else kind_of(error)
            raise kind(f"{self._place_name}: the queue of jobs could not be used: {told(error)}") from None


class _Listening:
    """pgqueuer's way to the server, which takes nobody's word that a job is to be cancelled.

    Whoever may enter the database may say something on any channel there, also the hub of another co-op.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        """Everything else as pgqueuer does it."""
        return getattr(self._driver, name)

    async def __aenter__(self) -> Self:
        await self._driver.__aenter__()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._driver.__aexit__(*ended)

    async def add_listener(self, channel: str, callback: Callable[[Any], None]) -> None:
        """Hear what is said on the channel, but for cancellations."""

        def heard(said: str) -> None:
            if CANCELLATION not in said:
                callback(said)

        await self._driver.add_listener(channel, heard)


class _Hands:
    """The jobs that a worker has at the moment. `owner` is its name in the queue."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._held: dict[int, asyncio.Task[Verdict]] = {}
        self._names: dict[int, str] = {}
        self.owner: Any = None

    async def handle(self, row: Any) -> None:
        """Do one job; pgqueuer is told to put it back if it could not be done here."""
        said = json.loads(row.payload)
        taken = TakenJob(QueuedJob(said["job"], said["due_s"], said["failures"]), row.id, str(self.owner))
        task = self._held[row.id] = asyncio.ensure_future(self._take(taken))
        self._names[row.id] = taken.job.name
        again_s = AGAIN_S
        try:
            await asyncio.wait({task})
            if task.cancelled():
                again_s = 0.0
            elif (error := task.exception()) is not None:
                log.error("%s failed as a whole and waits for the next worker", taken.job.name, exc_info=error)
            elif task.result() is Verdict.DONE:
                return
        finally:
            task.cancel()
            self._held.pop(row.id, None)
            self._names.pop(row.id, None)
        raise RetryRequested(delay=timedelta(seconds=again_s), reason="given back")

    def lose(self, numbers: Collection[int]) -> None:
        """Stop these jobs: another worker has been given them."""
        for number in numbers:
            if (task := self._held.get(number)) is not None:
                log.warning(
                    "%s: this worker was not heard of for a while, and another one was given the job",
                    self._names[number],
                )
                task.cancel()

    def give_back(self) -> None:
        """Stop all jobs; they go back into the queue."""
        for task in list(self._held.values()):
            task.cancel()


def _key(job: QueuedJob) -> str:
    return f"{job.name}@{job.due_s}"

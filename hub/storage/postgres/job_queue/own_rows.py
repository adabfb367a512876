"""pgqueuer's statements, but a worker changes only the rows that are still its own.

By itself pgqueuer removes a row by its number alone: a worker that stood still, and whose job another one was given,
would take that one's row away when it goes on, and the lane would be free while its job still runs.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver

from hub.storage.postgres.job_queue.place import TABLE, queries_over
from hub.storage.postgres.names import queue_of


class OwnRows:
    """What pgqueuer's manager asks the database. `lost` is told which jobs another worker has been given."""

    def __init__(self, pool: Any, driver: Any, schema: str, *, lost: Callable[[Collection[int]], None]) -> None:
        self._pool, self._schema, self._lost = pool, schema, lost
        self._all = queries_over(driver, schema)
        self.owner: Any = None

    def __getattr__(self, name: str) -> Any:
        """Everything else as pgqueuer does it."""
        return getattr(self._all, name)

    async def log_jobs(self, job_status: Sequence[tuple[Any, Any, Any]]) -> None:
        """Take jobs that are done out of the queue."""
        async with self._own([job.id for job, _, _ in job_status]) as (queries, own):
            if done := [each for each in job_status if each[0].id in own]:
                await queries.log_jobs(done)

    async def retry_job(self, job: Any, delay: timedelta, traceback_record: Any) -> None:
        """Put a job back."""
        async with self._own([job.id]) as (queries, own):
            if own:
                await queries.retry_job(job, delay, traceback_record)

    async def update_heartbeat(self, job_ids: Sequence[int]) -> None:
        """Say that these jobs are still being done."""
        async with self._own(job_ids) as (queries, own):
            if own:
                await queries.update_heartbeat(list(own))
        if lost := set(job_ids) - own:
            self._lost(lost)

    @asynccontextmanager
    async def _own(self, numbers: Sequence[int]) -> AsyncIterator[tuple[Any, set[int]]]:
        """Statements in a transaction that holds the worker's own ones of these rows, and which those are."""
        sql = f"SELECT id FROM {queue_of(self._schema)}.{TABLE} WHERE id = ANY($1) AND queue_manager_id = $2 FOR UPDATE"  # noqa: S608 - the co-op's own schema; values are bound
        async with self._pool.acquire() as session, session.transaction():
            rows = await session.fetch(sql, list(numbers), self.owner)
            yield queries_over(AsyncpgDriver(session), self._schema), {int(row[0]) for row in rows}

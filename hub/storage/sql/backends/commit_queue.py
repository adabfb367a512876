"""Writes that wait for the next commit: those that came while another commit ran share the next one and its fsync."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

MAX_WORKS_PER_COMMIT: Final = 64


@dataclass(slots=True)
class Queued:
    """A piece of work and what became of it: `error` if it was undone, else `result` once the commit is on disk."""

    work: Callable[[Any], Awaitable[Any]]
    done: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class CommitQueue:
    """One commit after the other; `commit` does each, and sets `result` or `error` of every piece of work in it.

    If `commit` raises, all of its pieces of work fail with that error, unless they have an error of their own.
    """

    def __init__(self, commit: Callable[[list[Queued]], Awaitable[None]]) -> None:
        self._commit = commit
        self._queue: asyncio.Queue[Queued | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._write_until_closed(), name="store-writer")

    async def put(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Have this done in the next commit; its result once that is on disk. Raises: what went wrong."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Queued(work, done))
        return await done

    async def close(self) -> None:
        """Finish what waits. Safe to call twice."""
        if not self._task.done():
            self._queue.put_nowait(None)
            await self._task

    async def _write_until_closed(self) -> None:
        closing = False
        while not closing:
            works: list[Queued] = []
            taken = await self._queue.get()
            while taken is not None:
                works.append(taken)
                if len(works) == MAX_WORKS_PER_COMMIT or self._queue.empty():
                    break
                taken = self._queue.get_nowait()
            closing = taken is None
            if works:
                await self._commit_all(works)

    async def _commit_all(self, works: list[Queued]) -> None:
        try:
            await self._commit(works)
        except Exception as error:  # whoever waits for one of these gets it
            for queued in works:
                queued.error = queued.error or error
        for queued in works:
            if queued.done.done():  # whoever waited was cancelled
                continue
            if queued.error is not None:
                queued.done.set_exception(queued.error)
            else:
                queued.done.set_result(queued.result)

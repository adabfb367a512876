"""A cache of answers that take long to compute: each question is computed once, and one at a time for each asker.

It does not interpret the questions. If the asker stops waiting, the work goes on and the answer is there next time.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")


class AskerBusyError(Exception):
    """The asker's previous question has not been answered yet."""


class AnswerCache(Generic[Q, A]):
    """Works on one question at a time and keeps up to `max_entries` answers; the least recently asked go first."""

    def __init__(self, *, max_entries: int, wait_s: float) -> None:
        self._max_entries, self._wait_s = max_entries, wait_s
        self._tasks: OrderedDict[Q, asyncio.Task[A]] = OrderedDict()
        self._asked: dict[str, Q] = {}
        self._one = asyncio.Lock()

    async def get_or_compute(self, question: Q, *, asker: str, work: Callable[[], Awaitable[A]]) -> A | None:
        """The answer, or None if it takes longer than `wait_s`; the work then goes on, and the caller may ask again.

        Raises: AskerBusyError, or whatever `work` raised.
        """
        task = self._tasks.get(question)
        if task is None:
            last = self._tasks.get(self._asked[asker]) if asker in self._asked else None
            if last is not None and not last.done():
                raise AskerBusyError
            task = asyncio.create_task(self._work(work), name="kept work")
            task.add_done_callback(lambda done: self._forget_failed(question, done))
            self._tasks[question] = task
            self._asked[asker] = question
        self._tasks.move_to_end(question)
        self._trim()
        done, _ = await asyncio.wait({task}, timeout=self._wait_s)
        return task.result() if done else None

    async def _work(self, work: Callable[[], Awaitable[A]]) -> A:
        async with self._one:
            return await work()

    def _forget_failed(self, question: Q, task: asyncio.Task[A]) -> None:
        if task.cancelled() or task.exception() is not None:
            # The message is not logged: it may contain a home's value. A caller still waiting gets the error itself.
            log.error("work for a page broke with %s", type(None if task.cancelled() else task.exception()).__name__)
            self._tasks.pop(question, None)

    def _trim(self) -> None:
        done = [question for question, task in self._tasks.items() if task.done()]
        for question in done[: max(0, len(self._tasks) - self._max_entries)]:
            del self._tasks[question]
        self._asked = {asker: question for asker, question in self._asked.items() if question in self._tasks}

"""Wakes the tasks that fill the outbox and empty it: at once when there is something, and else at common instants."""

from __future__ import annotations

import asyncio
import time


def to_the_beat(every_s: float) -> float:
    """How long until the next of all instants this far apart: whoever looks every so often wakes the computer once.

    Devices are read at such instants too. A beat that comes at once is the one that was just met.
    """
    left_s = every_s - time.time() % every_s
    return left_s if left_s > every_s / 10 else left_s + every_s


class Signal:
    """An event that one task waits for, and never longer than it says; without the cost of a time limit that raises."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake the task that waits, or let its next wait end at once."""
        self._is_set = True
        self._wake()

    def take(self) -> bool:
        """Whether it was set since it was last taken."""
        was_set, self._is_set = self._is_set, False
        return was_set

    async def wait(self, at_most_s: float) -> None:
        """Return once it is set, or after so long."""
        if self._is_set:
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        limit = loop.call_later(at_most_s, self._wake)
        try:
            await self._waiting
        finally:
            limit.cancel()
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

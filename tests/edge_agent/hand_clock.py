"""A clock that tests move by hand; sleepers wake when their time has come."""

import asyncio

from protocols.timeline import Clock


class HandClock(Clock):
    """`move_to` sets the time and lets everybody who waited for it run; `waiting` are who waits for the next move."""

    def __init__(self, now_s: float) -> None:
        super().__init__(lambda: self.now_s, sleep=self._wait)
        self.now_s = now_s
        self.waiting: set[asyncio.Task[object] | None] = set()
        self._moved = asyncio.Event()

    async def _wait(self, _seconds: float) -> None:
        self.waiting.add(asyncio.current_task())
        await self._moved.wait()

    def move_to(self, now_s: float) -> None:
        assert now_s >= self.now_s
        self.now_s = now_s
        self.waiting.clear()
        self._moved.set()
        self._moved = asyncio.Event()


async def until(condition, timeout_s: float = 60.0, what: str = "the condition"):
    """Let others run until the condition gives something true, and return that."""
    try:
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {timeout_s:g} s") from None
    return found

"""How long a piece of work keeps an event loop from everything else, in CPU time, and the most memory it has.

CPU time instead of the clock's, so that other work on the machine counts little.
"""

import asyncio
import time
from asyncio import events
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TURN_S: Final = 0.002
"""So often another task asks for its turn."""


class LongestStep:
    """The most CPU time that the event loop's thread spent in one step, in which nothing else got a turn."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        run = events.Handle._run

        def timed(handle: Any) -> None:
            began_s = time.thread_time()
            run(handle)
            self.spent_s = max(self.spent_s, time.thread_time() - began_s)

        events.Handle._run = timed  # type: ignore[method-assign]


_STEP: Final[list[LongestStep]] = []


@dataclass(frozen=True, slots=True)
class Stops:
    """Of one piece of work.

    `step_ms` is the longest step of the loop's thread. `wait_ms` is the most CPU time that all threads of the process
    spent between two turns of a task that asks for one all the time: a thread in one long call that keeps the
    interpreter's lock is in it too. It holds the TURN_S of each thread that the task sleeps by itself.
    """

    step_ms: float
    wait_ms: float


async def watched(work: Callable[[], Awaitable[object]]) -> Stops:
    """Do it, and say how long it stopped this loop."""
    if not _STEP:
        _STEP.append(LongestStep())
    turns = _Turns()
    asking = asyncio.create_task(turns.ask())
    await asyncio.sleep(2 * TURN_S)  # the first turn does not count
    _STEP[0].spent_s = turns.wait_s = 0.0
    try:
        await work()
        await asyncio.sleep(2 * TURN_S)  # the turn that the last step kept back
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    return Stops(_STEP[0].spent_s * 1e3, turns.wait_s * 1e3)


class _Turns:
    def __init__(self) -> None:
        self.wait_s = 0.0

    async def ask(self) -> None:
        while True:
            asked_s = time.process_time()
            await asyncio.sleep(TURN_S)  # a turn is asked for; what comes between is what is measured
            self.wait_s = max(self.wait_s, time.process_time() - asked_s)


def most_rss_mb() -> float:
    """The most memory this process has had since `forget_most_rss`, in MB of 1,000,000 bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def forget_most_rss() -> None:
    """Begin to look for the most memory again. Linux alone knows how."""
    Path("/proc/self/clear_refs").write_text("5")

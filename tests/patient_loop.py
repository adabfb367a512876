"""An event loop whose clock stands still while its process gets no turn, so that a busy machine makes nobody late.

The devices of these tests live in the same loop as the code that waits for them, and so by the same clock: a time-out
that is longer than an answer takes stays longer, however long the process was left waiting for the processor.

This clock hides code that waits in the loop's own thread: tests/edge_agent/test_loop_never_waits.py watches its calls.
"""

import asyncio
import selectors
import time

SLICE_S = 1 / 256
MOST_AT_ONCE_S = 2 * SLICE_S
"""No step of the clock is longer. What is waited for is waited for in slices, so that only lost turns are cut off. As a
binary fraction it is added to the clock exactly, so that a step is never a rounding longer."""


class _Slices(selectors.DefaultSelector):
    """Waits for a slice at a time."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else min(timeout, SLICE_S))


class PatientLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on the clock that is told of above."""

    def __init__(self) -> None:
        self._now_s = self._seen_s = time.monotonic()
        super().__init__(_Slices())

    def time(self) -> float:
        seen_s = time.monotonic()
        self._now_s += min(seen_s - self._seen_s, MOST_AT_ONCE_S)
        self._seen_s = seen_s
        return self._now_s

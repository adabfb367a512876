"""Repeats a write to the books if somebody else has written first. It does not know what is being written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hub.storage.errors import StoreConflictError

TRIES: Final = 5
FIRST_PAUSE_S: Final = 0.01
Result = TypeVar("Result")


async def retry_on_conflict(
    work: Callable[[], Awaitable[Result]],
    *,
    on: type[StoreConflictError] = StoreConflictError,
    never_on: type[StoreConflictError] | None = None,
    tries: int = TRIES,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Result:
    """Return the result of `work`, which reads the heads and writes after them. Each conflict doubles the pause.

    Errors other than `on`, and those that match `never_on`, are raised at once.
    Raises: the last conflict, with a one-line message, once all `tries` attempts have met one.
    """
    pause_s = FIRST_PAUSE_S
    for left in range(tries - 1, -1, -1):
        try:
            return await work()
        except on as conflict:
            if never_on is not None and isinstance(conflict, never_on):
                raise
            if not left:
                raise type(conflict)(
                    f"others wrote to the books at the same moment, {tries} times in a row; try again ({conflict})"
                ) from conflict
        await sleep(pause_s)
        pause_s *= 2
    raise ValueError(f"{tries} tries: expected at least one")

"""Work that always runs to its end: the caller's cancellation takes effect when the work is done."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncancellable(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make `work` run to its end, or its error, even if the caller is cancelled.

    A cancelled caller gets its CancelledError afterwards, never what `work` raised: no error may hide a cancellation.
    """

    @wraps(work)
    async def run(*arguments: P.args, **named: P.kwargs) -> T:
        task = asyncio.ensure_future(work(*arguments, **named))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # retrieved, so that the loop does not report it as never retrieved
            raise

    return run

"""A check that comes first in every write of a piece of work: whoever has lost the right to write changes nothing."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from hub.storage.sql.connection import Work

T = TypeVar("T")
Check = Callable[[Any], Awaitable[None]]

_CHECK: ContextVar[Check | None] = ContextVar("guard of the store's writes", default=None)


@contextmanager
def guarded(check: Check) -> Iterator[None]:
    """Inside the block, and in the tasks begun there, `check` runs in the transaction of every write, before it."""
    before = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(before)


def behind_guard(work: Work[T]) -> Work[T]:
    """This piece of work, after the check of the block that it is asked for in."""
    check = _CHECK.get()
    if check is None:
        return work

    async def checked(db: Any) -> T:
        await check(db)
        return await work(db)

    return checked

"""Looks into the store again and again for what another process of the hub has put there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hub.storage.errors import StoreError

log = logging.getLogger(__name__)


async def look_until_cancelled(look: Callable[[], Awaitable[None]], *, each_s: float, at: str) -> None:
    """Look every `each_s` real seconds; while the store fails, which is logged, the next look is the next try.

    `at` says in the log what is looked at.
    """
    while True:
        try:
            await look()
        except StoreError as error:
            if not error.is_said:
                log.error("%s: %s; looking again", at, error)
        await asyncio.sleep(each_s)

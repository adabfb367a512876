"""Waits for a database server that is away when a process of the hub starts: it goes on by itself when it is there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hub.storage.errors import StoreAwayError

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_S: Final = 2.0


async def opened_when_there(opening: Callable[[], Awaitable[T]], *, say: Callable[[str], None] = log.warning) -> T:
    """What `opening` gives; while the server is away it is tried again, and said once. Raises: any other error."""
    is_said = False
    while True:
        try:
            return await opening()
        except StoreAwayError as error:
            if not is_said:
                say(f"{error}; waiting until it is there")
                is_said = True
        await asyncio.sleep(AGAIN_S)

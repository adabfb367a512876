"""Opens a group's messages, signature and form, in a few threads at once; their order stays.

Checking an Ed25519 signature is half the work of intake and needs no lock of the interpreter, so threads share it.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from hub.broker.connection import Delivery
from hub.intake.acceptance import open_message
from hub.intake.state import (
    AskedMaps,
    AskedTime,
    IncomingMessage,
    IntakeState,
    OpenedMessage,
    Rejection,
    ToldNotice,
)

Opened = OpenedMessage | AskedTime | AskedMaps | ToldNotice | Rejection

MOST_THREADS: Final = 4
FEW: Final = 8
"""So many are opened at once without a thread: to hand them over would cost more than it saves."""

PIECE: Final = 16
"""A thread takes so many at a time; the threads end close together."""


class Opening:
    """Reads keys and names of agents from the state, and changes nothing."""

    def __init__(self) -> None:
        self._count = max(1, min(MOST_THREADS, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="intake-opening")

    async def open_all(self, group: Sequence[Delivery], state: IntakeState, *, received_at: int) -> list[Opened]:
        """What each delivery is, in the order of the group."""
        if len(group) <= FEW:
            return _opened(group, state, received_at)
        loop = asyncio.get_running_loop()
        pieces = [group[at : at + PIECE] for at in range(0, len(group), PIECE)]
        found = await asyncio.gather(
            *(loop.run_in_executor(self._pool, _opened, piece, state, received_at) for piece in pieces)
        )
        return [each for piece in found for each in piece]


def _opened(group: Sequence[Delivery], state: IntakeState, received_at: int) -> list[Opened]:
    return [open_message(IncomingMessage(each.topic, each.payload, received_at), state) for each in group]

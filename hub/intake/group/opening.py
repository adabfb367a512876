"""Opens a group's messages, signature and form, in a few threads at once; their order stays.

Checking an Ed25519 signature is half the work of intake and needs no lock of the interpreter, so threads share it. Each
checks all signatures of its piece before it reads what they cover: to hand that lock to and fro costs as much as that.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from hub.broker.connection import Delivery
from hub.intake.acceptance import check_signature, read_signed
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
"""A thread takes so many at least."""


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that are handled together.

    `opening` is there if they are opened already while another group is stored; `senders` are then the agents whose
    names they came under.
    """

    deliveries: Sequence[Delivery] = ()
    opening: asyncio.Task[list[Opened]] | None = None
    senders: frozenset[str] = frozenset()

    def only(self, own: Sequence[Delivery]) -> "Group":
        """The group of these of its messages."""
        return self if len(own) == len(self.deliveries) else Group(own)


class Opening:
    """Reads keys and names of agents from the state, and changes nothing. `ahead` is what is opened for later."""

    def __init__(self) -> None:
        self.ahead: Group | None = None
        # One processor is the event loop's, which stores the group before.
        self._count = max(1, min(MOST_THREADS, (os.cpu_count() or 1) - 1))
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="intake-opening")

    def begin(self, deliveries: Sequence[Delivery], state: IntakeState, *, received_at: int) -> None:
        """Open these for later, while something else is done."""
        opening = asyncio.create_task(self.open_all(deliveries, state, received_at=received_at))
        senders = frozenset(name for each in deliveries for name in each.topic.split("/", 4)[3:4])
        self.ahead = Group(deliveries, opening, senders)

    def take_ahead(self) -> Group | None:
        """What was begun, once."""
        ahead, self.ahead = self.ahead, None
        return ahead

    def has_ahead(self, agent: str) -> bool:
        """Whether a message that came under this name was begun."""
        return self.ahead is not None and agent in self.ahead.senders

    async def open_all(self, group: Sequence[Delivery], state: IntakeState, *, received_at: int) -> list[Opened]:
        """What each delivery is, in the order of the group."""
        if len(group) <= FEW:
            return _opened(group, state, received_at)
        loop = asyncio.get_running_loop()
        most = max(PIECE, -(-len(group) // self._count))
        pieces = [group[at : at + most] for at in range(0, len(group), most)]
        found = await asyncio.gather(
            *(loop.run_in_executor(self._pool, _opened, piece, state, received_at) for piece in pieces)
        )
        return [each for piece in found for each in piece]


def _opened(group: Sequence[Delivery], state: IntakeState, received_at: int) -> list[Opened]:
    checked = [check_signature(IncomingMessage(each.topic, each.payload, received_at), state) for each in group]
    return [each if isinstance(each, Rejection) else read_signed(each) for each in checked]

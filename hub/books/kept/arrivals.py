"""The newest batch of each slot, looked up once and then kept up to date by what came since."""

import asyncio
from typing import Final, Protocol

from protocols.slots import Slot

MOST_SLOTS: Final = 100_000
"""About three years."""
MOST_POSITION: Final = 2**62
MOST_BEHIND: Final = 200_000
"""After more messages than these, looking the slots up again costs less than reading what came."""


class ArrivalStore(Protocol):
    """The part of the store that knows what has arrived."""

    async def newest_messages(self, *, slots: range) -> dict[Slot, int]: ...
    async def newest_since(self, after: int) -> tuple[int, dict[Slot, int]]: ...


class KeptArrivals:
    """Answers as the store's newest_messages does. A second look at the same slots costs what arrived in between."""

    def __init__(self, store: ArrivalStore) -> None:
        self._store = store
        self._known: dict[Slot, int] = {}
        self._through = 0
        self._one = asyncio.Lock()

    async def newest_messages(self, *, slots: range) -> dict[Slot, int]:
        """The position of the newest batch, for each slot that has one stored."""
        async with self._one:
            await self._catch_up()
            unknown = [slot for slot in slots if slot not in self._known]
            if unknown:
                # Looked up behind the position that is caught up to: what arrives meanwhile is found by the next look.
                span = range(unknown[0], unknown[-1] + 1)
                found = await self._store.newest_messages(slots=span)
                self._known |= {slot: found.get(slot, self._known.get(slot, 0)) for slot in span}
            return {slot: self._known[slot] for slot in slots if self._known[slot]}

    async def _catch_up(self) -> None:
        newest, _ = await self._store.newest_since(MOST_POSITION)
        if newest - self._through > MOST_BEHIND or len(self._known) > MOST_SLOTS:
            self._known.clear()
        if self._known and newest > self._through:
            newest, since = await self._store.newest_since(self._through)
            self._known |= {slot: position for slot, position in since.items() if slot in self._known}
        self._through = newest

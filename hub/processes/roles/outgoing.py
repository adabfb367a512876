"""Messages to homes by way of the store: from a process that has no connection to the broker."""

import asyncio
import logging
import secrets
from itertools import count
from typing import Final

from hub.storage.errors import StoreError
from hub.storage.shared.records import OutgoingMessage, SharedStore
from protocols.wire.topics import parse_topic

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
MOST_WAITING: Final = 20_000


class StoredOutgoing:
    """`publish` takes a message at once; `run` stores what was taken. The worker that has the home's shard sends it."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._waiting: list[OutgoingMessage] = []
        self._numbers = count()
        self._has_more = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def publish(self, topic: str, sealed: bytes) -> None:
        """Have it stored; the oldest go first if nothing can be stored for very long."""
        # The store orders by the time of the commit, then by id: those of one commit go as they were taken.
        name = f"{next(self._numbers):012x}{secrets.token_hex(12)}"
        self._waiting.append(OutgoingMessage(name, parse_topic(topic).shard, topic, sealed))
        if (most := len(self._waiting) - MOST_WAITING) > 0:
            del self._waiting[:most]
        self._has_more.set()

    async def flush(self) -> None:
        """Store everything that was taken so far. Raises: StoreError; then it still waits."""
        async with self._one_at_a_time:
            if taken := self._waiting[:]:
                await self._store.put_outgoing(taken)
                done = {each.id for each in taken}
                self._waiting = [each for each in self._waiting if each.id not in done]

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await self._has_more.wait()
            self._has_more.clear()
            try:
                await self.flush()
            except StoreError as error:
                if not error.is_said:
                    log.error("messages to homes: %s; trying again", error)
                await asyncio.sleep(RETRY_S)
                self._has_more.set()

"""Sends homes of this worker's shards what other processes of the hub have put into the store for them.

A message stays in the store until its turn at the broker has come; one that was sent when a worker ended is sent again.
"""

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Final

from hub.intake.homes_link import HomesLink
from hub.intake.leases.shards import Shards
from hub.storage.errors import StoreError
from hub.storage.shared.records import SharedStore

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
AT_ONCE: Final = 500
AGAIN_S: Final = 30.0
"""A message whose turn came while this worker was not sure of its shards is handed over again after this time."""

KEPT_MS: Final = 24 * 3_600_000
"""What could not be sent for a day is old: a later notice says more, and a prompt's deadline is over."""


class OutgoingSender:
    """`link` is the way to the homes, which sends for this worker's shards alone."""

    def __init__(self, store: SharedStore, *, link: HomesLink, shards: Shards) -> None:
        self._store, self._link, self._shards = store, link, shards
        self._handed: dict[str, float] = {}
        self._sent: deque[str] = deque()

    async def run(self) -> None:
        """Look twice a second until cancelled; while the store cannot be read, the next look is the next try."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                if not error.is_said:
                    log.error("messages to homes: %s; looking again", error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Forget what was sent, and hand over what waits. Raises: StoreError."""
        if done := [self._sent.popleft() for _ in range(len(self._sent))]:
            await self._forget(done)
        shards = sorted(self._shards.working)
        if not shards:
            self._handed.clear()
            return
        now_ms, waiting = await self._store.outgoing(shards, limit=AT_ONCE)
        steady_s = asyncio.get_running_loop().time()
        handed = {each.id: self._handed[each.id] for each in waiting if each.id in self._handed}
        for each in waiting:
            if now_ms - each.made_ms > KEPT_MS:
                self._sent.append(each.id)
            elif steady_s - handed.get(each.id, float("-inf")) >= AGAIN_S:
                handed[each.id] = steady_s
                self._link.publish_latest(each.topic, partial(self._seal, each.id, each.sealed), of=("kept", each.id))
        self._handed = handed

    async def _forget(self, done: list[str]) -> None:
        try:
            await self._store.forget_outgoing(done)
        except StoreError:
            self._sent.extend(done)
            raise

    def _seal(self, name: str, sealed: bytes) -> bytes:
        self._sent.append(name)  # called in the link's thread, just before it is sent
        return sealed

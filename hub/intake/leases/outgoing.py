"""Sends homes of this worker's shards what other processes of the hub have put into the store for them.

A message stays in the store until half a minute after it was sent over a connection that has lasted since. It is sent
again if that was lost or the worker ended in between: an agent keeps what has the same id once.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from hub.intake.homes_link import HomesLink
from hub.intake.leases.shards import Shards
from hub.storage.errors import StoreError
from hub.storage.shared.records import SharedStore

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
AT_ONCE: Final = 500
AGAIN_S: Final = 30.0
"""A message whose turn came while this worker was not sure of its shards is handed over again after this time."""

SURE_S: Final = 30.0
"""The link does not say what the broker has acknowledged: a connection that lasted so much longer has carried it."""

KEPT_MS: Final = 24 * 3_600_000
"""What could not be sent for a day is old: a later notice says more, and a prompt's deadline is over."""


class Connected(Protocol):
    """What is asked of the way to the brokers: whether any of them is reached, and how often one has been."""

    @property
    def is_any_connected(self) -> bool: ...
    @property
    def connections(self) -> int: ...


class OutgoingSender:
    """`link` is the way to the homes, which sends for this worker's shards alone; `broker` is what it goes over.

    `steady_s` is a clock that is never set; it is also read in the link's thread. Units: real seconds.
    """

    def __init__(
        self,
        store: SharedStore,
        *,
        link: HomesLink,
        broker: Connected,
        shards: Shards,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._link, self._broker, self._shards = store, link, broker, shards
        self._steady_s = steady_s
        self._handed: dict[str, float] = {}
        self._sent: dict[str, tuple[float, int]] = {}
        self._old: set[str] = set()

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
        await self._forget()
        shards = sorted(self._shards.working)
        if not shards:
            self._handed.clear()
            return
        now_ms, waiting = await self._store.outgoing(shards, limit=AT_ONCE + len(self._sent))
        steady_s = self._steady_s()
        handed = {each.id: self._handed[each.id] for each in waiting if each.id in self._handed}
        for each in waiting:
            if now_ms - each.made_ms > KEPT_MS:
                self._old.add(each.id)
            elif each.id not in self._sent and steady_s - handed.get(each.id, float("-inf")) >= AGAIN_S:
                handed[each.id] = steady_s
                self._link.publish_latest(each.topic, partial(self._seal, each.id, each.sealed), of=("kept", each.id))
        self._handed = handed

    async def _forget(self) -> None:
        """Forget what is sent for sure; what a lost connection may have swallowed is handed over once more."""
        now_s, connections = self._steady_s(), self._broker.connections
        sent = self._sent.copy()  # the link's thread adds to it
        for name in [name for name, (_, over) in sent.items() if over != connections]:
            del self._sent[name], sent[name]
            self._handed.pop(name, None)
        sure = {name for name, (at_s, _) in sent.items() if now_s - at_s >= SURE_S}
        done = self._old | (sure if self._broker.is_any_connected else set())
        if done:
            await self._store.forget_outgoing(sorted(done))
            self._old.clear()
            for name in done & sent.keys():
                del self._sent[name]

    def _seal(self, name: str, sealed: bytes) -> bytes:
        # Called in the link's thread, just before it is sent.
        self._sent[name] = self._steady_s(), self._broker.connections
        return sealed

"""Sends homes of this worker's shards what other processes of the hub have put into the store for them.

A message stays in the store until its broker has acknowledged it. It is sent again if that takes long, or if the worker
ended in between: an agent keeps what has the same id once.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from hub.intake.homes_link import HomesLink
from hub.intake.leases.shards import Shards
from hub.intake.looking import look_until_cancelled
from hub.storage.shared.records import SharedStore

LOOK_S: Final = 0.5
AT_ONCE: Final = 500
"""So many are handed over at a look, besides those that no broker has acknowledged yet."""

AGAIN_S: Final = 30.0
"""What no broker has acknowledged after this time is handed over again."""

KEPT_MS: Final = 24 * 3_600_000
"""What could not be sent for a day is old: a later notice says more, and a prompt's deadline is over."""


class OutgoingSender:
    """`link` is the way to the homes, which sends for this worker's shards alone.

    `steady_s` is a clock that is never set. Units: real seconds.
    """

    def __init__(
        self, store: SharedStore, *, link: HomesLink, shards: Shards, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._link, self._shards = store, link, shards
        self._steady_s = steady_s
        self._handed: dict[str, float] = {}
        self._taken: set[str] = set()
        self._old: set[str] = set()

    async def run(self) -> None:
        """Look twice a second until cancelled; while the store cannot be read, the next look is the next try."""
        await look_until_cancelled(self.look, each_s=LOOK_S, at="messages to homes")

    async def look(self) -> None:
        """Forget what the brokers have or is too old, and hand over what waits. Raises: StoreError."""
        if done := self._taken.copy() | self._old:  # the links' threads add to those that are taken
            await self._store.forget_outgoing(sorted(done))
            self._taken -= done
            self._old.clear()
        shards = sorted(self._shards.working)
        if not shards:
            self._handed.clear()
            return
        # What one of several brokers does not acknowledge keeps nothing back that is for homes at another.
        now_ms, waiting = await self._store.outgoing(shards, limit=AT_ONCE + len(self._handed))
        steady_s = self._steady_s()
        handed = {each.id: self._handed[each.id] for each in waiting if each.id in self._handed}
        for each in waiting:
            if now_ms - each.made_ms > KEPT_MS:
                self._old.add(each.id)
            elif steady_s - handed.get(each.id, float("-inf")) >= AGAIN_S:
                handed[each.id] = steady_s
                seal, taken = partial(bytes, each.sealed), partial(self._taken.add, each.id)
                self._link.publish_latest(each.topic, seal, of=("kept", each.id), taken=taken)
        self._handed = handed

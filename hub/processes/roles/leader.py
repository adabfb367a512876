"""One process at a time does a work that must not be done twice at once: the others stand by and take over.

Who holds the lease acts through a store whose every commit checks it, so a process that was held up writes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from hub.intake.leases.shards import boot_s
from hub.intake.leases.sharing import LEASE_MS
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.storage.shared.records import HubProcess, Lease, LeaseTable

log = logging.getLogger(__name__)

TURN_S: Final = 2.0


class Leader:
    """`lead` runs with the fenced store while this process has the lease `name`, and is cancelled when it has not."""

    def __init__(self, store: Store, own: HubProcess, *, name: str, lead: Callable[[Store], Awaitable[None]]) -> None:
        self._store, self._own, self._name, self._lead = store, own, name, lead
        self._token: int | None = None
        self._valid_until_s = float("-inf")
        self._leading: asyncio.Task[None] | None = None
        self._is_answered = True

    @property
    def leads(self) -> bool:
        """Whether this process does the work now."""
        return self._leading is not None

    async def run(self) -> None:
        """Lead or stand by until cancelled, then give the lease back. Raises: what `lead` raises."""
        try:
            while True:
                await self._turn()
                await self._follow()
                if self._leading is None:
                    await asyncio.sleep(TURN_S)
                else:
                    await asyncio.wait({self._leading}, timeout=TURN_S)
        finally:
            await self._stop()
            with suppress(StoreError):
                await self._store.leave(self._own.id)

    async def _turn(self) -> None:
        began_s, held = boot_s(), self._token
        taken: list[Lease] = []

        def decide(table: LeaseTable) -> tuple[Lease, ...]:
            taken[:] = _next(table, name=self._name, me=self._own.id, token=held)
            return tuple(taken)

        try:
            await self._store.take_turn(self._own, decide)
        except StoreError as error:
            if not error.is_said:
                log.error("the lease of the %s: %s; trying again", self._name, error)
            if boot_s() > self._valid_until_s:
                self._token = None
            self._is_answered = False
            return
        self._is_answered = True
        self._token = taken[0].token if taken else None
        if taken:
            self._valid_until_s = began_s + LEASE_MS / 1000

    async def _follow(self) -> None:
        """Begin or end the work, as the last turn says."""
        if self._leading is not None and self._leading.done():
            self._leading.result()
        if self._token is None:
            if self._leading is not None and self._is_answered:
                log.warning("another process does the work of the %s now", self._name)
            elif self._leading is not None:
                log.info("the work of the %s waits until the store can be written again", self._name)
            await self._stop()
        elif self._leading is None:
            token = self._token
            log.info("this process does the work of the %s", self._name)
            fenced = self._store.fenced(holder=self._own.id, held=lambda: {self._name: token})
            self._leading = asyncio.ensure_future(self._lead(fenced))

    async def _stop(self) -> None:
        if self._leading is not None:
            self._leading.cancel()
            await asyncio.wait({self._leading})
            self._leading = None


def _next(table: LeaseTable, *, name: str, me: str, token: int | None) -> list[Lease]:
    """The lease as it is written: renewed if it is still held with this token, taken if it is free; else nothing."""
    row, until_ms = table.leases.get(name), table.now_ms + LEASE_MS
    if row is not None and (row.holder, row.token) == (me, token):
        return [Lease(name, me, row.token, until_ms)]
    if token is None and (row is None or row.holder in ("", me) or row.until_ms <= table.now_ms):
        return [Lease(name, me, 1 if row is None else row.token + 1, until_ms)]
    return []

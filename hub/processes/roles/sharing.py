"""What an intake process has in addition where the store is on a server: leases on its shards, shared with others."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from hub.broker.sharded.links import SeveralLinks
from hub.intake.homes_link import HomesLink
from hub.intake.leases.leased_link import LeasedLink
from hub.intake.leases.outgoing import OutgoingSender
from hub.intake.leases.shards import Shards, boot_s
from hub.intake.leases.work import OwnShards
from hub.processes.channel import Facts
from hub.processes.own_hub import OwnHub
from hub.processes.roles.life import own_process
from hub.storage.contract import Store

UNHEARD_S: Final = 15.0
"""A worker that hears no broker for so long leaves its shards to others."""

SESSION_S: Final = 60
"""So long the broker keeps what came for a worker that is gone: others have its shards before."""


class IntakeSharing:
    """`link` is the way to the brokers; `changed` wakes intake when this worker has other shards."""

    def __init__(self, hub: OwnHub, *, life: Facts, link: SeveralLinks, changed: Callable[[], None]) -> None:
        self._link = link
        self._heard_s = boot_s()
        own = own_process(life)
        self.shards = Shards(hub.store, own, can_work=self._can_work, changed=changed)
        self.store: Store = hub.store.fenced(holder=own.id, held=lambda: self.shards.leases)
        self.work = OwnShards(self.shards, link=link, store=self.store)
        self._sender: OutgoingSender | None = None
        self._hub = hub

    def homes(self, certificate: str | None) -> HomesLink:
        """The way to the homes: of this worker's shards alone."""
        homes = HomesLink(LeasedLink(self._link, may_tell=self.shards.may_tell), certificate)
        self._sender = OutgoingSender(self._hub.store, link=homes, shards=self.shards)
        return homes

    async def run(self) -> None:
        """Take turns and send what waits in the store, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.shards.run())
            if self._sender is not None:
                group.create_task(self._sender.run())

    async def settled(self) -> None:
        """Returns once intake works on what the first turn gave it: before that nothing should arrive."""
        await self.shards.has_turned.wait()
        while self.work.is_behind:
            await self.work.next_change()
        self._heard_s = boot_s()

    def _can_work(self) -> bool:
        if self._link.is_any_connected or not self.shards.has_turned.is_set():
            self._heard_s = boot_s()
        return boot_s() - self._heard_s < UNHEARD_S


def passing_client_id(coop: str) -> str:
    """The name of a session at the broker that ends with this worker."""
    return f"hub-{coop}-{secrets.token_urlsafe(16)}"

"""Keeps the broker and intake in step with the co-op's list of agents: who was enrolled, replaced or revoked.

Another program may change the list (`commonwatt-hub` on the command line), so it is read again every few seconds.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.access_keeper import AccessKeepers
from hub.broker.access_rules import KnownAgents, known_agents
from hub.intake.answering import revocation_notices, revocations_told, seal_down
from hub.intake.looking import look_until_cancelled
from hub.storage.contract import MemberStore
from hub.storage.fleet_records import CutOffStore
from protocols.timeline import Clock

log = logging.getLogger(__name__)

LOOK_EACH_S: Final = 5.0
REVOKED_KEPT_S: Final = 60 * 86400
"""An agent's certificate lasts 30 days: after this time a revoked agent cannot connect anyway."""


class KeptPublisher(Protocol):
    """The part of the broker link that is needed here."""

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None: ...


class AccessStore(MemberStore, CutOffStore, Protocol):
    """The slices of the store that decide who may use the broker."""


async def agents_for_rules(store: AccessStore, *, now_s: int) -> KnownAgents:
    """The agents that the broker's rules are made for. Raises: StoreError."""
    cut_off = {each.agent: each.at for each in await store.cut_offs()}
    # An agent that was cut off may send nothing either, until it is let in again.
    ends = [(row.id, cut_off.get(row.id) if row.revoked_at is None else row.revoked_at) for row in await store.agents()]
    return known_agents(ends, revoked_since=now_s - REVOKED_KEPT_S)


class BrokerAccess:
    """`intake_changed` is intake's own look at the list."""

    def __init__(
        self,
        members: AccessStore,
        *,
        keeper: AccessKeepers,
        link: KeptPublisher,
        coop: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        intake_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._members = members
        self._keeper = keeper
        self._link = link
        self._coop = coop
        self._key = key
        self._clock = clock
        self._intake_changed = intake_changed

    async def agents_changed(self) -> None:
        """The list has changed: returns when intake and broker act on it. Raises: StoreError."""
        await self._intake_changed()
        await self.look()

    async def run(self) -> None:
        """Look at the list every few seconds, until cancelled."""
        await look_until_cancelled(self.look, each_s=LOOK_EACH_S, at="access rules of the broker")

    async def look(self) -> None:
        """Bring the broker's rules up to date; tell the agents that were revoked. Raises: StoreError."""
        if not self._keeper.is_needed:
            return
        rows = await self._members.agents()
        ended = await self._keeper.update(await agents_for_rules(self._members, now_s=int(self._clock.now())))
        notices = revocation_notices(rows)
        for told in revocations_told(notices[agent] for agent in sorted(ended & notices.keys())):
            # Kept by the broker: an agent that cannot send any more hears it whenever it connects.
            topic, sealed = seal_down(*told, coop=self._coop, key=self._key)
            self._link.publish(topic, sealed, is_kept=True)
            log.info("agent %s was revoked: the broker takes nothing from it any more", told[0])

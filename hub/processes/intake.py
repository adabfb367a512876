"""The part that takes messages from homes: the broker link, intake, and the broker's access rules."""

import asyncio
from collections.abc import Mapping

from hub.broker.access_keeper import AccessKeeper
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.supervisor import BrokerProcess
from hub.folder.paths import BROKER_NAME
from hub.intake.agent_watch import AgentWatch
from hub.intake.broker_access import BrokerAccess
from hub.intake.receiver import Intake
from hub.processes.own_hub import OwnHub
from protocols.wire.topics import up_filters


class IntakePart:
    """Everything of the hub that hears from homes or writes to them."""

    def __init__(self, hub: OwnHub, *, broker: BrokerProcess) -> None:
        coop = hub.settings.coop.id
        self._broker = broker
        self._link = BrokerLink(
            client_id=hub_client_id(hub.folder / BROKER_NAME, coop=coop),
            filters=up_filters(coop),
            deliver=self._offer,
        )
        self._intake = Intake(
            hub.store, coop=coop, key=hub.key, clock=hub.clock, broker=self._link, limits=hub.settings.intake
        )
        self._access = BrokerAccess(
            hub.store,
            keeper=AccessKeeper(broker, coop=coop),
            link=self._link,
            coop=coop,
            key=hub.key,
            clock=hub.clock,
            intake_changed=self._intake.agents_changed,
        )
        self._watch = AgentWatch(hub.store, changed=self._access.agents_changed)

    async def agents_changed(self) -> None:
        """The list of agents has changed: returns when intake and broker act on it. Raises: StoreError."""
        await self._access.agents_changed()

    def publish(self, topic: str, sealed: bytes) -> None:
        """Send a sealed message to a home's agent."""
        self._link.publish(topic, sealed)

    def figures(self) -> Mapping[str, object]:
        """What the hub's status says of this part."""
        return {"broker_connected": self._link.is_connected}

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._intake.run())
            group.create_task(self._access.run())
            group.create_task(self._watch.run())
            group.create_task(self._connect())

    async def _connect(self) -> None:
        await self._broker.ready.wait()
        self._link.start(self._broker.plan.address)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._link.stop)

    def _offer(self, deliveries: list[Delivery]) -> None:
        self._intake.offer(deliveries)

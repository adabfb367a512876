"""The part that takes messages from homes: the broker link, intake, and the broker's access rules."""

import asyncio
from base64 import b64decode

from hub.broker.access_keeper import AccessKeeper
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.elsewhere import BrokerElsewhere
from hub.folder.paths import BROKER_NAME
from hub.health.facts import as_facts
from hub.intake.agent_watch import AgentWatch
from hub.intake.broker_access import BrokerAccess
from hub.intake.fair_queues import MAX_WAITING
from hub.intake.homes_link import HomesLink
from hub.intake.receiver import Intake
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from protocols.wire.topics import up_filters


class IntakePart:
    """Everything of the hub that hears from homes or writes to them."""

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        coop = hub.settings.coop.id
        self._channel = channel
        broker = BrokerElsewhere.told(begin["broker"], reload=lambda: channel.tell("reload broker"))
        self._broker = broker
        self._link = BrokerLink(
            client_id=hub_client_id(hub.folder / BROKER_NAME, coop=coop),
            filters=up_filters(coop),
            deliver=self._offer,
        )
        self._homes = HomesLink(self._link, hub.signer.certificate)
        self._intake = Intake(
            hub.store, coop=coop, key=hub.signer.key, clock=hub.clock, broker=self._homes, limits=hub.settings.intake
        )
        self._access = BrokerAccess(
            hub.store,
            keeper=AccessKeeper(broker, coop=coop),
            link=self._homes,
            coop=coop,
            key=hub.signer.key,
            clock=hub.clock,
            intake_changed=self._intake.agents_changed,
        )
        self._watch = AgentWatch(hub.store, changed=self._access.agents_changed)

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`agents changed` is answered when intake and broker act on the new list. Raises: StoreError."""
        if what == "agents changed":
            await self._access.agents_changed()
        elif what == "publish":
            self._homes.publish(facts["topic"], b64decode(facts["sealed"]))
        elif what == "broker":
            self._broker.note_ready(is_ready=facts["is_ready"])
        elif what == "figures":
            return {"broker_connected": self._link.is_connected, "cpu_s": cpu_s()}
        return {}

    async def health(self) -> Facts:
        """What became of messages since this process was started."""
        link, admission = self._link, self._intake.admission
        found = self._intake.tally.health(
            broker_connected=link.is_connected,
            broker_connections=link.connections,
            dropped_in=link.counts.left_unread,
            dropped_out=link.counts.dropped,
            waiting=admission.waiting,
            waiting_most=MAX_WAITING,
            has_cut_off=admission.has_cut_off,
            steady_s=asyncio.get_running_loop().time(),
        )
        return {"intake": as_facts(found)}

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._intake.run())
            group.create_task(self._access.run())
            group.create_task(self._watch.run())
            group.create_task(self._connect())
            self._channel.tell("serving")

    async def _connect(self) -> None:
        await self._broker.ready.wait()
        self._link.start(self._broker.address)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._link.stop)

    def _offer(self, deliveries: list[Delivery]) -> None:
        self._intake.offer(deliveries)

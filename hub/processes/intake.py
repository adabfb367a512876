"""The part that takes messages from homes: the broker link, intake, and the broker's access rules."""

import asyncio
import time
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from typing import Final

from hub.broker.access_keeper import AccessKeeper, AccessKeepers
from hub.broker.client_id import hub_client_id
from hub.broker.connection import SESSION_S as KEPT_SESSION_S
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.elsewhere import BrokerElsewhere
from hub.broker.sharded.directory import Directory, directory_of
from hub.broker.sharded.links import SeveralLinks
from hub.broker.sharded.notices import BrokerNotices, Moves
from hub.folder.paths import BROKER_NAME
from hub.health.facts import as_facts
from hub.intake.agent_watch import WATCH_S, AgentWatch
from hub.intake.broker_access import BrokerAccess
from hub.intake.fair_queues import MAX_WAITING
from hub.intake.group.memory import collect_seldom
from hub.intake.homes_link import HomesLink
from hub.intake.receiver import Intake
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.rabbitmq import AnyLink, rabbitmq_link
from hub.processes.roles.life import Reporter, own_process
from hub.processes.roles.sharing import SESSION_S, IntakeSharing, passing_client_id
from protocols.wire.topics import SHARDS, up_filters

WATCH_SHARED_S: Final = 1.0
"""How often agents are looked at where nobody else tells this process of a new one."""

NOTE_DROPPED_EACH_S: Final = 60.0
"""How often what the link dropped is counted into the last hour, whether or not anybody asks for the health."""


class IntakePart:
    """Everything of the hub that hears from homes or writes to them."""

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        coop = hub.settings.coop.id
        self._channel = channel
        self._brokers = [
            BrokerElsewhere.told(facts, reload=partial(channel.tell, "reload broker", number=number))
            for number, facts in enumerate(begin["brokers"])
        ]
        life = begin["life"]
        self._is_shared = hub.settings.store is not None
        self._each = self._links(hub, passes=bool(life["is_role"]))
        directory = directory_of(hub.settings)
        self._link = SeveralLinks(self._each, directory)
        self._sharing = (
            IntakeSharing(hub, life=life, link=self._link, changed=self._shards_changed) if self._is_shared else None
        )
        certificate = hub.signer.certificate
        self._homes = HomesLink(self._link, certificate) if self._sharing is None else self._sharing.homes(certificate)
        self._moves = None if directory is None else self._sending_on(hub, directory)
        self._intake = Intake(
            hub.store if self._sharing is None else self._sharing.store,
            coop=coop,
            key=hub.signer.key,
            clock=hub.clock,
            broker=self._homes,
            limits=hub.settings.intake,
            work=None if self._sharing is None else self._sharing.work,
        )
        self._access = BrokerAccess(
            hub.store,
            keeper=AccessKeepers([AccessKeeper(broker, coop=coop) for broker in self._brokers]),
            link=self._homes,
            coop=coop,
            key=hub.signer.key,
            clock=hub.clock,
            intake_changed=self._intake.agents_changed,
        )
        self._watch = AgentWatch(
            hub.store,
            changed=self._access.agents_changed,
            looks=None if self._sharing is None else self._sharing.shards.looks_at_agents,
            each_s=WATCH_S if self._sharing is None else WATCH_SHARED_S,
        )
        self._reporter = Reporter(hub.store, own_process(life), channel=channel, beats=False)

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`agents changed` is answered when intake and broker act on the new list. Raises: StoreError."""
        if what == "agents changed":
            await self._access.agents_changed()
        elif what == "publish":
            self._homes.publish(facts["topic"], b64decode(facts["sealed"]))
        elif what == "broker":
            for broker, is_ready in zip(self._brokers, facts["are_ready"], strict=True):
                broker.note_ready(is_ready=is_ready)
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
        collect_seldom()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._intake.run())
            group.create_task(self._access.run())
            group.create_task(self._watch.run())
            group.create_task(self._note_dropped())
            if self._sharing is not None:
                group.create_task(self._sharing.run())
                group.create_task(self._reporter.run())
                await self._sharing.settled()
            for broker, link in zip(self._brokers, self._each, strict=True):
                group.create_task(_connect(broker, link))
            self._channel.tell("serving")

    def _shards_changed(self) -> None:
        self._intake.shards_changed()

    async def _note_dropped(self) -> None:
        """Count what the link dropped near the time at which it did, until cancelled."""
        while True:
            counts = self._link.counts
            steady_s = asyncio.get_running_loop().time()
            self._intake.tally.note_dropped(counts.left_unread + counts.dropped, steady_s=steady_s)
            await asyncio.sleep(NOTE_DROPPED_EACH_S)

    def _links(self, hub: OwnHub, *, passes: bool) -> Sequence[AnyLink]:
        """One for each broker, not yet connected; a cluster of RabbitMQ is one. With `passes` the worker never comes
        back under the same name, and its session ends with it.
        """
        coop, nodes = hub.settings.coop.id, hub.settings.broker.nodes
        shards = () if self._is_shared else range(SHARDS)
        if nodes:
            return [rabbitmq_link(hub.folder, coop=coop, nodes=nodes, deliver=self._offer, shards=shards)]
        return [
            BrokerLink(
                client_id=passing_client_id(coop) if passes else hub_client_id(hub.folder / BROKER_NAME, coop=coop),
                filters=() if self._is_shared else up_filters(coop),
                deliver=self._offer,
                number=number,
                session_s=SESSION_S if passes else KEPT_SESSION_S,
                coop=coop if self._is_shared else "",
            )
            for number in range(len(self._brokers))
        ]

    def _sending_on(self, hub: OwnHub, directory: Directory) -> Moves:
        return Moves(
            BrokerNotices(directory, coop=hub.settings.coop.id, signer=hub.signer, clock=hub.clock),
            link=self._homes,
            is_up=lambda agent: self._link.is_up(directory.number_of(agent)),
            steady_s=time.monotonic,
        )

    def _offer(self, deliveries: list[Delivery]) -> None:
        elsewhere = self._link.note_heard(deliveries)
        self._intake.offer(deliveries)
        if elsewhere and self._moves is not None:
            self._moves.send_on(elsewhere)


async def _connect(broker: BrokerElsewhere, link: AnyLink) -> None:
    await broker.ready.wait()
    link.start(broker.address)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.to_thread(link.stop)

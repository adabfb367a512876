"""The part that runs the hub's jobs, with the forecast worker they use."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence

from hub.forecasts.worker import ForecastWorker
from hub.health.facts import as_facts
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.planned_jobs import planned_backup, planned_certificates, planned_credits, planned_jobs, planned_mail
from hub.processes.roles.leader import Leader
from hub.processes.roles.life import Reporter, own_process
from hub.processes.roles.outgoing import StoredOutgoing
from hub.processes.watching.stored_health import stored_health
from hub.prompts.delivery import PromptSender
from hub.statements.credit_notices import CreditsSender
from hub.storage.contract import Store
from hub.timetable import PlannedJob, Timetable


class HandedToIntake:
    """Sends messages to homes through the part that is connected to the broker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def publish(self, topic: str, sealed: bytes) -> None:
        """Hand it over; while intake is being started again, the running hub keeps it."""
        self._channel.tell("publish", topic=topic, sealed=b64encode(sealed).decode("ascii"))


class TimetablePart:
    """All jobs of this hub, one after the other in each lane. Where the store is on a server, one process at a time
    does them: this one stands by while another does.
    """

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        self._hub, self._channel = hub, channel
        self._worker = ForecastWorker()
        self._timetable: Timetable | None = None
        self._outgoing = None if hub.settings.store is None else StoredOutgoing(hub.store)
        own = own_process(begin["life"])
        self._leader = Leader(hub.store, own, name="timetable", lead=self._work)
        self._reporter = Reporter(hub.store, own, channel=channel, beats=False) if begin["life"]["is_role"] else None

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`figures`: what the hub's status says of this part."""
        if what != "figures":
            return {}
        spent_s = cpu_s() + self._worker.usage.cpu_s
        if self._timetable is None:
            return {"cpu_s": spent_s}
        return {
            "leads": True,
            "jobs_due": self._timetable.jobs_due,
            "jobs_done_through_s": self._timetable.done_through_s,
            "cpu_s": spent_s,
        }

    async def health(self) -> Facts:
        """Jobs and forecast worker, and what store and folder say."""
        hub = self._hub
        now_s = hub.clock.now()
        stored = await stored_health(hub.folder, hub.store, settings=hub.settings, now_s=now_s)
        worker = self._worker.health(now_s=now_s)
        return {
            "jobs": [] if self._timetable is None else [as_facts(job) for job in self._timetable.health()],
            "worker": None if worker is None else as_facts(worker),
            "stored": as_facts(stored),
        }

    async def run(self) -> None:
        """Run the jobs until cancelled, or stand by."""
        self._channel.tell("serving")
        try:
            if self._outgoing is None:
                await self._work(self._hub.store)
                return
            async with asyncio.TaskGroup() as group:
                group.create_task(self._leader.run())
                group.create_task(self._outgoing.run())
                if self._reporter is not None:
                    group.create_task(self._reporter.run())
        finally:
            await self._worker.stop()

    async def _work(self, store: Store) -> None:
        """The jobs, which write through this store."""
        self._timetable = Timetable(self._jobs(store), store=store, clock=self._hub.clock)
        try:
            await self._timetable.run()
        finally:
            self._timetable = None

    def _jobs(self, store: Store) -> Sequence[PlannedJob]:
        hub = self._hub
        key, coop, settings = hub.signer.key, hub.settings.coop.id, hub.settings
        link = self._outgoing or HandedToIntake(self._channel)
        sender = PromptSender(store, coop=coop, key=key, link=link)
        credits_sender = CreditsSender(coop=coop, key=key, link=link)
        jobs = planned_jobs(store, settings=settings, worker=self._worker, send_prompt=sender.send, key=hub.signer)
        jobs += planned_credits(store, settings=settings, send=credits_sender.send, clock=hub.clock)
        jobs += planned_backup(hub.folder, settings=settings, clock=hub.clock)
        jobs += planned_mail(hub.folder, store, settings=settings, clock=hub.clock)
        jobs += planned_certificates(hub.folder, settings=settings)
        return jobs

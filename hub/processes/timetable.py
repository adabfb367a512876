"""The part that runs the hub's jobs, with the forecast worker they use."""

import asyncio
from base64 import b64encode
from typing import Final

from hub.forecasts.worker import ForecastWorker
from hub.health.facts import as_facts
from hub.job_queue.planning import QueuedTimetable
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.planned_jobs import jobs_for_any_machine, jobs_of_a_folder
from hub.processes.roles.leader import Leader
from hub.processes.roles.life import Reporter, own_process
from hub.processes.roles.outgoing import StoredOutgoing
from hub.processes.watching.stored_health import stored_health, unless_in_trouble
from hub.storage.contract import Store
from hub.timetable import Timetable

STORE_WITHIN_S: Final = 4.0
"""How long its health may wait for the store: less than the running hub waits for the whole answer."""


class HandedToIntake:
    """Sends messages to homes through the part that is connected to the broker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def publish(self, topic: str, sealed: bytes) -> None:
        """Hand it over; while intake is being started again, the running hub keeps it."""
        self._channel.tell("publish", topic=topic, sealed=b64encode(sealed).decode("ascii"))


class TimetablePart:
    """All jobs of this hub, one after the other in each lane. Where the store is on a server, one process at a time
    has them done: this one stands by while another does. As a role of its own it hands them to workers.
    """

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        self._hub, self._channel = hub, channel
        self._worker = ForecastWorker()
        self._timetables: tuple[Timetable, ...] = ()
        self._outgoing = None if hub.settings.store is None else StoredOutgoing(hub.store)
        own = own_process(begin["life"])
        self._leader = Leader(hub.store, own, name="timetable", lead=self._work)
        self._reporter = Reporter(hub.store, own, channel=channel, beats=False) if begin["life"]["is_role"] else None

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`figures`: what the hub's status says of this part."""
        if what != "figures":
            return {}
        spent_s = cpu_s() + self._worker.usage.cpu_s
        if not self._timetables:
            return {"cpu_s": spent_s}
        return {
            "leads": True,
            "jobs_due": sum(each.jobs_due for each in self._timetables),
            "jobs_done_through_s": min(each.done_through_s for each in self._timetables),
            "cpu_s": spent_s,
        }

    async def health(self) -> Facts:
        """Jobs and forecast worker, and what store and folder say."""
        hub = self._hub
        now_s = hub.clock.now()
        asked = stored_health(hub.folder, hub.store, settings=hub.settings, now_s=now_s)
        stored, trouble = await unless_in_trouble(asked, within_s=STORE_WITHIN_S)
        worker = self._worker.health(now_s=now_s)
        known = {} if trouble is None else {"store_trouble": as_facts(trouble)}
        return known | {
            "jobs": [as_facts(job) for each in self._timetables for job in each.health()],
            "worker": None if worker is None else as_facts(worker),
            "stored": None if stored is None else as_facts(stored),
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
        hub, link = self._hub, self._outgoing or HandedToIntake(self._channel)
        jobs = jobs_for_any_machine(hub, store, link=link, worker=self._worker)
        folder_jobs = jobs_of_a_folder(hub.folder, store, settings=hub.settings, clock=hub.clock)
        if self._reporter is None or hub.settings.store is None:
            await self._run(Timetable((*jobs, *folder_jobs), store=store, clock=hub.clock))
            return
        # Only a hub with a store on a server has what a queue needs.
        from hub.folder.elsewhere.server_store import open_job_queue  # noqa: PLC0415

        queue = await open_job_queue(hub.settings.store)
        try:
            queued = QueuedTimetable(jobs, store=store, clock=hub.clock, queue=queue)
            await self._run(queued, Timetable(folder_jobs, store=store, clock=hub.clock))
        finally:
            queue.close()

    async def _run(self, *timetables: Timetable) -> None:
        self._timetables = tuple(each for each in timetables if each.has_jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for each in self._timetables:
                    group.create_task(each.run())
        finally:
            self._timetables = ()

"""The part that does the jobs which the timetable puts into the queue, with the forecast worker they use."""

import asyncio

from hub.folder.elsewhere.server_store import open_job_queue
from hub.forecasts.worker import ForecastWorker
from hub.health.facts import as_facts
from hub.job_queue.worker import JobWorker
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.planned_jobs import jobs_for_any_machine
from hub.processes.roles.life import Reporter, own_process
from hub.processes.roles.outgoing import StoredOutgoing
from hub.processes.roles.whole_health import process_name
from hub.storage.errors import StoreError


class WorkerPart:
    """One worker of any number."""

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        self._hub, self._channel = hub, channel
        self._forecaster = ForecastWorker()
        self._outgoing = StoredOutgoing(hub.store)
        self._own = own_process(begin["life"])
        self._reporter = Reporter(hub.store, self._own, channel=channel, beats=True)

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`figures`: what the hub's status says of this part."""
        return {"cpu_s": cpu_s() + self._forecaster.usage.cpu_s} if what == "figures" else {}

    async def health(self) -> Facts:
        """The forecast worker."""
        forecaster = self._forecaster.health(now_s=self._hub.clock.now())
        return {"worker": None if forecaster is None else as_facts(forecaster)}

    async def run(self) -> None:
        """Do jobs until cancelled."""
        hub = self._hub
        if hub.settings.store is None:
            raise StoreError("a worker takes jobs from a queue on a server, and hub.toml has no [store]")
        jobs = jobs_for_any_machine(hub, hub.store, link=self._outgoing, worker=self._forecaster)
        queue = await open_job_queue(hub.settings.store)
        name = process_name(self._own)
        worker = JobWorker(jobs, store=hub.store, clock=hub.clock, queue=queue, name=name, after=self._outgoing.flush)
        self._channel.tell("serving")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._reporter.run())
                group.create_task(self._outgoing.run())
                group.create_task(worker.run())
        finally:
            await self._forecaster.stop()
            queue.close()

"""The part that runs the hub's jobs, with the forecast worker they use."""

from collections.abc import Mapping

from hub.forecasts.worker import ForecastWorker
from hub.planned_jobs import planned_backup, planned_jobs
from hub.processes.own_hub import OwnHub
from hub.prompts.delivery import PromptSender, Publisher
from hub.timetable import Timetable


class TimetablePart:
    """`publisher` sends what jobs have to say to homes."""

    def __init__(self, hub: OwnHub, *, publisher: Publisher) -> None:
        self._worker = ForecastWorker()
        sender = PromptSender(hub.store, coop=hub.settings.coop.id, key=hub.key, link=publisher)
        jobs = planned_jobs(hub.store, settings=hub.settings, worker=self._worker, send_prompt=sender.send, key=hub.key)
        jobs += planned_backup(hub.folder, settings=hub.settings, clock=hub.clock)
        self._timetable = Timetable(jobs, store=hub.store, clock=hub.clock)

    def figures(self) -> Mapping[str, object]:
        """What the hub's status says of this part."""
        return {
            "jobs_due": self._timetable.jobs_due,
            "jobs_done_through_s": self._timetable.done_through_s,
            "worker_cpu_s": self._worker.usage.cpu_s,
        }

    async def run(self) -> None:
        """Run the jobs until cancelled."""
        try:
            await self._timetable.run()
        finally:
            await self._worker.stop()

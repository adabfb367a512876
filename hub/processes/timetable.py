"""The part that runs the hub's jobs, with the forecast worker they use."""

from base64 import b64encode

from hub.forecasts.worker import ForecastWorker
from hub.health.facts import as_facts
from hub.planned_jobs import planned_backup, planned_certificates, planned_credits, planned_jobs, planned_mail
from hub.processes.channel import Channel, Facts
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.watching.stored_health import stored_health
from hub.prompts.delivery import PromptSender
from hub.statements.credit_notices import CreditsSender
from hub.timetable import Timetable


class HandedToIntake:
    """Sends messages to homes through the part that is connected to the broker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def publish(self, topic: str, sealed: bytes) -> None:
        """Hand it over; while intake is being started again, the running hub keeps it."""
        self._channel.tell("publish", topic=topic, sealed=b64encode(sealed).decode("ascii"))


class TimetablePart:
    """All jobs of this hub, one after the other in each lane."""

    def __init__(self, hub: OwnHub, *, channel: Channel) -> None:
        self._hub, self._channel = hub, channel
        self._worker = ForecastWorker()
        key = hub.signer.key
        coop, link = hub.settings.coop.id, HandedToIntake(channel)
        sender = PromptSender(hub.store, coop=coop, key=key, link=link)
        credits_sender = CreditsSender(coop=coop, key=key, link=link)
        jobs = planned_jobs(
            hub.store, settings=hub.settings, worker=self._worker, send_prompt=sender.send, key=hub.signer
        )
        jobs += planned_credits(hub.store, settings=hub.settings, send=credits_sender.send, clock=hub.clock)
        jobs += planned_backup(hub.folder, settings=hub.settings, clock=hub.clock)
        jobs += planned_mail(hub.folder, hub.store, settings=hub.settings, clock=hub.clock)
        jobs += planned_certificates(hub.folder, settings=hub.settings)
        self._timetable = Timetable(jobs, store=hub.store, clock=hub.clock)

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`figures`: what the hub's status says of this part."""
        if what != "figures":
            return {}
        return {
            "jobs_due": self._timetable.jobs_due,
            "jobs_done_through_s": self._timetable.done_through_s,
            "cpu_s": cpu_s() + self._worker.usage.cpu_s,
        }

    async def health(self) -> Facts:
        """Jobs and forecast worker, and what store and folder say."""
        hub = self._hub
        now_s = hub.clock.now()
        stored = await stored_health(hub.folder, hub.store, settings=hub.settings, now_s=now_s)
        worker = self._worker.health(now_s=now_s)
        return {
            "jobs": [as_facts(job) for job in self._timetable.health()],
            "worker": None if worker is None else as_facts(worker),
            "stored": as_facts(stored),
        }

    async def run(self) -> None:
        """Run the jobs until cancelled."""
        self._channel.tell("serving")
        try:
            await self._timetable.run()
        finally:
            await self._worker.stop()

"""A worker process for tests that is struck at a given write: `python -m tests.hub.job_queue.struck_worker`.

STRUCK_WORKER in its environment, which no other user can read, is JSON: where the store is, what the clock says, which
job it does, and before or after which write it kills itself or stands still. `at` 0 strikes never.
"""

import asyncio
import json
import os
import signal
from typing import Any

from hub.job_queue.worker import JobWorker
from hub.notices.sealing import SecretSeal
from hub.notices.sending import MailJob
from hub.notices.writing import MailWriter
from hub.processes.roles.outgoing import StoredOutgoing
from hub.settlement_job import SettlementJob
from hub.statements.credit_notices import CreditsJob, CreditsSender
from hub.statements.own_days import OwnDays
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.job_queue.server_queue import ServerQueue
from hub.storage.postgres.store import PostgresStore
from hub.timetable import PlannedJob, daily, every
from protocols.timeline import Clock
from tests.hub.notices.catch_all import CatchAll
from tests.hub.settled_street import COOP, KEY


def settlement(store: PostgresStore) -> PlannedJob:
    """The settlement of each night, as the hub plans it."""
    job = SettlementJob(store, tz=COOP.tz, key=KEY)
    return PlannedJob("settlement", daily(0, 20, tz=COOP.tz), job, lane="settled")


def credit_notices(store: PostgresStore, outgoing: StoredOutgoing, clock: Clock) -> PlannedJob:
    """What each home's days came to, handed over as a worker does."""
    send = CreditsSender(coop=COOP.id, key=KEY, link=outgoing).send
    job = CreditsJob(store, days=OwnDays(store), send=send, tz=COOP.tz, clock=clock, pause_s=0.0)
    return PlannedJob("credits", daily(0, 50, tz=COOP.tz), job, lane="settled")


def mail(store: PostgresStore, port: int, clock: Clock) -> PlannedJob:
    """The mail that waits, to the server at this port."""
    settings = CatchAll(port=port).settings()
    writer = MailWriter(store, coop=COOP, seal=SecretSeal(bytes(32)), pages=lambda: "https://x.org", whole=str)
    job = MailJob(store, settings=settings, coop_name=COOP.name, writer=writer, clock=clock)
    return PlannedJob("mail", every(60), job)


class StruckStore(PostgresStore):
    """A store whose process is struck at one of its writes."""

    told: dict[str, Any]
    writes = 0

    async def write(self, work: Any) -> Any:
        """Do it, and be struck before or after it if it is the one."""
        self.writes += 1
        is_the_one = self.writes == self.told["at"]
        if is_the_one and self.told["before"]:
            self._strike()
        result = await super().write(work)
        if is_the_one and not self.told["before"]:
            self._strike()
        return result

    def _strike(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL if self.told["how"] == "kill" else signal.SIGSTOP)


async def main(told: dict[str, Any]) -> None:
    """Work until the test ends this process."""
    address = StoreAddress(told["dsn"], told["schema"])
    store = await StruckStore.open(address, now=lambda: float(told["now_s"]))
    store.told = told
    queue = await ServerQueue.open(address, lost_after_s=told["lost_after_s"], look_s=0.2)
    clock = Clock(real=lambda: told["now_s"], sleep=asyncio.sleep)
    outgoing = StoredOutgoing(store)
    jobs = {
        "settlement": lambda: settlement(store),
        "credits": lambda: credit_notices(store, outgoing, clock),
        "mail": lambda: mail(store, told["port"], clock),
    }
    name, after = f"struck:{os.getpid()}", outgoing.flush
    await JobWorker([jobs[told["job"]]()], store=store, clock=clock, queue=queue, name=name, after=after).run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(os.environ["STRUCK_WORKER"])))

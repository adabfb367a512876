"""A worker process for tests that is struck at a given write: `python -m tests.hub.job_queue.struck_worker`.

Its one argument is JSON: where the store is, what the clock says, and before or after which write it kills itself or
stands still. `at` 0 strikes never.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

from hub.job_queue.worker import JobWorker
from hub.settlement_job import SettlementJob
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.job_queue.server_queue import ServerQueue
from hub.storage.postgres.store import PostgresStore
from hub.timetable import PlannedJob, daily
from protocols.timeline import Clock
from tests.hub.settled_street import COOP, KEY


def settlement(store: PostgresStore) -> PlannedJob:
    """The settlement of each night, as the hub plans it."""
    job = SettlementJob(store, tz=COOP.tz, key=KEY)
    return PlannedJob("settlement", daily(0, 20, tz=COOP.tz), job, lane="settled")


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
    worker = JobWorker([settlement(store)], store=store, clock=clock, queue=queue, name=f"struck:{os.getpid()}")
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

"""Worker processes that are struck in the middle of a job, as the tests start them and wait for it."""

import asyncio
import json
import os
import sys
from typing import Final

from tests.hub.job_queue.workshop import Workshop
from tests.hub.processes.waiting import state_of

LOST_AFTER_S: Final = 1.0


async def struck(
    workshop: Workshop, *, how: str, at: int, before: bool, job: str = "settlement", **told: object
) -> asyncio.subprocess.Process:
    """A worker for this job that strikes itself at its write number `at`; see struck_worker."""
    where = {"dsn": workshop.address.dsn, "schema": workshop.address.schema, "now_s": workshop.time.now_s}
    what = {"job": job, "lost_after_s": LOST_AFTER_S, "how": how, "at": at, "before": before, **told}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hub.job_queue.struck_worker"),
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=".", STRUCK_WORKER=json.dumps(where | what)),
    )


async def is_struck(child: asyncio.subprocess.Process) -> bool:
    """Whether it has ended or stands still."""
    return child.returncode is not None or state_of(child.pid) in ("T", "Z")


async def end(child: asyncio.subprocess.Process) -> bool:
    """End it if it still runs, and say whether it had been killed before."""
    was_killed = child.returncode is not None or state_of(child.pid) == "Z"
    if not was_killed:
        child.kill()
    await child.wait()
    return was_killed

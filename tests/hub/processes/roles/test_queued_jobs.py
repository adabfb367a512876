"""The roles timetable and worker as real processes: what falls due is done by the worker, and told to the board."""

import asyncio
from pathlib import Path

import pytest

from hub.folder.clock import open_clock
from hub.folder.opening import open_hub
from hub.storage.jobs.records import Job
from tests.hub.processes.roles.many import many_hub
from tests.hub.sending_home import SendingHome

WITHIN_S = 90.0


@pytest.mark.campaign
async def test_a_worker_does_what_the_timetable_puts_into_the_queue(tmp_path: Path) -> None:
    async with many_hub(tmp_path, [SendingHome("h01")], slots=4) as hub:
        _, _, store = await open_hub(hub.folder, clock=open_clock(hub.clock))
        past_s = int(open_clock(hub.clock).now()) - 2 * 86_400
        await store.put_job(Job("street totals", due_at=past_s + 3600, last_run_at=past_s, last_error=""))
        await asyncio.gather(hub.start("timetable"), hub.start("worker"))
        async with asyncio.timeout(WITHIN_S):
            while not (runs := [run for run in await store.job_runs(since=0) if run.ended_at is not None]):
                await asyncio.sleep(0.1)  # between two looks
        jobs = {job.name: job for job in await store.jobs()}
        await store.close()
    assert [(run.name, run.error) for run in runs] == [("street totals", "")]
    assert runs[0].worker.startswith("worker on ")
    assert jobs["street totals"].last_run_at == runs[0].due_at > past_s

"""A part's process that no longer answers is killed and started again; what it is asked meanwhile fails in time."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hub.processes import part_process
from hub.processes.channel import ChannelError, Facts
from hub.processes.part_process import PartProcess
from hub.processes.roles.life import new_life
from tests.benchmarks.attacks.running_hub import prepare
from tests.hub.sending_home import SendingHome


async def begin(_part: PartProcess, what: str, _facts: Facts) -> Facts:
    life = new_life("timetable", name="whole.timetable") | {"is_role": False}
    return {"clock": None, "life": life} if what == "begin" else {}


async def test_a_part_that_hangs_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hub"
    await prepare(folder, [SendingHome("h01")])
    monkeypatch.setattr(part_process, "ALIVE_EACH_S", 0.05)
    lock = os.open(folder / "hub.lock", os.O_CREAT | os.O_RDWR)
    part = PartProcess("timetable", folder=folder, lock=lock, asked=begin)
    running = asyncio.create_task(part.run())
    try:
        async with asyncio.timeout(120):
            await part.serving.wait()
            first = part.pid
            assert first is not None
            monkeypatch.setattr(part_process, "HUNG_S", 3.0)
            # Once this is answered, whatever waited for an answer with the limit of before has it too.
            assert (await part.ask("figures", within_s=60))["jobs_due"] == 0
            os.kill(first, signal.SIGSTOP)
            with pytest.raises(ChannelError, match="timetable did not answer within"):
                await part.ask("figures", within_s=0.2)
            while part.pid == first:
                await asyncio.sleep(0.02)
            monkeypatch.undo()
            await part.serving.wait()
            assert part.restarts == 1
    finally:
        running.cancel()
        await asyncio.wait({running})
        os.close(lock)
    assert part.pid is None
    assert not part.serving.is_set()

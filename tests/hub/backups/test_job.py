"""The nightly job makes the backup of the settings; what goes wrong is one line of the timetable."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.backups.job import BackupJob
from hub.backups.keys import make_backup_key
from hub.folder.backup_settings import BackupSettings
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.folder.settings import load_settings
from hub.storage.jobs.records import JobStore
from hub.timetable import JobError, PlannedJob, Timetable


def test_the_job_makes_a_backup_and_a_failure_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, disk = tmp_path / "hub", tmp_path / "disk"
    disk.mkdir()
    assert main(["init", "--data", str(folder), "--name", "Sol", "--coop", "sol", "--tz", "Europe/Madrid"]) == 0
    coop = load_settings(folder).coop
    job = BackupJob(folder, coop=coop, settings=BackupSettings(disk, 2, 7, 5, 12), clock=open_clock(None))

    async def night() -> None:
        with pytest.raises(JobError, match="commonwatt-hub backup key"):
            await job(0)
        make_backup_key(folder)
        await job(0)
        disk.rename(tmp_path / "unplugged")
        async with opened_hub(folder, clock=open_clock(None)) as hub:
            await first_run(hub.store, job)

    asyncio.run(night())
    assert [path.suffix for path in (tmp_path / "unplugged").iterdir()] == [".cwbackup"]
    capsys.readouterr()
    assert main(["status", "--data", str(folder), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert "is the backup disk mounted?" in status["jobs"][0]["last_error"]
    assert "is the backup disk mounted?" in status["backup"]


async def first_run(store: JobStore, job: BackupJob) -> None:
    """Let a timetable run the job once."""
    now_s = int(open_clock(None).now())
    table = Timetable(
        (PlannedJob("backup", lambda after_s: max(after_s + 1, now_s), job),), store=store, clock=open_clock(None)
    )
    running = asyncio.create_task(table.run())
    try:
        async with asyncio.timeout(30):
            while not any(each.last_error for each in await store.jobs()):
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait({running})

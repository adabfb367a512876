"""The certificate job: what is wrong with the authority's files is one line for the board, not a program's error."""

from pathlib import Path

import pytest

from hub.commands.operation.init import init_hub
from hub.folder.clock import open_clock
from hub.folder.settings import load_settings
from hub.processes.planned_jobs import planned_certificates
from hub.storage.records import Coop
from hub.timetable import JobError

COOP = Coop("sunny", "S", "Europe/Madrid", "EUR")


@pytest.mark.parametrize("name", ["authority/working.pem", "authority/root.pem", "hub-keys/1.json", "hub.key"])
async def test_a_damaged_file_is_one_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "hub"
    await init_hub(folder, coop=COOP, clock=open_clock(None), passphrase=b"five words for the safe")
    settings = folder / "hub.toml"
    settings.write_text(settings.read_text() + '\n[public]\nhost = "hub.example.org"\n')
    (job,) = planned_certificates(folder, settings=load_settings(folder))
    await job.run(0)
    (folder / name).write_bytes(b"damaged\n")
    with pytest.raises(JobError) as failed:
        await job.run(0)
    assert str(folder / name) in str(failed.value)
    assert "\n" not in str(failed.value)

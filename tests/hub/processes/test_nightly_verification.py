"""The verification of each night goes on from the checkpoint; what it finds stands on the Health page and in mail."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from hub.folder.last_verification import (
    OLD_AFTER_S,
    LastVerification,
    read_last_verification,
    verification_warning,
    verification_words,
    write_last_verification,
)
from hub.folder.paths import CHECKPOINT_NAME
from hub.notices.alerts import Surroundings, hub_alerts
from hub.processes.verification.job import VerificationJob
from hub.timetable import JobError
from tests.hub.verify.sending_street import CLOCK, SendingStreet, sending_street
from tests.hub.verify.tampering import tampering

NOW_S = int(CLOCK.now())


@pytest.fixture(scope="module")
def kept_street(tmp_path_factory: pytest.TempPathFactory) -> SendingStreet:
    """A hub of two homes; not to be written to."""
    street = sending_street(tmp_path_factory.mktemp("nightly") / "hub")
    street.send(6)
    return street


@pytest.fixture
def folder(kept_street: SendingStreet, tmp_path: Path) -> Path:
    """A copy of its folder."""
    shutil.copytree(kept_street.folder, tmp_path / "hub")
    return tmp_path / "hub"


def said_to_board(folder: Path) -> list[str]:
    """What the mail about trouble says of the verification."""
    around = Surroundings(folder, NOW_S, (), plans_backup=False)
    return [alert.facts["said"] for alert in hub_alerts(around) if alert.key == "verification"]


async def test_a_night_leaves_a_checkpoint_and_the_next_one_finds_what_was_changed(folder: Path) -> None:
    job = VerificationJob(folder, clock=CLOCK)
    assert verification_words(folder, now_s=NOW_S).startswith("none yet")
    await job(NOW_S)
    assert read_last_verification(folder) == LastVerification(NOW_S, 0)
    assert verification_words(folder, now_s=NOW_S).startswith("everything held on ")
    assert said_to_board(folder) == []
    before = (folder / CHECKPOINT_NAME).read_bytes()
    with tampering(folder) as db:
        db.execute("UPDATE reading SET energy_wh = energy_wh + 1 WHERE home = 'h01' AND measure = 1")
    await job(NOW_S)  # within the hour, as where the clock runs fast
    assert (folder / CHECKPOINT_NAME).read_bytes() == before
    await VerificationJob(folder, clock=CLOCK)(NOW_S)
    (said,) = said_to_board(folder)
    wrong = read_last_verification(folder).wrong
    assert wrong >= 6, "each of the home's six changed readings"
    assert f"{wrong} things do not hold" in said
    assert "h01" not in said, "mail names no home"
    assert said == verification_warning(folder, now_s=NOW_S)


async def test_a_checkpoint_that_is_not_the_hubs_is_the_jobs_error(folder: Path) -> None:
    (folder / CHECKPOINT_NAME).write_bytes(b"{}")
    with pytest.raises(JobError, match="not a whole checkpoint of a verification"):
        await VerificationJob(folder, clock=CLOCK)(NOW_S)


async def test_a_verification_that_is_stopped_or_killed_leaves_nothing_running(folder: Path) -> None:
    for ends in ("stopped", "killed"):
        task = asyncio.create_task(VerificationJob(folder, clock=CLOCK)(NOW_S))
        pid = await child_of(os.getpid(), task)
        if ends == "stopped":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(JobError, match="ended before it was done"):
                await task
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not (folder / CHECKPOINT_NAME).exists()


async def child_of(pid: int, task: asyncio.Task[None]) -> int:
    """The process that the job started."""
    while True:
        assert not task.done()
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            if b"verification.guest" in Path(f"/proc/{each}/cmdline").read_bytes():
                return int(each)
        await asyncio.sleep(0.01)  # between two looks at this process's children


def test_nobody_has_looked_for_days(tmp_path: Path) -> None:
    assert verification_warning(tmp_path, now_s=NOW_S) is None
    write_last_verification(tmp_path, LastVerification(NOW_S - OLD_AFTER_S, 0))
    assert verification_warning(tmp_path, now_s=NOW_S) is None
    write_last_verification(tmp_path, LastVerification(NOW_S - OLD_AFTER_S - 1, 0))
    said = verification_warning(tmp_path, now_s=NOW_S)
    assert said is not None
    assert said.startswith("what is stored was last verified on ")
    write_last_verification(tmp_path, LastVerification(NOW_S, 1))
    assert "one thing does not hold" in str(verification_warning(tmp_path, now_s=NOW_S))
    (tmp_path / "verification-state.json").write_bytes(b"half")
    assert verification_warning(tmp_path, now_s=NOW_S) is None

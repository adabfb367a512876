"""The verification of each night goes on from the checkpoint; what it finds stands on the Health page and in mail."""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hub.commands.operation.verify import find_checkpoint, verify_hub
from hub.core.ledger.signed_document import canonical_bytes, sign_document
from hub.folder.keys.signer import load_signer
from hub.folder.last_verification import (
    OLD_AFTER_S,
    REFUSAL_SHOWN_S,
    LastVerification,
    note_refused_checkpoint,
    read_last_verification,
    verification_warning,
    verification_words,
    write_last_verification,
)
from hub.folder.paths import CHECKPOINT_NAME, REFUSED_CHECKPOINT_NAME, STORE_NAME
from hub.folder.settings import parse_settings
from hub.notices.alerts import Surroundings, hub_alerts
from hub.processes.planned_jobs import planned_verification
from hub.processes.verification.guest import verify_folder
from hub.processes.verification.job import VerificationJob
from hub.storage.errors import StoreAwayError, StoreError, StoreLockedError, StoreRefusedError, StoreVersionError
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import JobError
from protocols.errors import SettingsError
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


def refusals_told(folder: Path, *, now_s: int = NOW_S) -> list[tuple[str, str]]:
    """What mail tells once of a checkpoint that could not be used, and by which name."""
    around = Surroundings(folder, now_s, (), plans_backup=False)
    return [(alert.key, alert.facts["said"]) for alert in hub_alerts(around) if alert.is_once]


async def test_a_night_leaves_a_checkpoint_and_the_next_one_finds_what_was_changed(folder: Path) -> None:
    job = VerificationJob(folder, clock=CLOCK)
    assert verification_words(None, None).startswith("none yet")
    await job(NOW_S)
    assert read_last_verification(folder) == LastVerification(NOW_S, 0)
    assert verification_words(verification_warning(folder, now_s=NOW_S), NOW_S).startswith("everything held on ")
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


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def moved(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"wrong":0', b'"wrong":1'))


def of_later(path: Path) -> None:
    signed = json.loads(path.read_bytes())["document"]
    signed["made_at"] = NOW_S + 86_400
    path.write_bytes(canonical_bytes(sign_document(signed, load_signer(path.parent))))


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (cut, "not a whole checkpoint of a verification"),
        (moved, "the hub has not signed this checkpoint"),
        (of_later, "which is not yet"),
    ],
)
async def test_a_checkpoint_that_cannot_be_used_is_told_once_and_all_is_verified_from_the_beginning(
    folder: Path, harm: Callable[[Path], None], why: str
) -> None:
    await verify_folder(folder, now_s=NOW_S)
    path = folder / CHECKPOINT_NAME
    harm(path)
    harmed = path.read_bytes()
    with tampering(folder) as db:
        db.execute("UPDATE reading SET energy_wh = energy_wh + 1 WHERE home = 'h01' AND measure = 1")
    await verify_folder(folder, now_s=NOW_S)
    assert (folder / REFUSED_CHECKPOINT_NAME).read_bytes() == harmed, "it is kept for whoever looks into it"
    assert find_checkpoint(folder, None, clock=CLOCK) is not None, "the next night goes on from a new one"
    ((key, said),) = refusals_told(folder)
    assert why in said
    assert "\n" not in said
    (found,) = said_to_board(folder)
    assert "things do not hold" in found, "nothing is taken over from before"
    shown = verification_warning(folder, now_s=NOW_S)
    assert shown == f"{found}; {said}"
    await verify_folder(folder, now_s=NOW_S)
    assert refusals_told(folder) == [(key, said)], "a later verification does not take it away"
    assert refusals_told(folder, now_s=NOW_S + REFUSAL_SHOWN_S + 1) == []


async def test_a_refused_checkpoint_is_told_also_if_the_verification_then_fails(folder: Path) -> None:
    (folder / CHECKPOINT_NAME).write_bytes(b"{}")
    (folder / STORE_NAME).write_bytes(b"")
    with pytest.raises(JobError, match="the store is empty"):
        await VerificationJob(folder, clock=CLOCK)(NOW_S)
    assert read_last_verification(folder).checked_at is None
    assert [key for key, _ in refusals_told(folder)] == [refusal_key()]
    assert str(verification_warning(folder, now_s=NOW_S)).startswith("the checkpoint that the last verification")


def refusal_key() -> str:
    """How one of this week is called."""
    year, week, _ = datetime.fromtimestamp(NOW_S, UTC).isocalendar()
    return f"checkpoint {year}-W{week:02}"


async def test_a_checkpoint_that_cannot_be_put_aside_is_the_jobs_error(folder: Path) -> None:
    (folder / CHECKPOINT_NAME).write_bytes(b"{}")
    (folder / REFUSED_CHECKPOINT_NAME / "in the way").mkdir(parents=True)
    with pytest.raises(JobError, match=r"not a whole checkpoint .*, and it cannot be put aside: "):
        await VerificationJob(folder, clock=CLOCK)(NOW_S)


def test_words_of_a_stranger_are_one_short_line(tmp_path: Path) -> None:
    note_refused_checkpoint(tmp_path, at=NOW_S, why="a checkpoint of \n\x1b[2J" + "x" * 9_000)
    ((_, said),) = refusals_told(tmp_path)
    assert said.isprintable()
    assert len(said) < 700


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


async def test_a_store_that_cannot_be_opened_is_the_jobs_error_and_the_former_note_stays(folder: Path) -> None:
    await VerificationJob(folder, clock=CLOCK)(NOW_S)
    before = (folder / CHECKPOINT_NAME).read_bytes()
    (folder / STORE_NAME).write_bytes(b"")
    with pytest.raises(JobError, match="the store is empty"):
        await VerificationJob(folder, clock=CLOCK)(NOW_S)
    assert (folder / CHECKPOINT_NAME).read_bytes() == before
    assert read_last_verification(folder) == LastVerification(NOW_S, 0)


@pytest.mark.parametrize(
    "error",
    [
        StoreAwayError("the server is away"),
        StoreLockedError("database is locked"),
        StoreRefusedError("permission denied for table reading"),
    ],
)
async def test_a_store_that_goes_out_of_reach_in_the_middle_is_no_finding(
    folder: Path, error: StoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise error

    monkeypatch.setattr(SqliteStore, "rule_proposals", away)
    with pytest.raises(type(error)):
        await verify_folder(folder, now_s=NOW_S)
    with pytest.raises(type(error)):
        await verify_hub(folder, clock=CLOCK)
    assert not (folder / CHECKPOINT_NAME).exists()
    assert read_last_verification(folder).checked_at is None


async def test_a_file_of_a_newer_program_is_no_finding(folder: Path) -> None:
    with closing(sqlite3.connect(folder / STORE_NAME)) as file:
        file.execute("INSERT INTO migration VALUES (9999, 'newer', 'y')")
        file.commit()
    with pytest.raises(StoreVersionError, match="newer version of this program"):
        await verify_hub(folder, clock=CLOCK)
    with pytest.raises(JobError, match="newer version of this program"):
        await VerificationJob(folder, clock=CLOCK)(NOW_S)
    assert read_last_verification(folder).checked_at is None


async def test_a_file_that_another_program_locks_is_said_to_be_locked(folder: Path) -> None:
    path = folder / STORE_NAME
    store = await SqliteStore.open(path, now=CLOCK.now)
    try:
        with closing(sqlite3.connect(path)) as holder, closing(sqlite3.connect(path, timeout=0)) as other:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLockedError, match="the store could not be read: database is locked"):
                async with store.reading():
                    other.execute("BEGIN IMMEDIATE")
    finally:
        await store.close()


async def test_one_that_was_killed_is_not_begun_again_in_the_same_night(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = VerificationJob(folder, clock=CLOCK)
    task = asyncio.create_task(job(NOW_S))
    os.kill(await child_of(os.getpid(), task), signal.SIGKILL)
    with pytest.raises(JobError, match="ended before it was done") as first:
        await task
    with pytest.raises(JobError) as again:
        await job(NOW_S)
    assert str(again.value) == str(first.value)
    monkeypatch.setattr("hub.processes.verification.job.LEAST_APART_S", 0.0)
    with pytest.raises(JobError, match="ended before it was done"):
        await job(NOW_S)
    assert not (folder / CHECKPOINT_NAME).exists()
    await job(NOW_S + 86_400)
    assert (folder / CHECKPOINT_NAME).exists(), "the next night it is tried again"


async def test_one_that_took_too_long_waits_for_the_next_night_and_says_so(folder: Path) -> None:
    job = VerificationJob(folder, clock=CLOCK)
    task = asyncio.create_task(job(NOW_S))
    await child_of(os.getpid(), task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(JobError, match="did not come to its end"):
        await job(NOW_S)


def days_due(folder: Path, lines: str) -> list[str]:
    """The first three days on which a hub with these settings verifies itself."""
    text = re.sub(r"(?s)\[verify\].*?(?=\n# \[|\n\[)", lines, (folder / "hub.toml").read_text(encoding="utf-8"))
    settings = parse_settings(text.encode(), name="hub.toml", folder=folder)
    due_s, days = NOW_S, list[str]()
    for job in planned_verification(folder, settings=settings, clock=CLOCK) * 3:
        due_s = job.next_due(due_s)
        days.append(datetime.fromtimestamp(due_s, UTC).date().isoformat())
    return days


def test_the_settings_say_how_often_a_hub_verifies_itself(folder: Path) -> None:
    daily, rare = days_due(folder, ""), days_due(folder, "[verify]\nevery_days = 7\n")
    assert daily == days_due(folder, "[verify]\nevery_days = 1\n")
    for days, apart in ((daily, 1), (rare, 7)):
        numbers = [date.fromisoformat(day).toordinal() for day in days]
        assert numbers == [numbers[0], numbers[0] + apart, numbers[0] + 2 * apart]
    assert days_due(folder, "[verify]\nevery_days = 0\n") == []
    with pytest.raises(SettingsError, match=r"verify.every_days: expected a whole number from 0 to 90"):
        days_due(folder, "[verify]\nevery_days = 91\n")
    with pytest.raises(SettingsError, match=r"verify.hour: no such setting"):
        days_due(folder, "[verify]\nhour = 3\n")


async def child_of(pid: int, task: asyncio.Task[None]) -> int:
    """The process that the job started."""
    while True:
        assert not task.done()
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            if b"verification.guest" in Path(f"/proc/{each}/cmdline").read_bytes():
                return int(each)
        await asyncio.sleep(0.01)  # between two looks at this process's children


def test_a_hub_that_verifies_itself_rarely_is_not_told_so_after_three_days(tmp_path: Path) -> None:
    write_last_verification(tmp_path, LastVerification(NOW_S - OLD_AFTER_S - 6 * 86_400, 0))
    assert verification_warning(tmp_path, now_s=NOW_S) is not None
    assert verification_warning(tmp_path, now_s=NOW_S, every_days=7) is None
    assert verification_warning(tmp_path, now_s=NOW_S + 1, every_days=7) is not None
    assert verification_warning(tmp_path, now_s=NOW_S + 1, every_days=0) is None


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

"""A verification from a checkpoint on finds what a whole one finds; a checkpoint that is not the hub's is refused."""

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest

from hub.__main__ import main
from hub.commands.operation.verify import find_checkpoint, keep_checkpoint
from hub.core.ledger.signed_document import canonical_bytes, sign_document
from hub.folder.keys.salt_key import load_seals
from hub.folder.keys.signer import load_signer
from hub.folder.opening import open_store
from hub.folder.paths import CHECKPOINT_NAME
from hub.folder.settings import load_settings
from hub.storage.audit_records import FIRST_LINK, LogLine, head_bytes, next_link
from hub.storage.contract import Store
from hub.verify.check_result import CheckResult
from hub.verify.folder_check.checking import MESSAGES, ROWS, StoreOpening
from hub.verify.folder_check.checkpoint import FORMAT, Checkpoint, checkpoint_bytes, read_checkpoint
from hub.verify.homes.checkpoints import CheckpointSeals, HomeCheckpoint
from hub.verify.homes.period_sums import check_sums
from hub.verify.homes.work import HomeWork, InProcesses, InThisProcess, WorkEndedError
from hub.verify.hub_keys import HubKeys
from hub.verify.messages import MessageCheck, check_messages
from hub.verify.rows import RowCheck
from protocols.errors import RequestError
from tests.hub.verify.certified_keys import DAY_S, STRANGER, certificate_in, signer_of
from tests.hub.verify.sending_street import CLOCK, SendingStreet, sending_street, sentences
from tests.hub.verify.tampering import STORE, change_value, columns_of, row_count, tampering

OLD, NEW = 10, 7
OF_MESSAGES: Final = (
    "agent",
    "chain_head",
    "consent",
    "device",
    "long_interval",
    "measure_source",
    "message",
    "reading",
)


@pytest.fixture(scope="module")
def kept_street(tmp_path_factory: pytest.TempPathFactory) -> SendingStreet:
    """Two homes with OLD batches before a checkpoint and NEW after it; not to be written to."""
    street = sending_street(tmp_path_factory.mktemp("street") / "hub")
    street.send(OLD)
    assert street.go_on().is_ok
    street.send(NEW)
    return street


@pytest.fixture
def street(kept_street: SendingStreet, tmp_path: Path) -> SendingStreet:
    """A copy of it."""
    shutil.copytree(kept_street.folder, tmp_path / "hub")
    return SendingStreet(tmp_path / "hub", kept_street.homes, kept_street.sent)


def counts(street: SendingStreet) -> MessageCheck:
    """A clean verification from the folder's checkpoint on, which leaves its own."""
    verified = street.go_on()
    assert sentences(verified) == []
    found = verified.parts[MESSAGES]
    assert isinstance(found, MessageCheck)
    return found


def test_only_what_is_newer_than_the_checkpoint_is_opened(street: SendingStreet) -> None:
    homes = len(street.homes)
    found = counts(street)
    assert (found.messages, found.compared) == (homes * NEW, homes * (OLD + 1))
    again = counts(street)
    assert (again.messages, again.compared) == (0, homes * (OLD + NEW + 1))
    assert find_checkpoint(street.folder, None, clock=CLOCK) is not None


def test_going_on_leaves_the_same_checkpoint_as_a_whole_verification(street: SendingStreet) -> None:
    whole, since = street.check(), street.check(since=find_checkpoint(street.folder, None, clock=CLOCK))
    assert whole.checkpoint is not None
    assert since.checkpoint is not None
    assert since.checkpoint.homes == whole.checkpoint.homes
    assert len(since.checkpoint.homes) == len(street.homes)


@pytest.mark.campaign
@pytest.mark.parametrize("is_last", [False, True], ids=["an old row", "a new row"])
@pytest.mark.parametrize("table", OF_MESSAGES)
def test_every_changed_column_that_the_whole_finds_is_found(
    kept_street: SendingStreet, street: SendingStreet, table: str, is_last: bool
) -> None:
    since = find_checkpoint(street.folder, None, clock=CLOCK)
    with closing(sqlite3.connect(street.folder / STORE)) as db:
        assert row_count(db, table)
        names = [name for name, _ in columns_of(db, table)]
    for name in names:
        shutil.copy(kept_street.folder / STORE, street.folder / STORE)
        with tampering(street.folder) as db:
            change_value(db, table, name, last=is_last)
        whole, found = street.check(only=MESSAGES), street.check(since=since, only=MESSAGES)
        assert set(sentences(whole)) <= set(sentences(found)), name


FORGERIES: Final[dict[str, str]] = {
    "a reading nobody sent": "INSERT INTO reading VALUES ('h01', 3, 17, 1, 5, 0, 0)",
    "a reading of another measure": "INSERT INTO reading VALUES ('h01', 6, 1990003, 1, 5, 0, 0)",
    "an old reading is gone": "DELETE FROM reading WHERE home = 'h01' AND slot = 1990002 AND measure = 1",
    "a new reading is gone": "DELETE FROM reading WHERE home = 'h01' AND slot = 1990012 AND measure = 1",
    "an old total is gone": "DELETE FROM long_interval WHERE home = 'h01' AND first_slot = 1990001",
    "a total nobody sent": "INSERT INTO long_interval VALUES ('h02', 1, 1990000, 2, 7)",
    "a device nobody reported": "INSERT INTO device VALUES ('h01', 1, 'boiler', 'ok', 1, 1)",
    "the device is gone": "DELETE FROM device WHERE home = 'h01'",
    "the consent is gone": "DELETE FROM consent WHERE home = 'h01'",
    "a consent nobody signed": "INSERT INTO consent SELECT home, seat, 9, document, received_at FROM consent",
    "a reading is another home's": "UPDATE reading SET home = 'h09' WHERE home = 'h01' AND slot = 1990004",
    "an old message is gone": "DELETE FROM message WHERE seq = 4",
    "a new message is gone": "DELETE FROM message WHERE seq = 14",
    "the newest messages are gone": "DELETE FROM message WHERE seq >= 17",
    "an old message is called refused": """UPDATE message SET refused = 'outside_consent', sealed = x'',
        first_slot = NULL, last_slot = NULL WHERE seq = 5""",
    "a new message is called refused": """UPDATE message SET refused = 'outside_consent', sealed = x'',
        first_slot = NULL, last_slot = NULL WHERE seq = 15""",
    "an old message's bytes are gone": "UPDATE message SET sealed = x'' WHERE seq = 3",
    "a message of an epoch before the first": """INSERT INTO message SELECT 9999, agent, 0, 1, kind, hash, sealed,
        received_at, first_slot, last_slot, refused FROM message WHERE position = 5""",
    "two old messages have changed places": "UPDATE message SET position = -position WHERE position IN (5, 7)",
    "another home's agent": "UPDATE agent SET home_id = 'h01', seat = 2 WHERE home_id = 'h02'",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_every_forgery_is_found_since_the_checkpoint_too(street: SendingStreet, forgery: str) -> None:
    since = find_checkpoint(street.folder, None, clock=CLOCK)
    with tampering(street.folder) as db:
        assert db.execute(FORGERIES[forgery]).rowcount
    assert sentences(street.check(since=since, only=MESSAGES))


def test_a_home_in_which_something_is_wrong_is_read_whole_each_time(street: SendingStreet) -> None:
    with tampering(street.folder) as db:
        db.execute(FORGERIES["an old reading is gone"])
    first = sentences(street.go_on())
    assert len(first) == 2, "the reading is gone, and its hour has another sum"
    assert sentences(street.go_on()) == first
    checkpoint = find_checkpoint(street.folder, None, clock=CLOCK)
    assert checkpoint is not None
    assert (set(checkpoint.homes), checkpoint.wrong) == ({"h02"}, 2)


def test_a_home_that_signed_another_past_with_the_administrators_help_is_found_only_with_a_kept_checkpoint(
    kept_street: SendingStreet, tmp_path: Path
) -> None:
    kept = find_checkpoint(kept_street.folder, None, clock=CLOCK)
    other = sending_street(tmp_path / "hub")
    for name in ("hub.key", "salt.key"):
        shutil.copy(kept_street.folder / name, other.folder / name)
    other.more_wh = 1
    other.send(OLD + NEW)
    assert sentences(other.check(only=MESSAGES)) == []
    found = sentences(other.check(since=kept, only=MESSAGES))
    assert sorted({sentence.split(": ")[1] for sentence in found}) == ["it is not the one of the checkpoint"]


def test_a_log_of_rows_rewritten_with_the_hubs_key_is_found_by_the_checkpoint(street: SendingStreet) -> None:
    since = find_checkpoint(street.folder, None, clock=CLOCK)
    with tampering(street.folder) as db:
        db.execute("DELETE FROM invite WHERE agent_id IS NULL")
        rewrite_log(street, db, change=lambda line: line if line.position != 3 else replace_at(line))
    assert sentences(street.check(only=ROWS)) == []
    found = sentences(street.check(since=since, only=ROWS))
    assert any("the checkpoint of" in sentence and "rewritten since" in sentence for sentence in found)


def test_a_log_of_rows_with_something_wrong_is_vouched_for_no_further_than_before(street: SendingStreet) -> None:
    before = find_checkpoint(street.folder, None, clock=CLOCK)
    assert before is not None

    async def grow() -> None:
        store = await open_store(street.folder, clock=CLOCK)
        await store.add_invite(bytes(32), home_id="h01", expires_at=int(CLOCK.now()), is_further=True)
        await store.close()

    asyncio.run(grow())
    with tampering(street.folder) as db:
        assert db.execute("UPDATE member SET name = 'X' WHERE id = 'm01'").rowcount
    wrong = street.check(since=before)
    rows = wrong.parts[ROWS]
    assert isinstance(rows, RowCheck)
    assert rows.findings
    assert rows.lines > before.log[0]
    assert wrong.checkpoint is not None
    assert wrong.checkpoint.log == before.log


def replace_at(line: LogLine) -> LogLine:
    """The same line, written at another time."""
    return LogLine(line.position, line.at + 1, line.source, line.row_key, line.change, line.digest, line.says)


def rewrite_log(street: SendingStreet, db: sqlite3.Connection, *, change: Callable[[LogLine], LogLine]) -> None:
    """Each line changed, the chain over them made again and signed by whoever has the hub's key."""
    link, position = FIRST_LINK, 0
    sql = "SELECT position, at, source, row_key, change, digest, says FROM row_log ORDER BY position"
    for row in db.execute(sql).fetchall():
        line = change(LogLine(*row))
        link, position = next_link(link, line), line.position
        db.execute("UPDATE row_log SET at = ? WHERE position = ?", (line.at, line.position))
    signature = load_signer(street.folder).sign(head_bytes(position, link))
    db.execute("UPDATE row_log_head SET hash = ?, signature = ?", (link, signature))


def test_a_broken_off_verification_leaves_the_checkpoint_as_it_was(street: SendingStreet) -> None:
    path = street.folder / CHECKPOINT_NAME
    before = path.read_bytes()
    (street.folder / f"{CHECKPOINT_NAME}.part").write_bytes(b"half of one")
    assert street.check(only=MESSAGES).checkpoint is None
    elsewhere = without_room(street)
    with pytest.raises(RequestError, match="the checkpoint cannot be written"):
        keep_checkpoint(elsewhere, street.check())
    assert path.read_bytes() == before
    assert street.go_on().is_ok
    assert path.read_bytes() != before


def without_room(street: SendingStreet) -> Path:
    """A folder that has the hub's key, and something else where the checkpoint should go."""
    folder = street.folder.with_name("elsewhere")
    (folder / CHECKPOINT_NAME / "in the way").mkdir(parents=True)
    shutil.copy(street.folder / "hub.key", folder / "hub.key")
    return folder


Change = Callable[[dict[str, Any]], None]
FORGED: Final[dict[str, tuple[Change, bool, str]]] = {
    "moved": (lambda d: d["homes"]["h01"]["agents"].update(moved(d)), False, "the hub has not signed"),
    "forged": (lambda d: d.update(wrong=0, made_at=d["made_at"] - 1), False, "the hub has not signed"),
    "of another co-op": (lambda d: d.update(coop="elsewhere"), True, "a checkpoint of elsewhere, not of street"),
    "from the future": (lambda d: d.update(made_at=int(CLOCK.now()) + 60), True, "which is not yet"),
    "of no date": (lambda d: d.update(made_at=2**53), True, "not a whole checkpoint"),
    "of another form": (lambda d: d.update(format="commonwatt-verified-9"), True, "its form is commonwatt-verified-9"),
    "with a field too many": (lambda d: d.update(more=1), True, "not a whole checkpoint"),
}


def moved(document: dict[str, Any]) -> dict[str, Any]:
    """The agent's part, set further."""
    ((agent, place),) = document["homes"]["h01"]["agents"].items()
    return {agent: [place[0], place[1] + 5, *place[2:]]}


@pytest.mark.parametrize("kind", FORGED)
def test_a_checkpoint_that_is_not_the_hubs_is_refused_with_one_line(street: SendingStreet, kind: str) -> None:
    change, is_signed, words = FORGED[kind]
    path = street.folder / CHECKPOINT_NAME
    signed = json.loads(path.read_bytes())
    change(signed["document"])
    if is_signed:
        signed = sign_document(signed["document"], load_signer(street.folder))
    path.write_bytes(canonical_bytes(signed))
    with pytest.raises(RequestError, match=words) as refused:
        find_checkpoint(street.folder, None, clock=CLOCK)
    assert "\n" not in str(refused.value)
    assert "verify --whole" in str(refused.value)


def test_a_checkpoint_made_when_its_keys_time_was_over_is_refused(tmp_path: Path) -> None:
    signer, path = signer_of(1, STRANGER, valid_from=0, days=1, overlap_days=0), tmp_path / "checkpoint"
    keys = HubKeys(STRANGER.public_key(), [certificate_in(signer)])
    for made_at in (DAY_S, DAY_S + 1):
        checkpoint = Checkpoint(FORMAT, "sunny", "test", made_at, 0, (0, ""), {}, {})
        path.write_bytes(checkpoint_bytes(checkpoint, signer))
        with nullcontext() if made_at == DAY_S else pytest.raises(RequestError, match="hub key 1, whose time was over"):
            assert read_checkpoint(path, coop="sunny", keys=keys, now_s=2 * DAY_S) == checkpoint


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_cut_checkpoint_is_refused_with_one_line(street: SendingStreet, kept: int) -> None:
    path = street.folder / CHECKPOINT_NAME
    path.write_bytes(path.read_bytes().rstrip()[:kept])
    with pytest.raises(RequestError, match="not a whole checkpoint of a verification"):
        find_checkpoint(street.folder, None, clock=CLOCK)


def test_the_checkpoint_of_another_hub_is_refused(street: SendingStreet, tmp_path: Path) -> None:
    other = sending_street(tmp_path / "other", homes=1)
    other.go_on()
    with pytest.raises(RequestError, match="the hub has not signed this checkpoint"):
        find_checkpoint(street.folder, other.folder / CHECKPOINT_NAME, clock=CLOCK)


def test_an_auditor_keeps_a_checkpoint_and_goes_on_from_it(
    street: SendingStreet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = tmp_path / "clock"
    timeline = {"anchor_real_s": 0, "anchor_s": CLOCK.now(), "hold_at_s": CLOCK.now(), "rate": 1}
    clock.write_text(json.dumps(timeline), encoding="ascii")
    command = ["verify", "--data", str(street.folder), "--clock", str(clock)]
    kept = tmp_path / "kept.json"
    assert main([*command, "--whole", "--checkpoint", str(kept)]) == 0
    assert "since the checkpoint" not in capsys.readouterr().out
    street.send(3)
    assert main([*command, "--since", str(kept)]) == 0
    assert "verify --whole opens and computes everything" in capsys.readouterr().out
    assert main([*command, "--since", str(kept), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["messages"]["messages"], found["since"]["program"]) == (
        3 * len(street.homes),
        found["since"]["program"],
    )
    assert main([*command, "--checkpoint", str(kept)]) == 1
    assert "already exists" in capsys.readouterr().err


def test_several_processes_find_what_one_finds(street: SendingStreet) -> None:
    since = find_checkpoint(street.folder, None, clock=CLOCK)
    assert since is not None
    with tampering(street.folder) as db:
        db.execute(FORGERIES["an old reading is gone"])
    settings = load_settings(street.folder)

    async def check(in_processes: bool) -> tuple[MessageCheck, dict[str, HomeCheckpoint]]:
        store, held = await open_store(street.folder, clock=CLOCK), dict[str, HomeCheckpoint]()
        opening = StoreOpening(street.folder, settings, CLOCK.now())
        work: HomeWork = InProcesses(opening, processes=2) if in_processes else InThisProcess(store)
        seals = CheckpointSeals(load_seals(street.folder).key)
        try:
            async with work as workers:
                found = await check_messages(store, seals=seals, since=since.homes, checkpoints=held, workers=workers)
                found.wrong_sums = await check_sums(store, found, elsewhere=workers.look)
        finally:
            await store.close()
        return found, held

    alone, together = asyncio.run(check(False)), asyncio.run(check(True))
    assert (alone[0].wrong, alone[0].wrong_sums) == (2, 1), "the reading is gone, and its hour has another sum"
    assert alone == together


class Killed:
    """Opens a store in another process, which is ended while it does."""

    async def __call__(self) -> Store:
        os._exit(9)


def test_a_process_that_is_killed_is_no_contradiction(street: SendingStreet) -> None:
    async def check() -> None:
        store, found = await street.open(), CheckResult()
        try:
            async with InProcesses(Killed(), processes=1) as workers:
                with pytest.raises(WorkEndedError, match="is memory short"):
                    await check_messages(store, workers=workers)
                with pytest.raises(WorkEndedError), found.reading("period_sum"):
                    await check_sums(store, found, elsewhere=workers.look)
        finally:
            await store.close()
        assert found.wrong == 0

    asyncio.run(check())


def test_equal_rows_of_two_homes_have_different_seals() -> None:
    seals = CheckpointSeals(b"k" * 32)
    digest = b"d" * 32
    assert seals.of_home("h01").readings(digest) != seals.of_home("h02").readings(digest)
    assert seals.of_home("h01").readings(digest) == CheckpointSeals(b"k" * 32).of_home("h01").readings(digest)
    assert seals.of_home("h01").readings(digest) != CheckpointSeals(b"l" * 32).of_home("h01").readings(digest)

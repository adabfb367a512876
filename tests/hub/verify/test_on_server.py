"""A hub whose store is on a PostgreSQL server: verified from a checkpoint on, archived, and its sums made again."""

import asyncio
import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from hub.__main__ import main
from hub.backups.keys import key_text, make_backup_key
from hub.commands.operation.verify import find_checkpoint
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.folder.last_verification import verification_warning
from hub.folder.paths import CHECKPOINT_NAME
from hub.processes.verification.guest import verify_folder
from hub.storage.postgres.statements import spelled
from hub.verify.folder_check.checking import MESSAGES
from protocols.timeline import Timeline
from tests.hub.commands.server.test_db import Moved
from tests.hub.postgres_server import Server, the_server
from tests.hub.verify.sending_street import CLOCK, SendingStreet, sending_street, sentences
from tests.hub.verify.test_checkpoints import FORGERIES, NEW, OLD, counts

SOME: Final = (
    "a reading nobody sent",
    "an old reading is gone",
    "a new reading is gone",
    "a device nobody reported",
    "a consent nobody signed",
    "an old message's bytes are gone",
    "two old messages have changed places",
)


@dataclass
class ServedStreet:
    """A street whose hub's store is in a database of its own; the folder has a clock file beside it."""

    street: SendingStreet
    moved: Moved

    @property
    def words(self) -> list[str]:
        return self.moved.place

    def forge(self, sql: str) -> None:
        """What somebody does who is the server's superuser."""

        async def done() -> None:
            session = await self.moved.server.ask(self.moved.database)
            await session.execute(f"SET search_path TO {self.moved.schema}; SET session_replication_role = replica")
            await session.execute("SELECT make_month(17)")
            assert (await session.execute(spelled(sql))).rpartition(" ")[2] != "0"
            session.terminate()

        asyncio.run(done())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> ServedStreet:
    """OLD batches of two homes before a checkpoint, NEW after it; not to be written to."""
    place = tmp_path_factory.mktemp("served")
    (place / "clock.json").write_text(Timeline(0, int(CLOCK.now()) + 20 * 86_400, 0, None).text())
    street = sending_street(place / "hub")
    street.send(OLD)
    assert street.go_on().is_ok
    moved = Moved(street.folder, place / "clock.json", *asyncio.run(_new_database()))
    moved.moves()
    found = counts(street)
    assert (found.messages, found.compared) == (0, len(street.homes) * (OLD + 1)), "the file's checkpoint holds there"
    street.send(NEW)
    return ServedStreet(street, moved)


async def _new_database(*, like: str = "template1") -> tuple[Server, str]:
    server, name = (await the_server())[0], f"t{secrets.token_hex(8)}"
    admin = await server.ask()
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {like} STRATEGY FILE_COPY")
    admin.terminate()
    return server, name


@pytest.fixture
def served(kept: ServedStreet, tmp_path: Path) -> ServedStreet:
    """A copy of it."""
    was = kept.moved
    shutil.copytree(was.folder, tmp_path / "hub")
    shutil.copy(was.place[3], tmp_path / "clock.json")
    server, name = asyncio.run(_new_database(like=was.database))
    moved = Moved(tmp_path / "hub", tmp_path / "clock.json", server, name)
    moved.schema = was.schema
    address = tmp_path / "hub" / ADDRESS_NAME
    address.write_text(address.read_text().replace(was.database, name))
    return ServedStreet(SendingStreet(tmp_path / "hub", kept.street.homes, kept.street.sent), moved)


def test_only_what_is_newer_than_the_checkpoint_is_opened_there(served: ServedStreet) -> None:
    homes = len(served.street.homes)
    found = counts(served.street)
    assert (found.messages, found.compared) == (homes * NEW, homes * (OLD + 1))
    again = counts(served.street)
    assert (again.messages, again.compared) == (0, homes * (OLD + NEW + 1))
    whole = served.street.check()
    assert sentences(whole) == []
    assert whole.checkpoint is not None
    since = find_checkpoint(served.street.folder, None, clock=CLOCK)
    assert since is not None
    assert since.homes == whole.checkpoint.homes


@pytest.mark.parametrize(
    "forgery", [pytest.param(each, marks=() if each in SOME else pytest.mark.campaign) for each in FORGERIES]
)
def test_every_forgery_is_found_there_too(served: ServedStreet, forgery: str) -> None:
    since = find_checkpoint(served.street.folder, None, clock=CLOCK)
    served.forge(FORGERIES[forgery])
    assert sentences(served.street.check(since=since, only=MESSAGES))


def test_a_night_goes_on_there_and_begins_again_where_the_checkpoint_is_damaged(served: ServedStreet) -> None:
    folder, now_s = served.street.folder, CLOCK.now()
    for _ in range(2):
        asyncio.run(verify_folder(folder, now_s=now_s))
    assert verification_warning(folder, now_s=now_s) is None
    (folder / CHECKPOINT_NAME).write_bytes(b"{}")
    served.forge(FORGERIES["an old reading is gone"])
    asyncio.run(verify_folder(folder, now_s=now_s))
    said = verification_warning(folder, now_s=now_s)
    assert said is not None
    assert "2 things do not hold" in said
    assert "not a whole checkpoint" in said


def test_a_board_member_verifies_archives_and_mends_there(
    served: ServedStreet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*words]) == code
        return capsys.readouterr().out

    kept = tmp_path / "kept.json"
    assert "everything holds" in said("verify", *served.words, "--whole", "--checkpoint", str(kept))
    assert "everything holds" in said("verify", *served.words, "--since", str(kept), "--processes", "2")
    served.forge("UPDATE period_sum SET grid_import_wh = grid_import_wh + 1 WHERE kind = 1")
    assert "commonwatt-hub mend-sums makes them again" in said("verify", *served.words, code=1)
    assert "sums of periods were not those of the readings" in said("mend-sums", *served.words)
    assert "everything holds" in said("verify", *served.words, "--whole")
    (tmp_path / "key").write_text(key_text(make_backup_key(served.street.folder)) + "\n", encoding="ascii")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "archives").mkdir()
    board = ("--by", "m01", "--reason", "the year is closed")
    said("board", *served.words, "--appoint", "m01")
    asyncio.run(move_out_and_erase(served))
    assert "h02: 18 messages and the readings in them were erased" in said("verify", *served.words)
    said("archive", *served.words, "--before", "2026-12", "--to", str(tmp_path / "archives"), *board)
    (file,) = (tmp_path / "archives").iterdir()
    (found,) = json.loads(said("archive", "--check", str(file), "--key-file", str(tmp_path / "key"), "--json"))
    each = OLD + NEW + 1
    assert (found["wrong"], found["messages"], found["erased"]) == (0, len(served.street.homes) * each, each)


async def move_out_and_erase(served: ServedStreet) -> None:
    """The member of h02 left long ago, and the retention rule takes the home's readings."""
    store, left_at = await served.street.open(), int(CLOCK.now()) - 17 * 31 * 86_400
    try:
        agent = served.street.homes[1].agent
        assert await store.revoke_agent(agent, by="m01", reason="moved out") is None
        assert await store.set_left("m02", left_at, last_day="then", by="m01") is None
        assert await store.erase_homes(left_before=left_at, months=16) == ("h02",)
    finally:
        await store.close()

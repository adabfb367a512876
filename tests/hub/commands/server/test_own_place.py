"""A co-op's place on a server is its own hub's: another hub's folder is refused there, and nothing is changed."""

import asyncio
import secrets
import shutil
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.folder.last_verification import read_last_verification
from hub.processes.verification.guest import verify_folder
from hub.storage.errors import StoreError
from hub.storage.postgres.names import runner_of
from hub.storage.postgres.store import PostgresStore
from tests.hub.postgres_server import Server, the_server

NOW_S = 1_790_000_000
ANOTHER = "another hub signed this store of the co-op sunny"


@dataclass
class Place:
    """A hub's folder, and the co-op's schema on this process's server."""

    folder: Path
    server: Server
    schema: str
    dsn: str

    def prepare(self, folder: Path | None = None) -> int:
        place = ["--data", str(folder or self.folder), "--to", self.dsn, "--schema", self.schema]
        return main(["db", "prepare", *place])

    def ask(self, sql: str) -> object:
        """What the server's superuser is told."""

        async def asked() -> object:
            session = await self.server.ask("made")
            try:
                return await session.fetchval(sql)
            finally:
                session.terminate()

        return asyncio.run(asked())


def new_folder(folder: Path, schema: str) -> Path:
    """A hub whose settings name a server and no broker of its own."""
    assert main(["init", "--data", str(folder), "--name", "S", "--coop", "sunny", "--tz", "Europe/Madrid"]) == 0
    text = (folder / "hub.toml").read_text().replace('kind = "auto"', 'kind = "external"')
    store = f'\n[store]\nschema = "{schema}"\naddress_file = "{ADDRESS_NAME}"\n'
    (folder / "hub.toml").write_text(text + store)
    return folder


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """A hub whose store is on the server."""
    server, schema = asyncio.run(the_server())[0], f"s{secrets.token_hex(4)}"
    dsn = server.admin("made", schema=schema).dsn
    folder = new_folder(tmp_path / "hub", schema)
    made = Place(folder, server, schema, dsn)
    assert made.prepare() == 0
    assert main(["members", "--data", str(folder)]) == 0
    capsys.readouterr()
    return made


def test_another_hubs_folder_is_refused_by_every_role_and_command_and_changes_nothing(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = new_folder(tmp_path / "other", place.schema)
    shutil.copy(place.folder / ADDRESS_NAME, other / ADDRESS_NAME)
    head = f"SELECT position || encode(signature, 'hex') FROM {place.schema}.row_log_head"
    before = place.ask(head)
    run = ["run", "--data", str(other)]
    commands = [run, *([*run, "--role", role] for role in ("intake", "web", "timetable", "worker"))]
    copy = ["db", "copy", "--from", "postgres", "--to", str(tmp_path / "back.sqlite"), "--data", str(other)]
    for command in (*commands, ["members", "--data", str(other)], copy):
        capsys.readouterr()
        assert main(command) == 1
        said = capsys.readouterr().err
        assert ANOTHER in said, said
        assert len(said.splitlines()) == 1
    capsys.readouterr()
    assert place.prepare(other) == 1
    assert ANOTHER in capsys.readouterr().err
    assert place.ask(head) == before
    assert main(["members", "--data", str(place.folder)]) == 0, "its own hub goes on"


def test_verify_calls_no_access_problem_a_finding(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    address, steps = place.folder / ADDRESS_NAME, f"{place.schema}.migration"
    good, last = address.read_text(), place.ask(f"SELECT max(number) FROM {steps}")
    line = place.ask(f"SELECT format('%L, %L', name, checksum) FROM {steps} WHERE number = {last}")
    kept = f"INSERT INTO {steps} VALUES ({last}, {line})"
    usage = f"USAGE ON SCHEMA {place.schema} {{}} {runner_of(place.schema)}"
    for spoil, mend, said in (
        ("", "", "password authentication failed"),
        (f"REVOKE {usage.format('FROM')}", f"GRANT {usage.format('TO')}", "none that this role may see"),
        (f"DELETE FROM {steps} WHERE number = {last}", kept, "run commonwatt-hub db prepare"),
        (
            f"INSERT INTO {steps} VALUES (9999, 'newer', 'y')",
            f"DELETE FROM {steps} WHERE number = 9999",
            "newer version",
        ),
    ):
        if spoil:
            place.ask(spoil)
        else:
            address.write_text(good.replace(":", ":not", 2).replace(":not//", "://"))
        for form in ([], ["--json"]):
            capsys.readouterr()
            assert main(["verify", "--data", str(place.folder), *form]) == 1
            told = capsys.readouterr()
            assert (told.out, len(told.err.splitlines())) == ("", 1)
            assert said in told.err
        with pytest.raises(StoreError, match=said):
            asyncio.run(verify_folder(place.folder, now_s=NOW_S))
        address.write_text(good)
        if mend:
            place.ask(mend)
    assert read_last_verification(place.folder).checked_at is None
    assert main(["verify", "--data", str(place.folder)]) == 0


def test_a_lost_address_is_made_again_with_a_new_password_and_only_then(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, settings = place.folder / ADDRESS_NAME, place.folder / "hub.toml"
    first, text = address.read_text(), settings.read_text()
    assert place.prepare() == 0
    assert address.read_text() == first, "what is there stays"
    address.unlink()
    assert main(["members", "--data", str(place.folder)]) == 1
    assert "commonwatt-hub db prepare" in capsys.readouterr().err
    assert place.prepare() == 0
    assert "was missing: it is there again, with a new password" in capsys.readouterr().out
    second = address.read_text()
    assert main(["members", "--data", str(place.folder)]) == 0
    settings.write_text(text.partition("[store]")[0])
    address.unlink()
    assert place.prepare() == 0, "as well when hub.toml does not name it yet"
    settings.write_text(text)
    assert main(["members", "--data", str(place.folder)]) == 0
    assert len({first, second, address.read_text()}) == 3
    settings.write_text(text.replace(f'address_file = "{ADDRESS_NAME}"', ""))
    kept = address.rename(tmp_path / "kept").read_text()
    assert place.prepare() == 0
    assert not address.exists(), "the address comes from the environment"
    settings.write_text(text.replace(ADDRESS_NAME, str(tmp_path / "kept")))
    assert main(["members", "--data", str(place.folder)]) == 0
    assert (tmp_path / "kept").read_text() == kept


def test_a_role_of_another_database_keeps_its_password(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / ADDRESS_NAME).rename(kept := place.folder.parent / "kept")
    place.ask(f"DROP SCHEMA {place.schema} CASCADE")
    capsys.readouterr()
    assert place.prepare() == 1
    assert "its password stays" in capsys.readouterr().err
    assert not (place.folder / ADDRESS_NAME).exists()
    kept.rename(place.folder / ADDRESS_NAME)
    assert place.prepare() == 0
    assert main(["members", "--data", str(place.folder)]) == 0


def test_rights_that_go_during_a_verification_are_no_finding_and_a_table_that_is_gone_is_one(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, runner = ["verify", "--data", str(place.folder)], runner_of(place.schema)
    asked = PostgresStore.rule_proposals

    async def after(store: PostgresStore, *, sql: str) -> object:
        session = await place.server.ask("made")
        await session.execute(sql)
        session.terminate()
        return await asked(store)

    usage = f"USAGE ON SCHEMA {place.schema} {{}} {runner}"
    select = f"SELECT ON {place.schema}.rule_proposal {{}} {runner}"
    for right, said in ((usage, "none that this role may see"), (select, "permission denied for table")):
        with monkeypatch.context() as meanwhile:
            revoke = f"REVOKE {right.format('FROM')}"
            meanwhile.setattr(PostgresStore, "rule_proposals", partialmethod(after, sql=revoke))
            capsys.readouterr()
            assert main(verify) == 1
            told = capsys.readouterr()
        assert (told.out, len(told.err.splitlines())) == ("", 1)
        assert said in told.err
        place.ask(f"GRANT {right.format('TO')}")
    place.ask(f"DROP TABLE {place.schema}.rule_withdrawal CASCADE")
    capsys.readouterr()
    assert main(verify) == 1
    assert "something does not hold" in capsys.readouterr().out

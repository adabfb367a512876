"""The PostgreSQL server of a demonstration: in its folder alone, counted as a file is, and gone afterwards."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.demo.hubs import database
from simulator.demo.hubs.database import SCHEMA, DatabaseServer
from simulator.demo.processes import SETPRIV, ChildProcesses
from simulator.errors import DemoError
from tests.simulator.demo.hubs.test_stored_rows import BOOKED, LOOKED, SEALED, TABLES

SERIAL = "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where root runs the tests, another user has to get to the server's folder: pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="cw-demo-") as made:
        yield Path(made)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[ChildProcesses]:
    (tmp_path / "logs").mkdir()
    made = ChildProcesses(tmp_path / "logs", dict(os.environ))
    yield made
    made.stop()


def test_it_starts_counts_what_is_booked_and_leaves_nothing(programs: ChildProcesses, folder: Path) -> None:
    if SETPRIV is None:
        pytest.skip("setpriv (util-linux) is not installed: a server could outlive its test")
    server = DatabaseServer(folder / "postgres", programs)
    try:
        server.start()
    except DemoError as problem:
        if str(problem) == database.NONE_HERE:
            pytest.skip(str(problem))
        raise
    server.ask(f"CREATE SCHEMA {SCHEMA}")
    server.ask(TABLES.replace("INTEGER PRIMARY KEY", SERIAL) + BOOKED + LOOKED)
    server.ask("CREATE TABLE reading (slot INTEGER) PARTITION BY RANGE (slot)")
    server.ask("CREATE TABLE reading_1 PARTITION OF reading FOR VALUES FROM (0) TO (9); INSERT INTO reading VALUES (1)")
    before = server.stored_rows()
    assert before == 3, "the booked row, its line in the log of rows, and the reading once"
    server.ask(LOOKED + SEALED + BOOKED)
    assert server.stored_rows() == before + 2
    assert server.disk_bytes() > 0
    (engine,) = programs.engines
    programs.stop()
    assert engine.process.returncode == 0
    server.remove()
    assert list(folder.iterdir()) == []


def test_without_a_server_it_is_one_line(
    programs: ChildProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "server_folders", lambda: iter([tmp_path / "none"]))
    with pytest.raises(DemoError, match="no PostgreSQL server can run here: install") as caught:
        DatabaseServer(tmp_path / "postgres", programs).start()
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "postgres").exists()


def test_a_folder_whose_name_no_socket_can_have_is_one_line(programs: ChildProcesses, tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"too long a name|no PostgreSQL server can run here"):
        DatabaseServer(tmp_path / ("long" * 30), programs).start()

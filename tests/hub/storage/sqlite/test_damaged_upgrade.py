"""A damaged store of an earlier version is refused before it is upgraded: no byte of it changes."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from hub.commands.operation.verify import verify_hub
from hub.folder.opening import open_store
from hub.processes.running import run_hub
from hub.storage.errors import StoreError
from hub.storage.sqlite.schema import known_migrations
from tests.hub.verify.tampering import CLOCK, STORE
from tests.releases.folder_text import rebuild_folder

PAGE = 4096
RELEASE = Path(__file__).parents[3] / "releases" / "0.1.0" / "hub"


@pytest.fixture(scope="module")
def kept_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of release 0.1.0; not to be written to."""
    return rebuild_folder(RELEASE, tmp_path_factory.mktemp("kept") / "hub")


@pytest.fixture(params=["migration", "reading", "entry", None])
def damaged(request: pytest.FixtureRequest, kept_hub: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, and a commit that is still in the write-ahead log.

    Zeroed is the first page of one table, or twenty pages near the end. An upgrade reads neither `reading` nor `entry`.
    """
    for path in kept_hub.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
            (tmp_path / path.name).chmod(0o600)
    file = tmp_path / STORE
    raw = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as db:
        pages = dict(db.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").fetchall())
    first, count = (pages[request.param] - 1, 1) if request.param else (len(raw) // PAGE - 25, 20)
    raw[first * PAGE : (first + count) * PAGE] = bytes(count * PAGE)
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE job SET last_error = ''")
        other.commit()
        raw[18:20] = b"\x02\x02"  # the mark of a store with a write-ahead log
        file.write_bytes(raw)
        yield tmp_path


def stored_bytes(folder: Path) -> dict[str, str]:
    """A hash of the store and of its write-ahead log."""
    names = (STORE, f"{STORE}-wal")
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}


def start(folder: Path) -> None:
    """`commonwatt-hub run`."""
    asyncio.run(run_hub(folder, clock_file=None, web_port=0, broker_port=0, announce=print))


def open_as_any_command(folder: Path) -> None:
    """What every other command does first."""

    async def opened() -> None:
        await (await open_store(folder, clock=CLOCK)).close()

    asyncio.run(opened())


@pytest.mark.parametrize("use", [start, open_as_any_command])
def test_a_damaged_store_is_refused_before_its_upgrade(damaged: Path, use: Callable[[Path], None]) -> None:
    before = stored_bytes(damaged)
    with pytest.raises(StoreError, match=r"damaged.*restore the folder from a backup"):
        use(damaged)
    assert stored_bytes(damaged) == before


def test_verify_says_it_and_leaves_the_bytes(damaged: Path) -> None:
    before = stored_bytes(damaged)
    found = asyncio.run(verify_hub(damaged, clock=CLOCK))
    assert found["ok"] is False
    assert "restore the folder from a backup" in str(found["rows"])
    assert stored_bytes(damaged) == before


def test_a_sound_store_of_the_same_release_is_upgraded(kept_hub: Path, tmp_path: Path) -> None:
    for path in kept_hub.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
            (tmp_path / path.name).chmod(0o600)
    open_as_any_command(tmp_path)
    with closing(sqlite3.connect(tmp_path / STORE)) as db:
        assert db.execute("SELECT count(*) FROM migration").fetchone() == (len(known_migrations()),)

"""An outbox of an older program is brought into today's form: nothing is missing, also after a power cut on the way."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.metering.home_meter import read_checkpoint
from edge_agent.outbox.messages import ChainLink, ReceiptState
from edge_agent.outbox.opening import FILE_NAME, open_outbox
from edge_agent.outbox.schema import FROM_VERSION_1, PAGE_BYTES
from edge_agent.outbox.view import read_message, read_overview, read_sent

NOW = 1_790_002_000.0
OLD = (Path(__file__).parent / "version_1.sql").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.executescript(OLD)
    return tmp_path


async def test_everything_of_version_1_is_still_there(folder: Path) -> None:
    before = read_overview(folder, limit=9)
    assert (before.messages, before.waiting, before.refused, before.dropped) == (4, 1, 1, 5)
    async with open_outbox(folder, max_mb=1, now_s=NOW) as (outbox, aside):
        assert aside is None
        assert outbox.boot == 8
        assert outbox.next_link == ChainLink(1_790_000_000, 4, b"\xa4")
        assert await outbox.receipted() == ReceiptState(2, 1_790_000_903, 1_789_500_000)
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [3]
        assert await outbox.consent() == (2, b"\x0c")
        kept = await outbox.checkpoint()
        assert kept is not None
        assert read_checkpoint(kept) == (1_988_891, {})
        assert await outbox.hash_of(2) == b"\xa3"
    assert read_overview(folder, limit=9) == before
    assert read_message(folder, 1_789_000_000, 1) == ("consent", b"\x01")
    assert read_sent(folder, range(1_988_000, 1_989_000)) == [(1_988_800, 10, 20)]
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        assert db.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
        assert (
            db.execute("SELECT name FROM sqlite_master WHERE name LIKE '%waiting%' OR name LIKE '%of_v%'").fetchall()
            == []
        )


async def test_an_epoch_of_version_1_from_a_clock_far_ahead_is_kept(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute("UPDATE message SET epoch = 3000000000 WHERE epoch = 1790000000")
        db.execute("UPDATE state SET epoch = 3000000000")
    async with open_outbox(folder, max_mb=1, now_s=NOW) as (outbox, aside):
        assert aside is None
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [3]
        assert await outbox.hash_of(2) == b"\xa3"


@pytest.mark.parametrize("statements", range(1, 5))
async def test_a_power_cut_in_the_middle_leaves_the_old_form_whole(folder: Path, statements: int) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for statement in [each for each in FROM_VERSION_1.split(";") if each.strip()][:statements]:
            db.execute(statement)
    async with open_outbox(folder, max_mb=1, now_s=NOW) as (outbox, aside):
        assert aside is None
        assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [3]


async def test_a_power_cut_before_the_pages_are_changed_is_made_up_for(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        db.executescript(f"BEGIN; {FROM_VERSION_1} COMMIT;")
        assert db.execute("PRAGMA page_size").fetchone() == (4096,)
    async with open_outbox(folder, max_mb=1, now_s=NOW) as (outbox, _):
        assert (await outbox.receipted()).through == 2
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        assert db.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)


async def test_somebody_who_reads_the_old_file_only_delays_the_smaller_pages(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()
        async with open_outbox(folder, max_mb=1, now_s=NOW, patience_s=0.1) as (outbox, aside):
            assert aside is None
            assert [each.seq for each in await outbox.waiting(after=0, limit=9)] == [3]
        reader.execute("COMMIT")
    async with open_outbox(folder, max_mb=1, now_s=NOW) as (outbox, _):
        assert outbox.boot == 9

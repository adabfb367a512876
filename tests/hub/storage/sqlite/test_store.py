"""What the SQLite backend promises beyond the contract: schema steps, group commits, rows that cannot be changed."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.storage.errors import StoreConflictError, StoreError
from hub.storage.jobs.records import Job
from hub.storage.sql.backends.numbered_steps import Migration
from hub.storage.sqlite.schema import known_migrations, migrate
from hub.storage.sqlite.store import SqliteStore
from hub.storage.sqlite.threads.connection import Connection, run_through
from tests.house.source_tree import ROOT
from tests.hub.sending_home import COOP, open_store


async def opened(path: Path) -> SqliteStore:
    return await SqliteStore.open(path, now=lambda: 1.0)


async def test_a_missing_store_is_not_created_by_accident(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here; create one with: commonwatt-hub init"):
        await opened(tmp_path / "hub.sqlite")
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_is_not_a_store_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot open the store") as caught:
        await opened(path)
    assert "\n" not in str(caught.value)


async def test_an_emptied_store_is_never_filled_again(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    path.touch()
    with pytest.raises(StoreError, match="the store is empty, its data is lost: restore it"):
        await SqliteStore.open(path, now=lambda: 1.0)
    assert b"CREATE TABLE" not in path.read_bytes()


async def test_a_folder_in_its_place_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hub.sqlite").mkdir()
    with pytest.raises(StoreError, match=r"cannot open the store: .*Is a directory"):
        await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: 1.0)
    assert capfd.readouterr().err == ""


async def test_only_its_owner_can_read_the_file_and_it_is_durable(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    async with store.reading() as db:
        # What a connection says of the mode is what it knew when it last read.
        await db.execute_fetchall("SELECT count(*) FROM member")
        (mode,) = next(iter(await db.execute_fetchall("PRAGMA journal_mode")))
    assert mode == "wal"
    assert (tmp_path / "hub.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "hub.sqlite-wal").stat().st_mode & 0o077 == 0
    levels: list[int] = []

    async def ask(db: Connection) -> None:
        levels.extend(row[0] for row in await db.execute_fetchall("PRAGMA synchronous"))

    await store.write(ask)
    assert levels == [2], "synchronous=FULL: a commit is on disk before the write returns"
    await store.close()


async def test_a_newer_or_altered_schema_is_refused(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.close()
    path = tmp_path / "hub.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migration VALUES (999, '0999_later.sql', 'x')")
    with pytest.raises(StoreError, match="newer version of this program"):
        await opened(path)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM migration WHERE number = 999")
        db.execute("UPDATE migration SET checksum = 'y' WHERE number = 2")
    with pytest.raises(StoreError, match="differs from"):
        await opened(path)


def test_a_step_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    steps = [Migration(1, "1", "CREATE TABLE a (x);"), Migration(2, "2", "CREATE TABLE b (x);\nCREATE TABLE a (y);")]
    with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as db:

        def bring_to(wanted: list[Migration]) -> None:
            run_through(lambda connection: migrate(connection, place="x", steps=wanted), db)

        bring_to(steps[:1])
        with pytest.raises(sqlite3.OperationalError):
            bring_to(steps)
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        assert names == {"migration", "a"}
        bring_to([steps[0], Migration(2, "2", "CREATE TABLE b (x);")])
        assert len(list(db.execute("SELECT * FROM migration"))) == 2


def test_every_table_is_strict() -> None:
    for step in known_migrations():
        tables = re.findall(r"CREATE TABLE (\w+)[^;]*?\)\s*([A-Z, ]*);", step.sql)
        assert len(tables) == step.sql.count("CREATE TABLE")
        assert all("STRICT" in options for _, options in tables), step.name


ROWS = {
    "message": "(agent, epoch, seq, kind, hash, sealed, received_at) VALUES ('a', 1, 1, 'x', zeroblob(32), x'00', 1)",
    "entry": "VALUES (1, 'Wh', '2026-01-01', 'm01', 'run', x'00', zeroblob(32))",
    "run": "VALUES (1, 'run', 'D', '2026-01-01', 'r', 'i', 'o', 'complete', x'00', 1, 1)",
    "access_log": "VALUES (1, 'h01', 1, 1, 'm01', 'self', 'p', '', 'f', 1, 1, '')",
}


@pytest.mark.parametrize("table", sorted(ROWS))
async def test_evidence_cannot_be_deleted_or_rewritten(tmp_path: Path, table: str) -> None:
    store = await open_store(tmp_path)
    await store.close()
    with sqlite3.connect(tmp_path / "hub.sqlite") as db:
        db.execute(f"INSERT INTO {table} {ROWS[table]}")
        with pytest.raises(sqlite3.IntegrityError, match=r"never|append-only"):
            db.execute(f"DELETE FROM {table}")
        if table != "access_log":  # accesses by jobs are summed in their row
            with pytest.raises(sqlite3.IntegrityError, match=r"never|append-only"):
                db.execute(f"UPDATE {table} SET position = 2")


async def test_a_refused_write_does_not_undo_the_others(tmp_path: Path) -> None:
    store = await open_store(tmp_path)

    async def broken(db: Connection) -> None:
        await db.execute("INSERT INTO job VALUES ('half', 1, NULL, '')")
        raise StoreConflictError("no")

    works = [store.put_job(Job(f"j{n}", n, None, "")) for n in range(20)]
    results = await asyncio.gather(*works[:10], store.write(broken), *works[10:], return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [StoreConflictError]
    assert sorted(job.name for job in await store.jobs()) == sorted(f"j{n}" for n in range(20))
    await store.close()


async def test_concurrent_writes_share_commits(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    before = await commits(tmp_path)
    await asyncio.gather(*(store.put_job(Job(f"j{n}", n, None, "")) for n in range(200)))
    assert await commits(tmp_path) - before < 100
    assert len(await store.jobs()) == 200
    await store.close()


async def commits(folder: Path) -> int:
    """Commit frames in the write-ahead log: whose header gives a size. Source: sqlite.org/fileformat2."""
    content = (folder / "hub.sqlite-wal").read_bytes()
    page = int.from_bytes(content[8:12])
    salt = content[16:24]
    frames = range(32, len(content) - 24 - page + 1, 24 + page)
    return sum(1 for at in frames if content[at + 8 : at + 16] == salt and any(content[at + 4 : at + 8]))


async def test_a_write_waits_for_another_process_that_writes(tmp_path: Path) -> None:
    store, other = await open_store(tmp_path), await opened(tmp_path / "hub.sqlite")
    await asyncio.gather(*((store if n % 2 else other).put_job(Job(f"j{n}", n, None, "")) for n in range(50)))
    assert len(await store.jobs()) == 50
    await store.close()
    await other.close()


async def test_a_full_disk_gives_one_line_and_loses_nothing_stored_before(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    await store.put_job(Job("before", 1, None, ""))

    async def limit(db: Connection) -> None:
        await db.execute_fetchall("PRAGMA max_page_count = 1")

    await store.write(limit)
    with pytest.raises(StoreError, match="could not write: database or disk is full"):
        await store.put_job(Job("big", 1, None, "x" * 1_000_000))
    assert [job.name for job in await store.jobs()] == ["before"]
    assert (await store.coop()) == COOP
    await store.close()


async def test_a_commit_that_can_be_neither_made_nor_undone_fails_and_the_next_write_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_store(tmp_path)
    refused: set[str] = set()

    def authorize(_action: int, operation: str | None, *_rest: str | None) -> int:
        return sqlite3.SQLITE_DENY if operation in refused else sqlite3.SQLITE_OK

    await store.write(lambda db: db.run(lambda plain: plain.set_authorizer(authorize)))
    refused |= {"COMMIT", "ROLLBACK"}
    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match="could not write: not authorized"):
            await store.put_job(Job("lost", 1, None, ""))
        with pytest.raises(StoreError, match="could not write: not authorized"):
            await store.put_job(Job("also lost", 1, None, ""))
        assert "a failed write could not be undone" in caplog.text
        refused.clear()
        await store.put_job(Job("stored", 1, None, ""))
        assert [job.name for job in await store.jobs()] == ["stored"]
        await store.close()


async def test_a_write_that_begins_while_the_store_closes_is_refused(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    queued = asyncio.create_task(store.put_job(Job("queued", 1, None, "")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match="the store is closed"):
            await store.put_job(Job("late", 1, None, ""))
        await asyncio.gather(queued, closing)
    again = await opened(tmp_path / "hub.sqlite")
    assert [job.name for job in await again.jobs()] == ["queued"]
    await again.close()


async def test_a_reader_that_fails_raises_one_line_and_can_be_used_again(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    for _ in range(5):
        with pytest.raises(StoreError, match="could not be read: no such table: nowhere"):
            async with store.reading() as db:
                await db.execute_fetchall("SELECT 1 FROM nowhere")
    with pytest.raises(StoreError, match="could not be read: attempt to write a readonly database"):
        async with store.reading() as db:
            await db.execute("DELETE FROM job")
    assert await store.coop() == COOP
    await store.close()


def test_only_three_modules_read_values_and_they_log_first() -> None:
    """I12 by construction: three modules select energies, and each public method there writes the log first."""
    folder = ROOT / "hub/storage/sql"
    readers = (folder / "series.py", folder / "row_log/stored.py", folder / "periods/sums.py")
    # Two statements that databases spell differently, whose users are named below, and sums that are made inside the
    # database: no value comes out there.
    spellings = (
        ROOT / "hub/storage/postgres/statements.py",
        ROOT / "hub/storage/sqlite/dialect.py",
        folder / "periods/keeping.py",
    )
    for path in sorted((ROOT / "hub").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        reads_values = re.search(r"energy_wh[^\"]*?FROM (reading|long_interval)\b", text)
        assert bool(reads_values) == (path in (*readers, *spellings)), path
        assert (".metered_sql" in text) == (path == readers[0]), path
        assert (".reading_lines_sql" in text) == (path == readers[1]), path
    public = [
        method
        for path in readers
        for method in re.split(r"\n    async def (?=[a-z])", path.read_text(encoding="utf-8"))[1:]
    ]
    for method in public:
        if "access: Access" in method:
            assert "self.log_access(" in method.split("_SQL")[0].split(" _home(")[0].split(" _hood(")[0], method[:60]

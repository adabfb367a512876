"""A SQLite file on a thread of its own: whole pieces of work in one crossing, in order, and nothing left behind."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.storage.errors import StoreConflictError, StoreError
from hub.storage.jobs.records import Job
from hub.storage.sqlite.threads.connection import Connection
from hub.storage.sqlite.threads.file_thread import FileThread
from tests.hub.sending_home import COOP, open_store


async def numbers(db: Connection) -> list[int]:
    return [row[0] for row in await db.execute_fetchall("SELECT n FROM a ORDER BY n")]


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often somebody waited for a file's thread: it grows."""
    counted = [0]
    run = FileThread.run

    async def counting(self: FileThread, step: Callable[[sqlite3.Connection], Any]) -> Any:
        counted[0] += 1
        return await run(self, step)

    monkeypatch.setattr(FileThread, "run", counting)
    return counted


async def test_a_commit_and_a_read_cross_once_whatever_they_say(tmp_path: Path, crossings: list[int]) -> None:
    store = await open_store(tmp_path)
    for crossing in (
        store.put_job(Job("j", 1, None, "")),
        store.jobs(),
        store.book_rows(),
        store.fleet(slots=range(4)),
    ):
        crossings[0] = 0
        await crossing
        assert crossings == [1]
    await store.close()


async def test_statements_of_one_reading_see_one_moment(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    async with store.reading() as db:
        first = await db.execute_fetchall("SELECT count(*) FROM job")
        await store.put_job(Job("meanwhile", 1, None, ""))
        assert await db.execute_fetchall("SELECT count(*) FROM job") == first
    assert [job.name for job in await store.jobs()] == ["meanwhile"], "the next reading sees what was committed"
    await store.close()


async def test_a_reading_that_was_left_holds_no_snapshot(tmp_path: Path) -> None:
    """One that stayed open would keep the write-ahead log from being emptied."""
    store = await open_store(tmp_path)
    async with store.reading() as db:
        await db.execute_fetchall("SELECT count(*) FROM job")
    with pytest.raises(StoreError, match="no such table"):
        await store.read(lambda db: db.execute_fetchall("SELECT 1 FROM nowhere"))
    await store.jobs()
    await store.put_job(Job("j", 1, None, ""))
    await store.jobs()
    async with store.reading() as db:
        pass  # a reader that is asked nothing begins nothing
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as other:
        async with asyncio.timeout(20):
            while tuple(other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()) != (0, 0, 0):
                await asyncio.sleep(0.01)  # the last reading is ended without being waited for
    await store.close()


async def test_a_piece_of_work_that_waits_for_something_else_is_refused_and_undone(tmp_path: Path) -> None:
    store = await open_store(tmp_path)

    async def slow(db: Connection) -> None:
        await db.execute("INSERT INTO job VALUES ('half', 1, NULL, '')")
        await asyncio.sleep(0)

    def failing() -> list[Awaitable[None]]:
        return [store.write(slow), store.put_job(Job("whole", 1, None, "")), store.read(slow)]

    first, second, third = await asyncio.gather(*failing(), return_exceptions=True)
    assert isinstance(first, RuntimeError)
    assert "await nothing but its connection" in str(first)
    assert second is None
    assert isinstance(third, (RuntimeError, StoreError)), "a reader writes nothing"
    assert [job.name for job in await store.jobs()] == ["whole"]
    await store.close()


async def test_a_work_that_failed_keeps_its_own_error_when_the_commit_fails_too(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    refused: set[str] = set()

    def authorize(_action: int, operation: str | None, *_rest: str | None) -> int:
        return sqlite3.SQLITE_DENY if operation in refused else sqlite3.SQLITE_OK

    await store.write(lambda db: db.run(lambda plain: plain.set_authorizer(authorize)))

    async def broken(_: Connection) -> None:
        raise StoreConflictError("its own")

    refused.add("COMMIT")
    own, other = await asyncio.gather(store.write(broken), store.put_job(Job("j", 1, None, "")), return_exceptions=True)
    assert isinstance(own, StoreConflictError)
    assert isinstance(other, StoreError)
    refused.clear()
    assert (await store.coop(), await store.jobs()) == (COOP, ())
    await store.close()


async def test_steps_are_done_in_order_and_a_cancelled_one_is_done_all_the_same(tmp_path: Path) -> None:
    opened = await FileThread.open(tmp_path / "x", script="CREATE TABLE a (n)")
    begun, go_on = threading.Event(), threading.Event()

    def slow(plain: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(20)
        plain.execute("INSERT INTO a VALUES (1)")

    waiting = asyncio.create_task(opened.run(slow))
    await asyncio.to_thread(begun.wait, 20)
    opened.run_later(lambda plain: plain.execute("INSERT INTO a VALUES (2)"))
    opened.run_later(lambda plain: plain.execute("nonsense"))
    waiting.cancel()
    go_on.set()
    assert await opened.work(numbers) == [1, 2]
    assert waiting.cancelled()
    await opened.close()


async def test_a_closed_file_leaves_no_thread_and_refuses_more(tmp_path: Path) -> None:
    before = threading.active_count()
    opened = await FileThread.open(tmp_path / "x", script="CREATE TABLE a (n)")
    await opened.close()
    await opened.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        await opened.work(numbers)
    with pytest.raises(sqlite3.OperationalError):
        await FileThread.open(tmp_path / "missing" / "x")
    with pytest.raises(sqlite3.OperationalError):
        await FileThread.open(tmp_path / "y", script="nonsense")
    async with asyncio.timeout(20):
        while threading.active_count() > before:
            await asyncio.sleep(0.01)  # the threads end by themselves after the last answer


async def test_whoever_asks_while_the_file_is_being_closed_is_told_so(tmp_path: Path) -> None:
    opened = await FileThread.open(tmp_path / "x")
    go_on = threading.Event()
    opened.run_later(lambda _: go_on.wait(20))
    closing_it = asyncio.create_task(opened.close())
    await asyncio.sleep(0)
    asked = asyncio.create_task(opened.run(lambda plain: plain.execute("SELECT 1")))
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        await asked
    await closing_it


async def test_a_close_that_is_cancelled_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    opened = await FileThread.open(tmp_path / "x")
    go_on = threading.Event()
    opened.run_later(lambda _: go_on.wait(20))
    closing_it = asyncio.create_task(opened.close())
    await asyncio.sleep(0)
    closing_it.cancel()
    go_on.set()
    async with asyncio.timeout(20):
        while threading.active_count() > before:
            await asyncio.sleep(0.01)  # the thread ends by itself once the file is closed


async def test_a_step_that_finds_nothing_more_is_an_error_and_not_for_ever(tmp_path: Path) -> None:
    opened = await FileThread.open(tmp_path / "x")
    nothing: Iterator[int] = iter(())
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await opened.run(lambda _: next(nothing))
    await opened.close()


def test_an_answer_that_nobody_waits_for_any_more_does_not_end_the_thread(tmp_path: Path) -> None:
    async def ask_and_leave() -> FileThread:
        opened = await FileThread.open(tmp_path / "x", script="CREATE TABLE a (n)")
        left = asyncio.get_running_loop().create_task(opened.run(lambda _: release.wait(20)))
        await asyncio.sleep(0)
        left.cancel()
        return opened

    release = threading.Event()
    opened = asyncio.run(ask_and_leave())
    release.set()

    async def ask() -> list[int]:
        found = await opened.work(numbers)
        await opened.close()
        return found

    assert asyncio.run(ask()) == []

"""A thread that alone touches one SQLite connection and does what it is handed, one step after the other."""

import asyncio
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self, TypeVar

from hub.storage.sqlite.threads.connection import FileWork, Step, run_through

T = TypeVar("T")

CACHED_STATEMENTS = 256


class FileThread:
    """An open SQLite file. It has to be closed, also if opening it failed; `open` does that by itself."""

    def __init__(self, name: str) -> None:
        self._steps: SimpleQueue[tuple[asyncio.Future[Any] | None, Step[Any]] | None] = SimpleQueue()
        self._plain: sqlite3.Connection | None = None
        self._is_closed = False
        # A daemon: a store left open must not keep the program from ending; what was committed is on disk.
        self._thread = Thread(target=self._serve, name=name, daemon=True)

    @classmethod
    async def open(cls, place: Path | str, *, script: str = "", is_uri: bool = False) -> Self:
        """Open the file and run this script on it. Raises: sqlite3.Error, with nothing left open."""
        opened = cls(f"sqlite {Path(place).name}")
        opened._thread.start()
        try:
            await opened._handed(lambda _: opened._connect(place, script, is_uri=is_uri))
        except BaseException:
            await opened.close()
            raise
        return opened

    async def run(self, step: Step[T]) -> T:
        """Do this on the thread, after all that was handed to it before. Raises: whatever the step raises."""
        if self._is_closed:
            raise sqlite3.ProgrammingError("the file is closed")
        return await self._handed(step)

    def run_later(self, step: Step[object]) -> None:
        """The same without waiting for it; its outcome is not told."""
        self._steps.put((None, step))

    async def work(self, work: FileWork[T]) -> T:
        """Do a whole piece of work on the thread."""
        return await self.run(partial(run_through, work))

    async def close(self) -> None:
        """Close the file after all that was handed over before. Safe to call twice."""
        if not self._is_closed:
            self._is_closed = True
            closed = self._handed(lambda _: self._disconnect())
            # Before it is waited for: if that is cancelled, the thread ends all the same.
            self._steps.put(None)
            await closed

    def _handed(self, step: Step[T]) -> asyncio.Future[T]:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._steps.put((done, step))
        return done

    def _connect(self, place: Path | str, script: str, *, is_uri: bool) -> None:
        self._plain = sqlite3.connect(place, uri=is_uri, isolation_level=None, cached_statements=CACHED_STATEMENTS)
        self._plain.executescript(script)

    def _disconnect(self) -> None:
        if self._plain is not None:
            plain, self._plain = self._plain, None
            plain.close()

    def _serve(self) -> None:
        while (handed := self._steps.get()) is not None:
            done, step = handed
            result, error = None, None
            try:
                result = step(self._plain)  # type: ignore[arg-type] # only the step that connects comes before it
            except BaseException as caught:  # the caller's to judge; the thread goes on
                error = caught
            if done is not None:
                _answer(done, result, error)
            del handed, done, step, result, error  # nothing is kept alive while the thread waits


def _answer(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits for this answer
        done.get_loop().call_soon_threadsafe(_settle, done, result, error)


def _settle(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():  # whoever waited was cancelled
        return
    if isinstance(error, StopIteration):  # a future refuses it, and whoever waits would wait for ever
        done.set_exception(RuntimeError("a step on the store ended in StopIteration"))
    elif error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)

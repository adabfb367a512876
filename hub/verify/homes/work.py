"""Who checks the homes and the months of their sums: this process, one after the other, or several processes.

Processes and not threads: half of the work is Python's own, which threads do not do side by side. A process holds one
home's rows at a time.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Final, Protocol, Self

from hub.console.progress import ReportProgress, ignore_progress
from hub.storage.audit_records import StoredRows
from hub.storage.contract import Store
from hub.storage.errors import StoreAwayError
from hub.verify.homes.checkpoints import AgentCheckpoint, CheckpointSeals, HomeCheckpoint
from hub.verify.homes.old_messages import OldMessages, read_old_messages
from hub.verify.homes.one_home import ACCESS, HomeCheck, check_home
from hub.verify.homes.period_sums import LookElsewhere, WrongSum, look_at_month

LEAST_FOR_PROCESSES: Final = 20_000
"""Fewer messages are opened sooner than processes are started."""
OLD_TO_ONE: Final = 20
"""So many messages are compared by hash in the time in which one is opened."""
MOST_HOMES: Final = 64
"""In one share: its results come back together."""
MOST_PROCESSES: Final = 32
MOST_WITH_SERVER: Final = 8
"""Each has two or three sessions on the database server, which has room for about a hundred of all hubs together."""


class WorkEndedError(StoreAwayError):
    """A process of the verification was ended: what it looked at contradicts nothing."""

    def __init__(self) -> None:
        super().__init__("a process of the verification ended before its work was done: is memory short?")


@dataclass(frozen=True, slots=True)
class HomeTask:
    """One home to check, from its checkpoint on if there is one.

    With `trusts_checkpoint` False, from its first message on.
    """

    home: str
    since: HomeCheckpoint | None = None
    trusts_checkpoint: bool = True


@dataclass
class Counter:
    """How many messages were opened, told as they are."""

    report: ReportProgress = ignore_progress
    expected: int = 0
    opened: int = field(default=0, init=False)

    def add(self, more: int) -> None:
        """So many more."""
        self.opened += more
        self.report("messages", self.opened, max(self.expected, self.opened))


@dataclass(frozen=True, slots=True)
class HomesToCheck:
    """Homes of one co-op, and how far the rows of all messages are compared with what they were, by agent."""

    tasks: Sequence[HomeTask]
    checkpoints: Mapping[str, AgentCheckpoint]
    coop: str
    seals: CheckpointSeals | None

    def share(self, tasks: Sequence[HomeTask]) -> "HomesToCheck":
        """Some of the homes, and no rows."""
        return HomesToCheck(tasks, {}, self.coop, self.seals)


class HomeWork(Protocol):
    """Whoever checks homes and looks at months of sums, for the time of a block.

    Where a process ends before its work is done, both raise WorkEndedError. Where this process does it, `look` is None.
    """

    look: LookElsewhere | None

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def check(self, wanted: HomesToCheck, counter: Counter) -> tuple[list[HomeCheck], OldMessages]: ...


class InThisProcess:
    """One after the other, on a store that is open."""

    def __init__(self, store: StoredRows) -> None:
        self._store = store
        self.look: LookElsewhere | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to end."""

    async def check(self, wanted: HomesToCheck, counter: Counter) -> tuple[list[HomeCheck], OldMessages]:
        """The rows first, then home by home."""
        rows = await _old_messages(self._store, wanted.checkpoints, report=counter.report)
        return await _check_share(self._store, wanted, counter), rows


class InProcesses:
    """In processes that open the hub's store for themselves. `open_it` is called in each of them."""

    def __init__(self, opening: "StoreOpener", *, processes: int) -> None:
        self._opening, self._processes = opening, processes
        self._pool: Executor | None = None
        self.look: LookElsewhere | None = self._look

    async def __aenter__(self) -> Self:
        # A fresh interpreter: this one has threads, which a fork would copy in the middle of their work.
        self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=end_with_parent)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _look(self, month: range, homes: Sequence[str], *, tz: str) -> set[WrongSum]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, _look_there, self._opening, month, homes, tz)
        except BrokenProcessPool:
            raise WorkEndedError from None

    async def check(self, wanted: HomesToCheck, counter: Counter) -> tuple[list[HomeCheck], OldMessages]:
        """The rows in one process, and meanwhile the homes in as many as there are."""
        loop, tasks = asyncio.get_running_loop(), wanted.tasks
        checkpoints = dict(wanted.checkpoints)
        rows = loop.run_in_executor(self._pool, _scan, self._opening, checkpoints) if checkpoints else None
        size = max(1, min(MOST_HOMES, len(tasks) // (4 * self._processes)))
        slices = [wanted.share(tasks[at : at + size]) for at in range(0, len(tasks), size)]
        running = [loop.run_in_executor(self._pool, _share, self._opening, each) for each in slices]
        found: list[HomeCheck] = []
        try:
            for share in asyncio.as_completed(running):
                found += (done := await share)
                counter.add(sum(each.messages for each in done))
            return found, OldMessages() if rows is None else await rows
        except BrokenProcessPool:
            raise WorkEndedError from None
        finally:
            for each in (*running, *(() if rows is None else (rows,))):
                each.cancel()


class StoreOpener(Protocol):
    """Opens the store in another process; it is sent there, so it has to be picklable."""

    async def __call__(self) -> Store: ...


def end_with_parent() -> None:
    """Begin a process of a pool: it ends when the one that started it does, however that ends."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def process_count(*, is_on_server: bool = False) -> int:
    """How many processes work at once here if nobody says otherwise; `is_on_server` is whether the store is on one."""
    most = MOST_WITH_SERVER if is_on_server else MOST_PROCESSES
    return max(1, min(most, len(os.sched_getaffinity(0))))


def _scan(opening: StoreOpener, checkpoints: dict[str, AgentCheckpoint]) -> OldMessages:
    async def scan() -> OldMessages:
        store = await opening()
        try:
            return await _old_messages(store, checkpoints, report=ignore_progress)
        finally:
            await store.close()

    return asyncio.run(scan())


def _share(opening: StoreOpener, wanted: HomesToCheck) -> list[HomeCheck]:
    async def check() -> list[HomeCheck]:
        store = await opening()
        try:
            return await _check_share(store, wanted, Counter())
        finally:
            await store.close()

    return asyncio.run(check())


def _look_there(opening: StoreOpener, month: range, homes: Sequence[str], tz: str) -> set[WrongSum]:
    async def look() -> set[WrongSum]:
        store = await opening()
        try:
            return await look_at_month(store, month, homes, tz=tz)
        finally:
            await store.close()

    return asyncio.run(look())


async def _old_messages(
    store: StoredRows, checkpoints: Mapping[str, AgentCheckpoint], *, report: ReportProgress
) -> OldMessages:
    if not checkpoints:
        return OldMessages()
    return await read_old_messages(store, checkpoints, expected=None, report=report)


async def _check_share(store: StoredRows, wanted: HomesToCheck, counter: Counter) -> list[HomeCheck]:
    rows = await store.stored_rows([task.home for task in wanted.tasks], access=ACCESS)
    return [
        await check_home(
            *(rows, task.home),
            coop=wanted.coop,
            seals=wanted.seals,
            since=task.since,
            trusts_checkpoint=task.trusts_checkpoint,
            told=counter.add,
        )
        for task in wanted.tasks
    ]

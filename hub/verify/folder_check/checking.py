"""Checks a hub's folder and store, all parts together, and makes the checkpoint from which the next check goes on."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.console.progress import ReportProgress, ignore_progress
from hub.folder.keys.salt_key import load_seals
from hub.folder.keys.signer import load_certificates, load_signer
from hub.folder.opening import open_store
from hub.folder.paths import SALT_NAME
from hub.folder.settings import HubSettings, load_settings
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.storage.records import Coop
from hub.verify.books import BookCheck, CheckedDays, check_books
from hub.verify.check_result import OUT_OF_REACH, CheckResult
from hub.verify.folder_check.checkpoint import FORMAT, Checkpoint
from hub.verify.homes.checkpoints import CheckpointSeals, HomeCheckpoint
from hub.verify.homes.period_sums import check_sums
from hub.verify.homes.work import (
    LEAST_FOR_PROCESSES,
    OLD_TO_ONE,
    HomeWork,
    InProcesses,
    InThisProcess,
    end_with_parent,
    process_count,
)
from hub.verify.hub_keys import HubKeys
from hub.verify.kept_roots import SignedLogHead, check_kept_roots, read_kept_roots, signed_log_heads
from hub.verify.messages import MessageCheck, check_messages, work_ahead
from hub.verify.people import ACT_TABLES, check_approvers, check_people
from hub.verify.rows import RowCheck, RowHistory, check_rows
from hub.verify.rulebook import check_adoptions, check_bundles, check_proposals
from protocols.hub_keys import HubKeyCertificate
from protocols.slots import SLOTS_PER_UTC_DAY, slot_of
from protocols.timeline import Clock

SUMS_AGAIN_SLOTS: Final = 62 * SLOTS_PER_UTC_DAY
"""With a checkpoint, sums of hours, days and months are added up again from this long before it was made."""

MESSAGES: Final = "messages"
BOOKS: Final = "books"
ROWS: Final = "rows"
KEPT: Final = "kept"
PARTS: Final = (MESSAGES, BOOKS, ROWS)


@dataclass
class Verified:
    """What was found, by part; and, of a check of all parts, the checkpoint that it allows.

    `not_begun` says why nothing could be checked; it is a finding as well.
    """

    parts: dict[str, CheckResult] = field(default_factory=dict)
    since: Checkpoint | None = None
    checkpoint: Checkpoint | None = None
    not_begun: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether no contradiction was found."""
        return not any(each.wrong for each in self.parts.values())

    def as_json(self) -> dict[str, object]:
        """The same as plain data."""
        since = {} if self.since is None else {"since": {"made_at": self.since.made_at, "program": self.since.program}}
        return {"ok": self.is_ok, **{name: asdict(each) for name, each in self.parts.items()}, **since}


def identity_of(folder: Path) -> Ed25519PublicKey:
    """The hub's lasting public key. Raises: IdentityError."""
    return Ed25519PublicKey.from_public_bytes(load_signer(folder).identity)


def hub_keys_of(folder: Path) -> HubKeys:
    """The keys that may have signed for this hub. Raises: IdentityError."""
    return HubKeys(identity_of(folder), [certificate for _, certificate in load_certificates(folder)])


def usual_processes(folder: Path) -> int:
    """How many processes check this hub if nobody says otherwise. Raises: SettingsError."""
    return process_count(is_on_server=load_settings(folder).store is not None)


async def check_hub(
    folder: Path,
    *,
    clock: Clock,
    program: str,
    only: str | None = None,
    pinned: bytes | None = None,
    kept: Sequence[Path] = (),
    since: Checkpoint | None = None,
    processes: int = 1,
    report: ReportProgress = ignore_progress,
) -> Verified:
    """Check every message, entry and row; with `since`, what it names only by its hashes.

    If `only` is MESSAGES, BOOKS or ROWS, only that part is checked and no checkpoint is made. `pinned` is the public
    key that the hub's identity must have, and `kept` are files with day roots that it gave away. A damaged file that
    cannot be opened is a finding. `program` is the version that a checkpoint is said to be made by.
    Raises: SettingsError or IdentityError, if the folder holds no hub. RequestError if a kept file has no roots.
    One of OUT_OF_REACH if the store is or goes out of reach; StoreError if its server cannot be used.
    """
    settings, signer = load_settings(folder), load_signer(folder)
    certificates = [certificate for _, certificate in load_certificates(folder)]
    for path in kept:
        read_kept_roots(path)
    found = Verified(since=since)
    if problem := _wrong_keys(signer.identity, certificates, coop=settings.coop.id, pinned=pinned):
        return _with_problem(found, problem)
    try:
        store = await open_store(folder, clock=clock, server=settings.store)
    except StoreError as error:
        # A server that opens no store says why it lets nobody in; of the rows it says nothing.
        if settings.store is not None or isinstance(error, OUT_OF_REACH):
            raise
        return _with_problem(found, f"store: {error}")
    begun_at = int(clock.now())
    work = _Work(
        *(store, folder), settings=settings, now_s=clock.now(), since=since, processes=processes, report=report
    )
    try:
        parts: dict[str, Coroutine[None, None, CheckResult]] = {
            part: check()
            for part, check in ((ROWS, work.rows), (MESSAGES, work.messages), (BOOKS, work.books))
            if only in (None, part)
        }
        found.parts |= dict(zip(parts, await _side_by_side(parts.values()), strict=True))
        if kept:
            found.parts[KEPT] = await check_kept_roots(
                *(kept, store), coop=settings.coop.id, keys=hub_keys_of(folder), seals=work.own_seals
            )
    finally:
        await store.close()
    if settings.store is not None and not found.is_ok:
        # Tables that its role may not reach any more look to the hub as if they were gone: then this is refused.
        await (await open_store(folder, clock=clock, server=settings.store)).close()
    if only is None and work.seals is not None:
        found.checkpoint = work.checkpoint(found, program=program, made_at=begun_at)
    return found


async def _side_by_side(checks: Iterable[Coroutine[None, None, CheckResult]]) -> list[CheckResult]:
    """Where other processes open messages and compute runs, this one reads the log of rows meanwhile."""
    tasks = [asyncio.create_task(check) for check in checks]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_problem(found: Verified, problem: str) -> Verified:
    found.parts[ROWS] = RowCheck()
    found.parts[ROWS].note(problem)
    found.not_begun = problem
    return found


class StoreOpening:
    """Opens the store of a hub's folder in another process."""

    def __init__(self, folder: Path, settings: HubSettings, now_s: float) -> None:
        self._folder, self._settings, self._now_s = folder, settings, now_s

    async def __call__(self) -> Store:
        """The open store. Raises: StoreError."""
        clock = Clock(real=lambda: self._now_s)
        return await open_store(self._folder, clock=clock, server=self._settings.store)


class _Work:
    """The parts of one check, and what they found to hold for the next one."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        settings: HubSettings,
        now_s: float,
        since: Checkpoint | None,
        processes: int,
        report: ReportProgress,
    ) -> None:
        self._store, self._folder, self._settings, self._since = store, folder, settings, since
        self._opening, self._processes, self._report = StoreOpening(folder, settings, now_s), processes, report
        self._certificates = [certificate for _, certificate in load_certificates(folder)]
        self.own_seals = load_seals(folder) if (folder / SALT_NAME).exists() else None
        self.seals = None if self.own_seals is None else CheckpointSeals(self.own_seals.key)
        self._homes: dict[str, HomeCheckpoint] = {}
        self._days: dict[str, str] = {}
        self._log: tuple[int, bytes] | None = None

    async def rows(self) -> RowCheck:
        """The log of rows, and every row that it holds."""
        unread, heads = CheckResult(), list[SignedLogHead]()
        with unread.reading("day roots"):
            heads = await signed_log_heads(self._store)
        if self._since is not None:
            place = f"the checkpoint of {self._since.said_at}"
            lines, link = self._since.log
            heads.append(SignedLogHead(lines, bytes.fromhex(link), place, is_root=False))
        key = identity_of(self._folder)
        check, history = await check_rows(
            self._store, key, certificates=self._certificates, acts=ACT_TABLES, heads=heads, report=self._report
        )
        for problem in unread.findings:
            check.note(problem)
        await _check_what_rows_say(self._store, self._settings.coop, history, check)
        if not check.wrong:
            self._log = history.end
        return check

    async def messages(self) -> MessageCheck:
        """What the homes sent."""
        since = None if self._since is None or self.seals is None else self._since.homes
        begins = None if self._since is None else slot_of(self._since.made_at) - SUMS_AGAIN_SLOTS
        async with self._home_work(await work_ahead(self._store, since)) as workers:
            check = await check_messages(
                self._store,
                seals=self.seals,
                since=since,
                checkpoints=self._homes,
                workers=workers,
                report=self._report,
            )
            with check.reading("period_sum"):
                check.wrong_sums = await check_sums(
                    self._store, check, since=begins, elsewhere=workers.look, report=self._report
                )
        return check

    async def books(self) -> BookCheck:
        """The books, in a process of their own where there is much to do."""
        since = {} if self._since is None else self._since.days
        if self._processes == 1 or await self._store.message_count() < LEAST_FOR_PROCESSES * OLD_TO_ONE:
            check, self._days = await check_books_twice(self._store, self._folder, since, report=self._report)
            return check
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)
        loop = asyncio.get_running_loop()
        try:
            check, self._days = await loop.run_in_executor(pool, _books_there, self._opening, self._folder, since)
        except BrokenProcessPool:
            raise StoreError("the process that checks the books ended before it was done: is memory short?") from None
        finally:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        return check

    def checkpoint(self, found: Verified, *, program: str, made_at: int) -> Checkpoint:
        """From where the next check may go on."""
        # A log in which something is wrong is not vouched for further than before.
        log = (0, bytes(32).hex()) if self._since is None else self._since.log
        if self._log is not None:
            log = (self._log[0], self._log[1].hex())
        wrong = sum(each.wrong for each in found.parts.values())
        return Checkpoint(FORMAT, self._settings.coop.id, program, made_at, wrong, log, self._homes, self._days)

    def _home_work(self, ahead: int) -> HomeWork:
        if self._processes == 1 or ahead < LEAST_FOR_PROCESSES:
            return InThisProcess(self._store)
        return InProcesses(self._opening, processes=self._processes)


def _books_there(opening: StoreOpening, folder: Path, since: Mapping[str, str]) -> tuple[BookCheck, dict[str, str]]:
    async def check() -> tuple[BookCheck, dict[str, str]]:
        store = await opening()
        try:
            return await check_books_twice(store, folder, since, report=ignore_progress)
        finally:
            await store.close()

    return asyncio.run(check())


async def check_books_twice(
    store: Store, folder: Path, since: Mapping[str, str], *, report: ReportProgress
) -> tuple[BookCheck, dict[str, str]]:
    """What is wrong with the books, and the days that hold for the next checkpoint.

    The books are read in several parts, and a running hub may book in between: what is wrong is wrong twice.
    """
    seals = CheckpointSeals(load_seals(folder).key) if (folder / SALT_NAME).exists() else None
    certificates = [certificate for _, certificate in load_certificates(folder)]
    for _ in range(2):
        days = CheckedDays(since, seals=seals)
        check = await check_books(
            store, identity_of(folder), certificates=certificates, checkpoints=days, report=report
        )
        if not check.wrong:
            break
    return check, days.held


def _wrong_keys(
    identity: bytes, certificates: Sequence[HubKeyCertificate], *, coop: str, pinned: bytes | None
) -> str | None:
    """Why nothing in this folder can be this co-op's; None if its keys are."""
    if pinned is not None and identity != pinned:
        return "the folder's key is not the one given with --hub-key: another hub signed what is stored here"
    others = sorted({certificate.coop for certificate in certificates} - {coop})
    return f"the certificates of the hub keys are of {others[0]}, hub.toml says {coop}" if others else None


async def _check_what_rows_say(store: Store, coop: Coop, history: RowHistory, check: RowCheck) -> None:
    with check.reading("coop"):
        held = await store.coop()
        if (held.id, held.tz) != (coop.id, coop.tz):
            check.note(f"coop: the store is that of {held.id} in {held.tz}, hub.toml says {coop.id} in {coop.tz}")
    with check.reading("rules"):
        await check_adoptions(store, history, check, tz=coop.tz)
        await check_proposals(store, history, check, tz=coop.tz)
    with check.reading("device maps"):
        check.bundles = await check_bundles(store, check, coop=coop.id)
    with check.reading("who decided what"):
        check.acts = await check_people(store, history, check) + await check_approvers(store, history, check)


def taken_over_line(since: Checkpoint, found: Mapping[str, object]) -> str:
    """What a check since a checkpoint took over from it, for people."""
    messages, books = found.get(MESSAGES), found.get(BOOKS)
    parts = []
    if isinstance(messages, dict):
        parts.append(
            f"{messages['compared']} messages and the readings in them are those of then by their hashes, and were not"
            " opened again"
        )
    if isinstance(books, dict):
        parts.append(f"{books['taken_over']} runs have the inputs and the result of then, and were not computed again")
    return f"since the checkpoint of {since.said_at}: {'; '.join(parts)}. verify --whole opens and computes everything"

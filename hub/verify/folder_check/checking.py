"""Checks a hub's folder and store, all parts together, and makes the checkpoint from which the next check goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
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
from hub.verify.check_result import CheckResult
from hub.verify.folder_check.checkpoint import FORMAT, Checkpoint
from hub.verify.homes.checkpoints import CheckpointSeals, HomeCheckpoint
from hub.verify.homes.work import LEAST_FOR_PROCESSES, HomeWork, InProcesses, InThisProcess
from hub.verify.hub_keys import HubKeys
from hub.verify.kept_roots import SignedLogHead, check_kept_roots, read_kept_roots, signed_log_heads
from hub.verify.messages import check_messages
from hub.verify.people import ACT_TABLES, check_approvers, check_people
from hub.verify.rows import RowCheck, RowHistory, check_rows
from hub.verify.rulebook import check_adoptions, check_bundles, check_proposals
from protocols.hub_keys import HubKeyCertificate
from protocols.timeline import Clock

MESSAGES: Final = "messages"
BOOKS: Final = "books"
ROWS: Final = "rows"
KEPT: Final = "kept"
PARTS: Final = (MESSAGES, BOOKS, ROWS)


@dataclass
class Verified:
    """What was found, by part; and, of a check of all parts, the checkpoint that it allows."""

    parts: dict[str, CheckResult] = field(default_factory=dict)
    since: Checkpoint | None = None
    checkpoint: Checkpoint | None = None

    @property
    def is_ok(self) -> bool:
        """Whether no contradiction was found."""
        return not any(each.wrong for each in self.parts.values())

    def as_json(self) -> dict[str, object]:
        """The same as plain data."""
        since = {} if self.since is None else {"since": {"made_at": self.since.made_at, "program": self.since.program}}
        return {"ok": self.is_ok, **{name: asdict(each) for name, each in self.parts.items()}, **since}


@dataclass
class _Held:
    """What this check found to hold, for the next one."""

    days: CheckedDays
    homes: dict[str, HomeCheckpoint] = field(default_factory=dict)
    log: tuple[int, bytes] | None = None


def hub_keys_of(folder: Path) -> HubKeys:
    """The keys that may have signed for this hub. Raises: IdentityError."""
    signer = load_signer(folder)
    certificates = [certificate for _, certificate in load_certificates(folder)]
    return HubKeys(Ed25519PublicKey.from_public_bytes(signer.identity), certificates)


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
    key that the hub's identity must have, and `kept` are files with day roots that it gave away. A store that cannot be
    opened is a finding. `program` is the version that a checkpoint is said to be made by.
    Raises: SettingsError or IdentityError, if the folder holds no hub. RequestError if a kept file has no roots.
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
        return _with_problem(found, f"store: {error}")
    seals = CheckpointSeals(load_seals(folder).key) if (folder / SALT_NAME).exists() else None
    checkpoints = _Held(CheckedDays(since.days if since is not None else {}, seals=seals))
    begun_at = int(clock.now())
    try:
        key = Ed25519PublicKey.from_public_bytes(signer.identity)
        if only in (None, ROWS):
            found.parts[ROWS] = await _check_rows(
                store, settings.coop, key, certificates, since=since, checkpoints=checkpoints, report=report
            )
        if only in (None, MESSAGES):
            found.parts[MESSAGES] = await check_messages(
                store,
                seals=seals,
                since=None if since is None or seals is None else since.homes,
                checkpoints=checkpoints.homes,
                work=partial(_work, store, StoreOpening(folder, settings, clock.now()), processes),
                report=report,
            )
        if only in (None, BOOKS):
            found.parts[BOOKS] = await _check_books(
                store, key, certificates, checkpoints=checkpoints.days, report=report
            )
        if kept:
            found.parts[KEPT] = await check_kept_roots(
                kept,
                store,
                coop=settings.coop.id,
                keys=HubKeys(key, certificates),
                seals=None if seals is None else load_seals(folder),
            )
    finally:
        await store.close()
    if only is None and seals is not None:
        found.checkpoint = _checkpoint(found, checkpoints, coop=settings.coop.id, program=program, made_at=begun_at)
    return found


def _with_problem(found: Verified, problem: str) -> Verified:
    found.parts[ROWS] = RowCheck()
    found.parts[ROWS].note(problem)
    return found


class StoreOpening:
    """Opens the store of a hub's folder in another process."""

    def __init__(self, folder: Path, settings: HubSettings, now_s: float) -> None:
        self._folder, self._settings, self._now_s = folder, settings, now_s

    async def __call__(self) -> Store:
        """The open store. Raises: StoreError."""
        clock = Clock(real=lambda: self._now_s)
        return await open_store(self._folder, clock=clock, server=self._settings.store)


def _work(store: Store, opening: StoreOpening, processes: int, to_open: int) -> HomeWork:
    if processes == 1 or to_open < LEAST_FOR_PROCESSES:
        return InThisProcess(store)
    return InProcesses(opening, processes=processes)


def _checkpoint(found: Verified, checkpoints: _Held, *, coop: str, program: str, made_at: int) -> Checkpoint:
    wrong = sum(each.wrong for each in found.parts.values())
    since = found.since
    # A log in which something is wrong is not vouched for further than before.
    log = (0, bytes(32).hex()) if since is None else since.log
    if checkpoints.log is not None:
        log = (checkpoints.log[0], checkpoints.log[1].hex())
    return Checkpoint(FORMAT, coop, program, made_at, wrong, log, checkpoints.homes, checkpoints.days.held)


def _wrong_keys(
    identity: bytes, certificates: Sequence[HubKeyCertificate], *, coop: str, pinned: bytes | None
) -> str | None:
    """Why nothing in this folder can be this co-op's; None if its keys are."""
    if pinned is not None and identity != pinned:
        return "the folder's key is not the one given with --hub-key: another hub signed what is stored here"
    others = sorted({certificate.coop for certificate in certificates} - {coop})
    return f"the certificates of the hub keys are of {others[0]}, hub.toml says {coop}" if others else None


async def _check_books(
    store: Store,
    key: Ed25519PublicKey,
    certificates: Sequence[HubKeyCertificate],
    *,
    checkpoints: CheckedDays,
    report: ReportProgress,
) -> BookCheck:
    found = await check_books(store, key, certificates=certificates, checkpoints=checkpoints, report=report)
    if not found.wrong:
        return found
    # The books are read in several parts, and a running hub may have booked in between: what is wrong is wrong twice.
    checkpoints.held.clear()
    return await check_books(store, key, certificates=certificates, checkpoints=checkpoints, report=report)


async def _check_rows(
    store: Store,
    coop: Coop,
    key: Ed25519PublicKey,
    certificates: Sequence[HubKeyCertificate],
    *,
    since: Checkpoint | None,
    checkpoints: _Held,
    report: ReportProgress,
) -> RowCheck:
    unread, heads = CheckResult(), list[SignedLogHead]()
    with unread.reading("day roots"):
        heads = await signed_log_heads(store)
    if since is not None:
        place = f"the checkpoint of {since.said_at}"
        heads.append(SignedLogHead(since.log[0], bytes.fromhex(since.log[1]), place, is_root=False))
    check, history = await check_rows(
        store, key, certificates=certificates, acts=ACT_TABLES, heads=heads, report=report
    )
    for problem in unread.findings:
        check.note(problem)
    await _check_what_rows_say(store, coop, history, check)
    if not check.wrong:
        checkpoints.log = history.end
    return check


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

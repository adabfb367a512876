"""What the store and the folder say of the hub's health. It reads no reading, and names nobody."""

import asyncio
import shutil
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from hub.backups.last_backup import backup_age_s, backup_warning
from hub.books.after_restore import restore_words
from hub.core.ledger.approvals import lone_board
from hub.folder.clock import clock_warning
from hub.folder.last_verification import read_last_verification, verification_warning
from hub.folder.settings import HubSettings
from hub.health.checks import AWAY, FAILS, FULL, REFUSES
from hub.health.facts import SILENT_AFTER_S, StoredHealth, StoreTrouble
from hub.storage.contract import Store
from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.storage.records import Agent
from hub.trust.authority_files import certificate_ends_at, certificate_warnings
from protocols.errors import CommonwattError
from protocols.slots import Slot, start_of

T = TypeVar("T")


async def stored_health(folder: Path, store: Store, *, settings: HubSettings, now_s: float) -> StoredHealth:
    """What store and folder say now. Certificates are compared with this computer's own clock. Raises: StoreError."""
    refused: dict[str, int] = {}
    for row in await store.refusals():
        refused[row.reason] = refused.get(row.reason, 0) + row.count
    through = await store.received_through()
    homes, silent = _silent(await store.agents(), through, now_s=now_s)
    disk = shutil.disk_usage(folder)
    certificates_end_at, certificates = _certificates(folder)
    newest = max(through.values(), default=None)
    warnings = {
        "clock": await clock_warning(store, now_s=now_s),
        "board": await _board(store),
        "backup": backup_warning(
            folder,
            now_s=now_s,
            is_planned=settings.backup is not None,
            on_server=None if settings.store is None else settings.store.backup,
        ),
        "certificates": certificates,
        "verification": verification_warning(folder, now_s=now_s, every_days=settings.verify_every_days),
        "restore": next((restore_words(each) for each in await store.restores() if each.checked_at is None), None),
    }
    return StoredHealth(
        messages=await store.message_count(),
        homes=homes,
        silent=silent,
        newest_slot_end=None if newest is None else start_of(newest + 1),
        last_settled_day=await store.last_settled_day(),
        refused=refused,
        store_bytes=await store.size_bytes(),
        is_on_server=settings.store is not None,
        disk_free_bytes=disk.free,
        disk_bytes=disk.total,
        backup_age_s=backup_age_s(folder, now_s=now_s),
        certificates_end_at=certificates_end_at,
        verified_at=read_last_verification(folder).checked_at,
        warnings={subject: words for subject, words in warnings.items() if words},
    )


def trouble_of(error: StoreError) -> StoreTrouble:
    """The trouble that this error of the store tells."""
    kinds = ((StoreAwayError, AWAY), (StoreRefusedError, REFUSES), (StoreFullError, FULL), (StoreError, FAILS))
    return StoreTrouble(next(kind for each, kind in kinds if isinstance(error, each)), str(error))


async def unless_in_trouble(asked: Awaitable[T], *, within_s: float) -> tuple[T | None, StoreTrouble | None]:
    """What the store answers; or nothing, and why. A server that is silent for so long is away."""
    try:
        async with asyncio.timeout(within_s):
            return await asked, None
    except TimeoutError:
        return None, StoreTrouble(AWAY, f"the store has not answered for {within_s:g} s")
    except StoreError as error:
        return None, trouble_of(error)


def _silent(agents: tuple[Agent, ...], through: dict[str, Slot], *, now_s: float) -> tuple[int, int]:
    """How many homes have sent a reading, and how many of them have sent none lately."""
    newest: dict[str, Slot] = {}
    for agent in agents:
        if agent.revoked_at is None and agent.id in through:
            newest[agent.home_id] = max(newest.get(agent.home_id, 0), through[agent.id])
    return len(newest), sum(now_s - start_of(slot + 1) > SILENT_AFTER_S for slot in newest.values())


async def _board(store: Store) -> str | None:
    members = await store.members()
    board = [member.id for member in members if member.is_board]
    return lone_board(board, members=sum(member.held_by is None for member in members))


def _certificates(folder: Path) -> tuple[int | None, str | None]:
    try:
        return certificate_ends_at(folder), "; ".join(certificate_warnings(folder, now_s=int(time.time())))
    except CommonwattError as error:
        # Files that cannot be read are what the board must be told of.
        return None, str(error)

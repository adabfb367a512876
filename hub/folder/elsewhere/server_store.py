"""The hub's store on a server: opens it, prepares a place for it, and copies it from and to the folder's file.

Loading this module needs the extra `postgres`; only a hub with `[store]`, and the command `db`, load it.
"""

from dataclasses import dataclass
from pathlib import Path

from hub.folder.elsewhere.store_settings import StoreSettings, own_address_file, read_address
from hub.folder.keys.signer import load_signer
from hub.folder.paths import STORE_NAME
from hub.storage.contract import Store
from hub.storage.jobs.queue import JobQueue
from hub.storage.postgres.address import StoreAddress, has_password, with_user
from hub.storage.postgres.connections import failover_warning
from hub.storage.postgres.copying.between import Copied, Report, copy_to_file, copy_to_server
from hub.storage.postgres.names import runner_of
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.store import PostgresStore
from hub.storage.sqlite.store import SqliteStore
from protocols.durable_files import write_durably
from protocols.errors import SettingsError
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock

__all__ = [
    "Copied",
    "copy_back",
    "copy_there",
    "has_password",
    "open_job_queue",
    "open_on_server",
    "prepare_on_server",
    "what_a_failover_loses",
]


async def open_on_server(server: StoreSettings, *, clock: Clock, signer: HubSigner) -> Store:
    """The store of a running hub. Raises: SettingsError or StoreError."""
    return await PostgresStore.open(StoreAddress(read_address(server), server.schema), now=clock.now, signer=signer)


async def open_job_queue(server: StoreSettings) -> JobQueue:
    """The queue of jobs on the hub's server; the caller closes it. Raises: SettingsError or StoreError."""
    # Only a timetable or a worker with a queue loads it.
    from hub.storage.postgres.job_queue.server_queue import ServerQueue  # noqa: PLC0415

    return await ServerQueue.open(StoreAddress(read_address(server), server.schema))


async def what_a_failover_loses(server: StoreSettings) -> str | None:
    """What may be lost if a standby takes the server's place, for the board. Raises: SettingsError or StoreError."""
    return await failover_warning(StoreAddress(read_address(server), server.schema))


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """The hub's own address on the server: its file, if it was written now, and if that was in place of a lost one."""

    path: Path
    is_written: bool
    is_again: bool


async def prepare_on_server(
    folder: Path, server: StoreSettings | None, *, admin: str, schema: str, clock: Clock
) -> OwnAddress:
    """Make or update the co-op's place, signed in at `admin`. A new role of the hub gets a password, and so does one
    that was there if the file with its address is lost.

    Raises: IdentityError, SettingsError or StoreError.
    """
    signer, address = load_signer(folder), StoreAddress(admin, schema)
    path, is_lost = own_address_file(folder, server, schema=schema)
    is_again = False

    def keep(password: str) -> None:
        own = with_user(admin, runner_of(schema), password)
        try:
            write_durably(path, f"{own}\n".encode(), replace=True)
        except OSError as error:
            raise SettingsError(f"{path}: cannot write the hub's address there: {error.strerror}") from None

    def keep_again(password: str) -> None:
        nonlocal is_again
        keep(password)
        is_again = True

    lost = keep_again if is_lost else None
    password = await prepare_store(address, now=clock.now, signer=signer, keep=keep, lost=lost)
    return OwnAddress(path, is_written=password is not None, is_again=is_again)


async def copy_there(folder: Path, *, admin: str, schema: str, clock: Clock, report: Report) -> Copied:
    """Copy the folder's file into the prepared place. Raises: IdentityError or StoreError."""
    path, address = folder / STORE_NAME, StoreAddress(admin, schema)
    # Opened first: the file may be of an earlier version, or another hub's.
    store = await SqliteStore.open(path, now=clock.now, signer=load_signer(folder))
    try:
        await store.require_own()
    finally:
        await store.close()
    return await copy_to_server(path, address, report=report)


async def copy_back(folder: Path, server: StoreSettings, path: Path, *, clock: Clock, report: Report) -> Copied:
    """Copy the hub's store from its server into a new file. Raises: IdentityError, SettingsError or StoreError."""
    store = await open_on_server(server, clock=clock, signer=load_signer(folder))
    try:
        await store.require_own()
    finally:
        await store.close()
    address = StoreAddress(read_address(server), server.schema)
    return await copy_to_file(address, path, now=clock.now, report=report)

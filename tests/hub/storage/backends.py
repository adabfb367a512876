"""The names of the backends, how a test opens a store on one of them, and whether a row can be changed there."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hub.storage.contract import Store
from hub.storage.errors import ConstraintError, StoreError
from hub.storage.sql.connection import Transactions

BACKENDS = ("postgres", "sqlite")


class OpenBackend(Protocol):
    """Opens the store of a folder; `now` is its clock."""

    async def __call__(self, *, now: Callable[[], float], folder: Path = ...) -> Store: ...


async def is_kept(store: Store, sql: str) -> bool:
    """Whether the database refuses this statement because of what it would change, also for the hub itself."""
    assert isinstance(store, Transactions)
    try:
        await store.write(lambda db: db.execute(sql))
    except ConstraintError as error:
        return "never" in str(error)
    except StoreError as error:
        return "permission denied for table" in str(error)
    return False

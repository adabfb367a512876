"""Tells a trouble of the server in one line of the log when it begins and one when it ends, however many tries fail."""

import logging
import time
from collections.abc import Callable
from typing import Final

import asyncpg

from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.storage.postgres.session import is_away

log = logging.getLogger(__name__)

_NO_ACCESS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,  # also a wrong password
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,  # a schema that the role may not enter is passed over, as if it had no tables
)
QUIET_S: Final = {StoreAwayError: 0.0, StoreRefusedError: 10.0, StoreFullError: 120.0}
"""A trouble is over when a try went well and none has failed for so long: what is refused or finds no room may be only
a part of what the hub does, and the rest goes well in between."""

_BEGINS: Final = {
    StoreAwayError: "trying again until it is back",
    StoreRefusedError: "the server refuses the hub, which tries again: mend the password or the rights",
    StoreFullError: "the server has no room, and the hub tries again: make room there",
}
_ENDS: Final = {
    StoreAwayError: "the store's server is back",
    StoreRefusedError: "the store's server lets the hub in again",
    StoreFullError: "the store's server has room again",
}


def kind_of(cause: BaseException) -> type[StoreError]:
    """What this says of the server: that it is away, refuses access or is full; else it is about one statement."""
    # One that takes no writes any more is a standby: the next session looks for the server that does.
    if is_away(cause) or isinstance(cause, asyncpg.ReadOnlySQLTransactionError):
        return StoreAwayError
    if isinstance(cause, _NO_ACCESS):
        return StoreRefusedError
    return StoreFullError if isinstance(cause, asyncpg.DiskFullError) else StoreError


class Outage:
    """What a store knows of its server at `place`: whether reading or writing fails because of it."""

    def __init__(self, place: str, *, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._place, self._steady_s = place, steady_s
        self._failed: dict[str, tuple[StoreError, float]] = {}
        self._told: type[StoreError] | None = None

    @property
    def trouble(self) -> StoreError | None:
        """What the last try that failed because of the server was told; None if all is well."""
        return max(self._failed.values(), key=lambda each: each[1])[0] if self._failed else None

    def error(self, what: str, cause: BaseException, *, told: str) -> StoreError:
        """The error for callers: `what` ("be read", "write") failed. The log is told if that is news."""
        words = f"{self._place}: the store could not {what}: {told}"
        kind = kind_of(cause)
        error = kind(words)
        if kind is StoreError:
            return error
        if isinstance(error, StoreRefusedError):
            error.shows_no_table = isinstance(cause, asyncpg.UndefinedTableError)
        if self._told is not kind:
            log.error("%s; no receipt is signed, homes keep their readings; %s", words, _BEGINS[kind])
            self._told = kind
        self._failed[what] = error, self._steady_s()
        return error

    def note_done(self, what: str) -> None:
        """Reading or writing worked."""
        if what not in self._failed:
            return
        error, failed_s = self._failed[what]
        if self._steady_s() - failed_s < QUIET_S[type(error)]:
            return
        del self._failed[what]
        if not self._failed:
            log.warning("%s: %s", self._place, _ENDS[type(error)])
            self._told = None

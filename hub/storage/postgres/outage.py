"""Tells an outage of the server in one line of the log when it begins and one when it ends, however many tries fail."""

import logging

import asyncpg

from hub.storage.errors import StoreAwayError, StoreError
from hub.storage.postgres.session import is_away

log = logging.getLogger(__name__)


class Outage:
    """What a store knows of its server at `place`: whether reading or writing failed because it was away."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._away: set[str] = set()

    def error(self, what: str, cause: BaseException, *, told: str) -> StoreError:
        """The error for callers: `what` ("be read", "write") failed. The log is told if the server was there before."""
        words = f"{self._place}: the store could not {what}: {told}"
        # One that takes no writes any more is a standby: the next session looks for the server that does.
        if not (is_away(cause) or isinstance(cause, asyncpg.ReadOnlySQLTransactionError)):
            return StoreError(words)
        if not self._away:
            log.error("%s; no receipt is signed, homes keep their readings; trying again until it is back", words)
        self._away.add(what)
        return StoreAwayError(words)

    def note_done(self, what: str) -> None:
        """Reading or writing worked."""
        if what in self._away:
            self._away.remove(what)
            if not self._away:
                log.warning("%s: the store's server is back", self._place)

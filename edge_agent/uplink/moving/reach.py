"""Whether the broker is in reach, and what was said of it: a wait before the next attempt is no failure yet."""

from __future__ import annotations

import logging

from edge_agent.uplink.moving.place import Address

log = logging.getLogger("commonwatt.agent")


class BrokerReach:
    """Connected, waiting for the next attempt, or out of reach."""

    def __init__(self) -> None:
        self.is_connected = False
        self.has_failed = False
        """Whether an attempt to connect has failed, or none can be made, since the last connection.

        An agent that waits for its turn after a lost connection has not found out yet that anything is wrong.
        """
        self._has_been_up = False
        self._said_down: set[str] = set()

    def note_up(self, address: Address) -> None:
        """The broker knows the subscription."""
        if self._said_down or not self._has_been_up:
            log.info("broker %s:%d: connected%s", *address, " again" if self._has_been_up else "")
        self.is_connected, self.has_failed, self._has_been_up = True, False, True
        self._said_down.clear()

    def note_down(self, address: Address, words: str | None) -> None:
        """There is no connection now; None if the agent ended it itself."""
        was_connected, self.is_connected = self.is_connected, False
        if words is None:
            return
        self.has_failed = self.has_failed or not was_connected
        if words not in self._said_down:
            log.warning("broker %s:%d: %s; retrying, batches stay in the outbox", *address, words)
            self._said_down.add(words)

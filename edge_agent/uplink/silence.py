"""Whether the hub is silent while its broker takes what we send: it may have been restored, and not know this home."""

from __future__ import annotations

import logging
from math import inf

log = logging.getLogger("commonwatt.agent")

SILENT_AFTER_S = 3 * 3600.0
AGAIN_AFTER_S = 24 * 3600.0


class HubSilence:
    """Says in one line, once a day, that nothing is answered. Times are of a clock that never jumps."""

    def __init__(self) -> None:
        self._since_s = inf
        self._said_at_s = -inf

    def note_sent(self, now_s: float) -> None:
        """A message was handed to the broker; the silence begins with the first that is not answered."""
        self._since_s = min(self._since_s, now_s)

    def note_heard(self) -> None:
        """The hub said something that it signed."""
        self._since_s, self._said_at_s = inf, -inf

    def check(self, now_s: float) -> None:
        """Say it, if it is time."""
        silent_s = now_s - self._since_s
        if silent_s < SILENT_AFTER_S or now_s - self._said_at_s < AGAIN_AFTER_S:
            return
        self._said_at_s = now_s
        log.error(
            "the hub has answered nothing for %d hours, though its broker is connected; our messages stay here. If the"
            " hub was restored from a backup made before this home was enrolled, it does not know this agent: ask the"
            " board for a new invitation",
            silent_s // 3600,
        )

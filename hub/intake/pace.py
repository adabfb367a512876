"""The pace the hub asks its homes for: how long they spread their return after an outage and their sending of a slot.

From the board's two rates and the number of homes; longer for a while when intake does not keep up. No I/O, no clock.
"""

import logging
from collections.abc import Iterable
from typing import Final

from hub.folder.intake_settings import IntakeLimits
from hub.intake.fair_queues import MAX_GROUP
from protocols.wire.pace.notices import MOST_RECONNECT_S, MOST_SPREAD_S, PaceNotice, encode_pace

log = logging.getLogger(__name__)

HOLD_S: Final = 86_400
"""Long enough to outlast an outage: it is then that the homes need it, and cannot be told."""

LONG: Final = MAX_GROUP // 2
"""A queue of this many, just after a group was stored, is long: the link lets through few more than two groups."""

WIDEN_AFTER_S: Final = 30.0
"""After so long a queue counts as long: what comes at the end of a slot is gone sooner."""

WIDEN_AGAIN_S: Final = 60.0
NARROW_AFTER_S: Final = 3600.0
MOST_WIDER: Final = 64


class HomesPace:
    """Agents hear of it with the hub's time: when they come, and hourly. `steady_s` is a clock that never jumps."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._connections_a_second = limits.connections_a_second
        self._messages_a_second = limits.messages_a_second
        self._wider = 1
        self._long_since_s: float | None = None
        self._long_at_s = self._changed_at_s = float("-inf")
        self._asked_until_s = float("-inf")

    def note_queue(self, waiting: int, *, steady_s: float) -> None:
        """See how many deliveries wait. After half a minute of a long queue all times double, and again each minute;
        an hour without one halves them.
        """
        if waiting < LONG:
            self._long_since_s = None
            self._narrow(steady_s)
            return
        self._long_at_s = steady_s
        if self._long_since_s is None:
            self._long_since_s = steady_s
        is_lasting = steady_s - self._long_since_s >= WIDEN_AFTER_S
        if is_lasting and steady_s - self._changed_at_s >= WIDEN_AGAIN_S and self._wider < MOST_WIDER:
            self._wider, self._changed_at_s = 2 * self._wider, steady_s
            log.warning(
                "intake has been behind for %.0f s: from now on homes are asked to take %d times as long as usual to"
                " come back and to send",
                *(steady_s - self._long_since_s, self._wider),
            )

    def times_s(self, homes: int) -> tuple[int, int]:
        """Within how many seconds so many homes are asked to come back, and to send what a slot brought."""
        reconnect_s = homes * self._wider // self._connections_a_second
        spread_s = homes * self._wider // self._messages_a_second
        return min(MOST_RECONNECT_S, reconnect_s), min(MOST_SPREAD_S, spread_s)

    def told(self, agents: Iterable[str], *, homes: int, at: int, steady_s: float) -> list[tuple[str, str, bytes]]:
        """(agent, kind, payload) for agents that asked for the time; none while a small hub has nothing to ask for."""
        reconnect_s, spread_s = self.times_s(homes)
        if reconnect_s or spread_s:
            self._asked_until_s = steady_s + HOLD_S
        elif steady_s >= self._asked_until_s:
            return []
        return [
            (agent, "pace", encode_pace(PaceNotice(agent, at, reconnect_s, spread_s, HOLD_S)))
            for agent in sorted(set(agents))
        ]

    def _narrow(self, steady_s: float) -> None:
        while self._wider > 1 and steady_s - max(self._long_at_s, self._changed_at_s) >= NARROW_AFTER_S:
            self._wider //= 2
            self._changed_at_s = max(self._long_at_s, self._changed_at_s) + NARROW_AFTER_S
            log.info("intake has kept up for an hour: homes are asked to take %d times as long as usual", self._wider)
